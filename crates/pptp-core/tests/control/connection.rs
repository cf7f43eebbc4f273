//! Start and stop (RFC 2637 §3.1.1, §3.1.2, §3.1.4).

use pptp_core::control::{CallEnd, CloseReason, Config, Connection, Event, Misbehaviour, Misuse, OutgoingCall, Quirk};
use pptp_core::sim::{ControlPair, Link, Random, Segmentation};
use pptp_core::wire::*;

use crate::harness::*;

fn pair(link: Link) -> ControlPair {
    let left = Connection::originate(quiet(), Random::source(1), start());
    let right = Connection::accept(quiet(), Random::source(2), start());
    ControlPair::new(left, right, link, start())
}

const LINKS: [Link; 5] = [
    Link::IDEAL,
    Link { segmentation: Segmentation::Merged, delay: SECOND, jitter: core::time::Duration::ZERO },
    Link { segmentation: Segmentation::Bytes(1), delay: MICROSECOND, jitter: MICROSECOND },
    Link { segmentation: Segmentation::Random(40), delay: SECOND, jitter: SECOND },
    Link { segmentation: Segmentation::Bytes(7), delay: core::time::Duration::ZERO, jitter: SECOND },
];

#[test]
fn both_ends_establish_over_every_kind_of_link_and_a_stop_closes_both() {
    for link in LINKS {
        let mut pair = pair(link);
        pair.run_for(MINUTE * 10);
        assert!(pair.left.connection.is_established() && pair.right.connection.is_established(), "{link:?}");
        pair.left.take_events();
        pair.right.take_events();

        pair.left.connection.stop(StopReason::StopLocalShutdown, pair.now());
        pair.run_for(SECOND * 300);
        assert_eq!(pair.left.take_events(), [closed(CloseReason::StoppedByUs)], "{link:?}");
        let reason = CloseReason::StoppedByPeer(StopReason::StopLocalShutdown);
        assert_eq!(pair.right.take_events(), [closed(reason)], "{link:?}");
        assert_eq!((pair.left.connection.poll_timeout(), pair.right.connection.poll_timeout()), (None, None));
    }
}

#[test]
fn ends_that_stop_at_once_both_close_for_their_own_reason() {
    let slow = Link { segmentation: Segmentation::Writes, delay: SECOND, ..Link::IDEAL };
    for link in [Link::IDEAL, slow] {
        let mut pair = pair(link);
        pair.run_for(MINUTE);
        pair.left.take_events();
        pair.right.take_events();
        pair.left.connection.stop(StopReason::None, pair.now());
        pair.right.connection.stop(StopReason::StopLocalShutdown, pair.now());
        pair.run_for(MINUTE);
        assert_eq!(pair.left.take_events(), [closed(CloseReason::StoppedByUs)]);
        assert_eq!(pair.right.take_events(), [closed(CloseReason::StoppedByUs)]);
    }
}

#[test]
fn the_originator_says_what_its_configuration_says() {
    let config = Config {
        host_name: "h".repeat(80),
        vendor: String::from("v"),
        framing_capabilities: 1,
        bearer_capabilities: 2,
        maximum_channels: 4,
        firmware_revision: 5,
        ..quiet()
    };
    let mut harness = Harness::originate(config);
    let expected = StartControlConnectionRequest {
        version: ProtocolVersion(0x0100),
        reserved1: 0,
        framing_capabilities: 1,
        bearer_capabilities: 2,
        maximum_channels: 4,
        firmware_revision: 5,
        host_name: Text64::new(&"h".repeat(63)),
        vendor: Text64::new("v"),
    };
    assert_eq!(harness.sent_one(), expected.into());
}

