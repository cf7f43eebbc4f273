//! A PAC's incoming call (RFC 2637 §3.2.3.1).

use crate::control::config::{ConnectedLine, IncomingCall, WanErrorCounters};
use crate::control::error::Misuse;
use crate::control::event::{CallEnd, CallParameters, Event};
use crate::wire::{
    DisconnectResult, IncomingCallConnected, IncomingCallReply, IncomingCallRequest, IncomingCallResult, Message,
    PeerCallId, Text64,
};

use super::context::{Context, Fate, TOO_LATE, text_length};
use super::pac::{self, Session};

/// The machine.
#[derive(Debug)]
pub(in crate::control) struct PacIncoming {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The control connection is not established yet.
    Idle(Box<IncomingCall>),
    WaitReply,
    /// The owner has to connect the line (wait_reply, in the RFC).
    Answering(Accepted),
    Established(Session),
}

/// What the PNS told of its end.
#[derive(Clone, Copy, Debug)]
struct Accepted {
    peer_call: PeerCallId,
    receive_window: u16,
    processing_delay: u16,
}

impl PacIncoming {
    pub(in crate::control) fn new(call: IncomingCall) -> Self {
        Self { state: State::Idle(Box::new(call)) }
    }

    /// The control connection is established: offers the call.
    pub(in crate::control) fn start(&mut self, serial_number: u16, context: &mut Context<'_>) {
        let State::Idle(call) = &self.state else {
            return;
        };
        context.send(IncomingCallRequest {
            call_id: context.call,
            call_serial_number: serial_number,
            bearer_type: call.bearer_type,
            physical_channel_id: call.physical_channel_id,
            dialed_number_length: text_length(&call.dialed_number),
            dialing_number_length: text_length(&call.dialing_number),
            dialed_number: Text64::new(&call.dialed_number),
            dialing_number: Text64::new(&call.dialing_number),
            subaddress: Text64::new(&call.subaddress),
        });
        context.expect_within(context.config.setup_timeout);
        self.state = State::WaitReply;
    }

    pub(in crate::control) fn handle(&mut self, message: &Message, context: &mut Context<'_>) -> Fate {
        match (&self.state, message) {
            (State::WaitReply, Message::IncomingCallReply(reply)) => self.answered(reply, context),
            (State::Idle(_) | State::WaitReply | State::Answering(_), _) => {
                pac::ended_by(message, context).unwrap_or_else(|| context.unexpected(message, "wait_reply"))
            }
            (State::Established(session), _) => session.handle(message, context),
        }
    }

    fn answered(&mut self, reply: &IncomingCallReply, context: &mut Context<'_>) -> Fate {
        if reply.result != IncomingCallResult::Connect {
            return Fate::RefusedByPns(reply.result, reply.error);
        }
        let peer_call = reply.call_id.seen_by_peer();
        self.state = State::Answering(Accepted {
            peer_call,
            receive_window: reply.receive_window,
            processing_delay: reply.transit_delay,
        });
        context.expect_within(context.config.setup_timeout);
        context.outbox.event(Event::IncomingCallAccepted { call: context.call, peer_call });
        Fate::Alive
    }

    pub(in crate::control) fn connect(
        &mut self,
        line: &ConnectedLine,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let State::Answering(accepted) = self.state else {
            return context.misuse("connect_incoming_call", self.state_name());
        };
        context.send(IncomingCallConnected {
            peer_call_id: accepted.peer_call,
            reserved1: 0,
            connect_speed: line.connect_speed,
            receive_window: line.receive_window,
            transit_delay: line.processing_delay,
            framing_type: line.framing_type,
        });
        context.connected(CallParameters {
            call: context.call,
            peer_call: accepted.peer_call,
            peer_receive_window: accepted.receive_window,
            connect_speed: line.connect_speed,
            peer_processing_delay: accepted.processing_delay,
        });
        self.state = State::Established(Session::new(accepted.peer_call));
        Ok(())
    }

    /// The PNS did not answer, or the owner did not connect the line, in time: the caller has been left waiting.
    pub(in crate::control) fn timeout(&self, context: &mut Context<'_>) -> Fate {
        match self.state {
            State::WaitReply | State::Answering(_) => {
                pac::disconnect(DisconnectResult::LostCarrier, context);
                TOO_LATE
            }
            State::Idle(_) | State::Established(_) => Fate::Alive,
        }
    }

    pub(in crate::control) fn clear(&self, context: &mut Context<'_>) -> Fate {
        if !matches!(self.state, State::Idle(_)) {
            pac::disconnect(DisconnectResult::AdminShutdown, context);
        }
        Fate::Ended(CallEnd::Cleared)
    }

    pub(in crate::control) fn notify_wan_errors(
        &mut self,
        counters: WanErrorCounters,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let State::Established(session) = &mut self.state else {
            return context.misuse("notify_wan_errors", self.state_name());
        };
        session.notify_wan_errors(counters, context);
        Ok(())
    }

    pub(in crate::control) fn wan_errors_due(&mut self, context: &mut Context<'_>) {
        if let State::Established(session) = &mut self.state {
            session.wan_errors_due(context);
        }
    }

    pub(in crate::control) const fn peer_call(&self) -> Option<PeerCallId> {
        match &self.state {
            State::Idle(_) | State::WaitReply => None,
            State::Answering(accepted) => Some(accepted.peer_call),
            State::Established(session) => Some(session.peer_call),
        }
    }

    pub(in crate::control) const fn awaits_reply(&self) -> bool {
        matches!(self.state, State::WaitReply)
    }

    pub(in crate::control) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Idle(_) => "pac incoming, idle",
            State::WaitReply => "pac incoming, wait_reply",
            State::Answering(_) => "pac incoming, wait_reply (answered)",
            State::Established(_) => "pac incoming, established",
        }
    }
}
