//! The end of the server.

use core::time::Duration;

use pptp_core::control::{CallEnd, CloseReason, Event};
use pptp_core::wire::StopReason;
use pptp_datapath::report::Report;

use super::office::{Deed, Office, config};
use crate::config::Config;

#[test]
fn everybody_is_told_and_the_server_ends_with_the_last_pppd() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:1");
    let call = office.dial(client);
    let silent = office.connect("192.0.2.3:1").unwrap();
    office.heard();
    office.deeds();
    office.exchange.drain(office.now);
    assert!(!office.exchange.is_over());
    office.pump();
    let stopped = CloseReason::StoppedByPeer(StopReason::StopLocalShutdown);
    let reason = CallEnd::ConnectionLost(stopped.clone());
    assert_eq!(office.heard(), [Event::CallEnded { call, reason }, Event::Closed(stopped)]);
    assert!(office.closed.contains(&silent) && office.closed.contains(&client));
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]) && !office.exchange.is_over());
    office.end(1, 16);
    assert!(office.exchange.is_over());
}

#[test]
fn whoever_does_not_go_in_time_is_not_waited_for() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:1");
    office.dial(client);
    office.clients.clear();
    office.exchange.drain(office.now);
    office.deeds();
    office.pass(Duration::from_millis(9999));
    assert_eq!((office.deeds(), office.exchange.is_ending()), (vec![], false));
    office.pass(Duration::from_millis(1));
    assert_eq!((office.deeds(), office.exchange.is_ending()), (vec![Deed::Kill(1)], true));
    assert!(office.closed.contains(&client));
    office.end(1, 0);
    assert!(office.exchange.is_over());
}

#[test]
fn told_twice_it_waits_for_nobody() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:1");
    office.dial(client);
    office.clients.clear();
    office.exchange.drain(office.now);
    office.deeds();
    office.exchange.drain(office.now);
    assert_eq!(office.deeds(), [Deed::Kill(1)]);
}

#[test]
fn with_what_carries_it_a_call_is_over_and_others_go_on() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.2:1");
    office.dial(client);
    office.dial(client);
    office.deeds();
    office.heard();
    office.exchange.lines().cut = Some(1);
    office.exchange.handle_cut(office.now);
    office.pump();
    assert_eq!(office.deeds(), [Deed::HangUp(1)]);
    assert!(matches!(office.heard()[..], [Event::CallEnded { .. }]));
    assert_eq!(office.exchange.calls().stages().running, 1);
    // What has been noticed is not noticed again.
    office.exchange.handle_cut(office.now);
    assert_eq!(office.deeds(), []);
    office.end(1, 16);
    assert_eq!(office.deeds(), [Deed::Close(1)]);
}

#[test]
fn a_pppd_may_know_before_the_server_that_nothing_carries_its_call() {
    // An engine that ends closes what it has of its calls first, and may take seconds for the interfaces.
    let mut office = Office::new(Config { max_per_address: 1, ..config() });
    let client = office.join("192.0.2.2:1");
    for process in 1..=5 {
        office.dial(client);
        office.deeds();
        office.heard();
        office.tell_last(process, Report { is_cut: true, ..Report::default() });
        assert!(matches!(office.deeds()[..], [Deed::Close(_)]));
        assert!(matches!(office.heard()[..], [Event::CallEnded { .. }]));
    }
    // That was not the client's doing.
    office.dial(client);
    assert_eq!(office.exchange.calls().stages().running, 1);
}
