//! Which call a Call-Disconnect-Notify or a Call-Clear-Request is for, when the id fits several (RFC 2637 §2.12, §2.13).

use pptp_core::control::{CallEnd, Event, Misbehaviour};
use pptp_core::wire::*;

use crate::harness::*;

const NOTIFY: &str = "Call-Disconnect-Notify";

fn by_wrong_id(id: u16) -> Misbehaviour {
    Misbehaviour::WrongEndsCallId { message: NOTIFY, id }
}

/// The call that ended, and what was reported beside it.
fn one_end(harness: &mut Harness) -> (CallId, Vec<Misbehaviour>) {
    let (events, reports) = harness.events_and_reports();
    let [Event::CallEnded { call, .. }] = events.as_slice() else { panic!("one call ends: {events:?}") };
    (*call, reports)
}

#[test]
fn a_notify_is_understood_with_either_ends_id() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (id, vec![]));

    let id = harness.pns_outgoing_established(THEIRS);
    harness.feed(disconnect_notify(id.0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (id, vec![by_wrong_id(id.0)]));

    let id = harness.pns_outgoing_waiting();
    harness.feed(disconnect_notify(id.0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (id, vec![by_wrong_id(id.0)]), "a PAC that has told no id can give no other");
}

/// Two calls, the first of which has the peer id that is the second's own id.
fn crossed(harness: &mut Harness) -> (CallId, CallId) {
    let second = harness.pns_outgoing_established(1);
    let first = harness.pns_outgoing_established(second.0);
    (first, second)
}

#[test]
fn an_id_that_fits_two_calls_is_the_pacs_as_the_rfc_says() {
    for result in [DisconnectResult::LostCarrier, DisconnectResult::AdminShutdown, DisconnectResult::GeneralError] {
        let mut harness = Harness::established();
        let (first, second) = crossed(&mut harness);
        harness.feed(disconnect_notify(second.0, result));
        assert_eq!(one_end(&mut harness), (first, vec![]));
    }
}

#[test]
fn a_notify_on_request_is_for_the_call_that_is_being_cleared() {
    for result in [DisconnectResult::Request, DisconnectResult::Unknown(0)] {
        let mut harness = Harness::established();
        let (_, second) = crossed(&mut harness);
        harness.clear(second);
        harness.feed(disconnect_notify(second.0, result));
        let (events, reports) = harness.events_and_reports();
        assert_eq!(events, [ended(second, CallEnd::Cleared)]);
        assert_eq!(reports.first(), Some(&by_wrong_id(second.0)));
    }
}

#[test]
fn a_notify_for_another_reason_does_not_answer_the_clearing_of_another_call() {
    let mut harness = Harness::established();
    let (first, second) = crossed(&mut harness);
    harness.clear(second);
    harness.feed(disconnect_notify(second.0, DisconnectResult::LostCarrier));
    assert_eq!(harness.event(), ended(first, peer_disconnected(DisconnectResult::LostCarrier)));
}

#[test]
fn when_both_calls_are_being_cleared_the_pacs_id_decides() {
    let mut harness = Harness::established();
    let (first, second) = crossed(&mut harness);
    harness.clear(second);
    harness.clear(first);
    harness.feed(disconnect_notify(second.0, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(first, CallEnd::Cleared));
    harness.feed(disconnect_notify(1, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(second, CallEnd::Cleared));
}

#[test]
fn of_two_calls_with_one_peer_id_the_one_being_cleared_ends_and_else_the_older() {
    let mut harness = Harness::established();
    let older = harness.pns_outgoing_established(0);
    let newer = harness.pns_outgoing_waiting();
    harness.feed(call_reply(0, newer));
    let (events, reports) = harness.events_and_reports();
    assert!(matches!(events.as_slice(), [Event::CallConnected(_)]));
    assert_eq!(reports, [Misbehaviour::DuplicateCallId(0)]);

    harness.clear(newer);
    harness.feed(disconnect_notify(0, DisconnectResult::Request));
    assert_eq!(one_end(&mut harness).0, newer);

    let newest = harness.pns_outgoing_waiting();
    harness.feed(call_reply(0, newest));
    harness.events();
    harness.feed(disconnect_notify(0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness).0, older);
}

#[test]
fn a_notify_prefers_a_call_of_which_the_peer_is_the_pac() {
    let mut harness = Harness::established();
    let pac = harness.pac_outgoing_established(5);
    let pns = harness.pns_outgoing_waiting();
    harness.feed(call_reply(5, pns));
    harness.events();
    harness.feed(disconnect_notify(5, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (pns, vec![]));
    harness.feed(disconnect_notify(5, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (pac, vec![Misbehaviour::WrongDirection { message: NOTIFY }]));
}

#[test]
fn a_clear_request_is_understood_with_either_ends_id_and_prefers_a_call_of_which_the_peer_is_the_pns() {
    let mut harness = Harness::established();
    let pns = harness.pns_outgoing_established(5);
    let pac = harness.pac_outgoing_asked(6);
    harness.feed(clear_request(pac.0));
    assert_eq!(harness.sent_one(), disconnect_notify(pac.0, DisconnectResult::Request).into());
    let message = "Call-Clear-Request";
    let (call, reports) = one_end(&mut harness);
    assert_eq!((call, reports), (pac, vec![Misbehaviour::WrongEndsCallId { message, id: pac.0 }]));

    harness.feed(clear_request(5));
    assert_eq!(harness.sent_one(), disconnect_notify(pns.0, DisconnectResult::Request).into());
    assert_eq!(one_end(&mut harness), (pns, vec![Misbehaviour::WrongDirection { message }]));
}

#[test]
fn unknown_ids_are_reported_and_answered_by_nothing() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_established(THEIRS);
    let unknown = id.0 ^ 0x5555;
    harness.feed(disconnect_notify(unknown, DisconnectResult::Request));
    harness.feed(clear_request(unknown));
    harness.feed(wan_errors(CallId(unknown), 1));
    harness.feed(link_info(unknown));
    harness.feed(incoming_reply(1, CallId(unknown)));
    harness.feed(incoming_connected(CallId(unknown)));
    let (events, reports) = harness.events_and_reports();
    assert_eq!((events, harness.sent()), (vec![], vec![]));
    assert_eq!(reports.len(), 6);
    for report in reports {
        assert!(matches!(report, Misbehaviour::UnknownCall { id, .. } if id == unknown), "{report:?}");
    }
}

#[test]
fn a_notify_with_an_id_never_heard_of_answers_the_clearing_of_a_call_that_was_not_answered() {
    let mut harness = Harness::established();
    let first = harness.pns_outgoing_waiting();
    let second = harness.pns_outgoing_waiting();
    let known = harness.pns_outgoing_clearing(THEIRS);
    harness.clear(first);
    harness.clear(second);
    harness.feed(disconnect_notify(0x7777, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(first, CallEnd::Cleared));
    harness.feed(disconnect_notify(0x7778, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(second, CallEnd::Cleared));
    harness.feed(disconnect_notify(0x7779, DisconnectResult::Request));
    let report = Misbehaviour::UnknownCall { message: NOTIFY, id: 0x7779 };
    assert_eq!(harness.event(), Event::PeerMisbehaved(report), "the third has an id, and this is another");
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(known, CallEnd::Cleared));
}

#[test]
fn a_peer_that_writes_the_wrong_ends_id_is_expected_to_do_so_again() {
    let mut harness = Harness::established();
    let habit = harness.pns_outgoing_established(THEIRS);
    harness.feed(disconnect_notify(habit.0, DisconnectResult::LostCarrier));
    harness.events();
    let (_, second) = crossed(&mut harness);
    harness.feed(disconnect_notify(second.0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (second, vec![by_wrong_id(second.0)]));
}

#[test]
fn an_id_that_both_ends_gave_to_a_call_is_not_a_wrong_one() {
    let mut harness = Harness::established();
    let id = harness.pns_outgoing_waiting();
    harness.feed(call_reply(id.0, id));
    harness.events();
    harness.feed(disconnect_notify(id.0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness), (id, vec![]));
}

#[test]
fn a_reply_that_crosses_the_clear_request_still_tells_the_id_of_the_notify() {
    let mut harness = Harness::established();
    let first = harness.pns_outgoing_waiting();
    let second = harness.pns_outgoing_waiting();
    harness.clear(first);
    harness.clear(second);
    harness.feed(call_reply(THEIRS, second));
    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]));
    harness.feed(disconnect_notify(THEIRS, DisconnectResult::Request));
    assert_eq!(harness.event(), ended(second, CallEnd::Cleared));
}

#[test]
fn a_call_with_one_id_at_both_ends_says_nothing_of_the_peers_habit() {
    let mut harness = Harness::established();
    let habit = harness.pns_outgoing_established(THEIRS);
    harness.feed(disconnect_notify(habit.0, DisconnectResult::LostCarrier));
    let same = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(same, Default::default(), harness.now).unwrap();
    harness.feed(call_reply(same.0, same));
    harness.feed(disconnect_notify(same.0, DisconnectResult::LostCarrier));
    harness.sent();
    harness.events();
    let (_, second) = crossed(&mut harness);
    harness.feed(disconnect_notify(second.0, DisconnectResult::LostCarrier));
    assert_eq!(one_end(&mut harness).0, second);
}
