//! Habits of real peers that do not matter.

use pptp_core::control::{CallEnd, CallParameters, CloseReason, Event, Misbehaviour};
use pptp_core::wire::*;

use crate::harness::*;

#[test]
fn the_peers_call_id_may_be_zero() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(0);
    harness.connection.set_link_info(id, 0, 0, harness.now).unwrap();
    assert!(matches!(harness.sent_one(), Message::SetLinkInfo(info) if info.peer_call_id == PeerCallId(0)));
    harness.feed(disconnect_notify(0, DisconnectResult::LostCarrier));
    assert_eq!(harness.event(), ended(id, peer_disconnected(DisconnectResult::LostCarrier)));

    let id = harness.pac_outgoing_established(0);
    harness.feed(clear_request(0));
    assert_eq!(harness.event(), ended(id, CallEnd::PeerCleared));
}

#[test]
fn a_reply_that_names_call_zero_is_for_the_only_call_that_waits() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.feed(call_reply(THEIRS, CallId(0)));
    let (events, reports) = harness.events_and_reports();
    let parameters = CallParameters {
        call: id,
        peer_call: PeerCallId(THEIRS),
        peer_receive_window: 16,
        connect_speed: 64_000,
        peer_processing_delay: 2,
    };
    assert_eq!(events, [Event::CallConnected(parameters)]);
    assert_eq!(reports, [Misbehaviour::WrongEndsCallId { message: "Outgoing-Call-Reply", id: 0 }]);

    harness.pns_outgoing_waiting();
    harness.pns_outgoing_waiting();
    harness.feed(call_reply(1, CallId(0)));
    let (events, reports) = harness.events_and_reports();
    assert_eq!(events, [], "two wait: nobody can say which is meant");
    assert_eq!(reports, [Misbehaviour::UnknownCall { message: "Outgoing-Call-Reply", id: 0 }]);
}

#[test]
fn incoming_calls_may_be_named_zero_as_well() {
    let mut harness = Harness::established();
    let id = harness.pac_incoming_waiting();
    harness.feed(incoming_reply(THEIRS, CallId(0)));
    let (events, _) = harness.events_and_reports();
    assert_eq!(events, [Event::IncomingCallAccepted { call: id, peer_call: PeerCallId(THEIRS) }]);

    let id = harness.pns_incoming_waiting(1);
    harness.feed(incoming_connected(CallId(0)));
    let (events, _) = harness.events_and_reports();
    assert!(matches!(events.as_slice(), [Event::CallConnected(call)] if call.call == id));
}

#[test]
fn a_disconnect_result_or_stop_reason_of_zero_is_an_end_like_any_other() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::Unknown(0)));
    let (events, reports) = harness.events_and_reports();
    assert_eq!(events, [ended(id, peer_disconnected(DisconnectResult::Unknown(0)))]);
    assert_eq!(reports, [Misbehaviour::CodeZero { message: "Call-Disconnect-Notify" }]);

    harness.feed(stop_request(StopReason::Unknown(0)));
    let (events, reports) = harness.events_and_reports();
    assert_eq!(events, [closed(CloseReason::StoppedByPeer(StopReason::Unknown(0)))]);
    assert_eq!(reports, [Misbehaviour::CodeZero { message: "Stop-Control-Connection-Request" }]);
    assert_eq!(harness.sent_one(), stop_reply().into());
}

#[test]
fn reserved_fields_may_hold_anything() {
    let mut harness = Harness::accept(quiet());
    let frame = Frame {
        reserved0: 0xffff,
        message: StartControlConnectionRequest { reserved1: 0xffff, ..start_request() }.into(),
    };
    let mut bytes = Vec::new();
    frame.emit(&mut bytes);
    harness.connection.handle_input(&bytes, harness.now);
    assert!(harness.connection.is_established());
    harness.events();
    harness.sent();
    harness.feed(OutgoingCallRequest { reserved1: 0xffff, ..call_request(THEIRS) });
    assert!(matches!(harness.event(), Event::OutgoingCallRequested(_)));
    harness.feed(CallClearRequest { reserved1: 0xffff, ..clear_request(THEIRS) });
    assert!(matches!(harness.event(), Event::CallEnded { reason: CallEnd::PeerCleared, .. }));
}

