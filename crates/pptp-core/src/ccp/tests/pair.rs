//! Two ends with a network between them that loses, doubles, delays and reorders packets.

use core::time::Duration;

use crate::sim::Random;
use crate::time::Instant;

use super::super::{Ccp, Event, Policy, Preparation, Settings};
use super::{assert_safe, at};

/// What happens to packets, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) loss: u32,
    pub(super) duplication: u32,
    pub(super) delay: u32,
    /// Additional delay, at most this: packets overtake each other.
    pub(super) jitter: u32,
}

impl Link {
    pub(super) const IDEAL: Self = Self { loss: 0, duplication: 0, delay: 10, jitter: 0 };
}

pub(super) struct End {
    pub(super) ccp: Ccp,
    policy: Policy,
    /// Without [`Event::Disregarded`], which changes nothing.
    pub(super) events: Vec<Event>,
    pub(super) sent: usize,
    prepared: [Option<Preparation>; 2],
}

impl End {
    fn new(settings: Settings) -> Self {
        Self { policy: settings.policy, ccp: Ccp::new(settings), events: Vec::new(), sent: 0, prepared: [None; 2] }
    }

    /// What was prepared last is what has to be there when encryption begins.
    fn prepare(&mut self) {
        while let Some(preparation) = self.ccp.poll_preparation() {
            let place = usize::from(matches!(preparation, Preparation::Receive(_)));
            self.prepared[place] = Some(preparation);
        }
        if let Some(&Event::Opened { send, receive }) = self.events.last() {
            assert_eq!(self.prepared, [Some(Preparation::Send(send)), Some(Preparation::Receive(receive))]);
        }
    }

    /// The last word on encryption.
    pub(super) fn outcome(&self) -> Option<Event> {
        self.events.last().copied()
    }
}

pub(super) struct Pair {
    pub(super) ends: [End; 2],
    link: Link,
    random: Random,
    flights: Vec<(Instant, usize, Vec<u8>)>,
    pub(super) now: Instant,
}

impl Pair {
    pub(super) fn new(settings: [Settings; 2], link: Link, seed: u64) -> Self {
        let ends = settings.map(End::new);
        Self { ends, link, random: Random::new(seed), flights: Vec::new(), now: at(0) }
    }

    pub(super) fn policies(left: Policy, right: Policy) -> Self {
        Self::new([Settings::new(left), Settings::new(right)], Link::IDEAL, 0)
    }

    pub(super) fn lists(left: &str, right: &str) -> Self {
        Self::policies(left.parse().unwrap(), right.parse().unwrap())
    }

    pub(super) fn start(&mut self) {
        self.start_end(0);
        self.start_end(1);
    }

    pub(super) fn start_end(&mut self, index: usize) {
        self.ends[index].ccp.handle_up(self.now);
        self.ends[index].ccp.handle_open(self.now);
        self.drain();
    }

    /// Until nothing is under way and no timer runs.
    pub(super) fn run(&mut self) {
        self.run_until(at(u64::from(u32::MAX)));
    }

    pub(super) fn run_until(&mut self, end: Instant) {
        self.drain();
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
            steps += 1;
            assert!(steps < 5000, "it does not end: {:?} {:?}", self.ends[0].events, self.ends[1].events);
        }
    }

    fn next(&self) -> Option<Instant> {
        let timers = self.ends.iter().filter_map(|end| end.ccp.poll_timeout());
        self.flights.iter().map(|(due, ..)| *due).chain(timers).min()
    }

    fn step(&mut self) {
        let now = self.now;
        let due = self.flights.iter().position(|(due, ..)| *due <= now);
        if let Some((_, to, packet)) = due.map(|index| self.flights.remove(index)) {
            self.ends[to].ccp.handle_packet(&packet, now);
        } else {
            self.ends.iter_mut().for_each(|end| end.ccp.handle_timeout(now));
        }
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        for index in [0, 1] {
            let end = &mut self.ends[index];
            let events = core::iter::from_fn(|| end.ccp.poll_event());
            end.events.extend(events.filter(|event| *event != Event::Disregarded));
            end.prepare();
            assert_safe(&end.ccp, &end.policy, &end.events);
            while let Some(packet) = self.ends[index].ccp.poll_transmit() {
                self.ends[index].sent += 1;
                self.put(1 - index, packet);
            }
        }
    }

    fn put(&mut self, to: usize, packet: Vec<u8>) {
        let copies = if self.random.below(100) < self.link.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let lost = self.random.below(100) < self.link.loss;
            let delay = self.link.delay + self.random.below(self.link.jitter + 1);
            if !lost {
                self.flights.push((self.now + Duration::from_millis(delay.into()), to, packet.clone()));
            }
        }
    }
}
