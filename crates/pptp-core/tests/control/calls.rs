//! The four call state machines (RFC 2637 §3.2), both ends together and each deadline alone.

use core::time::Duration;

use pptp_core::control::{
    CallAnswer, CallEnd, CallParameters, CallRefusal, CloseReason, ConnectedLine, Connection, Event, IncomingCall,
    IncomingCallAnswer, Misuse, OutgoingCall, WanErrorCounters,
};
use pptp_core::sim::{ControlPair, Link, Random, Segmentation};
use pptp_core::wire::*;

use crate::harness::*;

const LINK: Link =
    Link { segmentation: Segmentation::Random(50), delay: Duration::from_millis(10), jitter: Duration::from_millis(5) };

/// The PNS is on the left, the PAC on the right, and both are established.
fn pair() -> ControlPair {
    let left = Connection::originate(quiet(), Random::source(1), start());
    let right = Connection::accept(quiet(), Random::source(2), start());
    let mut pair = ControlPair::new(left, right, LINK, start());
    settle(&mut pair);
    pair.left.take_events();
    pair.right.take_events();
    pair
}

fn settle(pair: &mut ControlPair) {
    pair.run_for(SECOND);
}

fn place(pair: &mut ControlPair) -> CallId {
    let now = pair.now();
    let left = &mut pair.left.connection;
    let id = left.reserve_call_id().unwrap();
    let call = OutgoingCall { phone_number: String::from("555"), receive_window: 20, ..OutgoingCall::default() };
    left.place_call(id, call, now).unwrap();
    id
}

/// The PAC's id for the call that the PNS placed.
fn asked(pair: &mut ControlPair) -> CallId {
    settle(pair);
    let events = pair.right.take_events();
    let [Event::OutgoingCallRequested(offer)] = events.as_slice() else { panic!("one request: {events:?}") };
    assert_eq!((offer.phone_number.as_str(), offer.peer_receive_window), ("555", 20));
    offer.call
}

/// An outgoing call that both ends have established: the PNS's and the PAC's id.
fn connected(pair: &mut ControlPair) -> (CallId, CallId) {
    let pns = place(pair);
    let pac = asked(pair);
    let now = pair.now();
    pair.right.connection.accept_call(pac, CallAnswer { receive_window: 30, ..CallAnswer::default() }, now).unwrap();
    settle(pair);
    let speed = CallAnswer::default().connect_speed;
    assert_eq!(pair.left.take_events(), [parameters(pns, pac, (30, speed))]);
    assert_eq!(pair.right.take_events(), [parameters(pac, pns, (20, speed))]);
    (pns, pac)
}

fn parameters(ours: CallId, theirs: CallId, (window, speed): (u16, u32)) -> Event {
    Event::CallConnected(CallParameters {
        call: ours,
        peer_call: theirs.seen_by_peer(),
        peer_receive_window: window,
        connect_speed: speed,
        peer_processing_delay: 0,
    })
}

#[test]
fn an_outgoing_call_connects_and_is_cleared_by_the_pns() {
    let mut pair = pair();
    let (pns, pac) = connected(&mut pair);
    let now = pair.now();
    pair.left.connection.clear_call(pns, now).unwrap();
    assert_eq!(pair.left.connection.call_count(), 1, "until the notify comes");
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
    assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::PeerCleared)]);
    assert_eq!((pair.left.connection.call_count(), pair.right.connection.call_count()), (0, 0));
}

#[test]
fn an_outgoing_call_is_disconnected_by_the_pac() {
    let mut pair = pair();
    let (pns, pac) = connected(&mut pair);
    let now = pair.now();
    pair.right.connection.clear_call(pac, now).unwrap();
    assert_eq!(pair.right.connection.call_count(), 0, "a PAC waits for nothing");
    settle(&mut pair);
    assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::Cleared)]);
    assert_eq!(pair.left.take_events(), [ended(pns, peer_disconnected(DisconnectResult::AdminShutdown))]);
}

