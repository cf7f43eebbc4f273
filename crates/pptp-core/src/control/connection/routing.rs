//! What the peer wants of calls: new ones, and messages for those that exist.

use crate::control::call::{Call, Context, Fate, PacOutgoing, PnsIncoming, pac_refusal, pns_refusal};
use crate::control::config::CallRefusal;
use crate::control::error::Misbehaviour;
use crate::control::event::{Event, IncomingCallOffer, OutgoingCallOffer};
use crate::time::Instant;
use crate::wire::{
    CallClearRequest, CallId, CallResult, GeneralError, IncomingCallRequest, IncomingCallResult, Message,
    OutgoingCallReply, OutgoingCallRequest, PeerCallId,
};

use super::{Connection, State};

/// Why a call that the peer asks for is refused without asking the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denial {
    /// This end takes no calls.
    NotAccepted,
    /// For want of resources, or of an id of its own.
    Error(GeneralError),
}

impl Connection {
    /// A message about calls. While this end stops, what was on the way is no concern of its any more.
    pub(super) fn call_message(&mut self, message: &Message, now: Instant) {
        match (&self.state, message) {
            (State::WaitStopReply(_), _) => {}
            (State::Established(_), Message::OutgoingCallRequest(request)) => self.outgoing_requested(request, now),
            (State::Established(_), Message::IncomingCallRequest(request)) => self.incoming_requested(request, now),
            (State::Established(_), _) => self.deliver(message, now),
            _ => self.unexpected(message.name()),
        }
    }

    fn deliver(&mut self, message: &Message, now: Instant) {
        let found = match self.calls.addressee(message) {
            Ok(found) => found,
            Err(id) => return self.undeliverable(message, id),
        };
        if let Some(id) = found.wrong_id {
            self.outbox.misbehaved(Misbehaviour::WrongEndsCallId { message: message.name(), id });
        }
        let _the_call_is_there = self.with_call(found.call, now, |call, context| Ok(call.handle(message, context)));
        self.check_peer_id(message, found.call);
    }

    fn undeliverable(&mut self, message: &Message, id: u16) {
        self.outbox.misbehaved(Misbehaviour::UnknownCall { message: message.name(), id });
        let Message::OutgoingCallReply(OutgoingCallReply { result: CallResult::Connected, .. }) = message else {
            return;
        };
        // The PAC believes in a call that this end has given up: without this, it would keep it for ever.
        self.outbox.answer(&CallClearRequest { call_id: CallId(id), reserved1: 0 }.into());
    }

    /// A reply tells the peer's id, which ought to be the call's alone (§3.2.2).
    fn check_peer_id(&mut self, message: &Message, call: CallId) {
        let peer_call = match message {
            Message::OutgoingCallReply(reply) => reply.call_id.seen_by_peer(),
            Message::IncomingCallReply(reply) => reply.call_id.seen_by_peer(),
            _ => return,
        };
        let told = self.calls.find(call).is_some_and(|call| call.peer_call() == Some(peer_call));
        if told && self.calls.with_peer_id(peer_call, Some(call)).is_some() {
            self.outbox.misbehaved(Misbehaviour::DuplicateCallId(peer_call.0));
        }
    }

    fn outgoing_requested(&mut self, request: &OutgoingCallRequest, now: Instant) {
        let peer_call = request.call_id.seen_by_peer();
        let call = match self.admit(peer_call) {
            Ok(Some(call)) => call,
            Ok(None) => return,
            Err(denial) => return self.outbox.answer(&pac_refusal(peer_call, outgoing_denial(denial)).into()),
        };
        let mut context = self.context(call, now);
        let machine = PacOutgoing::new(request, &mut context);
        self.calls.insert(call, Call::PacOutgoing(machine));
        self.outbox.event(Event::OutgoingCallRequested(OutgoingCallOffer {
            call,
            peer_call,
            serial_number: request.call_serial_number,
            phone_number: request.phone_number.text(),
            subaddress: request.subaddress.text(),
            peer_receive_window: request.receive_window,
            peer_processing_delay: request.processing_delay,
            minimum_bps: request.minimum_bps,
            maximum_bps: request.maximum_bps,
            bearer_type: request.bearer_type,
            framing_type: request.framing_type,
        }));
    }

    fn incoming_requested(&mut self, request: &IncomingCallRequest, now: Instant) {
        let peer_call = request.call_id.seen_by_peer();
        let call = match self.admit(peer_call) {
            Ok(Some(call)) => call,
            Ok(None) => return,
            Err(denial) => {
                let (result, error) = incoming_denial(denial);
                return self.outbox.answer(&pns_refusal(peer_call, result, error).into());
            }
        };
        let mut context = self.context(call, now);
        let machine = PnsIncoming::new(request, &mut context);
        self.calls.insert(call, Call::PnsIncoming(machine));
        self.outbox.event(Event::IncomingCallRequested(IncomingCallOffer {
            call,
            peer_call,
            serial_number: request.call_serial_number,
            bearer_type: request.bearer_type,
            physical_channel_id: request.physical_channel_id,
            dialed_number: request.dialed_number.text(),
            dialing_number: request.dialing_number.text(),
            subaddress: request.subaddress.text(),
        }));
    }

    /// An id for a call that the peer asks for; `None` for a request that waits for the owner already.
    fn admit(&mut self, peer_call: PeerCallId) -> Result<Option<CallId>, Denial> {
        if let Some(earlier) = self.calls.with_peer_id(peer_call, None).map(Call::awaits_owner) {
            self.outbox.misbehaved(Misbehaviour::DuplicateCallId(peer_call.0));
            return if earlier { Ok(None) } else { Err(Denial::Error(GeneralError::BadCallId)) };
        }
        let limit = usize::from(self.config.peer_call_limit);
        if self.calls.asked_by_peer() >= limit {
            self.outbox.misbehaved(Misbehaviour::TooManyCalls);
            return Err(if limit == 0 { Denial::NotAccepted } else { Denial::Error(GeneralError::NoResource) });
        }
        self.take_call_id().map(Some).ok_or(Denial::Error(GeneralError::NoResource))
    }

    fn context(&mut self, call: CallId, now: Instant) -> Context<'_> {
        Context { call, now, config: &self.config, outbox: &mut self.outbox, timers: &mut self.timers }
    }

    pub(super) fn call_expired(&mut self, call: CallId, now: Instant) {
        let _the_call_is_there = self.with_call(call, now, |call, context| Ok(call.timeout(context)));
    }

    pub(super) fn wan_errors_due(&mut self, call: CallId, now: Instant) {
        let _the_call_is_there = self.with_call(call, now, |call, context| {
            call.wan_errors_due(context);
            Ok(Fate::Alive)
        });
    }
}

const fn outgoing_denial(denial: Denial) -> CallRefusal {
    match denial {
        Denial::NotAccepted => CallRefusal { result: CallResult::DoNotAccept, error: GeneralError::None, cause: 0 },
        Denial::Error(error) => CallRefusal { result: CallResult::GeneralError, error, cause: 0 },
    }
}

const fn incoming_denial(denial: Denial) -> (IncomingCallResult, GeneralError) {
    match denial {
        Denial::NotAccepted => (IncomingCallResult::DoNotAccept, GeneralError::None),
        Denial::Error(error) => (IncomingCallResult::GeneralError, error),
    }
}
