//! A bound on lines that strangers can make this server log.

use core::time::Duration;

use pptp_core::time::Instant;

/// So many lines in so long a time; further ones are counted.
const LINES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);

/// Lines of a kind that only those see who have asked for it (`debug`): all of an office that connects at once.
const DETAILS: u32 = 300;

#[derive(Debug)]
pub(super) struct Quota {
    lines: u32,
    begin: Option<Instant>,
    said: u32,
    kept_back: u64,
    /// Those that were told of included.
    pub(super) suppressed: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self::of(LINES)
    }
}

impl Quota {
    const fn of(lines: u32) -> Self {
        Self { lines, begin: None, said: 0, kept_back: 0, suppressed: 0 }
    }

    /// Whether a line may be logged; one that may not is counted.
    pub(super) fn permits(&mut self, now: Instant) -> bool {
        if self.begin.is_none_or(|begin| now.since(begin) >= PERIOD && self.kept_back == 0) {
            (self.begin, self.said) = (Some(now), 0);
        }
        if self.said < self.lines {
            self.said += 1;
            return true;
        }
        self.kept_back = self.kept_back.saturating_add(1);
        self.suppressed = self.suppressed.saturating_add(1);
        false
    }

    /// When [`Quota::take_count`] has something to tell.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.begin.filter(|_| self.kept_back > 0).map(|begin| begin + PERIOD)
    }

    /// How many lines were kept back, when it is time to tell.
    pub(super) fn take_count(&mut self, now: Instant) -> Option<u64> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        (self.begin, self.said) = (Some(now), 0);
        Some(std::mem::take(&mut self.kept_back))
    }
}

/// One for each kind of line, so that a flood of one hides none of the other.
#[derive(Debug)]
pub(super) struct Quotas {
    /// Connections that come to nothing.
    pub(super) strangers: Quota,
    /// Clients and calls that are refused.
    pub(super) refusals: Quota,
    /// What control connections are at, for those who debug.
    pub(super) details: Quota,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { strangers: Quota::default(), refusals: Quota::default(), details: Quota::of(DETAILS) }
    }
}

impl Quotas {
    pub(super) fn deadline(&self) -> Option<Instant> {
        [&self.strangers, &self.refusals, &self.details].into_iter().filter_map(Quota::deadline).min()
    }

    /// Counts of lines that were kept back, with what they were about, when it is time to tell.
    pub(super) fn take_counts(&mut self, now: Instant) -> impl Iterator<Item = (u64, &'static str)> + use<> {
        let strangers = self.strangers.take_count(now).map(|count| (count, "connections that came to nothing"));
        let refusals = self.refusals.take_count(now).map(|count| (count, "refusals"));
        let details = self.details.take_count(now).map(|count| (count, "control connections"));
        strangers.into_iter().chain(refusals).chain(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_too_much_is_counted_and_told_at_the_end_of_the_period() {
        let mut quota = Quota::default();
        let said = (0..1000).filter(|_| quota.permits(at(5))).count();
        assert_eq!(said, 20);
        assert_eq!((quota.take_count(at(14)), quota.deadline()), (None, Some(at(15))));
        assert_eq!((quota.take_count(at(15)), quota.deadline()), (Some(980), None));
        assert!(quota.permits(at(16)));
        assert_eq!(quota.suppressed, 980);
    }

    #[test]
    fn who_says_little_is_never_silenced() {
        let mut quota = Quota::default();
        assert!((0..1000).all(|second| quota.permits(at(second))));
        assert_eq!(quota.deadline(), None);
    }
}
