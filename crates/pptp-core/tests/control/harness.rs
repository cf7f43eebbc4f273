//! One connection against a peer that the test plays, message by message, with the clock in its hand.

use core::time::Duration;

use pptp_core::control::{
    CallAnswer, CallEnd, CloseReason, Config, ConnectedLine, Connection, Event, IncomingCall, IncomingCallAnswer,
    Misbehaviour, OutgoingCall,
};
use pptp_core::sim::Random;
use pptp_core::time::Instant;
use pptp_core::wire::*;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MICROSECOND: Duration = Duration::from_micros(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The peer's id for the call of which a test speaks.
pub(crate) const THEIRS: u16 = 0xbeef;

pub(crate) fn start() -> Instant {
    Instant::from_epoch(Duration::from_secs(1_000))
}

/// A configuration whose peer may open calls, and that sends no echo requests.
pub(crate) fn quiet() -> Config {
    Config { peer_call_limit: 8, echo_interval: Duration::ZERO, ..Config::default() }
}

/// The connection and the clock.
pub(crate) struct Harness {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
}

impl Harness {
    pub(crate) fn originate(config: Config) -> Self {
        Self { connection: Connection::originate(config, Random::source(7), start()), now: start() }
    }

    pub(crate) fn accept(config: Config) -> Self {
        Self { connection: Connection::accept(config, Random::source(7), start()), now: start() }
    }

    /// Established as originator, with nothing left to drain.
    pub(crate) fn established_with(config: Config) -> Self {
        let mut harness = Self::originate(config);
        harness.feed(start_reply());
        assert!(harness.connection.is_established());
        harness.sent();
        harness.events();
        harness
    }

    pub(crate) fn established() -> Self {
        Self::established_with(quiet())
    }

    /// The peer sends a message.
    pub(crate) fn feed(&mut self, message: impl Into<Message>) {
        let mut bytes = Vec::new();
        message.into().emit(&mut bytes);
        self.connection.handle_input(&bytes, self.now);
    }

    /// What the peer receives; each is one write.
    pub(crate) fn sent(&mut self) -> Vec<Message> {
        let parse = |bytes: Vec<u8>| Frame::parse(&bytes).expect("what is sent is well-formed").message;
        core::iter::from_fn(|| self.connection.poll_transmit()).map(parse).collect()
    }

    /// The only message that the peer receives.
    pub(crate) fn sent_one(&mut self) -> Message {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "one message: {sent:?}");
        sent.remove(0)
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.connection.poll_event()).collect()
    }

    /// The only event.
    pub(crate) fn event(&mut self) -> Event {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "one event: {events:?}");
        events.remove(0)
    }

    /// The events that are not reports of misbehaviour, and the reports.
    pub(crate) fn events_and_reports(&mut self) -> (Vec<Event>, Vec<Misbehaviour>) {
        let mut events = Vec::new();
        let mut reports = Vec::new();
        for event in self.events() {
            match event {
                Event::PeerMisbehaved(what) => reports.push(what),
                other => events.push(other),
            }
        }
        (events, reports)
    }

    /// Lets time pass, as an owner does: it wakes at each deadline.
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.connection.poll_timeout().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.connection.handle_timeout(self.now);
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that has passed is set again");
        }
        self.now = end;
    }

    /// Asserts that nothing is sent and nothing happens for this long, and then waits a microsecond more.
    pub(crate) fn quiet_until_just_before(&mut self, time: Duration) {
        self.advance(time - MICROSECOND);
        assert_eq!(self.sent(), []);
        assert_eq!(self.events(), []);
        self.advance(MICROSECOND);
    }
}

/// The states of a call, each reached with nothing left to drain; our id.
impl Harness {
    pub(crate) fn pns_outgoing_waiting(&mut self) -> CallId {
        let id = self.connection.reserve_call_id().unwrap();
        self.connection.place_call(id, OutgoingCall::default(), self.now).unwrap();
        let Message::OutgoingCallRequest(request) = self.sent_one() else { panic!("asks for the call") };
        assert_eq!(request.call_id, id);
        id
    }

