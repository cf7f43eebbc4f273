//! A PNS's outgoing call (RFC 2637 §3.2.4.2).

use crate::control::config::{CallRefusal, OutgoingCall};
use crate::control::error::Misuse;
use crate::control::event::{CallEnd, CallParameters};
use crate::wire::{CallResult, Message, OutgoingCallReply, OutgoingCallRequest, PeerCallId, Text64};

use super::context::{Context, Fate, text_length};
use super::pns::{self, Clearing};

/// The machine.
#[derive(Debug)]
pub(in crate::control) struct PnsOutgoing {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The control connection is not established yet.
    Idle(Box<OutgoingCall>),
    WaitReply,
    Established(PeerCallId),
    WaitDisconnect(Clearing),
}

impl PnsOutgoing {
    pub(in crate::control) fn new(call: OutgoingCall) -> Self {
        Self { state: State::Idle(Box::new(call)) }
    }

    /// The control connection is established: asks for the call.
    pub(in crate::control) fn start(&mut self, serial_number: u16, context: &mut Context<'_>) {
        let State::Idle(call) = &self.state else {
            return;
        };
        let request = request(call, serial_number, context);
        context.send(request);
        context.expect_within(context.config.setup_timeout);
        self.state = State::WaitReply;
    }

    pub(in crate::control) fn handle(&mut self, message: &Message, context: &mut Context<'_>) -> Fate {
        match (&mut self.state, message) {
            (State::WaitReply, Message::OutgoingCallReply(reply)) => self.answered(reply, context),
            (State::WaitReply, _) => {
                pns::ended_by(message, context).unwrap_or_else(|| context.unexpected(message, "wait_reply"))
            }
            (State::Established(_), _) => pns::established(message, context),
            (State::WaitDisconnect(clearing), Message::OutgoingCallReply(reply)) => crossed(clearing, reply),
            (State::WaitDisconnect(clearing), _) => clearing.handle(message, context),
            (State::Idle(_), _) => context.unexpected(message, "idle"),
        }
    }

    fn answered(&mut self, reply: &OutgoingCallReply, context: &mut Context<'_>) -> Fate {
        let OutgoingCallReply { result, error, cause, .. } = *reply;
        if result != CallResult::Connected {
            return Fate::RefusedByPeer(CallRefusal { result, error, cause });
        }
        let peer_call = reply.call_id.seen_by_peer();
        self.state = State::Established(peer_call);
        context.connected(CallParameters {
            call: context.call,
            peer_call,
            peer_receive_window: reply.receive_window,
            connect_speed: reply.connect_speed,
            peer_processing_delay: reply.processing_delay,
        });
        if let Some(accms) = context.config.quirk.and_then(|quirk| quirk.link_info()) {
            pns::send_link_info(peer_call, accms, context);
        }
        Fate::Alive
    }

    pub(in crate::control) fn timeout(&mut self, context: &mut Context<'_>) -> Fate {
        match &self.state {
            State::WaitReply => self.clear_as(CallEnd::SetupTimeout, context),
            State::WaitDisconnect(clearing) => clearing.over(),
            State::Idle(_) | State::Established(_) => Fate::Alive,
        }
    }

    pub(in crate::control) fn clear(&mut self, context: &mut Context<'_>) -> Result<Fate, Misuse> {
        match &self.state {
            State::Idle(_) => Ok(Fate::Ended(CallEnd::Cleared)),
            State::WaitReply | State::Established(_) => Ok(self.clear_as(CallEnd::Cleared, context)),
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
            State::Idle(_) | State::WaitReply => None,
            State::Established(peer_call) => Some(*peer_call),
            State::WaitDisconnect(clearing) => clearing.peer_call,
        }
    }

    pub(in crate::control) const fn awaits_reply(&self) -> bool {
        matches!(self.state, State::WaitReply)
    }

    pub(in crate::control) const fn awaits_disconnect(&self) -> bool {
        matches!(self.state, State::WaitDisconnect(_))
    }

    pub(in crate::control) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Idle(_) => "pns outgoing, idle",
            State::WaitReply => "pns outgoing, wait_reply",
            State::Established(_) => "pns outgoing, established",
            State::WaitDisconnect(_) => "pns outgoing, wait_disconnect",
        }
    }
}

/// The reply to a call that is being cleared: a PAC that could not connect has nothing to disconnect, and may never
/// notify; one that could will.
fn crossed(clearing: &mut Clearing, reply: &OutgoingCallReply) -> Fate {
    if reply.result != CallResult::Connected {
        return clearing.over();
    }
    clearing.peer_call = Some(reply.call_id.seen_by_peer());
    Fate::Alive
}

fn request(call: &OutgoingCall, serial_number: u16, context: &Context<'_>) -> OutgoingCallRequest {
    let mut call = call.clone();
    if let Some(quirk) = context.config.quirk {
        quirk.adapt_call(&mut call);
    }
    OutgoingCallRequest {
        call_id: context.call,
        call_serial_number: serial_number,
        minimum_bps: call.minimum_bps,
        maximum_bps: call.maximum_bps,
        bearer_type: call.bearer_type,
        framing_type: call.framing_type,
        receive_window: call.receive_window,
        processing_delay: call.processing_delay,
        phone_number_length: text_length(&call.phone_number),
        reserved1: 0,
        phone_number: Text64::new(&call.phone_number),
        subaddress: Text64::new(&call.subaddress),
    }
}
