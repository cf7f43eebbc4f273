//! Whole conversations, byte by byte, written down by hand from RFC 2637 §2: incoming calls in both roles, and everything that
//! may be said of an established call.

use pptp_core::control::{
    CallEnd, CallParameters, CloseReason, Config, ConnectedLine, Connection, Event, IncomingCall, IncomingCallAnswer,
    WanErrorCounters,
};
use pptp_core::wire::{
    CallId, DisconnectResult, GeneralError, IncomingCallResult, PeerCallId, ProtocolVersion, StopReason,
};

use crate::harness::{quiet, start};

/// Our id of every call here; the peer's is 0xbeef.
const OURS: CallId = CallId(0x0d0e);
const THEIRS: PeerCallId = PeerCallId(0xbeef);

/// A field of 64 bytes with a text, in hexadecimal digits.
fn text(words: &str) -> String {
    let digits: String = words.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<128}")
}

fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

/// A message: Length, PPTP Message Type 1, Magic Cookie, Control Message Type, Reserved0, and the rest.
fn message(length: u16, kind: u16, rest: &str) -> Vec<u8> {
    let bytes = bytes(&format!("{length:04x} 0001 1a2b3c4d {kind:04x} 0000 {rest}"));
    assert_eq!(bytes.len(), usize::from(length), "message {kind}");
    bytes
}

/// One end, and the bytes that it hears and says.
struct Talk(Connection);

impl Talk {
    fn hears(&mut self, bytes: &[u8]) {
        self.0.handle_input(bytes, start());
    }

    #[track_caller]
    fn says(&mut self, bytes: &[u8]) {
        let said = self.0.poll_transmit().unwrap_or_default();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&said), hex(bytes));
    }

    #[track_caller]
    fn knows(&mut self, events: &[Event]) {
        assert_eq!(self.0.poll_transmit(), None, "nothing more is said");
        let known: Vec<Event> = core::iter::from_fn(|| self.0.poll_event()).collect();
        assert_eq!(known, events);
    }
}

fn config() -> Config {
    Config { host_name: "pns".into(), maximum_channels: 7, ..quiet() }
}

fn always_ours() -> Box<dyn FnMut() -> u32 + Send> {
    Box::new(|| u32::from(OURS.0))
}

/// Protocol Version, Reserved1 or result, Framing and Bearer Capabilities, Maximum Channels, Firmware Revision, names.
fn introduction(second: &str, channels: &str, host: &str) -> String {
    format!("0100 {second} 00000003 00000003 {channels} 0001 {} {}", text(host), text("pptp-rs"))
}

/// Accepted by the PNS; the PAC is the peer.
fn pns() -> Talk {
    let mut talk = Talk(Connection::accept(config(), always_ours(), start()));
    talk.hears(&message(156, 1, &introduction("0000", "0002", "pac")));
    talk.says(&message(156, 2, &introduction("01 00", "0007", "pns")));
    let Some(Event::Established(peer)) = talk.0.poll_event() else { panic!("established") };
    let told = (peer.version, &peer.host_name[..], peer.maximum_channels, peer.firmware_revision);
    assert_eq!(told, (ProtocolVersion::V1_0, "pac", 2, 1));
    talk
}

/// Opened by the PAC; the PNS is the peer.
fn pac() -> Talk {
    let mut talk = Talk(Connection::originate(config(), always_ours(), start()));
    talk.says(&message(156, 1, &introduction("0000", "0007", "pns")));
    talk.hears(&message(156, 2, &introduction("01 00", "0000", "other")));
    let Some(Event::Established(_)) = talk.0.poll_event() else { panic!("established") };
    talk
}

/// Incoming-Call-Request with this Call ID and Call Serial Number: Bearer Type digital, Physical Channel ID 5, length of Dialed and
/// Dialing Number, these, and Subaddress.
fn ringing(call: &str, serial: &str) -> Vec<u8> {
    let numbers = [text("5551234"), text("66"), text("room 9")].concat();
    message(220, 9, &format!("{call} {serial} 00000002 00000005 0007 0002 {numbers}"))
}

fn parameters(peer_receive_window: u16, connect_speed: u32, peer_processing_delay: u16) -> Event {
    Event::CallConnected(CallParameters {
        call: OURS,
        peer_call: THEIRS,
        peer_receive_window,
        connect_speed,
        peer_processing_delay,
    })
}

