//! Calls, from the request to the end.

use core::time::Duration;
use std::sync::Arc;

use pptp_core::control::{CallEnd, Event};
use pptp_core::wire::{CallResult, DisconnectResult, GeneralError, PeerCallId};

use super::super::refusal::Refusal;
use super::office::{Deed, Office, config};
use crate::config::Config;

const CLIENT: &str = "192.0.2.2:4000";

fn remote(list: &str) -> Vec<crate::config::AddressRange> {
    list.split(',').map(|range| range.parse().unwrap()).collect()
}

fn refused(event: &Event) -> Option<(CallResult, GeneralError)> {
    match event {
        Event::CallRefused { result, error, .. } => Some((*result, *error)),
        _ => None,
    }
}

fn refusals(office: &mut Office) -> Vec<(CallResult, GeneralError)> {
    office.heard().iter().filter_map(refused).collect()
}

const NO_RESOURCE: (CallResult, GeneralError) = (CallResult::GeneralError, GeneralError::NoResource);

#[test]
fn the_way_is_open_and_pppd_started_before_the_client_is_told() {
    let mut office = Office::new(config());
    let client = office.join(CLIENT);
    let call = office.dial(client);
    let [Deed::Open(ours), Deed::Start(assignment)] = office.deeds()[..] else { panic!("opened, then started") };
    assert_eq!(assignment.ends.peer_call, PeerCallId(call.0));
    assert_eq!((assignment.ends.call.0, assignment.peer_window), (ours, 50));
    let pair = assignment.inside.unwrap();
    assert_eq!([pair.local.to_string(), pair.remote.to_string()], ["192.168.0.1", "192.168.1.1"]);
    let [Event::CallConnected(parameters)] = &office.heard()[..] else { panic!("the call is connected") };
    assert_eq!((parameters.peer_call.0, parameters.peer_receive_window), (ours, 64));
}

#[test]
fn a_client_is_told_when_its_pppd_has_ended() {
    let mut office = Office::new(config());
    let client = office.join(CLIENT);
    let call = office.dial(client);
    office.heard();
    office.deeds();
    office.end(1, 12);
    let reason =
        CallEnd::PeerDisconnected { result: DisconnectResult::AdminShutdown, error: GeneralError::None, cause: 0 };
    assert_eq!(office.heard(), [Event::CallEnded { call, reason }]);
    let [Deed::Close(_)] = office.deeds()[..] else { panic!("the way is closed, and nothing else happens") };
    // It may call again.
    office.dial(client);
    assert_eq!(office.started().len(), 1);
}

#[test]
fn a_call_that_the_client_clears_is_hung_up_and_its_address_free_when_pppd_has_ended() {
    let mut office = Office::new(Config { remote: remote("10.0.0.1-2"), ..config() });
    let client = office.join(CLIENT);
    let first = office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.1".into())]);
    let now = office.now;
    office.client(client).clear_call(first, now).unwrap();
    office.pump();
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
    office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.2".into())], "the first is pppd's until it ends");
    office.end(1, 16);
    office.heard();
    office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.1".into())]);
    office.dial(client);
    assert_eq!(refusals(&mut office), [NO_RESOURCE], "every address is in use");
}

#[test]
fn several_calls_of_one_connection_end_alone() {
    let mut office = Office::new(config());
    let client = office.join(CLIENT);
    let calls = [office.dial(client), office.dial(client), office.dial(client)];
    office.heard();
    office.end(2, 16);
    let [Event::CallEnded { call, .. }] = office.heard()[..] else { panic!("one call has ended") };
    assert_eq!(call, calls[1]);
    assert_eq!(office.client(client).call_count(), 2);
}

#[test]
fn a_pppd_that_does_not_end_is_told_and_then_killed() {
    let mut office = Office::new(config());
    let client = office.join(CLIENT);
    office.dial(client);
    office.exchange.handle_disconnect(client, office.now);
    office.deeds();
    office.pass(Duration::from_secs(11));
    assert_eq!(office.deeds(), []);
    office.pass(Duration::from_secs(1));
    assert_eq!(office.deeds(), [Deed::Terminate(1)]);
    office.pass(Duration::from_secs(12));
    assert_eq!(office.deeds(), [Deed::Kill(1)]);
    office.pass(Duration::from_secs(1000));
    assert_eq!(office.deeds(), []);
}

