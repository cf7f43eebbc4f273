//! Calls that this end places, as PAC.

use core::time::Duration;

use pptp_core::control::{CallEnd, Event, IncomingCallAnswer, IncomingCallOffer};
use pptp_core::wire::{CallId, DisconnectResult, GeneralError, IncomingCallResult, PeerCallId, StopReason};
use pptp_testkit::layout::by_short;
use pptp_testkit::message::Message;

use super::super::orders::{Outcome, Ticket};
use super::super::refusal::Refusal;
use super::super::session::{ClientId, SessionId};
use super::office::{Deed, Office, config};
use crate::config::Config;
use crate::control::{Order, Request};

const PNS: &str = "192.0.2.9";

fn order(words: &str) -> Order {
    let words: Vec<_> = ["call"].into_iter().chain(words.split(' ')).collect();
    let Ok(Request::Call(order)) = Request::from_words(&words) else { panic!("an order") };
    order
}

fn place(office: &mut Office, words: &str) -> Ticket {
    let ticket = office.exchange.place(order(words), office.now);
    office.pump();
    ticket
}

fn outcome(office: &mut Office) -> Option<Outcome> {
    office.exchange.poll_outcome().map(|(_, outcome)| outcome)
}

#[track_caller]
fn failure(office: &mut Office) -> String {
    outcome(office).expect("something has come of it").expect_err("no session")
}

/// The call that the PNS is offered.
#[track_caller]
fn offer(office: &mut Office) -> IncomingCallOffer {
    let offers = office.heard().into_iter().filter_map(|event| match event {
        Event::IncomingCallRequested(offer) => Some(offer),
        _ => None,
    });
    let [offer] = &offers.collect::<Vec<_>>()[..] else { panic!("one call is offered") };
    offer.clone()
}

fn accept(office: &mut Office, pns: ClientId, call: CallId) {
    let now = office.now;
    let answer = IncomingCallAnswer { receive_window: 21, ..IncomingCallAnswer::default() };
    office.client(pns).accept_incoming_call(call, answer, now).unwrap();
    office.pump();
}

/// A call that is connected, over a connection of its own, and the PNS's id for it.
fn connected(office: &mut Office) -> (ClientId, CallId) {
    place(office, PNS);
    let pns = office.open();
    let call = offer(office).call;
    accept(office, pns, call);
    assert!(outcome(office).is_some_and(|outcome| outcome.is_ok()));
    (pns, call)
}

#[test]
fn a_call_is_offered_connected_and_gets_a_pppd() {
    let mut office = Office::new(config());
    let ticket = place(&mut office, "192.0.2.9 number=555 from=666 option-file=/etc/ppp/pac");
    assert_eq!(office.wanted[..], [(ClientId(1), "192.0.2.9:1723".parse().unwrap())]);
    assert_eq!(office.deeds(), []);
    let pns = office.open();
    let offer = offer(&mut office);
    assert_eq!([&offer.dialed_number[..], &offer.dialing_number, &offer.subaddress], ["555", "666", ""]);
    assert_eq!((office.deeds(), outcome(&mut office)), (vec![], None));
    accept(&mut office, pns, offer.call);
    let [Deed::Open(ours), Deed::Start(assignment)] = office.deeds()[..] else { panic!("opened, then started") };
    let ends = assignment.ends;
    assert_eq!((ends.call.0, ends.peer_call), (ours, PeerCallId(offer.call.0)));
    assert_eq!([ends.local.to_string(), ends.client.to_string()], ["198.51.100.1", PNS]);
    assert_eq!((assignment.inside, assignment.peer_window), (None, 21), "the other end gives addresses");
    assert_eq!(office.exchange.lines().option_file, Some("/etc/ppp/pac".into()));
    let [Event::CallConnected(parameters)] = &office.heard()[..] else { panic!("the call is connected") };
    assert_eq!((parameters.peer_call.0, parameters.peer_receive_window), (ours, 64));
    assert_eq!(office.exchange.poll_outcome(), Some((ticket, Ok(SessionId(1)))));
    assert_eq!(outcome(&mut office), None);
}