#[test]
fn capabilities_and_channels_of_any_value_are_only_reported() {
    for (capabilities, channels) in [(0, 0), (0, 1), (u32::MAX, u16::MAX)] {
        let mut harness = Harness::originate(quiet());
        harness.feed(StartControlConnectionReply {
            framing_capabilities: capabilities,
            bearer_capabilities: capabilities,
            maximum_channels: channels,
            ..start_reply()
        });
        let Event::Established(peer) = harness.event() else { panic!("established") };
        assert_eq!((peer.framing_capabilities, peer.maximum_channels), (capabilities, channels));
        harness.sent();
        harness.pns_outgoing_established(1);
        harness.pns_outgoing_established(2);
    }
}

#[test]
fn windows_of_any_size_are_only_reported() {
    for window in [0, 3, 64, 16_384, u16::MAX] {
        let mut harness = Harness::established();
        let id = harness.pns_outgoing_waiting();
        harness.feed(OutgoingCallReply { receive_window: window, connect_speed: 0, ..call_reply(THEIRS, id) });
        assert!(matches!(harness.event(), Event::CallConnected(call) if call.peer_receive_window == window));
    }
}

#[test]
fn link_info_may_come_from_a_pac_with_either_ends_id_and_repeatedly() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    for named in [id.0, THEIRS] {
        harness.feed(link_info(named));
        harness.feed(SetLinkInfo { send_accm: 0, ..link_info(named) });
        let (events, reports) = harness.events_and_reports();
        assert_eq!(events, [Event::LinkInfo { call: id, send_accm: 0, receive_accm: 0 }], "the latest");
        assert!(reports.contains(&Misbehaviour::WrongDirection { message: "Set-Link-Info" }));
    }
    assert_eq!(harness.sent(), []);
}

#[test]
fn a_pac_never_sends_link_info() {
    let mut harness = Harness::established();
    let id = harness.pac_outgoing_established(THEIRS);
    harness.feed(link_info(id.0));
    assert_eq!(harness.event(), Event::LinkInfo { call: id, send_accm: u32::MAX, receive_accm: 0 });
    assert_eq!(harness.sent(), []);
}

#[test]
fn a_duplicate_reply_does_not_disturb_the_call() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.feed(call_reply(THEIRS, id));
    harness.feed(OutgoingCallReply { result: CallResult::Busy, ..call_reply(1, id) });
    let (events, reports) = harness.events_and_reports();
    assert_eq!(events, []);
    let unexpected = Misbehaviour::UnexpectedMessage { message: "Outgoing-Call-Reply", state: "established" };
    assert_eq!(reports, [unexpected, unexpected]);
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::LostCarrier));
    assert!(matches!(harness.event(), Event::CallEnded { call, .. } if call == id));
}

#[test]
fn a_duplicate_start_does_not_disturb_the_connection() {
    let mut harness = Harness::accept(quiet());
    harness.feed(start_request());
    harness.sent();
    harness.events();
    harness.feed(start_request());
    let message = "Start-Control-Connection-Request";
    let report = Misbehaviour::UnexpectedMessage { message, state: "established" };
    assert_eq!(harness.event(), Event::PeerMisbehaved(report));
    assert_eq!(harness.sent(), []);
    assert!(harness.connection.is_established());
}

#[test]
fn a_call_id_that_the_peer_uses_twice_keeps_its_first_call() {
    let mut harness = Harness::established();
    let id = harness.pac_outgoing_asked(THEIRS);
    harness.feed(call_request(THEIRS));
    assert_eq!(harness.event(), Event::PeerMisbehaved(Misbehaviour::DuplicateCallId(THEIRS)));
    assert_eq!(harness.sent(), [], "the first request will be answered");

    harness.connection.accept_call(id, Default::default(), harness.now).unwrap();
    harness.sent();
    harness.events();
    harness.feed(call_request(THEIRS));
    assert_eq!(harness.event(), Event::PeerMisbehaved(Misbehaviour::DuplicateCallId(THEIRS)));
    let Message::OutgoingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (CallResult::GeneralError, GeneralError::BadCallId));
    harness.feed(incoming_request(THEIRS));
    let Message::IncomingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (IncomingCallResult::GeneralError, GeneralError::BadCallId));
    assert_eq!(harness.connection.call_count(), 1);
}