#[test]
fn what_the_machine_cannot_do_is_refused_and_leaves_nothing() {
    let mut office = Office::new(Config { remote: remote("10.0.0.1"), ..config() });
    let client = office.join(CLIENT);
    for (obstacle, broken, answer) in [
        (Some(Refusal::PeerIdTaken), false, (CallResult::GeneralError, GeneralError::BadCallId)),
        (Some(Refusal::Machine("no socket".into())), false, NO_RESOURCE),
        (None, true, NO_RESOURCE),
    ] {
        let lines = office.exchange.lines();
        (lines.obstacle, lines.broken_pppd) = (obstacle, broken);
        office.dial(client);
        assert_eq!(refusals(&mut office), [answer]);
    }
    office.exchange.lines().broken_pppd = false;
    office.deeds();
    office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.1".into())], "the address was given back");
}

#[test]
fn there_are_no_more_calls_than_allowed() {
    let mut office = Office::new(Config { max_sessions: Some(3), max_per_address: 2, ..config() });
    let (one, other) = (office.join(CLIENT), office.join("192.0.2.3:4000"));
    office.dial(one);
    office.dial(one);
    assert_eq!(refusals(&mut office), []);
    office.dial(one);
    assert_eq!(refusals(&mut office), [NO_RESOURCE], "as many from one address as allowed");
    office.dial(other);
    assert_eq!(refusals(&mut office), []);
    office.dial(other);
    assert_eq!(refusals(&mut office), [NO_RESOURCE], "as many as allowed");
    office.end(1, 0);
    office.heard();
    office.dial(other);
    assert_eq!(refusals(&mut office), []);
}

#[test]
fn an_address_whose_calls_end_at_once_has_to_wait_between_them() {
    let mut office = Office::new(Config { max_per_address: 2, ..config() });
    let (client, other) = (office.join(CLIENT), office.join("192.0.2.3:4000"));
    for pppd in 1..=4 {
        office.dial(client);
        office.end(pppd, 1);
    }
    assert_eq!(refusals(&mut office), []);
    office.dial(client);
    assert_eq!(refusals(&mut office), [(CallResult::Busy, GeneralError::None)]);
    office.dial(other);
    assert_eq!(refusals(&mut office), []);
    office.pass(Duration::from_secs(1));
    office.dial(client);
    assert_eq!(refusals(&mut office), []);
    office.dial(client);
    office.pass(Duration::from_secs(3));
    // One that lasts is none of these.
    office.end(6, 16);
    office.dial(client);
    assert_eq!(refusals(&mut office), []);
}

#[test]
fn calls_over_ipv6_are_refused() {
    let mut office = Office::new(config());
    let client = office.join("[2001:db8::2]:4000");
    office.dial(client);
    assert_eq!(refusals(&mut office), [(CallResult::DoNotAccept, GeneralError::None)]);
    // An IPv4 client of an IPv6 socket is one of IPv4.
    let mapped = office.exchange.handle_connect(
        "[::ffff:192.0.2.9]:4000".parse().unwrap(),
        "[::ffff:198.51.100.1]:1723".parse().unwrap(),
        office.now,
    );
    assert!(mapped.is_some());
}

#[test]
fn addresses_may_be_pppds_to_choose() {
    let mut office = Office::new(Config { delegate: true, ..config() });
    let client = office.join(CLIENT);
    office.dial(client);
    assert_eq!(office.started(), [None]);
}

#[test]
fn no_two_calls_have_the_same_id_of_ours() {
    let mut office = Office::new(config());
    let clients: Vec<_> = (0..10).map(|port| office.join(&format!("192.0.2.2:{}", 4000 + port))).collect();
    let mut ids = Vec::new();
    for client in clients {
        for _ in 0..3 {
            office.dial(client);
        }
        ids.extend(office.deeds().into_iter().filter_map(|deed| match deed {
            Deed::Open(id) => Some(id),
            _ => None,
        }));
    }
    assert_eq!(ids.len(), 30);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30);
}

#[test]
fn a_changed_configuration_is_for_new_calls() {
    let mut office = Office::new(Config { remote: remote("10.0.0.1"), ..config() });
    let client = office.join(CLIENT);
    office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.1".into())]);
    office.exchange.reconfigure(Arc::new(Config { remote: remote("10.0.0.1-2"), ..config() }));
    office.dial(client);
    assert_eq!(office.started(), [Some("10.0.0.2".into())]);
    assert_eq!(office.client(client).call_count(), 2);
}

#[test]
fn a_larger_office_may_fail_more_often_from_a_reload_on() {
    let mut office = Office::new(Config { max_per_address: 1, ..config() });
    let client = office.join(CLIENT);
    for process in 1..=2 {
        office.dial(client);
        office.end(process, 1);
    }
    office.dial(client);
    assert_eq!(refusals(&mut office), [(CallResult::Busy, GeneralError::None)]);
    office.exchange.reconfigure(Arc::new(Config { max_per_address: 2, ..config() }));
    office.dial(client);
    assert_eq!((refusals(&mut office), office.exchange.calls().len()), (vec![], 1));
}