#[test]
fn the_peers_words_about_itself_are_reported() {
    let mut harness = Harness::originate(quiet());
    harness.feed(StartControlConnectionReply { host_name: Text64::new("a\nb"), ..start_reply() });
    let Event::Established(peer) = harness.event() else { panic!("established") };
    assert_eq!((peer.host_name.as_str(), peer.vendor.as_str()), ("a\\nb", "linux"), "escaped for the log");
    assert_eq!((peer.framing_capabilities, peer.bearer_capabilities, peer.firmware_revision), (3, 3, 1));

    let mut harness = Harness::accept(quiet());
    harness.feed(start_request());
    let Event::Established(peer) = harness.event() else { panic!("established") };
    assert_eq!((peer.host_name.as_str(), peer.firmware_revision), ("client", 2600));
    let Message::StartControlConnectionReply(reply) = harness.sent_one() else { panic!("replies") };
    assert_eq!(
        (reply.result, reply.error, reply.version),
        (StartResult::Established, GeneralError::None, ProtocolVersion::V1_0)
    );
}

#[test]
fn every_refusal_of_the_connection_ends_it_and_names_its_code() {
    for code in (2..=u8::MAX).map(StartResult::from) {
        let mut harness = Harness::originate(quiet());
        let id = harness.connection.reserve_call_id().unwrap();
        harness.connection.place_call(id, OutgoingCall::default(), start()).unwrap();
        harness.sent();
        harness.feed(StartControlConnectionReply { result: code, error: GeneralError::NoResource, ..start_reply() });
        let reason = CloseReason::Refused { result: code, error: GeneralError::NoResource };
        let end = ended(id, CallEnd::ConnectionLost(reason.clone()));
        assert_eq!(harness.events(), [end, closed(reason)]);
        assert_eq!(harness.sent(), [], "a refused connection is not stopped");
    }
}

#[test]
fn an_originator_stops_a_connection_whose_version_it_does_not_speak() {
    for version in [0x0000, 0x00ff, 0x0001, 0x0200, 0xffff].map(ProtocolVersion) {
        let mut harness = Harness::originate(quiet());
        harness.sent();
        harness.feed(StartControlConnectionReply { version, ..start_reply() });
        assert_eq!(harness.sent_one(), stop_request(StopReason::StopProtocol).into());
        assert_eq!(harness.events(), []);
        harness.feed(stop_reply());
        assert_eq!(harness.event(), closed(CloseReason::VersionMismatch(version)));
    }
}

#[test]
fn revisions_of_version_one_are_one_version_to_the_originator() {
    let mut harness = Harness::originate(quiet());
    harness.feed(StartControlConnectionReply { version: ProtocolVersion(0x0101), ..start_reply() });
    assert!(harness.connection.is_established());
}

#[test]
fn a_receiver_refuses_an_earlier_version_and_offers_its_own_for_a_later_one() {
    for version in [0x0000, 0x00ff].map(ProtocolVersion) {
        let mut harness = Harness::accept(quiet());
        harness.feed(StartControlConnectionRequest { version, ..start_request() });
        let Message::StartControlConnectionReply(reply) = harness.sent_one() else { panic!("replies") };
        assert_eq!((reply.result, reply.version), (StartResult::VersionNotSupported, ProtocolVersion::V1_0));
        assert_eq!(harness.event(), closed(CloseReason::VersionMismatch(version)));
    }
    for version in [0x0100, 0x0101, 0x0200, 0xffff].map(ProtocolVersion) {
        let mut harness = Harness::accept(quiet());
        harness.feed(StartControlConnectionRequest { version, ..start_request() });
        let Message::StartControlConnectionReply(reply) = harness.sent_one() else { panic!("replies") };
        assert_eq!((reply.result, reply.version), (StartResult::Established, ProtocolVersion::V1_0));
        assert!(harness.connection.is_established());
    }
}

#[test]
fn both_ends_give_up_a_start_after_sixty_seconds_to_the_microsecond() {
    for mut harness in [Harness::originate(quiet()), Harness::accept(quiet())] {
        harness.sent();
        harness.quiet_until_just_before(MINUTE);
        assert_eq!(harness.event(), closed(CloseReason::SetupTimeout));
        assert_eq!(harness.sent(), []);
        assert_eq!(harness.connection.poll_timeout(), None);
    }
}

#[test]
fn a_stop_waits_for_its_reply_no_longer_than_configured() {
    let mut harness = Harness::established();
    harness.connection.stop(StopReason::StopLocalShutdown, harness.now);
    assert_eq!(harness.sent_one(), stop_request(StopReason::StopLocalShutdown).into());
    assert!(!harness.connection.is_established());
    harness.quiet_until_just_before(SECOND * 3);
    assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
}

