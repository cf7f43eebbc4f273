//! What waits to be drained.

use std::collections::VecDeque;

use super::event::{Event, Preparation};
use super::packet::Packet;

/// Packets that wait at most. Only an owner that does not drain gets here.
const MAX_WAITING: usize = 32;

/// What was not used, and why. A packet is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets or options with wrong lengths.
    pub malformed: u64,
    /// Packets that the state does not allow, and answers to no request: repetitions, mostly.
    pub unexpected: u64,
    /// Packets of this end that were not sent, because too many waited.
    pub unsent: u64,
}

/// Packets, events and counters.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    preparations: VecDeque<Preparation>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    pub(super) counters: Counters,
}

impl Outbox {
    pub(super) fn send(&mut self, code: u8, identifier: u8, data: &[u8]) {
        if self.transmit.len() < MAX_WAITING {
            self.transmit.push_back(Packet { code, identifier, data }.emit());
        } else {
            self.counters.unsent = self.counters.unsent.saturating_add(1);
        }
    }

    /// Before the packet that is sent next; what is prepared anew replaces what it was.
    pub(super) fn prepare(&mut self, preparation: Preparation) {
        self.preparations.retain(|earlier| !earlier.is_for_the_same(preparation));
        self.preparations.push_back(preparation);
    }

    /// Queues an event; one that says what the last one says adds nothing.
    pub(super) fn report(&mut self, event: Event) {
        if self.events.back() != Some(&event) {
            self.events.push_back(event);
        }
    }

    pub(super) const fn malformed(&mut self) {
        self.counters.malformed = self.counters.malformed.saturating_add(1);
    }

    pub(super) const fn unexpected(&mut self) {
        self.counters.unexpected = self.counters.unexpected.saturating_add(1);
    }

    pub(super) fn poll_preparation(&mut self) -> Option<Preparation> {
        self.preparations.pop_front()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
