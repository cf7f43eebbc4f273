//! When to acknowledge what the peer sent (RFC 2637 §4.2, §4.2.5).
//!
//! Every data packet that we send acknowledges. A packet that does nothing else is sent when none came along in time: after
//! the delay, or sooner when the peer may be about to run out of window. How large its window is at the moment it does not
//! tell, so this follows the peer's own rules (§4.2.1 to §4.2.3): half of what we announced at first, then growing; and if the
//! peer falls silent before an acknowledgement was due, it may be waiting for one: then its window is no larger than what it
//! has sent. An estimate that is too small costs only some more acknowledgements, one that is too large a pause: so it grows
//! more slowly than the window can.

use core::time::Duration;

use crate::time::Instant;

use super::config::{Config, MAX_ACK_DELAY};
use super::seq::SeqNum;

/// So many windows' worth of packets make the estimate of the peer's window grow by one packet. Its window itself may grow
/// with each (§4.2.3).
const WINDOWS_PER_GROWTH: u32 = 8;

/// What the peer sent, and what it knows of our having it.
#[derive(Clone, Debug)]
pub(super) struct Acknowledger {
    highest: Option<SeqNum>,
    told: SeqNum,
    window: PeerWindow,
    delay: Duration,
    deadline: Option<Instant>,
    last_arrival: Instant,
}

impl Acknowledger {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            highest: None,
            told: config.first_sequence.previous(),
            window: PeerWindow::new(config.receive_window),
            delay: config.ack_delay.min(MAX_ACK_DELAY),
            deadline: None,
            last_arrival: Instant::default(),
        }
    }

    /// Notes a data packet.
    pub(super) fn note(&mut self, sequence: SeqNum, now: Instant) {
        self.last_arrival = now;
        if self.highest.is_some_and(|highest| !sequence.is_after(highest)) {
            return;
        }
        self.highest = Some(sequence);
        self.deadline.get_or_insert(now + self.delay);
    }

    /// The number to put into a packet that is sent anyway.
    pub(super) fn take(&mut self) -> Option<SeqNum> {
        let highest = self.highest?;
        if self.deadline.take().is_some() {
            self.window.grow(highest.distance_from(self.told));
            self.told = highest;
        }
        Some(highest)
    }

    /// The number for a packet of its own, if one is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<SeqNum> {
        let waiting = self.highest?.distance_from(self.told);
        let deadline = self.deadline?;
        let is_late = deadline <= now;
        if !is_late && waiting < self.window.share() {
            return None;
        }
        if is_late && now.since(self.last_arrival) >= self.delay / 2 {
            self.window.shrink_to(waiting);
        }
        self.take()
    }

    /// When an acknowledgement is due at the latest.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// An estimate of the window with which the peer sends, packets.
#[derive(Clone, Debug)]
struct PeerWindow {
    size: u32,
    maximum: u32,
    /// Packets acknowledged since the size last changed.
    progress: u32,
}

impl PeerWindow {
    fn new(announced: u16) -> Self {
        let maximum = u32::from(announced).max(1);
        Self { size: (maximum / 2).max(1), maximum, progress: 0 }
    }

    /// How many packets to acknowledge at once: half a window, so that the other half is on its way meanwhile.
    fn share(&self) -> u32 {
        (self.size / 2).max(1)
    }

    fn grow(&mut self, acknowledged: u32) {
        self.progress = self.progress.saturating_add(acknowledged);
        if self.progress >= self.size.saturating_mul(WINDOWS_PER_GROWTH) {
            self.progress = 0;
            self.size = self.size.saturating_add(1).min(self.maximum);
        }
    }

    fn shrink_to(&mut self, packets: u32) {
        self.size = self.size.min(packets.max(1));
        self.progress = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CallId, PeerCallId};

    fn at(millis: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(millis))
    }

    fn acknowledger(receive_window: u16) -> Acknowledger {
        let config = Config { receive_window, ..Config::new(CallId(1), PeerCallId(2)) };
        Acknowledger::new(&config)
    }

    #[test]
    fn nothing_is_acknowledged_before_something_came() {
        let mut acks = acknowledger(50);
        assert_eq!((acks.take(), acks.take_due(at(1000)), acks.deadline()), (None, None, None));
    }

    #[test]
    fn a_lone_acknowledgement_waits_for_its_delay_and_is_sent_once() {
        let mut acks = acknowledger(50);
        acks.note(SeqNum::ZERO, at(7));
        acks.note(SeqNum::new(1), at(20));
        assert_eq!((acks.take_due(at(56)), acks.deadline()), (None, Some(at(57))));
        assert_eq!(acks.take_due(at(57)), Some(SeqNum::new(1)));
        assert_eq!((acks.take_due(at(999)), acks.deadline()), (None, None));
    }

    #[test]
    fn a_data_packet_takes_the_acknowledgement_along_every_time() {
        let mut acks = acknowledger(50);
        acks.note(SeqNum::ZERO, at(0));
        assert_eq!((acks.take(), acks.deadline()), (Some(SeqNum::ZERO), None));
        assert_eq!(acks.take(), Some(SeqNum::ZERO));
    }

    #[test]
    fn half_of_the_peers_first_window_is_acknowledged_at_once() {
        for (announced, share) in [(0, 1), (1, 1), (3, 1), (16, 4), (50, 12), (u16::MAX, 16383)] {
            let mut acks = acknowledger(announced);
            for number in 0..share - 1 {
                acks.note(SeqNum::new(number), at(0));
            }
            assert_eq!(acks.take_due(at(0)), None, "window {announced}");
            acks.note(SeqNum::new(share - 1), at(0));
            assert_eq!(acks.take_due(at(0)), Some(SeqNum::new(share - 1)), "window {announced}");
        }
    }

    #[test]
    fn a_peer_that_waits_is_acknowledged_at_once_the_next_time() {
        let mut acks = acknowledger(50);
        acks.note(SeqNum::ZERO, at(0));
        assert_eq!(acks.take_due(at(50)), Some(SeqNum::ZERO));
        acks.note(SeqNum::new(1), at(60));
        assert_eq!(acks.take_due(at(60)), Some(SeqNum::new(1)));
    }

    #[test]
    fn a_peer_that_goes_on_slowly_is_not_taken_for_one_that_waits() {
        let mut acks = acknowledger(50);
        for number in 0..=5 {
            acks.note(SeqNum::new(number), at(u64::from(number) * 10));
        }
        assert_eq!(acks.take_due(at(50)), Some(SeqNum::new(5)));
        acks.note(SeqNum::new(6), at(60));
        assert_eq!(acks.take_due(at(60)), None);
    }

    #[test]
    fn the_estimate_grows_slowly_up_to_what_was_announced() {
        let mut window = PeerWindow::new(4);
        window.shrink_to(0);
        let sizes: Vec<_> = (0..80)
            .map(|_| {
                window.grow(1);
                window.size
            })
            .collect();
        assert_eq!((sizes[6], sizes[7], sizes[22], sizes[23], sizes[46], sizes[47], sizes[79]), (1, 2, 2, 3, 3, 4, 4));
    }

    #[test]
    fn an_acknowledgement_goes_on_through_the_wrap() {
        let first_sequence = SeqNum::new(u32::MAX);
        let config = Config { first_sequence, ..Config::new(CallId(1), PeerCallId(2)) };
        let mut acks = Acknowledger::new(&config);
        for number in [first_sequence, SeqNum::ZERO, first_sequence] {
            acks.note(number, at(0));
        }
        assert_eq!((acks.take_due(at(0)), acks.take_due(at(100))), (None, Some(SeqNum::ZERO)));
    }
}