#[test]
fn both_ends_may_end_a_call_at_once() {
    let mut pair = pair();
    let (pns, pac) = connected(&mut pair);
    let now = pair.now();
    pair.left.connection.clear_call(pns, now).unwrap();
    pair.right.connection.clear_call(pac, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
    let events = pair.right.take_events();
    assert!(matches!(events.as_slice(), [Event::CallEnded { .. }, Event::PeerMisbehaved(_)]), "{events:?}");
}

#[test]
fn a_refused_outgoing_call_is_over_at_both_ends() {
    let mut pair = pair();
    let pns = place(&mut pair);
    let pac = asked(&mut pair);
    let now = pair.now();
    let refusal = CallRefusal { result: CallResult::Busy, error: GeneralError::None, cause: 17 };
    pair.right.connection.refuse_call(pac, refusal, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::Refused)]);
    let refused = Event::CallRefused { call: pns, result: CallResult::Busy, error: GeneralError::None, cause: 17 };
    assert_eq!(pair.left.take_events(), [refused]);
}

#[test]
fn a_call_cleared_before_it_is_answered_is_over_at_both_ends() {
    let mut pair = pair();
    let pns = place(&mut pair);
    let pac = asked(&mut pair);
    let now = pair.now();
    pair.left.connection.clear_call(pns, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
    assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::PeerCleared)]);
}

#[test]
fn a_reply_that_crosses_the_clear_request_changes_nothing() {
    let mut pair = pair();
    let pns = place(&mut pair);
    let pac = asked(&mut pair);
    let now = pair.now();
    pair.left.connection.clear_call(pns, now).unwrap();
    pair.right.connection.accept_call(pac, CallAnswer::default(), now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
    let events = pair.right.take_events();
    let [Event::CallConnected(_), Event::CallEnded { call, reason: CallEnd::PeerCleared }] = events.as_slice() else {
        panic!("connects, then ends: {events:?}")
    };
    assert_eq!(*call, pac);
}

#[test]
fn a_refusal_that_crosses_the_clear_request_ends_the_wait_for_the_notify() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.clear(id);
    harness.feed(OutgoingCallReply { result: CallResult::Busy, ..call_reply(THEIRS, id) });
    assert_eq!(harness.event(), ended(id, CallEnd::Cleared));
}

#[test]
fn an_incoming_call_connects_and_is_cleared_by_the_pns() {
    let mut pair = pair();
    let now = pair.now();
    let pac = pair.right.connection.reserve_call_id().unwrap();
    let call = IncomingCall { dialed_number: "17".into(), dialing_number: "234".into(), ..IncomingCall::default() };
    pair.right.connection.offer_incoming_call(pac, call, now).unwrap();
    settle(&mut pair);
    let events = pair.left.take_events();
    let [Event::IncomingCallRequested(offer)] = events.as_slice() else { panic!("one offer: {events:?}") };
    assert_eq!((offer.dialed_number.as_str(), offer.dialing_number.as_str()), ("17", "234"));
    let pns = offer.call;

    let now = pair.now();
    let answer = IncomingCallAnswer { receive_window: 12, processing_delay: 0 };
    pair.left.connection.accept_incoming_call(pns, answer, now).unwrap();
    settle(&mut pair);
    let accepted = Event::IncomingCallAccepted { call: pac, peer_call: pns.seen_by_peer() };
    assert_eq!(pair.right.take_events(), [accepted]);

    let now = pair.now();
    let line = ConnectedLine { connect_speed: 33_600, receive_window: 13, ..ConnectedLine::default() };
    pair.right.connection.connect_incoming_call(pac, line, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.right.take_events(), [parameters(pac, pns, (12, 33_600))]);
    assert_eq!(pair.left.take_events(), [parameters(pns, pac, (13, 33_600))]);

    let now = pair.now();
    pair.left.connection.clear_call(pns, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
    assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::PeerCleared)]);
}

#[test]
fn a_refused_incoming_call_is_over_at_both_ends() {
    let mut pair = pair();
    let now = pair.now();
    let pac = pair.right.connection.reserve_call_id().unwrap();
    pair.right.connection.offer_incoming_call(pac, IncomingCall::default(), now).unwrap();
    settle(&mut pair);
    let events = pair.left.take_events();
    let [Event::IncomingCallRequested(offer)] = events.as_slice() else { panic!("one offer: {events:?}") };
    let result = IncomingCallResult::DoNotAccept;
    pair.left.connection.refuse_incoming_call(offer.call, result, GeneralError::None, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.left.take_events(), [ended(offer.call, CallEnd::Refused)]);
    let refused =
        Event::IncomingCallRefused { call: pac, result: IncomingCallResult::DoNotAccept, error: GeneralError::None };
    assert_eq!(pair.right.take_events(), [refused]);
}

