//! A PNS's incoming call (RFC 2637 §3.2.3.2).

use crate::control::config::IncomingCallAnswer;
use crate::control::error::Misuse;
use crate::control::event::{CallEnd, CallParameters};
use crate::wire::{
    GeneralError, IncomingCallConnected, IncomingCallReply, IncomingCallRequest, IncomingCallResult, Message,
    PeerCallId,
};

use super::context::{Context, Fate, TOO_LATE};
use super::pns::{self, Clearing};

/// The machine.
#[derive(Debug)]
pub(in crate::control) struct PnsIncoming {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The owner has to answer (idle, in the RFC).
    Requested(PeerCallId),
    WaitConnect(PeerCallId),
    Established(PeerCallId),
    WaitDisconnect(Clearing),
}

impl PnsIncoming {
    pub(in crate::control) fn new(request: &IncomingCallRequest, context: &mut Context<'_>) -> Self {
        context.expect_within(context.config.setup_timeout);
        Self { state: State::Requested(request.call_id.seen_by_peer()) }
    }

    pub(in crate::control) fn handle(&mut self, message: &Message, context: &mut Context<'_>) -> Fate {
        match (&mut self.state, message) {
            (State::WaitConnect(peer_call), Message::IncomingCallConnected(connected)) => {
                let peer_call = *peer_call;
                self.connected(peer_call, connected, context)
            }
            (State::Requested(_) | State::WaitConnect(_), _) => {
                pns::ended_by(message, context).unwrap_or_else(|| context.unexpected(message, self.rfc_state()))
            }
            (State::Established(_), _) => pns::established(message, context),
            (State::WaitDisconnect(_), Message::IncomingCallConnected(_)) => Fate::Alive,
            (State::WaitDisconnect(clearing), _) => clearing.handle(message, context),
        }
    }

    fn connected(
        &mut self,
        peer_call: PeerCallId,
        connected: &IncomingCallConnected,
        context: &mut Context<'_>,
    ) -> Fate {
        self.state = State::Established(peer_call);
        context.connected(CallParameters {
            call: context.call,
            peer_call,
            peer_receive_window: connected.receive_window,
            connect_speed: connected.connect_speed,
            peer_processing_delay: connected.transit_delay,
        });
        Fate::Alive
    }

    pub(in crate::control) fn accept(
        &mut self,
        answer: &IncomingCallAnswer,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let State::Requested(peer_call) = self.state else {
            return context.misuse("accept_incoming_call", self.state_name());
        };
        context.send(IncomingCallReply {
            call_id: context.call,
            peer_call_id: peer_call,
            result: IncomingCallResult::Connect,
            error: GeneralError::None,
            receive_window: answer.receive_window,
            transit_delay: answer.processing_delay,
            reserved1: 0,
        });
        context.expect_within(context.config.setup_timeout);
        self.state = State::WaitConnect(peer_call);
        Ok(())
    }

    pub(in crate::control) fn refuse(
        &self,
        result: IncomingCallResult,
        error: GeneralError,
        context: &mut Context<'_>,
    ) -> Result<Fate, Misuse> {
        let State::Requested(peer_call) = self.state else {
            return context.misuse("refuse_incoming_call", self.state_name());
        };
        if result == IncomingCallResult::Connect {
            return Err(Misuse::RefusalAccepts);
        }
        context.send(IncomingCallReply { call_id: context.call, ..refusal(peer_call, result, error) });
        Ok(Fate::Ended(CallEnd::Refused))
    }

    pub(in crate::control) fn timeout(&mut self, context: &mut Context<'_>) -> Fate {
        match &self.state {
            State::Requested(peer_call) => {
                let not_accepted = refusal(*peer_call, IncomingCallResult::DoNotAccept, GeneralError::None);
                context.send(IncomingCallReply { call_id: context.call, ..not_accepted });
                TOO_LATE
            }
            State::WaitConnect(_) => self.clear_as(CallEnd::SetupTimeout, context),
            State::WaitDisconnect(clearing) => clearing.over(),
            State::Established(_) => Fate::Alive,
        }
    }

    pub(in crate::control) fn clear(&mut self, context: &mut Context<'_>) -> Result<Fate, Misuse> {
        match &self.state {
            State::Requested(peer_call) => {
                let not_accepted = refusal(*peer_call, IncomingCallResult::DoNotAccept, GeneralError::None);
                context.send(IncomingCallReply { call_id: context.call, ..not_accepted });
                Ok(Fate::Ended(CallEnd::Cleared))
            }
            State::WaitConnect(_) | State::Established(_) => Ok(self.clear_as(CallEnd::Cleared, context)),
            State::WaitDisconnect(_) => context.misuse("clear_call", self.state_name()),
        }
    }

    fn clear_as(&mut self, end: CallEnd, context: &mut Context<'_>) -> Fate {
        self.state = State::WaitDisconnect(Clearing::begin(self.peer_call(), end, context));
        Fate::Alive
    }

    pub(in crate::control) fn set_link_info(&self, accms: (u32, u32), context: &mut Context<'_>) -> Result<(), Misuse> {
        let State::Established(peer_call) = self.state else {
            return context.misuse("set_link_info", self.state_name());
        };
        pns::send_link_info(peer_call, accms, context);
        Ok(())
    }

    pub(in crate::control) const fn peer_call(&self) -> Option<PeerCallId> {
        match &self.state {
            State::Requested(peer_call) | State::WaitConnect(peer_call) | State::Established(peer_call) => {
                Some(*peer_call)
            }
            State::WaitDisconnect(clearing) => clearing.peer_call,
        }
    }

    pub(in crate::control) const fn awaits_owner(&self) -> bool {
        matches!(self.state, State::Requested(_))
    }

    pub(in crate::control) const fn awaits_reply(&self) -> bool {
        matches!(self.state, State::WaitConnect(_))
    }

    pub(in crate::control) const fn awaits_disconnect(&self) -> bool {
        matches!(self.state, State::WaitDisconnect(_))
    }

    const fn rfc_state(&self) -> &'static str {
        match self.state {
            State::Requested(_) => "idle",
            State::WaitConnect(_) => "wait_connect",
            State::Established(_) => "established",
            State::WaitDisconnect(_) => "wait_disconnect",
        }
    }

    pub(in crate::control) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Requested(_) => "pns incoming, idle",
            State::WaitConnect(_) => "pns incoming, wait_connect",
            State::Established(_) => "pns incoming, established",
            State::WaitDisconnect(_) => "pns incoming, wait_disconnect",
        }
    }
}

/// An Incoming-Call-Reply that does not accept, of a PNS that gave the call no id.
pub(in crate::control) fn refusal(
    peer_call: PeerCallId,
    result: IncomingCallResult,
    error: GeneralError,
) -> IncomingCallReply {
    IncomingCallReply {
        call_id: crate::wire::CallId(0),
        peer_call_id: peer_call,
        result,
        error,
        receive_window: 0,
        transit_delay: 0,
        reserved1: 0,
    }
}
