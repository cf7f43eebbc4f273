//! Who may have a control connection.

use core::time::Duration;

use pptp_core::control::{CloseReason, Event};
use pptp_core::wire::{GeneralError, StartResult};

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
