//! The adaptive acknowledgement time-out (RFC 2637 §4.4.1, §4.4.2).

use core::time::Duration;

use super::config::Timeouts;

/// α = 1/8, the gain of the average.
const ALPHA_DIVISOR: u32 = 8;
/// β = 1/4, the gain of the deviation.
const BETA_DIVISOR: u32 = 4;
/// χ, the gain of the time-out.
const CHI: u32 = 4;
/// δ, the factor of the round trip when a time-out occurs.
const DELTA: u32 = 2;

/// RTT, DEV and ATO of a session.
#[derive(Clone, Debug)]
pub(super) struct AdaptiveTimeout {
    bounds: Timeouts,
    rtt: Duration,
    dev: Duration,
    measured: bool,
}

impl AdaptiveTimeout {
    /// Seeded with the peer's processing delay. Many peers say 0, which no factor would ever raise: at least `MinTimeOut`.
    pub(super) fn new(bounds: Timeouts) -> Self {
        let bounds = Timeouts { maximum: bounds.maximum.max(bounds.minimum), ..bounds };
        let rtt = bounds.processing_delay.clamp(bounds.minimum, bounds.maximum);
        Self { bounds, rtt, dev: Duration::ZERO, measured: false }
    }

    /// Takes the time from a packet to its acknowledgement into account.
    pub(super) fn sample(&mut self, sample: Duration) {
        let sample = sample.min(self.bounds.maximum);
        let difference = sample.abs_diff(self.rtt);
        self.dev = approach(self.dev, difference, BETA_DIVISOR);
        self.rtt = approach(self.rtt, sample, ALPHA_DIVISOR);
        self.measured = true;
    }

    /// Backs off, because an acknowledgement did not come in time. RTT stays within `MaxTimeOut`: it would otherwise take
    /// many samples to come down again.
    pub(super) fn back_off(&mut self) {
        self.rtt = self.rtt.saturating_mul(DELTA).min(self.bounds.maximum);
    }

    /// ATO: how long the next packet may wait for its acknowledgement.
    pub(super) fn current(&self) -> Duration {
        let timeout = self.rtt.saturating_add(self.dev.saturating_mul(CHI));
        timeout.clamp(self.bounds.minimum, self.bounds.maximum)
    }

    /// RTT, once something was measured.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.measured.then_some(self.rtt)
    }
}

/// `from`, moved towards `to` by one `divisor`th of the difference.
fn approach(from: Duration, to: Duration, divisor: u32) -> Duration {
    let step = to.abs_diff(from).checked_div(divisor).unwrap_or_default();
    if to > from { from.saturating_add(step) } else { from.saturating_sub(step) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn bounds(processing_delay: u32) -> Timeouts {
        Timeouts {
            minimum: MILLISECOND * 10,
            maximum: MILLISECOND * 3000,
            processing_delay: MILLISECOND * processing_delay,
        }
    }

    #[test]
    fn the_first_time_out_is_the_processing_delay() {
        assert_eq!(AdaptiveTimeout::new(bounds(640)).current(), MILLISECOND * 640);
        assert_eq!(AdaptiveTimeout::new(bounds(0)).current(), MILLISECOND * 10);
        assert_eq!(AdaptiveTimeout::new(bounds(64_000)).current(), MILLISECOND * 3000);
    }

    #[test]
    fn a_sample_moves_the_estimates_by_their_gains() {
        let mut timeout = AdaptiveTimeout::new(bounds(800));
        timeout.sample(MILLISECOND * 400);
        // DIFF = -400, DEV = 0 + 400/4, RTT = 800 - 400/8, ATO = 750 + 4 * 100
        assert_eq!(timeout.round_trip(), Some(MILLISECOND * 750));
        assert_eq!(timeout.current(), MILLISECOND * 1150);
        timeout.sample(MILLISECOND * 830);
        // DIFF = 80, DEV = 100 - 20/4, RTT = 750 + 80/8
        assert_eq!(timeout.round_trip(), Some(MILLISECOND * 760));
        assert_eq!(timeout.current(), MILLISECOND * (760 + 4 * 95));
    }

    #[test]
    fn a_time_out_doubles_the_round_trip_up_to_the_maximum() {
        let mut timeout = AdaptiveTimeout::new(bounds(500));
        timeout.back_off();
        assert_eq!((timeout.current(), timeout.round_trip()), (MILLISECOND * 1000, None));
        for _ in 0..40 {
            timeout.back_off();
        }
        assert_eq!(timeout.current(), MILLISECOND * 3000);
    }

    #[test]
    fn steady_samples_are_found_and_the_bounds_kept() {
        for sample in [0, 5, 50, 2000, 1_000_000] {
            let mut timeout = AdaptiveTimeout::new(bounds(300));
            for _ in 0..200 {
                timeout.sample(MILLISECOND * sample);
                assert!((MILLISECOND * 10..=MILLISECOND * 3000).contains(&timeout.current()));
            }
            let expected = MILLISECOND * sample.min(3000);
            assert!(timeout.round_trip().unwrap().abs_diff(expected) < MILLISECOND, "{sample}: {timeout:?}");
        }
    }
}
