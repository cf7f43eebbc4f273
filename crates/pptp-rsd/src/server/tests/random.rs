//! Anything in any order: limits hold at every moment, and in the end nothing is left.

use core::time::Duration;

use pptp_testkit::layout::LAYOUTS;
use pptp_testkit::message::Message;
use proptest::prelude::*;

use super::super::session::ClientId;
use super::office::{Deed, Office, SERVER, config};
use crate::config::Config;
use crate::control::Request;

const CALLS: usize = 5;
const CALLS_OF_ONE: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Connect(u8),
    Send(usize, Vec<u8>),
    Disconnect(usize),
    EndProcess(u32),
    Place(u8),
    /// The connection that the server wants is open, or cannot be opened.
    Open(bool),
    Pass(u16),
}

/// A message that is right but for some numbers, which are small so that they meet.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let fields =
        prop::collection::vec((prop::sample::select(vec!["id", "peer", "result", "identifier"]), 0..4_u32), 0..3);
    (0..LAYOUTS.len(), fields).prop_map(|(kind, fields)| {
        let mut message = Message::new(&LAYOUTS[kind]);
        message.set("version", 0x0100);
        message.set("window", 64);
        for (name, value) in fields {
            message.set(name, value);
        }
        message.bytes
    })
}

/// Mostly what a client says.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = Just(Message::new(&LAYOUTS[0])).prop_map(|mut message| {
        message.set("version", 0x0100);
        message.bytes
    });
    let call = (1..6_u32).prop_map(|id| {
        let mut message = Message::new(&LAYOUTS[6]);
        message.set("id", id);
        message.bytes
    });
    let rubbish = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![6 => start, 6 => call, 4 => messages(), 1 => rubbish]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..3_u8).prop_map(Step::Connect),
        8 => (0..8_usize, bytes()).prop_map(|(which, bytes)| Step::Send(which, bytes)),
        1 => (0..8_usize).prop_map(Step::Disconnect),
        2 => (1..20_u32).prop_map(Step::EndProcess),
        1 => (0..3_u8).prop_map(Step::Place),
        2 => any::<bool>().prop_map(Step::Open),
        1 => any::<u16>().prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the machine has to do with, by what was done with it.
#[derive(Default)]
struct Ledger {
    open: Vec<u16>,
    running: Vec<u32>,
    addresses: Vec<(u32, String)>,
    started: u32,
}

impl Ledger {
    fn note(&mut self, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Open(id) => {
                    assert!(!self.open.contains(&id), "an id is used once at a time");
                    self.open.push(id);
                }
                Deed::Close(id) => self.open.retain(|open| *open != id),
                Deed::Start(assignment) => {
                    self.started += 1;
                    self.running.push(self.started);
                    // The other end gives the addresses of a call that was placed.
                    let Some(pair) = assignment.inside else { continue };
                    let address = pair.remote.to_string();
                    assert!(
                        self.addresses.iter().all(|(_, other)| *other != address),
                        "an address is used once at a time"
                    );
                    self.addresses.push((self.started, address));
                }
                Deed::Terminate(process) | Deed::Kill(process) => assert!(self.running.contains(&process)),
                Deed::Ask(_) => {}
                Deed::HangUp(id) => assert!(self.open.contains(&id)),
            }
        }
        assert!(self.open.len() <= CALLS);
    }

    fn ended(&mut self, process: u32) {
        self.running.retain(|running| *running != process);
        self.addresses.retain(|(running, _)| *running != process);
    }
}

fn run(steps: Vec<Step>) {
    let mut office = Office::new(Config { max_sessions: Some(CALLS), max_per_address: CALLS_OF_ONE, ..config() });
    let (mut clients, mut ledger): (Vec<ClientId>, _) = (Vec::new(), Ledger::default());
    let mut orders = 0;
    for step in steps {
        let now = office.now;
        match step {
            Step::Connect(last) => clients.extend(office.connect(&format!("192.0.2.{last}:4000"))),
            Step::Send(which, bytes) => {
                if let Some(client) = clients.get(which % clients.len().max(1)) {
                    office.exchange.handle_input(*client, &bytes, now);
                }
            }
            Step::Disconnect(which) => {
                if let Some(client) = clients.get(which % clients.len().max(1)) {
                    office.exchange.handle_disconnect(*client, now);
                }
            }
            Step::EndProcess(process) => {
                ledger.ended(process);
                office.end(process, 16);
            }
            Step::Place(last) => {
                let to = format!("192.0.2.{last}");
                let Ok(Request::Call(order)) = Request::from_words(&["call", &to]) else { panic!("an order") };
                office.exchange.place(order, now);
                orders += 1;
            }
            Step::Open(works) => {
                let Some((id, _)) = office.wanted.pop() else { continue };
                if works {
                    office.exchange.handle_open(id, SERVER.parse().unwrap(), now);
                    clients.push(id);
                } else {
                    office.exchange.handle_unreachable(id, "connection refused", now);
                }
            }
            Step::Pass(seconds) => office.pass(Duration::from_secs(u64::from(seconds % 70))),
        }
        office.pump();
        clients.retain(|client| !office.closed.contains(client));
        ledger.note(office.deeds());
    }
    office.wanted.clear();
    office.exchange.drain(office.now);
    office.pump();
    office.pass(Duration::from_secs(60));
    ledger.note(office.deeds());
    for process in std::mem::take(&mut ledger.running) {
        assert!(!office.exchange.is_over());
        office.end(process, 9);
    }
    ledger.note(office.deeds());
    assert!(office.exchange.is_over() && ledger.open.is_empty());
    assert_eq!(office.exchange.next_timeout(), None);
    let outcomes = std::iter::from_fn(|| office.exchange.poll_outcome()).count();
    assert_eq!(outcomes, orders, "something comes of every order, once");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_and_nothing_is_left(steps in steps()) {
        run(steps);
    }
}
