//! The control connection: what its owner calls.

use crate::time::Instant;
use crate::wire::{CallId, GeneralError, IncomingCallResult, StartResult, StopReason};

use super::config::{
    CallAnswer, CallRefusal, Config, ConnectedLine, IncomingCall, IncomingCallAnswer, OutgoingCall, WanErrorCounters,
};
use super::error::Misuse;
use super::event::Event;

/// One end of a control connection (RFC 2637 §3.1) and its calls (§3.2).
pub struct Connection {}

impl Connection {
    /// TCP is open and this end opened it: sends Start-Control-Connection-Request. `random` is the source of call ids.
    pub fn originate(config: Config, random: Box<dyn FnMut() -> u32 + Send>, now: Instant) -> Self {
        let _ = (config, random, now);
        Self {}
    }

    /// TCP is open and the peer opened it: waits for Start-Control-Connection-Request.
    pub fn accept(config: Config, random: Box<dyn FnMut() -> u32 + Send>, now: Instant) -> Self {
        let _ = (config, random, now);
        Self {}
    }

    /// Makes an accepted connection ask its owner ([`Event::StartRequested`]) before it answers
    /// Start-Control-Connection-Request: `answer_start`, `refuse_start` or `win_collision`.
    pub fn hold_start(&mut self) -> Result<(), Misuse> {
        Ok(())
    }

    /// Answers [`Event::StartRequested`]: the connection is established.
    pub fn answer_start(&mut self, now: Instant) -> Result<(), Misuse> {
        let _ = now;
        Ok(())
    }

    /// Answers [`Event::StartRequested`] with a refusal, and closes.
    pub fn refuse_start(&mut self, result: StartResult, error: GeneralError) -> Result<(), Misuse> {
        let _ = (result, error);
        Ok(())
    }

    /// An accepted connection collides with one that this end opened, and this end wins (§3.1.3): nothing is sent on
    /// it, and it waits for the peer to close it.
    pub fn win_collision(&mut self, now: Instant) -> Result<(), Misuse> {
        let _ = now;
        Ok(())
    }

    /// A connection that this end opened collides with one that the peer opened, and the peer wins (§3.1.3): it is
    /// closed, and nothing more is sent on it.
    pub fn lose_collision(&mut self) -> Result<(), Misuse> {
        Ok(())
    }

    /// Bytes from the peer, in any segmentation of the TCP stream.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        let _ = (bytes, now);
    }

    /// End of file or an error on the TCP connection.
    pub fn handle_disconnect(&mut self, now: Instant) {
        let _ = now;
    }

    /// The point in time of `poll_timeout` has come; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next message to write, in order.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// A free call id: random, not 0, not in use and not used recently. It stays reserved until a call that takes it
    /// ends, or until it is released.
    pub fn reserve_call_id(&mut self) -> Result<CallId, Misuse> {
        Err(Misuse::NoFreeCallId)
    }

    /// Gives back an id that no call took; anything else is left alone.
    pub fn release_call_id(&mut self, id: CallId) {
        let _ = id;
    }

    /// PNS: asks for an outgoing call under a reserved id, once the connection is established.
    pub fn place_call(&mut self, id: CallId, call: OutgoingCall, now: Instant) -> Result<(), Misuse> {
        let _ = (id, call, now);
        Ok(())
    }

    /// PAC: accepts what [`Event::OutgoingCallRequested`] asked for.
    pub fn accept_call(&mut self, id: CallId, answer: CallAnswer, now: Instant) -> Result<(), Misuse> {
        let _ = (id, answer, now);
        Ok(())
    }

    /// PAC: refuses what [`Event::OutgoingCallRequested`] asked for.
    pub fn refuse_call(&mut self, id: CallId, refusal: CallRefusal, now: Instant) -> Result<(), Misuse> {
        let _ = (id, refusal, now);
        Ok(())
    }

    /// PAC: tells of a ringing line under a reserved id, once the connection is established.
    pub fn offer_incoming_call(&mut self, id: CallId, call: IncomingCall, now: Instant) -> Result<(), Misuse> {
        let _ = (id, call, now);
        Ok(())
    }

    /// PAC: the line of [`Event::IncomingCallAccepted`] is connected.
    pub fn connect_incoming_call(&mut self, id: CallId, line: ConnectedLine, now: Instant) -> Result<(), Misuse> {
        let _ = (id, line, now);
        Ok(())
    }

    /// PNS: accepts what [`Event::IncomingCallRequested`] offered.
    pub fn accept_incoming_call(&mut self, id: CallId, answer: IncomingCallAnswer, now: Instant) -> Result<(), Misuse> {
        let _ = (id, answer, now);
        Ok(())
    }

    /// PNS: refuses what [`Event::IncomingCallRequested`] offered.
    pub fn refuse_incoming_call(
        &mut self,
        id: CallId,
        result: IncomingCallResult,
        error: GeneralError,
        now: Instant,
    ) -> Result<(), Misuse> {
        let _ = (id, result, error, now);
        Ok(())
    }

    /// Ends a call in any state: a PNS sends Call-Clear-Request and waits, bounded, for Call-Disconnect-Notify; a PAC
    /// sends Call-Disconnect-Notify. [`Event::CallEnded`] follows.
    pub fn clear_call(&mut self, id: CallId, now: Instant) -> Result<(), Misuse> {
        let _ = (id, now);
        Ok(())
    }

    /// PNS: sends Set-Link-Info for an established call.
    pub fn set_link_info(&mut self, id: CallId, send_accm: u32, receive_accm: u32, now: Instant) -> Result<(), Misuse> {
        let _ = (id, send_accm, receive_accm, now);
        Ok(())
    }

    /// PAC: sends WAN-Error-Notify for an established call; at most one per 60 s, the latest counters when it is due.
    pub fn notify_wan_errors(&mut self, id: CallId, counters: WanErrorCounters, now: Instant) -> Result<(), Misuse> {
        let _ = (id, counters, now);
        Ok(())
    }

    /// Ends the connection: Stop-Control-Connection-Request, a bounded wait for the reply, then [`Event::Closed`]. Calls
    /// end at once. Does nothing when the connection is closing or closed.
    pub fn stop(&mut self, reason: StopReason, now: Instant) {
        let _ = (reason, now);
    }

    /// Start-Control-Connection-Request and -Reply have been exchanged, and no Stop.
    pub fn is_established(&self) -> bool {
        false
    }

    /// [`Event::Closed`] was queued.
    pub fn is_closed(&self) -> bool {
        false
    }

    /// Calls in any state.
    pub fn call_count(&self) -> usize {
        0
    }
}