    pub(crate) fn pns_outgoing_established(&mut self, theirs: u16) -> CallId {
        let id = self.pns_outgoing_waiting();
        self.feed(call_reply(theirs, id));
        let Event::CallConnected(call) = self.event() else { panic!("connects") };
        assert_eq!((call.call, call.peer_call), (id, PeerCallId(theirs)));
        id
    }

    pub(crate) fn pns_outgoing_clearing(&mut self, theirs: u16) -> CallId {
        let id = self.pns_outgoing_established(theirs);
        self.clear(id)
    }

    pub(crate) fn pac_outgoing_asked(&mut self, theirs: u16) -> CallId {
        self.feed(call_request(theirs));
        let Event::OutgoingCallRequested(offer) = self.event() else { panic!("asks the owner") };
        assert_eq!(offer.peer_call, PeerCallId(theirs));
        offer.call
    }

    pub(crate) fn pac_outgoing_established(&mut self, theirs: u16) -> CallId {
        let id = self.pac_outgoing_asked(theirs);
        self.connection.accept_call(id, CallAnswer::default(), self.now).unwrap();
        self.sent_one();
        assert!(matches!(self.event(), Event::CallConnected(_)));
        id
    }

    pub(crate) fn pns_incoming_offered(&mut self, theirs: u16) -> CallId {
        self.feed(incoming_request(theirs));
        let Event::IncomingCallRequested(offer) = self.event() else { panic!("asks the owner") };
        assert_eq!(offer.peer_call, PeerCallId(theirs));
        offer.call
    }

    pub(crate) fn pns_incoming_waiting(&mut self, theirs: u16) -> CallId {
        let id = self.pns_incoming_offered(theirs);
        self.connection.accept_incoming_call(id, IncomingCallAnswer::default(), self.now).unwrap();
        self.sent_one();
        id
    }

    pub(crate) fn pns_incoming_established(&mut self, theirs: u16) -> CallId {
        let id = self.pns_incoming_waiting(theirs);
        self.feed(incoming_connected(id));
        assert!(matches!(self.event(), Event::CallConnected(_)));
        id
    }

    pub(crate) fn pns_incoming_clearing(&mut self, theirs: u16) -> CallId {
        let id = self.pns_incoming_established(theirs);
        self.clear(id)
    }

    pub(crate) fn pac_incoming_waiting(&mut self) -> CallId {
        let id = self.connection.reserve_call_id().unwrap();
        self.connection.offer_incoming_call(id, IncomingCall::default(), self.now).unwrap();
        self.sent_one();
        id
    }

    pub(crate) fn pac_incoming_answering(&mut self, theirs: u16) -> CallId {
        let id = self.pac_incoming_waiting();
        self.feed(incoming_reply(theirs, id));
        assert_eq!(self.event(), Event::IncomingCallAccepted { call: id, peer_call: PeerCallId(theirs) });
        id
    }

    pub(crate) fn pac_incoming_established(&mut self, theirs: u16) -> CallId {
        let id = self.pac_incoming_answering(theirs);
        self.connection.connect_incoming_call(id, ConnectedLine::default(), self.now).unwrap();
        self.sent_one();
        assert!(matches!(self.event(), Event::CallConnected(_)));
        id
    }

    /// A PNS clears; the notify is awaited.
    pub(crate) fn clear(&mut self, id: CallId) -> CallId {
        self.connection.clear_call(id, self.now).unwrap();
        assert_eq!(self.sent(), [clear_request(id.0).into()]);
        assert_eq!(self.events(), []);
        id
    }
}

pub(crate) fn closed(reason: CloseReason) -> Event {
    Event::Closed(reason)
}

pub(crate) fn ended(call: CallId, reason: CallEnd) -> Event {
    Event::CallEnded { call, reason }
}

pub(crate) fn start_request() -> StartControlConnectionRequest {
    StartControlConnectionRequest {
        version: ProtocolVersion::V1_0,
        reserved1: 0,
        framing_capabilities: 1,
        bearer_capabilities: 1,
        maximum_channels: 0,
        firmware_revision: 2600,
        host_name: Text64::new("client"),
        vendor: Text64::new("Microsoft Windows NT"),
    }
}

