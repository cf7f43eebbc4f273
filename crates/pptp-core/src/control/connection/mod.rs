//! The control connection (RFC 2637 §3.1): its states, what comes from outside, and what is drained.
//!
//! The rest of [`Connection`] is in the files beside this one: `start` (Start-Control-Connection and collisions),
//! `keepalive`, `stop`, `requests` (the owner's commands for calls) and `routing` (the peer's messages for calls).
//!
//! A well-formed message that a state does not allow is ignored and reported, whoever is right about the state: the
//! peers at large are too careless to be cut off for it. Malformed bytes close the connection (§2, §3).
//!
//! A call whose set-up takes too long ends alone. §3.2.1 would have the whole control connection closed and restarted;
//! but calls of others share it, and the keep-alive finds out soon enough whether the peer is still there.

mod keepalive;
mod requests;
mod routing;
mod start;
mod stop;

use core::fmt;

use crate::time::Instant;
use crate::wire::{CallId, Framer, Message};

use self::keepalive::KeepAlive;
use self::start::StartPolicy;
use super::call::{Context, Fate};
use super::config::{CallRefusal, Config};
use super::error::{Misbehaviour, Misuse};
use super::event::{CloseReason, Event, PeerInfo};
use super::ids::CallIds;
use super::outbox::Outbox;
use super::table::Calls;
use super::timers::{Timer, Timers};

/// One end of a control connection (RFC 2637 §3.1) and its calls (§3.2).
pub struct Connection {
    config: Config,
    state: State,
    framer: Framer,
    outbox: Outbox,
    timers: Timers,
    calls: Calls,
    ids: CallIds,
    serial_number: u16,
}

/// The states of §3.1.1 and §3.1.2; those without TCP connection are the owner's.
#[derive(Debug)]
enum State {
    /// This end opened the TCP connection and sent Start-Control-Connection-Request.
    WaitCtlReply,
    /// The peer opened the TCP connection (idle, in the RFC).
    WaitCtlRequest(StartPolicy),
    /// The owner has to answer Start-Control-Connection-Request.
    Held(PeerInfo),
    /// A collision was won: the peer has to close this connection.
    Silent,
    Established(KeepAlive),
    /// Stop-Control-Connection-Request was sent.
    WaitStopReply(CloseReason),
    Closed,
}

impl State {
    const fn name(&self) -> &'static str {
        match self {
            Self::WaitCtlReply => "wait_ctl_reply",
            Self::WaitCtlRequest(_) | Self::Held(_) => "idle",
            Self::Silent => "idle (collision won)",
            Self::Established(_) => "established",
            Self::WaitStopReply(_) => "wait_stop_reply",
            Self::Closed => "closed",
        }
    }
}

impl Connection {
    /// TCP is open and this end opened it: sends Start-Control-Connection-Request. `random` is the source of call ids.
    pub fn originate(config: Config, random: Box<dyn FnMut() -> u32 + Send>, now: Instant) -> Self {
        let mut connection = Self::new(config, random, State::WaitCtlReply, now);
        connection.send_start_request();
        connection
    }

    /// TCP is open and the peer opened it: waits for Start-Control-Connection-Request.
    pub fn accept(config: Config, random: Box<dyn FnMut() -> u32 + Send>, now: Instant) -> Self {
        Self::new(config, random, State::WaitCtlRequest(StartPolicy::Answer), now)
    }

    fn new(mut config: Config, random: Box<dyn FnMut() -> u32 + Send>, state: State, now: Instant) -> Self {
        if let Some(quirk) = config.quirk {
            quirk.adapt_start(&mut config);
        }
        let mut timers = Timers::default();
        timers.set(Timer::Setup, now + config.setup_timeout);
        Self {
            config,
            state,
            framer: Framer::new(),
            outbox: Outbox::default(),
            timers,
            calls: Calls::default(),
            ids: CallIds::new(random),
            serial_number: 0,
        }
    }

