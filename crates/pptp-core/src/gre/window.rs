//! The transmit window (RFC 2637 §4.2): how many packets may be sent that are not acknowledged yet.

use core::time::Duration;

use crate::time::Instant;

use super::seq::SeqNum;

/// So many time-outs in a row, from a peer that never sent an acknowledgement of its own, and the window is put aside.
const PATIENCE: u32 = 3;

/// A transmit window.
///
/// Some peers acknowledge only along with data of their own, or never. Waiting for those would cost a time-out for every
/// packet, so after a few time-outs the window stays open until the peer acknowledges something.
#[derive(Clone, Debug)]
pub(super) struct Window {
    maximum: u32,
    size: u32,
    /// The first number that is counted as on its way.
    base: SeqNum,
    /// Packets acknowledged since the size last changed.
    progress: u32,
    deadline: Option<Instant>,
    timeouts_in_a_row: u32,
    habit: Habit,
}

/// What is known of how the peer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// No packet that only acknowledges was seen yet.
    Unknown,
    /// It does send packets that only acknowledge.
    Acknowledges,
    /// It does not, and the window is put aside.
    KeepsSilent,
}

impl Window {
    /// Half open (§4.2.1). `maximum` is what the peer announced; 0 counts as 1.
    pub(super) fn new(maximum: u16, first: SeqNum) -> Self {
        let maximum = u32::from(maximum).max(1);
        Self {
            maximum,
            size: (maximum / 2).max(1),
            base: first,
            progress: 0,
            deadline: None,
            timeouts_in_a_row: 0,
            habit: Habit::Unknown,
        }
    }

    /// How many packets may be sent, when `next` is the number of the next one.
    pub(super) fn room(&self, next: SeqNum) -> u32 {
        match self.habit {
            Habit::KeepsSilent => u32::MAX,
            _ => self.size.saturating_sub(next.distance_from(self.base)),
        }
    }

    /// A packet was sent, and its acknowledgement may take this long.
    pub(super) fn sent(&mut self, now: Instant, timeout: Duration) {
        if self.habit != Habit::KeepsSilent {
            self.deadline.get_or_insert(now + timeout);
        }
    }

    /// A packet came that only acknowledges.
    pub(super) fn lone_acknowledgement(&mut self) {
        if self.habit == Habit::Unknown {
            self.habit = Habit::Acknowledges;
        }
    }

    /// Everything before `next` that is not after `acknowledged` has arrived; what is left may take this long from `now`.
    pub(super) fn acknowledged(&mut self, acknowledged: SeqNum, next: SeqNum, deadline: Instant) {
        self.timeouts_in_a_row = 0;
        if self.habit == Habit::KeepsSilent {
            self.habit = Habit::Unknown;
            self.base = next;
            return;
        }
        if !acknowledged.next().is_after(self.base) {
            return;
        }
        self.grow(acknowledged.next().distance_from(self.base));
        self.base = acknowledged.next();
        self.deadline = (self.base != next).then_some(deadline);
    }

    /// One packet more for each window's worth without a time-out (§4.2.3).
    fn grow(&mut self, acknowledged: u32) {
        self.progress = self.progress.saturating_add(acknowledged);
        if self.progress >= self.size {
            self.progress = 0;
            self.size = self.size.saturating_add(1).min(self.maximum);
        }
    }

