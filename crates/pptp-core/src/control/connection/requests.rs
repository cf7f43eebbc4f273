//! What the owner wants of calls.

use crate::control::call::{Call, Fate, PacIncoming, PnsOutgoing};
use crate::control::config::{
    CallAnswer, CallRefusal, ConnectedLine, IncomingCall, IncomingCallAnswer, OutgoingCall, WanErrorCounters,
};
use crate::control::error::Misuse;
use crate::control::table::Calls;
use crate::time::Instant;
use crate::wire::{CallId, GeneralError, IncomingCallResult, PeerCallId};

use super::Connection;

impl Connection {
    /// A free call id: random, not 0, not in use and not used recently. It stays reserved until a call that takes it
    /// ends, or until it is released.
    ///
    /// # Errors
    /// All ids are taken.
    pub fn reserve_call_id(&mut self) -> Result<CallId, Misuse> {
        self.take_call_id().ok_or(Misuse::NoFreeCallId)
    }

    /// An id that is not one of the peer's either, as long as there are such: a Call-Disconnect-Notify may carry
    /// either end's.
    pub(super) fn take_call_id(&mut self) -> Option<CallId> {
        let calls: &Calls = &self.calls;
        self.ids.take(|id| calls.with_peer_id(PeerCallId(id), None).is_some())
    }

    /// Gives back an id that no call took; anything else is left alone.
    pub fn release_call_id(&mut self, id: CallId) {
        if !self.calls.contains(id) {
            self.ids.give_back(id);
        }
    }

    /// PNS: asks for an outgoing call under a reserved id, once the connection is established.
    ///
    /// # Errors
    /// The id is not reserved, a text does not fit, or the connection is closing or closed.
    pub fn place_call(&mut self, id: CallId, call: OutgoingCall, now: Instant) -> Result<(), Misuse> {
        call.check()?;
        self.add_call("place_call", id, Call::PnsOutgoing(PnsOutgoing::new(call)), now)
    }

    /// PAC: tells of a ringing line under a reserved id, once the connection is established.
    ///
    /// # Errors
    /// As for `place_call`.
    pub fn offer_incoming_call(&mut self, id: CallId, call: IncomingCall, now: Instant) -> Result<(), Misuse> {
        call.check()?;
        self.add_call("offer_incoming_call", id, Call::PacIncoming(PacIncoming::new(call)), now)
    }

    fn add_call(&mut self, operation: &'static str, id: CallId, call: Call, now: Instant) -> Result<(), Misuse> {
        if !self.takes_calls() {
            return self.misuse(operation);
        }
        if !self.ids.is_taken(id) || self.calls.contains(id) {
            return Err(Misuse::NotReserved(id));
        }
        self.calls.insert(id, call);
        if self.is_established() {
            self.start_call(id, now);
        }
        Ok(())
    }

    /// The connection is established: the calls that waited for it begin.
    pub(super) fn start_calls(&mut self, now: Instant) {
        for id in self.calls.ids() {
            self.start_call(id, now);
        }
    }

    fn start_call(&mut self, id: CallId, now: Instant) {
        self.serial_number = self.serial_number.wrapping_add(1);
        let serial_number = self.serial_number;
        let _the_call_is_there = self.with_call(id, now, |call, context| {
            call.start(serial_number, context);
            Ok(Fate::Alive)
        });
    }

    /// PAC: accepts what [`Event::OutgoingCallRequested`](crate::control::Event) asked for.
    ///
    /// # Errors
    /// There is no such call, or it does not wait for this answer.
    pub fn accept_call(&mut self, id: CallId, answer: CallAnswer, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.accept(&answer, context).map(|()| Fate::Alive))
    }

    /// PAC: refuses what [`Event::OutgoingCallRequested`](crate::control::Event) asked for.
    ///
    /// # Errors
    /// There is no such call, it does not wait for this answer, or the result code is the one that accepts.
    pub fn refuse_call(&mut self, id: CallId, refusal: CallRefusal, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.refuse(refusal, context))
    }

    /// PAC: the line of [`Event::IncomingCallAccepted`](crate::control::Event) is connected.
    ///
    /// # Errors
    /// There is no such call, or the peer has not accepted it.
    pub fn connect_incoming_call(&mut self, id: CallId, line: ConnectedLine, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.connect_incoming(&line, context).map(|()| Fate::Alive))
    }

    /// PNS: accepts what [`Event::IncomingCallRequested`](crate::control::Event) offered.
    ///
    /// # Errors
    /// There is no such call, or it does not wait for this answer.
    pub fn accept_incoming_call(&mut self, id: CallId, answer: IncomingCallAnswer, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.accept_incoming(&answer, context).map(|()| Fate::Alive))
    }

    /// PNS: refuses what [`Event::IncomingCallRequested`](crate::control::Event) offered.
    ///
    /// # Errors
    /// There is no such call, it does not wait for this answer, or the result code is the one that accepts.
    pub fn refuse_incoming_call(
        &mut self,
        id: CallId,
        result: IncomingCallResult,
        error: GeneralError,
        now: Instant,
    ) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.refuse_incoming(result, error, context))
    }

    /// Ends a call in any state: a PNS sends Call-Clear-Request and waits, bounded, for Call-Disconnect-Notify; a PAC
    /// sends Call-Disconnect-Notify, or a refusal if it has not answered yet. `CallEnded` follows.
    ///
    /// # Errors
    /// There is no such call, or it is being cleared.
    pub fn clear_call(&mut self, id: CallId, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.clear(context))
    }

    /// PNS: sends Set-Link-Info for an established call.
    ///
    /// # Errors
    /// There is no such call, it is not established, or this end is its PAC.
    pub fn set_link_info(&mut self, id: CallId, send_accm: u32, receive_accm: u32, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| {
            call.set_link_info((send_accm, receive_accm), context).map(|()| Fate::Alive)
        })
    }

    /// PAC: sends WAN-Error-Notify for an established call; at most one per `wan_error_interval`, with the latest counters
    /// when it is due.
    ///
    /// # Errors
    /// There is no such call, it is not established, or this end is its PNS.
    pub fn notify_wan_errors(&mut self, id: CallId, counters: WanErrorCounters, now: Instant) -> Result<(), Misuse> {
        self.with_call(id, now, |call, context| call.notify_wan_errors(counters, context).map(|()| Fate::Alive))
    }
}