    /// Bytes from the peer, in any segmentation of the TCP stream.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        let mut input = bytes;
        while !matches!(self.state, State::Closed | State::Silent) {
            match self.framer.next_frame(&mut input) {
                Ok(Some(frame)) => self.handle_message(&frame.message, now),
                Ok(None) => return,
                Err(error) => self.close(CloseReason::Malformed(error)),
            }
            if !self.is_closed() && self.outbox.is_flooded(self.calls.len()) {
                self.close(CloseReason::Flooded);
            }
        }
    }

    /// End of file or an error on the TCP connection.
    pub fn handle_disconnect(&mut self, now: Instant) {
        let _no_deadline_follows = now;
        match &self.state {
            State::Closed => {}
            State::WaitStopReply(reason) => self.close(reason.clone()),
            State::Silent => self.close(CloseReason::CollisionWon),
            _ => self.close(CloseReason::PeerClosed),
        }
    }

    /// The point in time of `poll_timeout` has come; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Setup => self.setup_expired(),
                Timer::Stop => self.stop_expired(),
                Timer::Echo => self.send_echo_request(now),
                Timer::EchoReply => self.close(CloseReason::EchoTimeout),
                Timer::Call(id) => self.call_expired(CallId(id), now),
                Timer::WanErrors(id) => self.wan_errors_due(CallId(id), now),
            }
        }
    }

    /// When `handle_timeout` is to be called; `None` once the connection is closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next message to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.poll_transmit()
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.poll_event()
    }

    /// Start-Control-Connection-Request and -Reply have been exchanged, and no Stop.
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// [`Event::Closed`] was queued.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a call may be placed or offered: one that waits for its start may, one that stops may not.
    pub const fn takes_calls(&self) -> bool {
        !matches!(self.state, State::Silent | State::WaitStopReply(_) | State::Closed)
    }

    /// Calls in any state.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// How many [`Event::PeerMisbehaved`] were counted in place of queued, because the owner had too many to drain.
    pub const fn suppressed_reports(&self) -> u64 {
        self.outbox.suppressed()
    }

    fn handle_message(&mut self, message: &Message, now: Instant) {
        self.note_life(now);
        match message {
            Message::StartControlConnectionRequest(request) => self.start_requested(request, now),
            Message::StartControlConnectionReply(reply) => self.start_answered(reply, now),
            Message::StopControlConnectionRequest(request) => self.stop_requested(request),
            Message::StopControlConnectionReply(_) => self.stop_answered(message),
            Message::EchoRequest(request) => self.echo_requested(request),
            Message::EchoReply(reply) => self.echo_answered(reply, now),
            _ => self.call_message(message, now),
        }
    }

    /// A message that the connection's state does not allow.
    fn unexpected(&mut self, message: &'static str) {
        self.outbox.misbehaved(Misbehaviour::UnexpectedMessage { message, state: self.state.name() });
    }

    fn misuse<T>(&self, operation: &'static str) -> Result<T, Misuse> {
        Err(Misuse::WrongConnectionState { operation, state: self.state.name() })
    }

    /// Lets `act` work on a call, and ends the call if that is its fate.
    fn with_call(
        &mut self,
        id: CallId,
        now: Instant,
        act: impl FnOnce(&mut super::call::Call, &mut Context<'_>) -> Result<Fate, Misuse>,
    ) -> Result<(), Misuse> {
        let call = self.calls.find(id).ok_or(Misuse::UnknownCall(id))?;
        let mut context =
            Context { call: id, now, config: &self.config, outbox: &mut self.outbox, timers: &mut self.timers };
        let fate = act(call, &mut context)?;
        self.settle(id, fate);
        Ok(())
    }

    fn settle(&mut self, id: CallId, fate: Fate) {
        let event = match fate {
            Fate::Alive => return,
            Fate::Ended(reason) => Event::CallEnded { call: id, reason },
            Fate::RefusedByPeer(CallRefusal { result, error, cause }) => {
                Event::CallRefused { call: id, result, error, cause }
            }
            Fate::RefusedByPns(result, error) => Event::IncomingCallRefused { call: id, result, error },
        };
        self.calls.remove(id);
        self.ids.give_back(id);
        self.timers.clear_call(id);
        self.outbox.event(event);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state)
            .field("calls", &self.calls)
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}