#[test]
fn an_incoming_call_whose_caller_hangs_up_is_over_at_both_ends() {
    for accept in [false, true] {
        let mut pair = pair();
        let now = pair.now();
        let pac = pair.right.connection.reserve_call_id().unwrap();
        pair.right.connection.offer_incoming_call(pac, IncomingCall::default(), now).unwrap();
        settle(&mut pair);
        let events = pair.left.take_events();
        let [Event::IncomingCallRequested(offer)] = events.as_slice() else { panic!("one offer: {events:?}") };
        if accept {
            let answer = IncomingCallAnswer::default();
            pair.left.connection.accept_incoming_call(offer.call, answer, now).unwrap();
            settle(&mut pair);
        }
        pair.right.take_events();
        pair.right.connection.clear_call(pac, pair.now()).unwrap();
        settle(&mut pair);
        assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::Cleared)]);
        let events = pair.left.take_events();
        let gone = ended(offer.call, peer_disconnected(DisconnectResult::AdminShutdown));
        assert!(events.contains(&gone), "{events:?}");
        assert_eq!((pair.left.connection.call_count(), pair.right.connection.call_count()), (0, 0));
    }
}

#[test]
fn a_call_placed_before_the_connection_is_established_is_asked_for_then() {
    let mut harness = Harness::originate(quiet());
    let id = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(id, OutgoingCall::default(), harness.now).unwrap();
    assert!(matches!(harness.sent_one(), Message::StartControlConnectionRequest(_)));
    harness.advance(SECOND * 50);
    harness.feed(start_reply());
    assert!(matches!(harness.sent_one(), Message::OutgoingCallRequest(request) if request.call_id == id));
    harness.events();
    harness.advance(MINUTE - MICROSECOND);
    assert_eq!(harness.events(), [], "the call has its own minute");
}

#[test]
fn a_call_cleared_before_the_connection_is_established_was_never_heard_of() {
    let mut harness = Harness::originate(quiet());
    harness.sent();
    let id = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(id, OutgoingCall::default(), harness.now).unwrap();
    harness.connection.clear_call(id, harness.now).unwrap();
    assert_eq!(harness.event(), ended(id, CallEnd::Cleared));
    harness.feed(start_reply());
    assert_eq!(harness.sent(), []);
}

#[test]
fn an_unanswered_request_is_cleared_after_sixty_seconds_and_the_connection_lives_on() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.sent_one(), clear_request(id.0).into());
    harness.quiet_until_just_before(SECOND * 3);
    assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
    assert!(harness.connection.is_established());
}

#[test]
fn a_notify_that_does_not_come_ends_the_wait_after_the_stop_time_out() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_clearing(THEIRS);
    harness.quiet_until_just_before(SECOND * 3);
    assert_eq!(harness.event(), ended(id, CallEnd::Cleared));
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::Request));
    assert!(matches!(harness.event(), Event::PeerMisbehaved(_)), "too late to matter");
}

#[test]
fn a_request_that_the_owner_does_not_answer_is_refused_after_sixty_seconds() {
    let mut harness = Harness::established();
    let id = harness.pac_outgoing_asked(THEIRS);
    harness.quiet_until_just_before(MINUTE);
    let Message::OutgoingCallReply(reply) = harness.sent_one() else { panic!("replies") };
    assert_eq!((reply.result, reply.error), (CallResult::TimeOut, GeneralError::None));
    assert_eq!((reply.call_id, reply.peer_call_id), (id, PeerCallId(THEIRS)));
    assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
}

#[test]
fn an_offer_that_the_owner_does_not_answer_is_refused_after_sixty_seconds() {
    let mut harness = Harness::established();
    let id = harness.pns_incoming_offered(THEIRS);
    harness.quiet_until_just_before(MINUTE);
    let Message::IncomingCallReply(reply) = harness.sent_one() else { panic!("replies") };
    assert_eq!((reply.result, reply.peer_call_id), (IncomingCallResult::DoNotAccept, PeerCallId(THEIRS)));
    assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
}

