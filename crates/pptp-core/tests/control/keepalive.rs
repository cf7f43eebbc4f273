//! Echo-Request and Echo-Reply (RFC 2637 §3.1.4).

use core::time::Duration;

use pptp_core::control::{CallEnd, CloseReason, Config, Connection, Event, Misbehaviour};
use pptp_core::sim::{ControlPair, Link, Random, Side};
use pptp_core::wire::*;

use crate::harness::*;

fn established() -> Harness {
    Harness::established_with(Config::default())
}

fn echo_request(identifier: u32) -> Message {
    EchoRequest { identifier }.into()
}

#[test]
fn sixty_silent_seconds_bring_an_echo_request_and_its_reply_another_sixty() {
    let mut harness = established();
    for identifier in 1..4 {
        harness.quiet_until_just_before(MINUTE);
        assert_eq!(harness.sent_one(), echo_request(identifier));
        harness.feed(echo_reply(identifier));
        assert_eq!(harness.events(), []);
    }
}

#[test]
fn any_message_from_the_peer_puts_the_echo_request_off() {
    let mut harness = established();
    harness.advance(SECOND * 59);
    harness.feed(EchoRequest { identifier: 5 });
    assert_eq!(harness.sent_one(), echo_reply(5).into());
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.sent_one(), echo_request(1));
}

#[test]
fn a_missing_echo_reply_closes_the_connection_after_sixty_seconds_and_nothing_is_sent() {
    let mut harness = established();
    let id = harness.pns_outgoing_established(THEIRS);
    harness.advance(MINUTE);
    assert_eq!(harness.sent_one(), echo_request(1));
    harness.quiet_until_just_before(MINUTE);
    let lost = CallEnd::ConnectionLost(CloseReason::EchoTimeout);
    assert_eq!(harness.events(), [ended(id, lost), closed(CloseReason::EchoTimeout)]);
    assert_eq!(harness.sent(), []);
}

#[test]
fn only_an_echo_reply_counts_as_the_answer_to_an_echo_request() {
    let mut harness = established();
    harness.advance(MINUTE);
    harness.sent();
    harness.advance(SECOND * 59);
    harness.feed(EchoRequest { identifier: 5 });
    harness.advance(SECOND);
    assert_eq!(harness.event(), closed(CloseReason::EchoTimeout));
}

#[test]
fn a_late_reply_is_in_time_up_to_the_last_microsecond() {
    let mut harness = established();
    harness.advance(MINUTE);
    harness.sent();
    harness.advance(MINUTE - MICROSECOND);
    harness.feed(echo_reply(1));
    assert_eq!(harness.events(), []);
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.sent_one(), echo_request(2));
}

#[test]
fn an_interval_of_zero_never_asks_and_a_time_out_of_zero_never_closes() {
    let mut never = Harness::established_with(Config { echo_interval: Duration::ZERO, ..Config::default() });
    assert_eq!(never.connection.poll_timeout(), None);
    never.advance(MINUTE * 1000);
    assert_eq!((never.sent(), never.events()), (vec![], vec![]));

    let mut patient = Harness::established_with(Config { echo_timeout: Duration::ZERO, ..Config::default() });
    patient.advance(MINUTE * 10);
    assert_eq!(patient.sent().len(), 10);
    assert_eq!(patient.events(), []);
}

#[test]
fn a_reply_with_a_wrong_identifier_or_result_still_shows_life() {
    let mut harness = established();
    harness.advance(MINUTE);
    harness.sent();
    harness.feed(EchoReply { result: EchoResult::Unknown(0), ..echo_reply(77) });
    let (events, reports) = harness.events_and_reports();
    assert_eq!(events, []);
    let identifier = Misbehaviour::EchoIdentifier { sent: 1, received: 77 };
    assert_eq!(reports, [identifier, Misbehaviour::EchoResult(EchoResult::Unknown(0))]);
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.sent_one(), echo_request(2));
}

#[test]
fn echo_requests_are_answered_while_stopping_too() {
    let mut harness = established();
    harness.connection.stop(StopReason::None, harness.now);
    harness.sent();
    harness.feed(EchoRequest { identifier: 9 });
    assert_eq!(harness.sent_one(), echo_reply(9).into());
    assert_eq!(harness.events(), []);
}

fn pair(left: Config, right: Config) -> ControlPair {
    let left = Connection::originate(left, Random::source(1), start());
    let right = Connection::accept(right, Random::source(2), start());
    ControlPair::new(left, right, Link { delay: Duration::from_millis(20), ..Link::IDEAL }, start())
}

#[test]
fn idle_ends_keep_each_other_alive_for_a_day() {
    let mut pair = pair(Config::default(), Config { echo_interval: SECOND * 37, ..Config::default() });
    pair.run_for(MINUTE * 60 * 24);
    assert!(pair.left.connection.is_established() && pair.right.connection.is_established());
    assert_eq!((pair.left.events.len(), pair.right.events.len()), (1, 1));
}

#[test]
fn each_end_notices_that_the_other_fell_silent_by_its_own_timers() {
    let hasty = Config { echo_interval: SECOND * 5, echo_timeout: SECOND * 2, ..Config::default() };
    let mut pair = pair(Config::default(), hasty);
    pair.run_for(SECOND);
    pair.stall(Side::Left);
    pair.stall(Side::Right);
    pair.run_for(MINUTE * 5);
    let (left_closed, left) = pair.left.events.last().cloned().unwrap();
    let (right_closed, right) = pair.right.events.last().cloned().unwrap();
    assert_eq!((&left, &right), (&closed(CloseReason::EchoTimeout), &closed(CloseReason::EchoTimeout)));
    // The right end heard of the left last after 20 ms, when the start request arrived; the left of the right after 40.
    assert_eq!(right_closed.since(start()), Duration::from_millis(7_020));
    assert_eq!(left_closed.since(start()), Duration::from_millis(120_040));
    assert!(matches!(pair.left.events.first(), Some((_, Event::Established(_)))));
}

#[test]
fn waking_up_early_or_late_is_harmless() {
    let mut harness = established();
    harness.connection.handle_timeout(harness.now);
    harness.connection.handle_timeout(harness.now + SECOND * 59);
    assert_eq!(harness.sent(), []);
    harness.now = harness.now + MINUTE * 5;
    harness.connection.handle_timeout(harness.now);
    assert_eq!(harness.sent_one(), echo_request(1));
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.event(), closed(CloseReason::EchoTimeout), "counted from when the request was sent");
}

#[test]
fn no_second_echo_request_is_sent_while_one_waits_for_its_reply() {
    let config = Config { echo_interval: SECOND * 5, echo_timeout: SECOND * 30, ..Config::default() };
    let mut harness = Harness::established_with(config);
    harness.advance(SECOND * 5);
    assert_eq!(harness.sent_one(), echo_request(1));
    harness.feed(disconnect_notify(1, DisconnectResult::Request));
    harness.events();
    harness.quiet_until_just_before(SECOND * 30);
    assert_eq!(harness.event(), closed(CloseReason::EchoTimeout));
}

#[test]
fn an_echo_reply_that_is_due_does_not_disturb_a_stop() {
    let config = Config { echo_timeout: SECOND, stop_timeout: SECOND * 3, ..Config::default() };
    let mut harness = Harness::established_with(config);
    harness.advance(MINUTE);
    harness.connection.stop(StopReason::None, harness.now);
    harness.sent();
    harness.quiet_until_just_before(SECOND * 3);
    assert_eq!(harness.event(), closed(CloseReason::StoppedByUs));
}
