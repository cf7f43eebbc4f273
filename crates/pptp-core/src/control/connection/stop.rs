//! Stop-Control-Connection-Request and -Reply, and every other way for a connection to end (RFC 2637 §2.3, §3.1).

use crate::control::error::Misbehaviour;
use crate::control::event::{CallEnd, CloseReason, Event};
use crate::control::timers::Timer;
use crate::time::Instant;
use crate::wire::{
    GeneralError, Message, StopControlConnectionReply, StopControlConnectionRequest, StopReason, StopResult,
};

use super::{Connection, Fate, State};

impl Connection {
    /// Ends the connection: Stop-Control-Connection-Request, a bounded wait for the reply, then [`Event::Closed`]. Calls
    /// end at once, as the peer will have it too (§2.3). A connection that is not established closes at once and says
    /// nothing. Does nothing when the connection is closing or closed.
    pub fn stop(&mut self, reason: StopReason, now: Instant) {
        match self.state {
            State::Established(_) => self.begin_stop(reason, CloseReason::StoppedByUs, now),
            State::WaitCtlReply | State::WaitCtlRequest(_) | State::Held(_) | State::Silent => {
                self.close(CloseReason::StoppedByUs);
            }
            State::WaitStopReply(_) | State::Closed => {}
        }
    }

    /// Sends Stop-Control-Connection-Request; `then` is what the owner is told in the end.
    pub(super) fn begin_stop(&mut self, reason: StopReason, then: CloseReason, now: Instant) {
        self.end_calls(&then);
        self.timers.clear_all();
        self.outbox.send(&StopControlConnectionRequest { reason, reserved1: 0, reserved2: 0 }.into());
        self.timers.set(Timer::Stop, now + self.config.stop_timeout);
        self.state = State::WaitStopReply(then);
    }

    /// The peer stops: answered in every state, even when this end has stopped too.
    pub(super) fn stop_requested(&mut self, request: &StopControlConnectionRequest) {
        if request.reason == StopReason::Unknown(0) {
            self.outbox.misbehaved(Misbehaviour::CodeZero { message: "Stop-Control-Connection-Request" });
        }
        let reply = StopControlConnectionReply { result: StopResult::Ok, error: GeneralError::None, reserved1: 0 };
        self.outbox.answer(&reply.into());
        match &self.state {
            State::WaitStopReply(then) => self.close(then.clone()),
            _ => self.close(CloseReason::StoppedByPeer(request.reason)),
        }
    }

    /// Whatever the reply's result is, this end is done with the connection.
    pub(super) fn stop_answered(&mut self, message: &Message) {
        let State::WaitStopReply(then) = &self.state else {
            return self.unexpected(message.name());
        };
        self.close(then.clone());
    }

    pub(super) fn stop_expired(&mut self) {
        if let State::WaitStopReply(then) = &self.state {
            self.close(then.clone());
        }
    }

    /// The end: calls first, the connection last.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.end_calls(&reason);
        self.timers.clear_all();
        self.state = State::Closed;
        self.outbox.event(Event::Closed(reason));
    }

    pub(super) fn end_calls(&mut self, reason: &CloseReason) {
        for id in self.calls.ids() {
            self.settle(id, Fate::Ended(CallEnd::ConnectionLost(reason.clone())));
        }
    }
}