#[test]
fn an_accepted_offer_that_does_not_connect_is_cleared_after_sixty_seconds() {
    let mut harness = Harness::established();
    let id = harness.pns_incoming_waiting(THEIRS);
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.sent_one(), clear_request(id.0).into());
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
}

#[test]
fn an_offer_that_stays_unanswered_or_unconnected_is_disconnected_after_sixty_seconds() {
    let mut harness = Harness::established();
    for answered in [false, true] {
        let id = if answered { harness.pac_incoming_answering(THEIRS) } else { harness.pac_incoming_waiting() };
        harness.quiet_until_just_before(MINUTE);
        assert_eq!(harness.sent_one(), disconnect_notify(id.0, DisconnectResult::LostCarrier).into());
        assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
    }
}

#[test]
fn established_calls_have_no_deadline() {
    let mut harness = Harness::established();
    harness.pns_outgoing_established(1);
    harness.pac_outgoing_established(2);
    harness.pns_incoming_established(3);
    harness.pac_incoming_established(4);
    assert_eq!(harness.connection.poll_timeout(), None);
    assert_eq!(harness.connection.call_count(), 4);
}

#[test]
fn a_call_that_is_over_leaves_no_deadline_behind() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.feed(OutgoingCallReply { result: CallResult::Busy, ..call_reply(THEIRS, id) });
    assert!(matches!(harness.event(), Event::CallRefused { .. }));
    assert_eq!(harness.connection.poll_timeout(), None);

    let id = harness.pac_outgoing_established(THEIRS);
    for crc_errors in 0..2 {
        let counters = WanErrorCounters { crc_errors, ..WanErrorCounters::default() };
        harness.connection.notify_wan_errors(id, counters, harness.now).unwrap();
    }
    assert!(harness.connection.poll_timeout().is_some());
    harness.feed(clear_request(THEIRS));
    assert_eq!(harness.connection.poll_timeout(), None);
}

#[test]
fn an_id_is_reserved_once_and_rests_after_its_call() {
    let mut harness = Harness::established();
    let id = harness.connection.reserve_call_id().unwrap();
    let place = |harness: &mut Harness, id| harness.connection.place_call(id, OutgoingCall::default(), harness.now);
    let other = CallId(id.0 ^ 1);
    assert_eq!(place(&mut harness, other), Err(Misuse::NotReserved(other)));
    assert_eq!(place(&mut harness, id), Ok(()));
    assert_eq!(place(&mut harness, id), Err(Misuse::NotReserved(id)));
    harness.connection.release_call_id(id);
    harness.feed(call_reply(THEIRS, id));
    assert!(matches!(harness.event(), Event::CallConnected(_)), "a call's id is not released");
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::AdminShutdown));
    harness.events();
    assert_eq!(place(&mut harness, id), Err(Misuse::NotReserved(id)));
    for _ in 0..200 {
        let next = harness.connection.reserve_call_id().unwrap();
        assert!(next != id && next != CallId(0));
        harness.connection.release_call_id(next);
    }
}

#[test]
fn our_ids_stay_clear_of_the_peers_for_live_calls() {
    let mut last = 40_000;
    let counting = Box::new(move || {
        last += 1;
        last
    });
    let mut connection = Connection::originate(quiet(), counting, start());
    let feed = |connection: &mut Connection, message: Message| {
        let mut bytes = Vec::new();
        message.emit(&mut bytes);
        connection.handle_input(&bytes, start());
    };
    feed(&mut connection, start_reply().into());
    feed(&mut connection, call_request(40_002).into());
    assert_eq!(connection.reserve_call_id(), Ok(CallId(40_003)), "40001 is ours, 40002 is the peer's");
}

#[test]
fn texts_that_do_not_fit_are_the_owners_mistake() {
    let mut harness = Harness::established();
    let id = harness.connection.reserve_call_id().unwrap();
    let call = OutgoingCall { phone_number: "5".repeat(64), ..OutgoingCall::default() };
    let too_long = Err(Misuse::TextTooLong { field: "phone number", length: 64 });
    assert_eq!(harness.connection.place_call(id, call, harness.now), too_long);
    let call = OutgoingCall { phone_number: "5".repeat(63), ..OutgoingCall::default() };
    assert_eq!(harness.connection.place_call(id, call, harness.now), Ok(()));
}