#[test]
fn the_last_call_out_stops_the_connection_and_says_so() {
    let mut office = Office::new(config());
    let (pns, first) = connected(&mut office);
    place(&mut office, PNS);
    assert_eq!(office.wanted, [], "there is a connection");
    let second = offer(&mut office).call;
    accept(&mut office, pns, second);
    office.heard();
    office.end(1, 5);
    let notify =
        CallEnd::PeerDisconnected { result: DisconnectResult::AdminShutdown, error: GeneralError::None, cause: 0 };
    assert_eq!(office.heard(), [Event::CallEnded { call: first, reason: notify.clone() }]);
    assert!(office.closed.is_empty());
    office.end(2, 5);
    let [Event::CallEnded { call, reason }, Event::Closed(why)] = &office.heard()[..] else { panic!("it is over") };
    assert_eq!((*call, reason), (second, &notify));
    assert!(why.to_string().contains("general request (1)"), "{why}");
    assert!(office.closed.contains(&pns));
    assert_eq!(office.exchange.next_timeout(), None, "nothing is left");
    connected(&mut office);
}

#[test]
fn a_call_that_the_pns_clears_is_hung_up_and_told_of() {
    let mut office = Office::new(config());
    let (pns, call) = connected(&mut office);
    office.deeds();
    office.heard();
    let now = office.now;
    office.client(pns).clear_call(call, now).unwrap();
    office.pump();
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
    let heard = office.heard();
    assert!(matches!(heard[..], [Event::CallEnded { reason: CallEnd::Cleared, .. }, Event::Closed(_)]), "{heard:?}");
}

#[test]
fn a_pns_that_refuses_is_quoted() {
    for (result, error, words) in [
        (IncomingCallResult::DoNotAccept, GeneralError::None, "call refused: not accepted (3)"),
        (
            IncomingCallResult::GeneralError,
            GeneralError::NoResource,
            "call refused: general error (2): insufficient resources (4)",
        ),
    ] {
        let mut office = Office::new(config());
        place(&mut office, PNS);
        let pns = office.open();
        let (call, now) = (offer(&mut office).call, office.now);
        office.client(pns).refuse_incoming_call(call, result, error, now).unwrap();
        office.pump();
        let whole = format!("the call to 192.0.2.9:1723 was not connected: {words}");
        assert_eq!((failure(&mut office), office.deeds()), (whole, vec![]));
        assert!(office.closed.contains(&pns));
    }
}

#[test]
fn what_cannot_be_reached_is_said_and_forgotten() {
    let mut office = Office::new(config());
    place(&mut office, PNS);
    let (refused, _) = office.wanted.remove(0);
    office.exchange.handle_unreachable(refused, "connection refused", office.now);
    office.pump();
    assert!(failure(&mut office).ends_with("was not connected: cannot connect: connection refused"));
    assert!(office.closed.contains(&refused));

    place(&mut office, PNS);
    let (silent, _) = office.wanted.remove(0);
    office.pass(Duration::from_secs(9));
    assert_eq!(outcome(&mut office), None);
    office.pass(Duration::from_secs(1));
    assert!(failure(&mut office).ends_with("cannot connect: no answer within 10 s"));
    assert!(office.closed.contains(&silent));
    // What comes too late does no harm.
    office.exchange.handle_open(silent, "198.51.100.1:1".parse().unwrap(), office.now);
    office.exchange.handle_unreachable(silent, "connection refused", office.now);
    assert_eq!((outcome(&mut office), office.exchange.poll_work()), (None, None));
}

#[test]
fn a_pns_that_says_nothing_is_not_waited_for_for_ever() {
    let mut office = Office::new(config());
    place(&mut office, PNS);
    let id = office.open();
    // It has answered the start request. Another has not.
    office.heard();
    place(&mut office, "192.0.2.8");
    let (mute, _) = office.wanted.remove(0);
    office.exchange.handle_open(mute, "198.51.100.1:1".parse().unwrap(), office.now);
    office.pass(Duration::from_secs(10));
    assert!(failure(&mut office).contains("no answer to the start request within 10 s (stimeout)"));
    office.pass(Duration::from_secs(50));
    assert!(failure(&mut office).ends_with("the call was not connected in time"));
    let lost = CallEnd::PeerDisconnected { result: DisconnectResult::LostCarrier, error: GeneralError::None, cause: 0 };
    let heard = office.heard();
    assert!(matches!(&heard[0], Event::CallEnded { reason, .. } if *reason == lost), "{heard:?}");
    assert!(office.closed.contains(&id) && office.closed.contains(&mute));
}

