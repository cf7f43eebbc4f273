//! The sending half of a session: numbers, their acknowledgements, the window and its time-out.

use crate::time::Instant;

use super::config::Config;
use super::counters::Counters;
use super::frame::WindowClosed;
use super::seq::SeqNum;
use super::timeout::AdaptiveTimeout;
use super::window::Window;

/// For so many packets it is known when they were sent. An acknowledgement of an older one measures nothing.
const REMEMBERED: u32 = 256;

/// Numbers given and acknowledged.
#[derive(Debug)]
pub(super) struct Transmitter {
    next: SeqNum,
    /// The highest number acknowledged; the one before the first at the beginning.
    acknowledged: SeqNum,
    sent_at: Box<[Instant]>,
    timeout: AdaptiveTimeout,
    window: Option<Window>,
}

impl Transmitter {
    pub(super) fn new(config: &Config) -> Self {
        let first = config.first_sequence;
        Self {
            next: first,
            acknowledged: first.previous(),
            sent_at: (0..REMEMBERED).map(|_| Instant::default()).collect(),
            timeout: AdaptiveTimeout::new(config.timeouts),
            window: config.transmit_window.map(|maximum| Window::new(maximum, first)),
        }
    }

    /// How many packets may be sent.
    pub(super) fn room(&self) -> u32 {
        self.window.as_ref().map_or(u32::MAX, |window| window.room(self.next))
    }

    /// Gives the next number to a packet that is sent now.
    pub(super) fn number(&mut self, now: Instant) -> Result<SeqNum, WindowClosed> {
        let sequence = self.next;
        if let Some(window) = &mut self.window {
            if window.room(sequence) == 0 {
                return Err(WindowClosed);
            }
            window.sent(now, self.timeout.current());
        }
        if let Some(sent_at) = slot(sequence).and_then(|index| self.sent_at.get_mut(index)) {
            *sent_at = now;
        }
        self.next = sequence.next();
        Ok(sequence)
    }

    /// A packet came that only acknowledges.
    pub(super) fn handle_lone_acknowledgement(&mut self) {
        if let Some(window) = &mut self.window {
            window.lone_acknowledgement();
        }
    }

    /// The peer has everything that it will ever have up to this number (§4.2.5).
    pub(super) fn handle_acknowledgement(&mut self, acknowledged: SeqNum, now: Instant, counters: &mut Counters) {
        if !acknowledged.is_after(self.acknowledged) {
            return;
        }
        if !self.next.is_after(acknowledged) {
            counters.bogus_acks += 1;
            return;
        }
        self.acknowledged = acknowledged;
        if let Some(sent_at) = self.sent_at(acknowledged) {
            self.timeout.sample(now.since(sent_at));
        }
        if let Some(window) = &mut self.window {
            window.acknowledged(acknowledged, self.next, now + self.timeout.current());
        }
    }

    /// When the window's time-out is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.window.as_ref().and_then(Window::deadline)
    }

    /// Lets the time-out happen if it is due (§4.4.2).
    pub(super) fn handle_timeout(&mut self, now: Instant, counters: &mut Counters) {
        let Some(window) = &mut self.window else {
            return;
        };
        if window.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        counters.timeouts += 1;
        self.timeout.back_off();
        if window.time_out(self.next) {
            counters.window_suspended += 1;
            log::debug!("peer does not acknowledge: transmit window put aside");
        }
    }

    pub(super) const fn timeout(&self) -> &AdaptiveTimeout {
        &self.timeout
    }

    fn sent_at(&self, sequence: SeqNum) -> Option<Instant> {
        if self.next.distance_from(sequence) > REMEMBERED {
            return None;
        }
        self.sent_at.get(slot(sequence)?).copied()
    }
}

fn slot(sequence: SeqNum) -> Option<usize> {
    usize::try_from(sequence.value() % REMEMBERED).ok()
}
