//! Peers that mean harm: what they can make this end hold is bounded.

use pptp_core::control::{CallEnd, CloseReason, Config, Event, Misbehaviour, Misuse};
use pptp_core::wire::*;

use crate::harness::*;

/// Messages that may wait for an owner who does not drain, with room for those of the set-up.
const MOST_MESSAGES: usize = 260;
const MOST_REPORTS: usize = 64;

fn bytes_of(messages: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        message.emit(&mut bytes);
    }
    bytes
}

#[test]
fn a_flood_of_echo_requests_that_is_not_read_from_ends_the_connection() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    let flood = bytes_of((0..100_000).map(|identifier| EchoRequest { identifier }.into()));
    harness.connection.handle_input(&flood, harness.now);
    let lost = CallEnd::ConnectionLost(CloseReason::Flooded);
    assert_eq!(harness.events(), [ended(id, lost), closed(CloseReason::Flooded)]);
    let answered = harness.sent().len();
    assert!((200..MOST_MESSAGES).contains(&answered), "{answered} answers");
}

#[test]
fn echo_requests_that_are_drained_are_answered_for_ever() {
    let mut harness = Harness::established();
    for round in 0..1000 {
        let burst = bytes_of((0..50).map(|number| EchoRequest { identifier: round * 50 + number }.into()));
        harness.connection.handle_input(&burst, harness.now);
        assert_eq!(harness.sent().len(), 50);
    }
    assert!(harness.connection.is_established());
}

#[test]
fn reports_of_misbehaviour_are_bounded_and_the_rest_is_counted() {
    let mut harness = Harness::established();
    let nonsense = bytes_of((0..10_000).map(|_| disconnect_notify(1, DisconnectResult::Request).into()));
    harness.connection.handle_input(&nonsense, harness.now);
    assert_eq!(harness.events().len(), MOST_REPORTS);
    let suppressed = 10_000 - u64::try_from(MOST_REPORTS).unwrap();
    assert_eq!(harness.connection.suppressed_reports(), suppressed);
    assert!(harness.connection.is_established());
    harness.feed(disconnect_notify(1, DisconnectResult::Request));
    assert!(matches!(harness.event(), Event::PeerMisbehaved(_)), "drained, so that reports are queued again");
}

#[test]
fn calls_beyond_the_limit_are_refused_without_asking_the_owner() {
    let mut harness = Harness::established_with(Config { peer_call_limit: 2, ..quiet() });
    harness.pac_outgoing_asked(1);
    harness.pns_incoming_offered(2);
    harness.feed(call_request(3));
    assert_eq!(harness.event(), Event::PeerMisbehaved(Misbehaviour::TooManyCalls));
    let Message::OutgoingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (CallResult::GeneralError, GeneralError::NoResource));
    assert_eq!((reply.call_id, reply.peer_call_id), (CallId(0), PeerCallId(3)));
    harness.feed(incoming_request(4));
    harness.events();
    let Message::IncomingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (IncomingCallResult::GeneralError, GeneralError::NoResource));
    assert_eq!(harness.connection.call_count(), 2);

    harness.feed(clear_request(1));
    harness.sent();
    harness.events();
    harness.pac_outgoing_asked(3);
}

#[test]
fn a_client_refuses_every_call_that_its_server_asks_for() {
    let mut harness = Harness::established_with(Config::default());
    harness.feed(call_request(1));
    assert_eq!(harness.event(), Event::PeerMisbehaved(Misbehaviour::TooManyCalls));
    let Message::OutgoingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (CallResult::DoNotAccept, GeneralError::None));
    harness.feed(incoming_request(1));
    let Message::IncomingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (IncomingCallResult::DoNotAccept, GeneralError::None));
}

#[test]
fn our_own_calls_do_not_count_against_the_peers_limit() {
    let mut harness = Harness::established_with(Config { peer_call_limit: 1, ..quiet() });
    harness.pns_outgoing_established(1);
    harness.pac_incoming_established(2);
    harness.pac_outgoing_asked(3);
}

#[test]
fn calls_that_come_and_go_in_one_segment_end_in_bounds() {
    let mut harness = Harness::established();
    let churn = (0..50_000).flat_map(|number: u16| [call_request(number).into(), clear_request(number).into()]);
    harness.connection.handle_input(&bytes_of(churn), harness.now);
    let events = harness.events();
    assert_eq!(events.last(), Some(&closed(CloseReason::Flooded)));
    let asked = events.iter().filter(|event| matches!(event, Event::OutgoingCallRequested(_))).count();
    let ended = events.iter().filter(|event| matches!(event, Event::CallEnded { .. })).count();
    assert_eq!(asked, ended);
    assert!(events.len() < 2_000 && harness.sent().len() < MOST_MESSAGES);
}

#[test]
fn link_info_and_wan_errors_by_the_thousand_leave_one_event_each() {
    let mut harness = Harness::established();
    let pns = harness.pns_outgoing_established(1);
    let pac = harness.pac_outgoing_established(2);
    let mut flood = Vec::new();
    for number in 0..10_000 {
        flood.push(wan_errors(pns, number).into());
        flood.push(SetLinkInfo { send_accm: number, ..link_info(pac.0) }.into());
    }
    harness.connection.handle_input(&bytes_of(flood), harness.now);
    let events = harness.events();
    let [Event::WanErrors { counters, .. }, Event::LinkInfo { send_accm, .. }] = events.as_slice() else {
        panic!("one event each: {} events", events.len())
    };
    assert_eq!((counters.crc_errors, *send_accm), (9_999, 9_999));
}

#[test]
fn replies_for_calls_that_nobody_placed_end_in_bounds() {
    let mut harness = Harness::established();
    let flood = bytes_of((1..50_000).map(|id| call_reply(1, CallId(id)).into()));
    harness.connection.handle_input(&flood, harness.now);
    assert_eq!(harness.events().last(), Some(&closed(CloseReason::Flooded)));
    assert!(harness.sent().len() < MOST_MESSAGES);
}

#[test]
fn an_owner_who_places_many_calls_at_once_is_no_flood() {
    let mut harness = Harness::originate(quiet());
    for _ in 0..1_000 {
        let id = harness.connection.reserve_call_id().unwrap();
        harness.connection.place_call(id, Default::default(), harness.now).unwrap();
    }
    harness.feed(start_reply());
    harness.feed(EchoRequest { identifier: 1 });
    assert!(harness.connection.is_established());
    assert_eq!(harness.sent().len(), 1_002);
}

#[test]
fn ids_run_out_by_name() {
    let mut harness = Harness::established();
    let in_use = harness.pns_outgoing_established(THEIRS);
    harness.connection.release_call_id(in_use);
    for _ in 1..u16::MAX {
        assert_ne!(harness.connection.reserve_call_id().unwrap(), in_use, "a call's id is not released");
    }
    assert_eq!(harness.connection.reserve_call_id(), Err(Misuse::NoFreeCallId));
    harness.feed(call_request(1));
    let Message::OutgoingCallReply(reply) = harness.sent_one() else { panic!("refuses") };
    assert_eq!((reply.result, reply.error), (CallResult::GeneralError, GeneralError::NoResource));
}