pub(crate) fn start_reply() -> StartControlConnectionReply {
    StartControlConnectionReply {
        version: ProtocolVersion::V1_0,
        result: StartResult::Established,
        error: GeneralError::None,
        framing_capabilities: 3,
        bearer_capabilities: 3,
        maximum_channels: 1,
        firmware_revision: 1,
        host_name: Text64::new("server"),
        vendor: Text64::new("linux"),
    }
}

pub(crate) fn stop_request(reason: StopReason) -> StopControlConnectionRequest {
    StopControlConnectionRequest { reason, reserved1: 0, reserved2: 0 }
}

pub(crate) fn stop_reply() -> StopControlConnectionReply {
    StopControlConnectionReply { result: StopResult::Ok, error: GeneralError::None, reserved1: 0 }
}

pub(crate) fn echo_reply(identifier: u32) -> EchoReply {
    EchoReply { identifier, result: EchoResult::Ok, error: GeneralError::None, reserved1: 0 }
}

pub(crate) fn call_request(theirs: u16) -> OutgoingCallRequest {
    OutgoingCallRequest {
        call_id: CallId(theirs),
        call_serial_number: 3,
        minimum_bps: 300,
        maximum_bps: 100_000_000,
        bearer_type: 3,
        framing_type: 3,
        receive_window: 64,
        processing_delay: 1,
        phone_number_length: 0,
        reserved1: 0,
        phone_number: Text64::EMPTY,
        subaddress: Text64::EMPTY,
    }
}

pub(crate) fn call_reply(theirs: u16, ours: CallId) -> OutgoingCallReply {
    OutgoingCallReply {
        call_id: CallId(theirs),
        peer_call_id: ours.seen_by_peer(),
        result: CallResult::Connected,
        error: GeneralError::None,
        cause: 0,
        connect_speed: 64_000,
        receive_window: 16,
        processing_delay: 2,
        physical_channel_id: 0,
    }
}

pub(crate) fn incoming_request(theirs: u16) -> IncomingCallRequest {
    IncomingCallRequest {
        call_id: CallId(theirs),
        call_serial_number: 4,
        bearer_type: 1,
        physical_channel_id: 5,
        dialed_number_length: 2,
        dialing_number_length: 3,
        dialed_number: Text64::new("17"),
        dialing_number: Text64::new("234"),
        subaddress: Text64::EMPTY,
    }
}

pub(crate) fn incoming_reply(theirs: u16, ours: CallId) -> IncomingCallReply {
    IncomingCallReply {
        call_id: CallId(theirs),
        peer_call_id: ours.seen_by_peer(),
        result: IncomingCallResult::Connect,
        error: GeneralError::None,
        receive_window: 9,
        transit_delay: 1,
        reserved1: 0,
    }
}

pub(crate) fn incoming_connected(ours: CallId) -> IncomingCallConnected {
    IncomingCallConnected {
        peer_call_id: ours.seen_by_peer(),
        reserved1: 0,
        connect_speed: 33_600,
        receive_window: 11,
        transit_delay: 2,
        framing_type: 1,
    }
}

pub(crate) fn clear_request(id: u16) -> CallClearRequest {
    CallClearRequest { call_id: CallId(id), reserved1: 0 }
}

pub(crate) fn disconnect_notify(id: u16, result: DisconnectResult) -> CallDisconnectNotify {
    CallDisconnectNotify {
        call_id: CallId(id),
        result,
        error: GeneralError::None,
        cause: 0,
        reserved1: 0,
        call_statistics: [0; 128],
    }
}

pub(crate) fn wan_errors(ours: CallId, crc_errors: u32) -> WanErrorNotify {
    WanErrorNotify {
        peer_call_id: ours.seen_by_peer(),
        reserved1: 0,
        crc_errors,
        framing_errors: 2,
        hardware_overruns: 3,
        buffer_overruns: 4,
        timeout_errors: 5,
        alignment_errors: 6,
    }
}

pub(crate) fn link_info(id: u16) -> SetLinkInfo {
    SetLinkInfo { peer_call_id: PeerCallId(id), reserved1: 0, send_accm: u32::MAX, receive_accm: 0 }
}

/// The call was ended by a Call-Disconnect-Notify with this result.
pub(crate) fn peer_disconnected(result: DisconnectResult) -> CallEnd {
    CallEnd::PeerDisconnected { result, error: GeneralError::None, cause: 0 }
}
