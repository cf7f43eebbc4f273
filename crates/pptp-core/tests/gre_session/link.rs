//! One direction of a network path, in virtual time: it loses, repeats, delays and reorders packets, by chance but the same
//! for the same seed.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use pptp_core::sim::Random;
use pptp_core::time::Instant;

/// What a path does to packets. Chances are per mille.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) loss: u32,
    pub(crate) duplicates: u32,
    pub(crate) reordered: u32,
    /// How long a reordered packet is held back, in addition.
    pub(crate) held_back: Duration,
    pub(crate) delay: Duration,
    /// Additional delay, at most this, by chance for each packet: more than the packets' distance reorders them too.
    pub(crate) jitter: Duration,
}

/// The path, with the packets on it.
pub(crate) struct Path {
    link: Link,
    random: Random,
    /// Due time, count (for a stable order), packet.
    in_flight: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    count: u64,
}

impl Path {
    pub(crate) fn new(link: Link, seed: u64) -> Self {
        Self { link, random: Random::new(seed), in_flight: BinaryHeap::new(), count: 0 }
    }

    pub(crate) fn send(&mut self, packet: &[u8], now: Instant) {
        if self.happens(self.link.loss) {
            return;
        }
        self.put(packet, now);
        while self.happens(self.link.duplicates) {
            self.put(packet, now);
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse((due, ..))| *due)
    }

    pub(crate) fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.next_arrival().filter(|due| *due <= now)?;
        self.in_flight.pop().map(|Reverse((.., packet))| packet)
    }

    fn put(&mut self, packet: &[u8], now: Instant) {
        let jitter = u32::try_from(self.link.jitter.as_micros()).unwrap();
        let mut due = now + self.link.delay + Duration::from_micros(self.random.below(jitter + 1).into());
        if self.happens(self.link.reordered) {
            due = due + self.link.held_back;
        }
        self.count += 1;
        self.in_flight.push(Reverse((due, self.count, packet.to_vec())));
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        self.random.below(1000) < per_mille
    }
}
