//! Echo-Request and Echo-Reply (RFC 2637 §3.1.4).
//!
//! Silence of `echo_interval` is answered with an Echo-Request, and `echo_timeout` without Echo-Reply with the end of
//! the connection: the TCP connection is closed without a Stop, which nobody would read. Only an Echo-Reply counts, as the
//! RFC has it; whose identifier it carries does not.

use core::time::Duration;

use crate::control::error::Misbehaviour;
use crate::control::timers::Timer;
use crate::time::Instant;
use crate::wire::{EchoReply, EchoRequest, EchoResult, GeneralError};

use super::{Connection, State};

/// The keep-alive of an established connection.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    last_identifier: u32,
    awaiting: Option<u32>,
}

impl Connection {
    /// The peer said something, or the connection was established: the silence begins anew.
    pub(super) fn note_life(&mut self, now: Instant) {
        let State::Established(keep_alive) = &self.state else {
            return;
        };
        if keep_alive.awaiting.is_none() && self.config.echo_interval > Duration::ZERO {
            self.timers.set(Timer::Echo, now + self.config.echo_interval);
        }
    }

    pub(super) fn send_echo_request(&mut self, now: Instant) {
        let State::Established(keep_alive) = &mut self.state else {
            return;
        };
        let identifier = keep_alive.last_identifier.wrapping_add(1);
        keep_alive.last_identifier = identifier;
        keep_alive.awaiting = Some(identifier);
        self.outbox.send(&EchoRequest { identifier }.into());
        if self.config.echo_timeout > Duration::ZERO {
            self.timers.set(Timer::EchoReply, now + self.config.echo_timeout);
        } else {
            self.timers.set(Timer::Echo, now + self.config.echo_interval);
        }
    }

    /// Each Echo-Request is answered (§2.5), while there is a control connection.
    pub(super) fn echo_requested(&mut self, request: &EchoRequest) {
        let (State::Established(_) | State::WaitStopReply(_)) = self.state else {
            return self.unexpected("Echo-Request");
        };
        let reply = EchoReply {
            identifier: request.identifier,
            result: EchoResult::Ok,
            error: GeneralError::None,
            reserved1: 0,
        };
        self.outbox.answer(&reply.into());
    }

    pub(super) fn echo_answered(&mut self, reply: &EchoReply, now: Instant) {
        let State::Established(keep_alive) = &mut self.state else {
            if !matches!(self.state, State::WaitStopReply(_)) {
                self.unexpected("Echo-Reply");
            }
            return;
        };
        let Some(sent) = keep_alive.awaiting.take() else {
            return self.unexpected("Echo-Reply");
        };
        self.timers.clear(Timer::EchoReply);
        self.note_life(now);
        if reply.identifier != sent {
            self.outbox.misbehaved(Misbehaviour::EchoIdentifier { sent, received: reply.identifier });
        }
        if reply.result != EchoResult::Ok {
            self.outbox.misbehaved(Misbehaviour::EchoResult(reply.result));
        }
    }
}
