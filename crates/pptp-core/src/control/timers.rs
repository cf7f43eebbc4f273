//! The deadlines of a connection and its calls.

use std::collections::BTreeMap;

use crate::time::Instant;
use crate::wire::CallId;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The control connection has to be established (RFC 2637 §3.1.4).
    Setup,
    /// Stop-Control-Connection-Request has to be answered.
    Stop,
    /// Nothing came from the peer for long enough to ask (§3.1.4).
    Echo,
    /// Echo-Request has to be answered (§3.1.4).
    EchoReply,
    /// The call has to take its next step (§3.2.1).
    Call(u16),
    /// The call may report WAN errors again (§2.14).
    WanErrors(u16),
}

/// The table of deadlines, at most one for each timer. A connection has few calls: the next deadline is searched for.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Sets a deadline, in place of the timer's earlier one.
    pub(super) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.0.insert(timer, deadline);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    /// Clears the timers of a call.
    pub(super) fn clear_call(&mut self, call: CallId) {
        self.clear(Timer::Call(call.0));
        self.clear(Timer::WanErrors(call.0));
    }

    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Removes and returns the timer that expired first, if any has.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Timer> {
        let (&timer, &deadline) = self.0.iter().min_by_key(|&(_, deadline)| *deadline)?;
        if deadline > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_epoch(Duration::from_micros(micros))
    }

    #[test]
    fn timers_expire_in_the_order_of_their_deadlines() {
        let mut timers = Timers::default();
        timers.set(Timer::Setup, at(30));
        timers.set(Timer::Call(7), at(10));
        timers.set(Timer::Call(8), at(20));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_expired(at(9)), None);
        assert_eq!(timers.pop_expired(at(30)), Some(Timer::Call(7)));
        assert_eq!(timers.pop_expired(at(30)), Some(Timer::Call(8)));
        assert_eq!(timers.pop_expired(at(30)), Some(Timer::Setup));
        assert_eq!(timers.pop_expired(at(30)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn setting_a_timer_again_moves_its_deadline() {
        let mut timers = Timers::default();
        timers.set(Timer::Echo, at(10));
        timers.set(Timer::Echo, at(20));
        assert_eq!(timers.pop_expired(at(19)), None);
        assert_eq!(timers.pop_expired(at(20)), Some(Timer::Echo));
    }

    #[test]
    fn clearing_a_call_leaves_the_other_calls_timers() {
        let mut timers = Timers::default();
        timers.set(Timer::Call(1), at(1));
        timers.set(Timer::WanErrors(1), at(2));
        timers.set(Timer::Call(2), at(3));
        timers.clear_call(CallId(1));
        assert_eq!(timers.next(), Some(at(3)));
    }
}