#[test]
fn a_stop_ends_the_calls_at_once_and_the_connection_last() {
    let mut harness = Harness::established();
    let connected = harness.pns_outgoing_established(1);
    let clearing = harness.pns_outgoing_clearing(2);
    let asked = harness.pac_outgoing_asked(3);
    harness.connection.stop(StopReason::None, harness.now);
    let mut lost: Vec<CallId> = Vec::new();
    for event in harness.events() {
        let Event::CallEnded { call, reason } = event else { panic!("only calls end: {event:?}") };
        assert_eq!(reason, CallEnd::ConnectionLost(CloseReason::StoppedByUs));
        lost.push(call);
    }
    lost.sort_unstable_by_key(|call| call.0);
    let mut expected = vec![connected, clearing, asked];
    expected.sort_unstable_by_key(|call| call.0);
    assert_eq!(lost, expected);
    assert_eq!(harness.connection.call_count(), 0);
    harness.feed(stop_reply());
    assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
}

#[test]
fn any_result_in_a_stop_reply_and_a_closed_stream_both_end_a_stop() {
    for result in [StopResult::Ok, StopResult::GeneralError, StopResult::Unknown(0), StopResult::Unknown(9)] {
        let mut harness = Harness::established();
        harness.connection.stop(StopReason::None, harness.now);
        harness.feed(StopControlConnectionReply { result, ..stop_reply() });
        assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
    }
    let mut harness = Harness::established();
    harness.connection.stop(StopReason::None, harness.now);
    harness.connection.handle_disconnect(harness.now);
    assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
}

#[test]
fn a_stop_before_the_connection_is_established_says_nothing_and_closes() {
    for mut harness in [Harness::originate(quiet()), Harness::accept(quiet())] {
        harness.sent();
        harness.connection.stop(StopReason::None, harness.now);
        assert_eq!(harness.sent(), []);
        assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
    }
}

#[test]
fn a_second_stop_changes_nothing() {
    let mut harness = Harness::established();
    harness.connection.stop(StopReason::None, harness.now);
    harness.sent();
    harness.connection.stop(StopReason::StopProtocol, harness.now);
    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]));
    harness.feed(stop_reply());
    assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
    harness.connection.stop(StopReason::None, harness.now);
    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]));
}

#[test]
fn the_peers_stop_is_answered_in_every_state() {
    let stopped = closed(CloseReason::StoppedByPeer(StopReason::StopLocalShutdown));
    for mut harness in [Harness::originate(quiet()), Harness::accept(quiet()), Harness::established()] {
        harness.sent();
        harness.feed(stop_request(StopReason::StopLocalShutdown));
        assert_eq!(harness.sent_one(), stop_reply().into());
        assert_eq!(harness.event(), stopped);
    }
}

#[test]
fn the_end_of_the_stream_ends_calls_and_connection() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.connection.handle_disconnect(harness.now);
    let lost = CallEnd::ConnectionLost(CloseReason::PeerClosed);
    assert_eq!(harness.events(), [ended(id, lost), closed(CloseReason::PeerClosed)]);
    assert_eq!(harness.sent(), []);
    harness.connection.handle_disconnect(harness.now);
    harness.feed(start_reply());
    assert_eq!(harness.events(), [], "a closed connection stays closed");
}

#[test]
fn malformed_bytes_close_the_connection_and_say_what_is_wrong() {
    let mut harness = Harness::established();
    harness.connection.handle_input(b"GET / HTTP/1.1\r\n", harness.now);
    let Event::Closed(CloseReason::Malformed(error)) = harness.event() else { panic!("closes") };
    assert!(matches!(error, WireError::BadMagic(_)));
    assert_eq!(harness.sent(), []);
    harness.feed(stop_request(StopReason::None));
    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]), "what follows is not read");
}