#[test]
fn a_pns_that_does_not_speak_pptp_or_refuses_the_connection_is_told_apart() {
    let mut refusal = Message::new(by_short("sccrp").unwrap());
    refusal.set("version", 0x0100);
    refusal.set("result", 4);
    for (bytes, words) in [
        (&refusal.bytes[..], "the peer refused the control connection: not authorized (4)"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "the peer does not speak pptp: bad magic cookie"),
        (b"", "the peer closed the control connection"),
    ] {
        let mut office = Office::new(config());
        place(&mut office, PNS);
        let (id, _) = office.wanted.remove(0);
        office.exchange.handle_open(id, "198.51.100.1:1".parse().unwrap(), office.now);
        match bytes {
            b"" => office.exchange.handle_disconnect(id, office.now),
            _ => office.exchange.handle_input(id, bytes, office.now),
        }
        office.pump();
        let why = failure(&mut office);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn what_this_machine_cannot_do_disconnects_the_call() {
    for (obstacle, broken) in [(Some(Refusal::PeerIdTaken), false), (None, true)] {
        let mut office = Office::new(config());
        let words = if broken { "no pppd" } else { "the kernel cannot tell them apart" };
        (office.exchange.lines().obstacle, office.exchange.lines().broken_pppd) = (obstacle, broken);
        place(&mut office, PNS);
        let pns = office.open();
        let call = offer(&mut office).call;
        accept(&mut office, pns, call);
        let why = failure(&mut office);
        assert!(why.contains(words), "{why}");
        let ended = |event: &Event| matches!(event, Event::CallEnded { .. });
        assert!(office.heard().iter().any(ended));
        let left = office.deeds().into_iter().filter(|deed| matches!(deed, Deed::Start(_))).count();
        assert_eq!((left, office.exchange.calls().len()), (0, 0));
    }
}

#[test]
fn the_peers_connection_is_used_if_it_is_the_only_one_from_there() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.9:4000");
    place(&mut office, PNS);
    let call = offer(&mut office).call;
    accept(&mut office, client, call);
    assert_eq!(outcome(&mut office), Some(Ok(SessionId(1))));
    office.end(1, 16);
    assert!(office.closed.is_empty(), "it is the peer's to close");
    // Several machines behind one address.
    office.join("192.0.2.9:4001");
    place(&mut office, PNS);
    assert_eq!(office.wanted.len(), 1);
}

#[test]
fn a_client_that_takes_no_calls_is_not_the_server_at_its_address() {
    let mut office = Office::new(config());
    let client = office.join("192.0.2.9:4000");
    place(&mut office, PNS);
    let (call, now) = (offer(&mut office).call, office.now);
    let (result, error) = (IncomingCallResult::DoNotAccept, GeneralError::None);
    office.client(client).refuse_incoming_call(call, result, error, now).unwrap();
    office.pump();
    assert_eq!(outcome(&mut office), None);
    let pns = office.open();
    let call = offer(&mut office).call;
    accept(&mut office, pns, call);
    assert_eq!(outcome(&mut office), Some(Ok(SessionId(1))));
    // The next one knows, and that server's word is the last.
    place(&mut office, PNS);
    let call = offer(&mut office).call;
    office.client(pns).refuse_incoming_call(call, result, error, now).unwrap();
    office.pump();
    assert!(failure(&mut office).ends_with("call refused: not accepted (3)"));
    assert_eq!(office.wanted, []);
}

#[test]
fn a_limit_on_calls_holds_for_operators_and_those_on_clients_do_not() {
    let mut office = Office::new(Config { max_sessions: Some(2), max_per_address: 1, ..config() });
    let (pns, _) = connected(&mut office);
    office.join("192.0.2.2:4000");
    place(&mut office, PNS);
    let call = offer(&mut office).call;
    accept(&mut office, pns, call);
    assert_eq!(outcome(&mut office), Some(Ok(SessionId(2))));
    place(&mut office, PNS);
    assert!(failure(&mut office).contains("there are 2 calls, which is the limit"));
    // They are none of the PNS's own.
    office.end(1, 16);
    office.end(2, 16);
    let client = office.join("192.0.2.9:4000");
    office.dial(client);
    assert_eq!(office.exchange.calls().len(), 1);
}

#[test]
fn a_server_that_ends_places_no_calls_and_drops_those_that_wait() {
    let mut office = Office::new(config());
    place(&mut office, PNS);
    office.exchange.drain(office.now);
    office.pump();
    assert!(failure(&mut office).contains("stopped by this end"));
    place(&mut office, PNS);
    assert!(failure(&mut office).ends_with("the server ends"));
    assert!(office.exchange.is_over());
}

#[test]
fn a_pns_that_stops_takes_the_call_with_it() {
    let mut office = Office::new(config());
    let (pns, _) = connected(&mut office);
    office.deeds();
    let now = office.now;
    office.client(pns).stop(StopReason::StopLocalShutdown, now);
    office.pump();
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
    assert!(office.closed.contains(&pns));
}

#[test]
fn a_pns_that_accepts_and_clears_in_one_breath_gives_the_id_back_once() {
    let mut office = Office::new(config());
    place(&mut office, PNS);
    let pns = office.open();
    let (call, now) = (offer(&mut office).call, office.now);
    let client = office.client(pns);
    client.accept_incoming_call(call, IncomingCallAnswer::default(), now).unwrap();
    client.clear_call(call, now).unwrap();
    let bytes: Vec<u8> = std::iter::from_fn(|| client.poll_transmit()).flatten().collect();
    office.exchange.handle_input(pns, &bytes, now);
    office.pump();
    assert!(failure(&mut office).ends_with("the peer cleared the call"));
    let [Deed::Open(ours), Deed::Close(_)] = office.deeds()[..] else { panic!("opened, then closed") };
    // It rests until so many others have come after it, and then it is free once.
    let ids = &office.exchange.calls().ids;
    (0..255).for_each(|other| ids.release(CallId(1000 + other)));
    assert!(!ids.claim(CallId(ours)));
    ids.release(CallId(2000));
    assert!(ids.claim(CallId(ours)));
    ids.release(CallId(2001));
    assert!(!ids.claim(CallId(ours)), "it is in use");
}

#[test]
fn what_is_withdrawn_is_cleared_however_far_it_is() {
    let mut office = Office::new(config());
    let ticket = place(&mut office, PNS);
    let (opening, _) = office.wanted.remove(0);
    office.exchange.withdraw(ticket, office.now);
    office.pump();
    assert!(failure(&mut office).ends_with("the operator who wanted it has gone"));
    assert!(office.closed.contains(&opening), "nobody else wants the connection");

    let ticket = place(&mut office, PNS);
    let asking = office.wanted.remove(0).0;
    office.exchange.handle_open(asking, "198.51.100.1:1".parse().unwrap(), office.now);
    office.exchange.withdraw(ticket, office.now);
    office.pump();
    assert!(office.closed.contains(&asking));
    failure(&mut office);

    let ticket = place(&mut office, PNS);
    let pns = office.open();
    let call = offer(&mut office).call;
    // The next one goes on.
    place(&mut office, PNS);
    let other = offer(&mut office).call;
    office.exchange.withdraw(ticket, office.now);
    office.pump();
    failure(&mut office);
    let [Event::CallEnded { call: ended, .. }] = office.heard()[..] else { panic!("the PNS is told") };
    assert_eq!(ended, call);
    accept(&mut office, pns, other);
    assert_eq!((outcome(&mut office), office.exchange.calls().len()), (Some(Ok(SessionId(1))), 1));
    // What is over is not withdrawn.
    office.exchange.withdraw(ticket, office.now);
    assert_eq!((office.exchange.poll_work(), office.exchange.calls().len()), (None, 1));
}

#[test]
fn a_call_that_is_connected_when_nobody_waits_any_more_is_hung_up() {
    let mut office = Office::new(config());
    let (pns, _) = connected(&mut office);
    office.deeds();
    office.exchange.abandon(SessionId(1), office.now);
    office.pump();
    assert!(matches!(office.deeds()[..], [Deed::HangUp(_)]));
    office.end(1, 16);
    assert!(office.closed.contains(&pns) && office.exchange.calls().len() == 0);
}

#[test]
fn who_follows_an_order_hears_how_far_it_is_and_nobody_else_does() {
    let told = |words: &str| {
        let mut office = Office::new(config());
        place(&mut office, words);
        let pns = office.open();
        let call = offer(&mut office).call;
        accept(&mut office, pns, call);
        std::iter::from_fn(|| office.exchange.poll_progress()).map(|(_, text)| text).collect::<Vec<_>>()
    };
    assert_eq!(told(PNS), [""; 0]);
    let all = told("192.0.2.9 followed");
    assert_eq!((all.len(), &all[0][..], &all[3][..]), (4, "connecting to 192.0.2.9:1723", "the call is accepted"));
}
