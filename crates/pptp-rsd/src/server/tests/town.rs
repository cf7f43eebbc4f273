//! Two servers that call each other, in virtual time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use core::time::Duration;

use pptp_core::time::Instant;

use super::super::exchange::{Exchange, Work};
use super::super::orders::Outcome;
use super::super::session::ClientId;
use super::office::{Deed, Machine, config, counting};
use crate::control::{Order, Request};

/// The higher address wins.
const ADDRESSES: [&str; 2] = ["192.33.45.89", "192.33.45.17"];

/// A connection's number at each end, while it is open there.
#[derive(Debug)]
struct Wire([Option<ClientId>; 2]);

/// What is on the way, in order: to which end of which wire.
#[derive(Debug)]
enum News {
    /// The TCP connection that the other end wanted.
    Opened,
    Bytes(Vec<u8>),
    End,
}

struct Town {
    ends: [Exchange<Machine>; 2],
    deeds: [Rc<RefCell<Vec<Deed>>>; 2],
    wires: Vec<Wire>,
    news: VecDeque<(usize, usize, News)>,
    now: Instant,
    bytes: usize,
}

fn address(end: usize, port: u16) -> SocketAddr {
    SocketAddr::new(ADDRESSES[end].parse().unwrap(), port)
}

fn order(to: usize) -> Order {
    let Ok(Request::Call(order)) = Request::from_words(&["call", ADDRESSES[to]]) else { panic!("an order") };
    order
}

impl Town {
    fn new() -> Self {
        let deeds: [Rc<RefCell<Vec<Deed>>>; 2] = Default::default();
        let end = |end: usize, step| {
            let machine = Machine::new(Rc::clone(&deeds[end]));
            Exchange::new(Arc::new(config()), "town".into(), machine, counting(step))
        };
        let now = Instant::from_epoch(Duration::from_secs(1000));
        Self { ends: [end(0, 1), end(1, 3)], deeds, wires: Vec::new(), news: VecDeque::new(), now, bytes: 0 }
    }

    fn place(&mut self, from: usize) {
        self.ends[from].place(order(1 - from), self.now);
        self.collect();
    }

    /// What both want done.
    fn collect(&mut self) {
        for end in 0..2 {
            while let Some(work) = self.ends[end].poll_work() {
                let wire = |id| self.wires.iter().position(|wire| wire.0[end] == Some(id));
                match work {
                    Work::Open(id, to) => {
                        assert_eq!(to, address(1 - end, 1723));
                        let mut wire = Wire([None; 2]);
                        wire.0[end] = Some(id);
                        self.wires.push(wire);
                        self.news.push_back((self.wires.len() - 1, 1 - end, News::Opened));
                    }
                    Work::Send(id, bytes) => self.news.push_back((wire(id).unwrap(), 1 - end, News::Bytes(bytes))),
                    Work::Close(id) | Work::Drop(id) => {
                        let wire = wire(id).unwrap();
                        self.wires[wire].0[end] = None;
                        self.news.push_back((wire, 1 - end, News::End));
                    }
                }
            }
        }
    }

    /// One piece of news arrives; whether there was one.
    fn step(&mut self) -> bool {
        let Some((wire, end, news)) = self.news.pop_front() else { return false };
        let port = 40_000 + u16::try_from(wire).unwrap();
        let here = self.wires[wire].0[end];
        match (news, here) {
            (News::Opened, _) => {
                let Some(theirs) = self.wires[wire].0[1 - end] else { return true };
                let id = self.ends[end].handle_connect(address(1 - end, port), address(end, 1723), self.now);
                self.wires[wire].0[end] = id;
                self.ends[1 - end].handle_open(theirs, address(1 - end, port), self.now);
            }
            (News::Bytes(bytes), Some(id)) => {
                self.bytes += 1;
                self.ends[end].handle_input(id, &bytes, self.now);
            }
            (News::End, Some(id)) => self.ends[end].handle_disconnect(id, self.now),
            (_, None) => {}
        }
        self.collect();
        true
    }

    fn settle(&mut self) {
        while self.step() {}
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.ends.iter_mut().for_each(|end| end.handle_timeout(self.now));
        self.collect();
        self.settle();
    }

    fn outcomes(&mut self, end: usize) -> Vec<Outcome> {
        std::iter::from_fn(|| self.ends[end].poll_outcome()).map(|(_, outcome)| outcome).collect()
    }

    /// Wires that are open at both ends.
    fn open(&self) -> usize {
        self.wires.iter().filter(|wire| wire.0.iter().all(Option::is_some)).count()
    }

    fn started(&self, end: usize) -> usize {
        self.deeds[end].borrow().iter().filter(|deed| matches!(deed, Deed::Start(_))).count()
    }
}

#[test]
fn what_one_server_places_the_other_takes() {
    let mut town = Town::new();
    town.place(0);
    town.settle();
    assert!(matches!(town.outcomes(0)[..], [Ok(_)]));
    assert_eq!([town.started(0), town.started(1)], [1, 1]);
    // Another way round, over the same connection.
    town.place(1);
    town.settle();
    assert!(matches!(town.outcomes(1)[..], [Ok(_)]));
    assert_eq!(([town.started(0), town.started(1)], town.wires.len()), ([2, 2], 1));
}

/// Both place a call at once, one of them so many steps later.
fn collide(first: usize, steps: usize) -> Town {
    let mut town = Town::new();
    town.place(first);
    for _ in 0..steps {
        town.step();
    }
    town.place(1 - first);
    town.settle();
    town.pass(1);
    town
}

#[test]
fn of_two_connections_that_collide_one_survives_and_carries_all_calls() {
    for first in 0..2 {
        for steps in 0..10 {
            let mut town = collide(first, steps);
            let outcomes = [town.outcomes(0), town.outcomes(1)];
            assert!(
                outcomes.iter().all(|outcomes| matches!(outcomes[..], [Ok(_)])),
                "{first}, {steps} steps: {outcomes:?}"
            );
            assert_eq!(([town.started(0), town.started(1)], town.open()), ([2, 2], 1), "{first}, {steps} steps");
            // Nobody is held to have failed, and nothing waits for anything but the next echo.
            town.pass(70);
            assert_eq!(town.open(), 1);
        }
    }
}