/// A PNS with an established call.
fn answered() -> Talk {
    let mut talk = pns();
    talk.hears(&ringing("beef", "0102"));
    let Some(Event::IncomingCallRequested(offer)) = talk.0.poll_event() else { panic!("a call is offered") };
    assert_eq!((offer.call, offer.peer_call, offer.serial_number), (OURS, THEIRS, 0x0102));
    assert_eq!((offer.bearer_type, offer.physical_channel_id), (2, 5));
    assert_eq!([&offer.dialed_number[..], &offer.dialing_number, &offer.subaddress], ["5551234", "66", "room 9"]);
    let answer = IncomingCallAnswer { receive_window: 64, processing_delay: 3 };
    talk.0.accept_incoming_call(OURS, answer, start()).unwrap();
    // Incoming-Call-Reply: Call ID, Peer's Call ID, Result 1, Error 0, Receive Window, Transmit Delay, Reserved1.
    talk.says(&message(24, 10, "0d0e beef 01 00 0040 0003 0000"));
    // Incoming-Call-Connected: Peer's Call ID, Reserved1, Connect Speed, Receive Window, Transmit Delay, Framing Type.
    talk.hears(&message(28, 11, "0d0e 0000 0000fa00 0014 0002 00000001"));
    talk.knows(&[parameters(20, 64_000, 2)]);
    talk
}

/// A PAC with an established call.
fn placed() -> Talk {
    let mut talk = pac();
    assert_eq!(talk.0.reserve_call_id(), Ok(OURS));
    let call = IncomingCall {
        bearer_type: 2,
        physical_channel_id: 5,
        dialed_number: "5551234".into(),
        dialing_number: "66".into(),
        subaddress: "room 9".into(),
    };
    talk.0.offer_incoming_call(OURS, call, start()).unwrap();
    talk.says(&ringing("0d0e", "0001"));
    talk.hears(&message(24, 10, "beef 0d0e 01 00 0040 0003 0000"));
    talk.knows(&[Event::IncomingCallAccepted { call: OURS, peer_call: THEIRS }]);
    let line = ConnectedLine { connect_speed: 64_000, receive_window: 20, processing_delay: 2, framing_type: 1 };
    talk.0.connect_incoming_call(OURS, line, start()).unwrap();
    talk.says(&message(28, 11, "beef 0000 0000fa00 0014 0002 00000001"));
    talk.knows(&[parameters(64, 64_000, 3)]);
    talk
}

/// Call-Disconnect-Notify: Call ID, these codes, Cause Code 16, Reserved1, Call Statistics.
fn notify(call: &str, codes: &str, cause: &str) -> Vec<u8> {
    message(148, 13, &format!("{call} {codes} {cause} 0000 {:0<256}", ""))
}

#[test]
fn a_pns_takes_a_call_until_the_pac_disconnects_it() {
    let mut talk = answered();
    // WAN-Error-Notify: Peer's Call ID, Reserved1, six counters.
    talk.hears(&message(40, 14, "0d0e 0000 00000001 00000002 00000003 00000004 00000005 00000006"));
    let counters = WanErrorCounters {
        crc_errors: 1,
        framing_errors: 2,
        hardware_overruns: 3,
        buffer_overruns: 4,
        timeout_errors: 5,
        alignment_errors: 6,
    };
    talk.knows(&[Event::WanErrors { call: OURS, counters }]);
    talk.0.set_link_info(OURS, 0xffff_ffff, 0x000a_0000, start()).unwrap();
    // Set-Link-Info: Peer's Call ID, Reserved1, Send ACCM, Receive ACCM.
    talk.says(&message(24, 15, "beef 0000 ffffffff 000a0000"));
    talk.hears(&notify("beef", "01 00", "0010"));
    let reason =
        CallEnd::PeerDisconnected { result: DisconnectResult::LostCarrier, error: GeneralError::None, cause: 16 };
    talk.knows(&[Event::CallEnded { call: OURS, reason }]);
}

