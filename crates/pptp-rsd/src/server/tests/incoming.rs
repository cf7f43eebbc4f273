//! Calls that a PAC offers (RFC 2637 §3.2.3.2).

use core::time::Duration;

use pptp_core::control::{CallEnd, CloseReason, ConnectedLine, Event, IncomingCall};
use pptp_core::wire::{
    CallDisconnectNotify, CallId, DisconnectResult, Frame, GeneralError, IncomingCallConnected, IncomingCallResult,
    Message, PeerCallId, StopReason,
};

use super::super::refusal::Refusal;
use super::super::session::ClientId;
use super::office::{Deed, Office, config};
use crate::config::Config;

const PAC: &str = "192.0.2.2:4000";

/// One call at a time, so that whatever is kept of one is missed by the next.
fn narrow() -> Config {
    Config { max_sessions: Some(1), remote: vec!["10.0.0.1".parse().unwrap()], ..config() }
}

fn offer(office: &mut Office, pac: ClientId) -> CallId {
    let now = office.now;
    let connection = office.client(pac);
    let call = connection.reserve_call_id().unwrap();
    connection.offer_incoming_call(call, IncomingCall::default(), now).unwrap();
    office.pump();
    call
}

fn connect(office: &mut Office, pac: ClientId, call: CallId) {
    let now = office.now;
    let line = ConnectedLine { receive_window: 33, ..ConnectedLine::default() };
    office.client(pac).connect_incoming_call(call, line, now).unwrap();
    office.pump();
}

/// Our id for the call that was accepted last.
fn accepted(office: &mut Office) -> PeerCallId {
    let heard = office.heard();
    let mut ids = heard.iter().filter_map(|event| match event {
        Event::IncomingCallAccepted { peer_call, .. } => Some(*peer_call),
        _ => None,
    });
    ids.next_back().expect("a call is accepted")
}

/// Says what the core would not.
fn say(office: &mut Office, pac: ClientId, message: impl Into<Message>) {
    let mut bytes = Vec::new();
    Frame { reserved0: 0, message: message.into() }.emit(&mut bytes);
    office.exchange.handle_input(pac, &bytes, office.now);
    office.pump();
}

/// Nothing is left of calls before: another one gets all there is.
#[track_caller]
fn is_free(office: &mut Office) {
    office.heard();
    office.deeds();
    let other = office.join("192.0.2.3:4000");
    let call = offer(office, other);
    connect(office, other, call);
    assert_eq!(office.started(), [Some("10.0.0.1".into())]);
}

#[test]
fn an_incoming_call_gets_a_pppd_when_its_line_is_connected() {
    let mut office = Office::new(config());
    let pac = office.join(PAC);
    let call = offer(&mut office, pac);
    assert!(matches!(office.deeds()[..], [Deed::Open(_)]), "the way is open before the line is");
    assert!(matches!(office.heard()[..], [Event::IncomingCallAccepted { .. }]));
    connect(&mut office, pac, call);
    let [Deed::Start(assignment)] = office.deeds()[..] else { panic!("pppd is started") };
    assert_eq!((assignment.ends.peer_call.0, assignment.peer_window), (call.0, 33));
    office.end(1, 16);
    assert!(matches!(office.heard()[..], [Event::CallConnected(_), Event::CallEnded { .. }]));
}

#[test]
fn a_call_that_is_not_connected_within_a_minute_is_cleared() {
    let mut office = Office::new(narrow());
    let pac = office.join(PAC);
    offer(&mut office, pac);
    office.heard();
    office.pass(Duration::from_secs(59));
    assert!(office.heard().is_empty());
    office.pass(Duration::from_secs(1));
    let heard = office.heard();
    assert!(matches!(heard[..], [Event::CallEnded { reason: CallEnd::PeerCleared, .. }]), "{heard:?}");
    assert!(matches!(office.deeds()[..], [Deed::Open(_), Deed::Close(_)]));
    is_free(&mut office);
}

#[test]
fn a_pac_that_does_not_even_answer_the_clearing_is_not_waited_for() {
    let mut office = Office::new(narrow());
    let pac = office.join(PAC);
    offer(&mut office, pac);
    // It hears nothing any more.
    office.clients.remove(&pac);
    office.pass(Duration::from_secs(63));
    assert!(matches!(office.deeds()[..], [Deed::Open(_), Deed::Close(_)]));
    is_free(&mut office);
}

#[test]
fn a_call_that_is_connected_twice_has_one_pppd() {
    let mut office = Office::new(config());
    let pac = office.join(PAC);
    let call = offer(&mut office, pac);
    let ours = accepted(&mut office);
    connect(&mut office, pac, call);
    assert_eq!(office.started().len(), 1);
    let again = IncomingCallConnected {
        peer_call_id: ours,
        reserved1: 0,
        connect_speed: 64_000,
        receive_window: 9,
        transit_delay: 0,
        framing_type: 1,
    };
    say(&mut office, pac, again);
    assert_eq!(office.deeds(), []);
    office.end(1, 16);
    assert!(office.heard().iter().any(|event| matches!(event, Event::CallEnded { .. })));
}

#[test]
fn a_line_that_is_connected_without_a_call_does_nothing() {
    let mut office = Office::new(config());
    let pac = office.join(PAC);
    let unknown = IncomingCallConnected {
        peer_call_id: PeerCallId(77),
        reserved1: 0,
        connect_speed: 64_000,
        receive_window: 9,
        transit_delay: 0,
        framing_type: 1,
    };
    say(&mut office, pac, unknown);
    assert_eq!((office.deeds(), office.heard()), (vec![], vec![]));
    offer(&mut office, pac);
    assert!(matches!(office.deeds()[..], [Deed::Open(_)]));
}