    /// When what is on its way counts as lost.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline has passed: everything on its way counts as lost, and the window is halved, rounded up (§4.2.2). Says
    /// whether the window was put aside.
    pub(super) fn time_out(&mut self, next: SeqNum) -> bool {
        self.base = next;
        self.deadline = None;
        self.progress = 0;
        self.size = self.size.div_ceil(2).max(1);
        self.timeouts_in_a_row = self.timeouts_in_a_row.saturating_add(1);
        if self.habit == Habit::Acknowledges || self.timeouts_in_a_row < PATIENCE {
            return false;
        }
        self.habit = Habit::KeepsSilent;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(millis))
    }

    /// Sends as much as the window allows; gives the number of packets.
    fn fill(window: &mut Window, next: &mut SeqNum, now: Instant) -> u32 {
        let room = window.room(*next);
        for _ in 0..room {
            *next = next.next();
            window.sent(now, Duration::from_millis(100));
        }
        room
    }

    #[test]
    fn a_window_begins_half_open_and_never_shut() {
        for (maximum, room) in [(0, 1), (1, 1), (2, 1), (3, 1), (64, 32), (16384, 8192)] {
            assert_eq!(Window::new(maximum, SeqNum::ZERO).room(SeqNum::ZERO), room);
        }
    }

    #[test]
    fn a_full_window_is_shut_until_an_acknowledgement() {
        let (mut window, mut next) = (Window::new(8, SeqNum::ZERO), SeqNum::ZERO);
        assert_eq!(fill(&mut window, &mut next, at(0)), 4);
        assert_eq!((window.room(next), window.deadline()), (0, Some(at(100))));
        window.acknowledged(SeqNum::new(1), next, at(150));
        assert_eq!((window.room(next), window.deadline()), (2, Some(at(150))));
        window.acknowledged(SeqNum::new(3), next, at(160));
        assert_eq!((window.room(next), window.deadline()), (5, None), "a window's worth made it grow");
    }

    #[test]
    fn the_window_grows_by_one_per_window_up_to_the_maximum() {
        let (mut window, mut next) = (Window::new(8, SeqNum::ZERO), SeqNum::ZERO);
        let sizes: Vec<_> = (0..7)
            .map(|_| {
                let size = fill(&mut window, &mut next, at(0));
                window.acknowledged(next.previous(), next, at(100));
                size
            })
            .collect();
        assert_eq!(sizes, [4, 5, 6, 7, 8, 8, 8]);
    }

    #[test]
    fn a_time_out_halves_the_window_rounded_up_and_opens_it() {
        let (mut window, mut next) = (Window::new(50, SeqNum::ZERO), SeqNum::ZERO);
        window.lone_acknowledgement();
        let sizes: Vec<_> = (0..7)
            .map(|_| {
                let size = fill(&mut window, &mut next, at(0));
                assert!(!window.time_out(next));
                size
            })
            .collect();
        assert_eq!(sizes, [25, 13, 7, 4, 2, 1, 1]);
    }

    #[test]
    fn a_late_acknowledgement_of_what_was_given_up_changes_nothing() {
        let (mut window, mut next) = (Window::new(8, SeqNum::ZERO), SeqNum::ZERO);
        fill(&mut window, &mut next, at(0));
        window.time_out(next);
        window.acknowledged(SeqNum::new(2), next, at(300));
        assert_eq!((window.room(next), window.deadline()), (2, None));
        fill(&mut window, &mut next, at(0));
        window.acknowledged(SeqNum::new(3), next, at(300));
        assert_eq!((window.room(next), window.deadline()), (0, Some(at(100))));
    }

    #[test]
    fn the_window_is_put_aside_for_a_peer_that_never_acknowledges() {
        let (mut window, mut next) = (Window::new(8, SeqNum::ZERO), SeqNum::ZERO);
        let outcomes: Vec<_> = (0..3)
            .map(|_| {
                fill(&mut window, &mut next, at(0));
                window.time_out(next)
            })
            .collect();
        assert_eq!(outcomes, [false, false, true]);
        window.sent(at(0), Duration::ZERO);
        assert_eq!((window.room(next), window.deadline()), (u32::MAX, None));
        window.acknowledged(SeqNum::ZERO, next, at(9));
        assert_eq!((window.room(next), window.deadline()), (1, None), "it does acknowledge");
    }

    #[test]
    fn the_window_goes_on_through_the_wrap() {
        let first = SeqNum::new(u32::MAX - 2);
        let (mut window, mut next) = (Window::new(16, first), first);
        assert_eq!(fill(&mut window, &mut next, at(0)), 8);
        assert_eq!((next, window.room(next)), (SeqNum::new(5), 0));
        window.acknowledged(SeqNum::new(u32::MAX), next, at(100));
        assert_eq!(window.room(next), 3);
        window.acknowledged(SeqNum::new(4), next, at(100));
        assert_eq!(window.room(next), 9);
    }
}
