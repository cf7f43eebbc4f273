//! Two ends that open a control connection to each other at once (RFC 2637 §3.1.3).

use pptp_core::control::collision::{Collision, resolve};
use pptp_core::control::{CallEnd, CloseReason, Connection, Misuse, OutgoingCall};
use pptp_core::sim::{ControlPair, Link, Random};
use pptp_core::wire::StopReason;

use crate::harness::*;

#[test]
fn exactly_one_of_two_colliding_connections_survives() {
    let higher = "192.33.45.89".parse().unwrap();
    let lower = "192.33.45.17".parse().unwrap();
    assert_eq!(resolve(higher, lower), Collision::Winner);
    assert_eq!(resolve(lower, higher), Collision::Loser);

    let link = Link { delay: SECOND, ..Link::IDEAL };
    let originate = |seed| Connection::originate(quiet(), Random::source(seed), start());
    let accept = |seed| {
        let mut connection = Connection::accept(quiet(), Random::source(seed), start());
        connection.hold_start().unwrap();
        connection
    };
    // `winners`: opened by the end with the higher address, which is the left end of both.
    let mut winners = ControlPair::new(originate(1), accept(2), link, start());
    let mut losers = ControlPair::new(accept(3), originate(4), link, start());
    winners.run_for(SECOND);
    losers.run_for(SECOND);
    winners.right.take_events();
    losers.left.take_events();

    losers.left.connection.win_collision(losers.now()).unwrap();
    losers.right.connection.lose_collision().unwrap();
    winners.right.connection.answer_start(winners.now()).unwrap();
    winners.run_for(MINUTE);
    losers.run_for(MINUTE);

    assert!(winners.left.connection.is_established() && winners.right.connection.is_established());
    assert_eq!(losers.right.take_events(), [closed(CloseReason::CollisionLost)]);
    assert_eq!(losers.left.take_events(), [closed(CloseReason::CollisionWon)]);
}

#[test]
fn the_loser_closes_without_another_word() {
    let mut harness = Harness::originate(quiet());
    let id = harness.connection.reserve_call_id().unwrap();
    harness.connection.place_call(id, OutgoingCall::default(), start()).unwrap();
    harness.connection.lose_collision().unwrap();
    assert_eq!(harness.sent(), [], "not even the start request, if it was not written yet");
    let lost = CallEnd::ConnectionLost(CloseReason::CollisionLost);
    assert_eq!(harness.events(), [ended(id, lost), closed(CloseReason::CollisionLost)]);
}

#[test]
fn the_winner_sends_nothing_on_the_losers_connection_and_waits_for_its_end() {
    let mut harness = Harness::accept(quiet());
    harness.connection.hold_start().unwrap();
    harness.feed(start_request());
    harness.events();
    harness.connection.win_collision(harness.now).unwrap();
    harness.feed(stop_request(StopReason::None));
    harness.connection.handle_input(b"anything at all, malformed", harness.now);
    assert_eq!((harness.sent(), harness.events()), (vec![], vec![]));
    let refused = harness.connection.place_call(pptp_core::wire::CallId(1), OutgoingCall::default(), harness.now);
    let state = "idle (collision won)";
    assert_eq!(refused, Err(Misuse::WrongConnectionState { operation: "place_call", state }));
    harness.connection.handle_disconnect(harness.now);
    assert_eq!(harness.event(), closed(CloseReason::CollisionWon));
}

#[test]
fn the_winner_does_not_wait_for_ever() {
    let mut harness = Harness::accept(quiet());
    harness.advance(SECOND * 50);
    harness.connection.win_collision(harness.now).unwrap();
    harness.quiet_until_just_before(MINUTE);
    assert_eq!(harness.event(), closed(CloseReason::CollisionWon));
}

#[test]
fn a_connection_of_the_wrong_kind_cannot_collide() {
    let wrong = |operation, state| Err(Misuse::WrongConnectionState { operation, state });
    assert_eq!(Harness::accept(quiet()).connection.lose_collision(), wrong("lose_collision", "idle"));
    let mut originator = Harness::originate(quiet()).connection;
    assert_eq!(originator.win_collision(start()), wrong("win_collision", "wait_ctl_reply"));
    let mut established = Harness::established().connection;
    assert_eq!(established.lose_collision(), wrong("lose_collision", "established"));
    assert_eq!(established.win_collision(start()), wrong("win_collision", "established"));
}