#[test]
fn link_info_goes_from_the_pns_to_the_pac_alone() {
    let mut pair = pair();
    let (pns, pac) = connected(&mut pair);
    let now = pair.now();
    pair.left.connection.set_link_info(pns, 1, 2, now).unwrap();
    settle(&mut pair);
    assert_eq!(pair.right.take_events(), [Event::LinkInfo { call: pac, send_accm: 1, receive_accm: 2 }]);
    let as_pac = pair.right.connection.set_link_info(pac, 1, 2, now);
    let state = "pac outgoing, established";
    assert_eq!(as_pac, Err(Misuse::WrongCallState { call: pac, operation: "set_link_info", state }));
}

#[test]
fn wan_errors_are_sent_at_most_once_a_minute_with_the_latest_counters() {
    let mut harness = Harness::established();
    let id = harness.pac_outgoing_established(THEIRS);
    let counters = |crc_errors| WanErrorCounters {
        crc_errors,
        framing_errors: 2,
        hardware_overruns: 3,
        buffer_overruns: 4,
        timeout_errors: 5,
        alignment_errors: 6,
    };
    let notify = |crc_errors| Message::from(wan_errors(CallId(THEIRS), crc_errors));
    harness.connection.notify_wan_errors(id, counters(1), harness.now).unwrap();
    assert_eq!(harness.sent_one(), notify(1));
    for crc_errors in 2..20 {
        harness.advance(SECOND);
        harness.connection.notify_wan_errors(id, counters(crc_errors), harness.now).unwrap();
    }
    harness.quiet_until_just_before(SECOND * 42);
    assert_eq!(harness.sent_one(), notify(19));
    assert_eq!(harness.connection.poll_timeout(), None);
    harness.advance(MINUTE);
    assert_eq!(harness.sent(), [], "nothing new, nothing sent");
    harness.connection.notify_wan_errors(id, counters(20), harness.now).unwrap();
    assert_eq!(harness.sent_one(), notify(20));
}

#[test]
fn wan_errors_reach_the_pns() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.feed(wan_errors(id, 1));
    harness.feed(wan_errors(id, 8));
    let Event::WanErrors { call, counters } = harness.event() else { panic!("the latest counters") };
    assert_eq!((call, counters.crc_errors, counters.alignment_errors), (id, 8, 6));
}

#[test]
fn a_reply_for_a_call_that_was_given_up_is_cleared_at_the_pac() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.advance(MINUTE + SECOND * 3);
    assert_eq!(harness.event(), ended(id, CallEnd::SetupTimeout));
    harness.sent();
    harness.feed(call_reply(THEIRS, id));
    assert!(matches!(harness.event(), Event::PeerMisbehaved(_)));
    assert_eq!(harness.sent_one(), clear_request(id.0).into());
    harness.feed(OutgoingCallReply { result: CallResult::Busy, ..call_reply(THEIRS, id) });
    assert_eq!(harness.sent(), [], "a refusal leaves nothing to clear");
}

#[test]
fn calls_of_all_four_kinds_end_with_the_connection() {
    let mut harness = Harness::established();
    let mut calls = vec![
        harness.pns_outgoing_waiting(),
        harness.pac_outgoing_established(2),
        harness.pns_incoming_waiting(3),
        harness.pac_incoming_answering(4),
    ];
    calls.sort_unstable_by_key(|call| call.0);
    harness.feed(stop_request(StopReason::None));
    let reason = CloseReason::StoppedByPeer(StopReason::None);
    let mut expected: Vec<Event> =
        calls.into_iter().map(|call| ended(call, CallEnd::ConnectionLost(reason.clone()))).collect();
    expected.push(closed(reason));
    assert_eq!(harness.events(), expected);
}

#[test]
fn a_hundred_calls_come_and_go_over_one_connection() {
    let mut pair = pair();
    for _ in 0..100 {
        let (pns, pac) = connected(&mut pair);
        let now = pair.now();
        pair.left.connection.clear_call(pns, now).unwrap();
        settle(&mut pair);
        assert_eq!(pair.left.take_events(), [ended(pns, CallEnd::Cleared)]);
        assert_eq!(pair.right.take_events(), [ended(pac, CallEnd::PeerCleared)]);
    }
    assert_eq!((pair.left.connection.call_count(), pair.right.connection.call_count()), (0, 0));
}