#[test]
fn a_pac_may_disconnect_at_any_time() {
    // While it rings, when pppd runs, and when pppd is about to end.
    for step in 0..3 {
        let mut office = Office::new(narrow());
        let pac = office.join(PAC);
        let call = offer(&mut office, pac);
        if step > 0 {
            connect(&mut office, pac, call);
        }
        office.deeds();
        if step == 2 {
            // The Call-Clear-Request meets the notify on its way.
            office.clients.remove(&pac);
            office.end(1, 16);
        }
        let notify = CallDisconnectNotify {
            call_id: call,
            result: DisconnectResult::LostCarrier,
            error: GeneralError::None,
            cause: 16,
            reserved1: 0,
            call_statistics: [0; 128],
        };
        say(&mut office, pac, notify.clone());
        if step == 1 {
            assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
            office.end(1, 16);
        }
        assert!(matches!(office.deeds()[..], [Deed::Close(_)]), "step {step}");
        // And once more.
        say(&mut office, pac, notify);
        assert_eq!(office.deeds(), []);
        is_free(&mut office);
    }
}

#[test]
fn a_pac_that_goes_takes_its_call_with_it() {
    for step in 0..4 {
        let mut office = Office::new(narrow());
        let pac = office.join(PAC);
        let call = offer(&mut office, pac);
        let connected = step % 2 == 1;
        if connected {
            connect(&mut office, pac, call);
        }
        if step < 2 {
            office.exchange.handle_disconnect(pac, office.now);
        } else {
            let now = office.now;
            office.client(pac).stop(StopReason::None, now);
        }
        office.pump();
        if connected {
            office.end(1, 16);
        }
        assert!(office.closed.contains(&pac));
        is_free(&mut office);
    }
}

#[test]
fn what_is_not_taken_is_refused_with_the_rfcs_codes() {
    let no_resource = (IncomingCallResult::GeneralError, GeneralError::NoResource);
    let of = |config, obstacle| {
        let mut office = Office::new(config);
        office.exchange.lines().obstacle = obstacle;
        (office, PAC)
    };
    let no_address = Config { remote: vec!["10.0.0.1".parse().unwrap()], max_per_address: 9, ..config() };
    let full_for_address = Config { max_per_address: 1, ..config() };
    for (what, (mut office, from), calls, expected) in [
        ("no address", of(no_address, None), 1, no_resource),
        ("full", of(Config { max_sessions: Some(1), ..config() }, None), 1, no_resource),
        ("full for the address", of(full_for_address, None), 1, no_resource),
        ("the machine", of(config(), Some(Refusal::Machine("no socket".into()))), 0, no_resource),
        (
            "an id that the kernel has",
            of(config(), Some(Refusal::PeerIdTaken)),
            0,
            (IncomingCallResult::GeneralError, GeneralError::BadCallId),
        ),
        (
            "IPv6",
            (Office::new(config()), "[2001:db8::2]:4000"),
            0,
            (IncomingCallResult::DoNotAccept, GeneralError::None),
        ),
    ] {
        let pac = office.join(from);
        for _ in 0..calls {
            offer(&mut office, pac);
        }
        office.heard();
        let call = offer(&mut office, pac);
        let (result, error) = expected;
        assert_eq!(office.heard(), [Event::IncomingCallRefused { call, result, error }], "{what}");
    }
}

#[test]
fn a_pppd_that_cannot_be_started_is_a_cleared_call() {
    let mut office = Office::new(config());
    let pac = office.join(PAC);
    let call = offer(&mut office, pac);
    office.exchange.lines().broken_pppd = true;
    connect(&mut office, pac, call);
    let heard = office.heard();
    assert!(matches!(heard.last(), Some(Event::CallEnded { reason: CallEnd::PeerCleared, .. })), "{heard:?}");
    assert!(matches!(office.deeds()[..], [Deed::Open(_), Deed::Close(_)]));
}

#[test]
fn calls_of_both_directions_share_a_connection_and_end_alone() {
    let mut office = Office::new(config());
    let both = office.join(PAC);
    let outgoing = [office.dial(both), office.dial(both)];
    let incoming = offer(&mut office, both);
    connect(&mut office, both, incoming);
    assert_eq!(office.started().len(), 3);
    office.heard();
    // One that the client has asked for, then the one that it has offered.
    for (process, call) in [(1, outgoing[0]), (3, incoming)] {
        office.end(process, 16);
        let heard = office.heard();
        assert!(matches!(heard[..], [Event::CallEnded { call: ended, .. }] if ended == call), "{heard:?}");
        assert!(matches!(office.deeds()[..], [Deed::Close(_)]));
    }
    assert_eq!((office.exchange.calls().len(), office.client(both).call_count()), (1, 1));
    office.exchange.handle_disconnect(both, office.now);
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
}

#[test]
fn the_end_of_the_server_ends_a_call_that_rings() {
    let mut office = Office::new(config());
    let pac = office.join(PAC);
    offer(&mut office, pac);
    office.heard();
    office.exchange.drain(office.now);
    office.pump();
    let heard = office.heard();
    let stopped = CloseReason::StoppedByPeer(StopReason::StopLocalShutdown);
    assert!(matches!(&heard[..], [Event::CallEnded { .. }, Event::Closed(reason)] if *reason == stopped), "{heard:?}");
    assert!(office.exchange.is_over());
}
