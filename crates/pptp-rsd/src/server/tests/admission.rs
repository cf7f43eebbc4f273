//! Who may have a control connection.

use core::time::Duration;

use pptp_core::control::{CloseReason, Event};
use pptp_core::wire::{GeneralError, StartResult};
use pptp_datapath::report::Report;

use super::office::{Office, config};
use crate::config::Config;

fn port(port: u16) -> String {
    format!("192.0.2.2:{port}")
}

fn address(last: u16) -> String {
    format!("192.0.2.{last}:4000")
}

const REFUSED: Event =
    Event::Closed(CloseReason::Refused { result: StartResult::GeneralError, error: GeneralError::NoResource });

#[test]
fn whoever_says_nothing_has_to_go() {
    let mut office = Office::new(config());
    let silent = office.connect(&port(1)).unwrap();
    let good = office.join(&port(2));
    office.pass(Duration::from_millis(9999));
    assert!(office.closed.is_empty());
    office.pass(Duration::from_millis(1));
    assert!(office.closed.contains(&silent) && !office.closed.contains(&good));
}

#[test]
fn the_oldest_of_too_many_silent_ones_has_to_go_and_a_good_client_is_served() {
    let mut office = Office::new(Config { max_starting: 3, ..config() });
    let silent: Vec<_> = (1..=5).map(|number| office.connect(&port(number)).unwrap()).collect();
    assert_eq!(office.closed.iter().copied().collect::<Vec<_>>(), silent[..2]);
    let good = office.join(&address(9));
    office.dial(good);
    assert_eq!(office.started().len(), 1);
}

#[test]
fn whoever_connects_in_vain_again_and_again_is_not_heard_for_a_while() {
    let mut office = Office::new(config());
    for number in 1..=30 {
        let id = office.connect(&port(number)).unwrap();
        office.exchange.handle_disconnect(id, office.now);
    }
    assert_eq!(office.connect(&port(31)), None);
    assert!(office.connect(&address(3)).is_some());
    office.pass(Duration::from_secs(1));
    assert!(office.connect(&port(31)).is_some());
}

#[test]
fn garbage_is_the_end_of_a_connection() {
    let mut office = Office::new(config());
    let id = office.connect(&port(1)).unwrap();
    office.exchange.handle_input(id, &[0xde; 300], office.now);
    office.pump();
    assert!(office.closed.contains(&id));
    // What comes after that is for nobody.
    office.exchange.handle_input(id, &[0; 10], office.now);
    office.exchange.handle_disconnect(id, office.now);
    assert_eq!(office.exchange.poll_work(), None);
}

#[test]
fn one_address_has_only_so_many_connections() {
    let mut office = Office::new(Config { max_per_address: 2, ..config() });
    let (first, _second) = (office.join(&port(1)), office.join(&port(2)));
    let third = office.join(&port(3));
    assert_eq!(office.heard(), [REFUSED]);
    assert!(office.closed.contains(&third));
    office.join(&address(3));
    office.exchange.handle_disconnect(first, office.now);
    office.join(&port(4));
    assert!(!office.heard().contains(&REFUSED));
}

#[test]
fn whoever_has_no_call_makes_room_for_others() {
    let mut office = Office::new(Config { connections: 2, max_sessions: Some(9), ..config() });
    let (busy, idle) = (office.join(&address(1)), office.join(&address(2)));
    office.dial(busy);
    let third = office.join(&address(3));
    assert_eq!(office.closed.iter().copied().collect::<Vec<_>>(), [idle]);
    office.dial(third);
    office.heard();
    let fourth = office.join(&address(4));
    assert_eq!(office.heard(), [REFUSED], "both have calls");
    assert!(office.closed.contains(&fourth));
}

#[test]
fn a_client_that_does_not_answer_echo_requests_has_gone() {
    let mut office = Office::new(config());
    let id = office.join(&port(1));
    office.dial(id);
    office.deeds();
    office.clients.remove(&id);
    office.pass(Duration::from_secs(119));
    assert!(office.closed.is_empty());
    office.pass(Duration::from_secs(2));
    assert!(office.closed.contains(&id));
    assert_eq!(office.deeds().len(), 1, "the call is hung up");
}

/// A server, and an office behind one address, of which one has logged in; and pppd's number.
fn office_with_a_tunnel() -> Office {
    let mut office = Office::new(config());
    let good = office.join(&port(1));
    office.dial(good);
    office.tell(1, Report { user: Some("alice".into()), local: Some([10, 0, 0, 1].into()), ..Report::default() });
    office
}

fn fail(office: &mut Office, times: u16) {
    for number in 0..times {
        if let Some(id) = office.connect(&port(1000 + number)) {
            office.exchange.handle_disconnect(id, office.now);
        }
    }
}

#[test]
fn who_shares_an_address_with_a_flood_is_heard_if_somebody_has_logged_in_from_there() {
    let mut office = office_with_a_tunnel();
    fail(&mut office, 1000);
    let neighbour = office.join(&port(2));
    office.dial(neighbour);
    assert_eq!(office.started().len(), 2);
    // Of those that say nothing only so many are waited for, and others are not touched.
    let flood: Vec<_> = (1..=100).map(|number| office.connect(&port(5000 + number)).unwrap()).collect();
    assert_eq!(flood.iter().filter(|id| !office.closed.contains(id)).count(), 32);
    assert!(!office.closed.contains(&neighbour));
    let late = office.join(&port(3));
    assert!(!office.closed.contains(&late));
}

#[test]
fn who_has_logged_in_is_remembered_for_a_day() {
    let mut office = office_with_a_tunnel();
    office.clients.clear();
    office.end(1, 16);
    office.pass(Duration::from_secs(24 * 60 * 60 - 1));
    fail(&mut office, 30);
    assert!(office.connect(&port(2)).is_some());
    office.pass(Duration::from_secs(1));
    fail(&mut office, 30);
    assert_eq!(office.connect(&port(2)), None);
}

#[test]
fn whose_calls_are_in_vain_keeps_no_neighbour_from_calling_if_somebody_has_logged_in_from_there() {
    let most = Config { max_per_address: 20, ..config() };
    for has_tunnel in [false, true] {
        let mut office = Office::new(most.clone());
        let (good, bad) = (office.join(&port(1)), office.join(&port(2)));
        office.dial(good);
        if has_tunnel {
            office.tell(1, Report { local: Some([10, 0, 0, 1].into()), ..Report::default() });
        }
        for process in 2..=41 {
            office.dial(bad);
            office.end(process, 19);
        }
        office.deeds();
        for _ in 0..6 {
            office.dial(bad);
        }
        let chances = if has_tunnel { 4 } else { 0 };
        assert_eq!(office.started().len(), chances, "as many at a time as may be in vain");
        office.pass(Duration::from_millis(999));
        let neighbour = office.join(&port(3));
        office.dial(neighbour);
        assert_eq!(office.started().len(), 0, "the chances are taken");
        (42..46).filter(|_| has_tunnel).for_each(|process| office.end(process, 19));
        office.dial(neighbour);
        assert_eq!(office.started().len(), usize::from(has_tunnel));
    }
}