#[test]
fn a_pns_clears_a_call_and_hears_that_it_is_over() {
    let mut talk = answered();
    talk.0.clear_call(OURS, start()).unwrap();
    // Call-Clear-Request: Call ID, Reserved1.
    talk.says(&message(16, 12, "0d0e 0000"));
    talk.knows(&[]);
    talk.hears(&notify("beef", "04 00", "0000"));
    talk.knows(&[Event::CallEnded { call: OURS, reason: CallEnd::Cleared }]);
}

#[test]
fn a_pns_refuses_a_call() {
    for (result, error, codes) in [
        (IncomingCallResult::DoNotAccept, GeneralError::None, "03 00"),
        (IncomingCallResult::GeneralError, GeneralError::NoResource, "02 04"),
    ] {
        let mut talk = pns();
        talk.hears(&ringing("beef", "0001"));
        assert!(matches!(talk.0.poll_event(), Some(Event::IncomingCallRequested(_))));
        talk.0.refuse_incoming_call(OURS, result, error, start()).unwrap();
        talk.says(&message(24, 10, &format!("0d0e beef {codes} 0000 0000 0000")));
        talk.knows(&[Event::CallEnded { call: OURS, reason: CallEnd::Refused }]);
    }
}

#[test]
fn a_pac_reports_errors_obeys_the_pns_and_never_sets_link_info() {
    let mut talk = placed();
    talk.hears(&message(24, 15, "0d0e 0000 ffffffff 000a0000"));
    talk.knows(&[Event::LinkInfo { call: OURS, send_accm: 0xffff_ffff, receive_accm: 0x000a_0000 }]);
    assert!(talk.0.set_link_info(OURS, 0, 0, start()).is_err());
    let counters = WanErrorCounters { crc_errors: 258, alignment_errors: 6, ..WanErrorCounters::default() };
    talk.0.notify_wan_errors(OURS, counters, start()).unwrap();
    talk.says(&message(40, 14, "beef 0000 00000102 00000000 00000000 00000000 00000000 00000006"));
    talk.hears(&message(16, 12, "beef 0000"));
    talk.says(&notify("0d0e", "04 00", "0000"));
    talk.knows(&[Event::CallEnded { call: OURS, reason: CallEnd::PeerCleared }]);
}

#[test]
fn a_pac_disconnects_its_call() {
    let mut talk = placed();
    talk.0.clear_call(OURS, start()).unwrap();
    talk.says(&notify("0d0e", "03 00", "0000"));
    talk.knows(&[Event::CallEnded { call: OURS, reason: CallEnd::Cleared }]);
}

#[test]
fn a_pac_is_refused() {
    let mut talk = pac();
    talk.0.reserve_call_id().unwrap();
    talk.0.offer_incoming_call(OURS, IncomingCall::default(), start()).unwrap();
    assert!(talk.0.poll_transmit().is_some());
    talk.hears(&message(24, 10, "0000 0d0e 02 04 0000 0000 0000"));
    let (result, error) = (IncomingCallResult::GeneralError, GeneralError::NoResource);
    talk.knows(&[Event::IncomingCallRefused { call: OURS, result, error }]);
}

#[test]
fn either_end_stops_and_the_other_agrees() {
    let mut talk = answered();
    // Stop-Control-Connection-Request: Reason, Reserved1, Reserved2.
    talk.hears(&message(16, 3, "03 00 0000"));
    // Stop-Control-Connection-Reply: Result Code, Error Code, Reserved1.
    talk.says(&message(16, 4, "01 00 0000"));
    let reason = CloseReason::StoppedByPeer(StopReason::StopLocalShutdown);
    let lost = CallEnd::ConnectionLost(reason.clone());
    talk.knows(&[Event::CallEnded { call: OURS, reason: lost }, Event::Closed(reason)]);

    let mut talk = pac();
    talk.0.stop(StopReason::None, start());
    talk.says(&message(16, 3, "01 00 0000"));
    talk.knows(&[]);
    talk.hears(&message(16, 4, "01 00 0000"));
    talk.knows(&[Event::Closed(CloseReason::StoppedByUs)]);
}

#[test]
fn echoes_are_answered_with_their_identifier() {
    let mut talk = answered();
    talk.hears(&message(16, 5, "deadbeef"));
    // Echo-Reply: Identifier, Result Code, Error Code, Reserved1.
    talk.says(&message(20, 6, "deadbeef 01 00 0000"));
    talk.knows(&[]);
}