#[test]
fn the_owner_may_answer_or_refuse_a_held_start() {
    let mut harness = Harness::accept(quiet());
    harness.connection.hold_start().unwrap();
    harness.feed(start_request());
    assert!(matches!(harness.event(), Event::StartRequested(peer) if peer.host_name == "client"));
    assert_eq!(harness.sent(), []);
    harness.connection.answer_start(harness.now).unwrap();
    assert!(matches!(harness.event(), Event::Established(peer) if peer.host_name == "client"));
    assert!(matches!(harness.sent_one(), Message::StartControlConnectionReply(_)));

    let mut harness = Harness::accept(quiet());
    harness.connection.hold_start().unwrap();
    harness.feed(start_request());
    harness.events();
    let accepts = harness.connection.refuse_start(StartResult::Established, GeneralError::None);
    assert_eq!(accepts, Err(Misuse::RefusalAccepts));
    harness.connection.refuse_start(StartResult::NotAuthorized, GeneralError::None).unwrap();
    let Message::StartControlConnectionReply(reply) = harness.sent_one() else { panic!("replies") };
    assert_eq!(reply.result, StartResult::NotAuthorized);
    assert_eq!(harness.event(), closed(CloseReason::RefusedByUs(StartResult::NotAuthorized)));
}

#[test]
fn a_held_start_that_nobody_answers_times_out() {
    let mut harness = Harness::accept(quiet());
    harness.connection.hold_start().unwrap();
    harness.feed(start_request());
    harness.events();
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.event(), closed(CloseReason::SetupTimeout));
}

#[test]
fn start_commands_in_the_wrong_state_are_named() {
    let wrong = |operation, state| Err(Misuse::WrongConnectionState { operation, state });
    let mut originator = Harness::originate(quiet()).connection;
    assert_eq!(originator.hold_start(), wrong("hold_start", "wait_ctl_reply"));
    assert_eq!(originator.answer_start(start()), wrong("answer_start", "wait_ctl_reply"));
    let refused = originator.refuse_start(StartResult::NotAuthorized, GeneralError::None);
    assert_eq!(refused, wrong("refuse_start", "wait_ctl_reply"));
    let mut receiver = Harness::accept(quiet()).connection;
    assert_eq!(receiver.answer_start(start()), wrong("answer_start", "idle"));
    let mut established = Harness::established().connection;
    assert_eq!(established.hold_start(), wrong("hold_start", "established"));
}

#[test]
fn a_start_result_of_zero_counts_as_success() {
    let mut harness = Harness::originate(quiet());
    let zeros = StartControlConnectionReply {
        result: StartResult::Unknown(0),
        framing_capabilities: 0,
        bearer_capabilities: 0,
        maximum_channels: u16::MAX,
        ..start_reply()
    };
    harness.feed(zeros);
    let (events, reports) = harness.events_and_reports();
    assert!(matches!(events.as_slice(), [Event::Established(_)]));
    assert_eq!(reports, [Misbehaviour::StartResultZero]);
}

#[test]
fn the_orckit_quirk_speaks_like_the_modems_own_software() {
    let mut harness = Harness::originate(Config { quirk: Quirk::from_name("orckit"), ..quiet() });
    let Message::StartControlConnectionRequest(request) = harness.sent_one() else { panic!("starts") };
    assert_eq!((request.framing_capabilities, request.bearer_capabilities), (1, 1));
    assert_eq!((request.maximum_channels, request.firmware_revision), (0, 0x6021));
    assert_eq!((request.host_name.text(), request.vendor.text()), ("RELAY_PPP1".into(), "MS Win NT".into()));

    harness.feed(start_reply());
    harness.events();
    let id = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(id, OutgoingCall::default(), harness.now).unwrap();
    let Message::OutgoingCallRequest(request) = harness.sent_one() else { panic!("asks") };
    assert_eq!((request.minimum_bps, request.maximum_bps), (2_400, 10_000_000));
    assert_eq!((request.bearer_type, request.framing_type), (2, 3));
    assert_eq!((request.phone_number.text(), request.phone_number_length), ("RELAY_PPP1".into(), 10));

    harness.feed(call_reply(THEIRS, id));
    let info =
        SetLinkInfo { peer_call_id: PeerCallId(THEIRS), reserved1: 0, send_accm: u32::MAX, receive_accm: u32::MAX };
    assert_eq!(harness.sent_one(), info.into());
}
