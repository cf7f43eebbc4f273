//! What a call's state machine acts on, and what becomes of the call.

use core::time::Duration;

use crate::control::config::{CallRefusal, Config, WanErrorCounters};
use crate::control::error::{Misbehaviour, Misuse};
use crate::control::event::{CallEnd, CallParameters, Event};
use crate::control::outbox::Outbox;
use crate::control::timers::{Timer, Timers};
use crate::time::Instant;
use crate::wire::{CallId, GeneralError, IncomingCallResult, Message};

/// Whether a call lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::control) enum Fate {
    /// It does.
    Alive,
    /// It is over.
    Ended(CallEnd),
    /// It is over before it began: the peer refused it.
    RefusedByPeer(CallRefusal),
    /// Likewise, with the answer of a PNS.
    RefusedByPns(IncomingCallResult, GeneralError),
}

/// The connection, as far as a call may touch it.
pub(in crate::control) struct Context<'a> {
    pub(in crate::control) call: CallId,
    pub(in crate::control) now: Instant,
    pub(in crate::control) config: &'a Config,
    pub(in crate::control) outbox: &'a mut Outbox,
    pub(in crate::control) timers: &'a mut Timers,
}

impl Context<'_> {
    pub(super) fn send(&mut self, message: impl Into<Message>) {
        self.outbox.send(&message.into());
    }

    pub(super) fn answer(&mut self, message: impl Into<Message>) {
        self.outbox.answer(&message.into());
    }

    /// The peer, or the owner, has this long for the call's next step.
    pub(super) fn expect_within(&mut self, time: Duration) {
        self.timers.set(Timer::Call(self.call.0), self.now + time);
    }

    /// The call is established: no further step is due.
    pub(super) fn connected(&mut self, parameters: CallParameters) {
        self.timers.clear(Timer::Call(self.call.0));
        self.outbox.event(Event::CallConnected(parameters));
    }

    /// A message that the state does not allow.
    pub(super) fn unexpected(&mut self, message: &Message, state: &'static str) -> Fate {
        self.outbox.misbehaved(Misbehaviour::UnexpectedMessage { message: message.name(), state });
        Fate::Alive
    }

    /// A message that only the other end may send, and that is understood all the same.
    pub(super) fn wrong_direction(&mut self, message: &Message) {
        self.outbox.misbehaved(Misbehaviour::WrongDirection { message: message.name() });
    }

    /// An operation that the call's state does not allow.
    pub(super) fn misuse<T>(&self, operation: &'static str, state: &'static str) -> Result<T, Misuse> {
        Err(Misuse::WrongCallState { call: self.call, operation, state })
    }

    pub(super) fn link_info(&mut self, send_accm: u32, receive_accm: u32) {
        self.outbox.latest(Event::LinkInfo { call: self.call, send_accm, receive_accm });
    }

    pub(super) fn wan_errors(&mut self, counters: WanErrorCounters) {
        self.outbox.latest(Event::WanErrors { call: self.call, counters });
    }
}

/// The end of a call that the peer or the owner did not bring forward in time.
pub(super) const TOO_LATE: Fate = Fate::Ended(CallEnd::SetupTimeout);

/// The bytes of a text that was checked to fit its field.
pub(super) fn text_length(text: &str) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}
