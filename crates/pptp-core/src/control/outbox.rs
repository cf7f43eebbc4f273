//! What waits to be drained by the owner: messages to write and events.
//!
//! What a peer can make grow is bounded. Reports of misbehaviour beyond a limit are counted in place of queued; the
//! latest of several Set-Link-Info or WAN-Error-Notify for one call replaces the one before; and a peer that
//! provokes more answers or events than [`Outbox::is_flooded`] allows, before the owner drains them, is cut off.

use std::collections::VecDeque;

use crate::wire::Message;

use super::error::Misbehaviour;
use super::event::Event;

/// Answers to the peer that may wait: far more than any peer has requests in flight.
const MAX_ANSWERS: usize = 256;
/// Events that may wait, apart from those that calls account for.
const MAX_EVENTS: usize = 1024;
/// Events that one call accounts for: requested, connected, link info, WAN errors, ended.
const EVENTS_PER_CALL: usize = 5;
/// Reports of misbehaviour that may wait.
const MAX_REPORTS: usize = 64;

/// Who caused a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Owner,
    Peer,
}

/// The two queues.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    transmit: VecDeque<(Cause, Vec<u8>)>,
    answers: usize,
    events: VecDeque<Event>,
    reports: usize,
    suppressed: u64,
}

impl Outbox {
    /// Queues a message that the owner, or a timer, caused.
    pub(super) fn send(&mut self, message: &Message) {
        self.queue(Cause::Owner, message);
    }

    /// Queues a message that a message from the peer caused.
    pub(super) fn answer(&mut self, message: &Message) {
        self.answers = self.answers.saturating_add(1);
        self.queue(Cause::Peer, message);
    }

    fn queue(&mut self, cause: Cause, message: &Message) {
        let mut bytes = Vec::new();
        message.emit(&mut bytes);
        self.transmit.push_back((cause, bytes));
    }

    /// Queues an event of which there is a bounded number per call and per connection.
    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Queues an event that makes an earlier one of its kind, for the same call, worthless.
    pub(super) fn latest(&mut self, event: Event) {
        match self.events.iter_mut().find(|earlier| replaces(&event, earlier)) {
            Some(earlier) => *earlier = event,
            None => self.events.push_back(event),
        }
    }

    /// Queues a report of misbehaviour, or counts it when too many wait.
    pub(super) fn misbehaved(&mut self, what: Misbehaviour) {
        if self.reports < MAX_REPORTS {
            self.reports = self.reports.saturating_add(1);
            self.events.push_back(Event::PeerMisbehaved(what));
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
        }
    }

    /// Whether the peer provoked more than it may, with this many calls open.
    pub(super) fn is_flooded(&self, calls: usize) -> bool {
        let events = MAX_EVENTS.saturating_add(calls.saturating_mul(EVENTS_PER_CALL));
        self.answers > MAX_ANSWERS || self.events.len() > events
    }

    /// Forgets what was not written yet.
    pub(super) fn discard_transmit(&mut self) {
        self.transmit.clear();
        self.answers = 0;
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let (cause, bytes) = self.transmit.pop_front()?;
        if cause == Cause::Peer {
            self.answers = self.answers.saturating_sub(1);
        }
        Some(bytes)
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if matches!(event, Event::PeerMisbehaved(_)) {
            self.reports = self.reports.saturating_sub(1);
        }
        Some(event)
    }

    /// Reports of misbehaviour that were counted in place of queued.
    pub(super) const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

fn replaces(new: &Event, old: &Event) -> bool {
    match (new, old) {
        (Event::LinkInfo { call: new, .. }, Event::LinkInfo { call: old, .. })
        | (Event::WanErrors { call: new, .. }, Event::WanErrors { call: old, .. }) => new == old,
        _ => false,
    }
}
