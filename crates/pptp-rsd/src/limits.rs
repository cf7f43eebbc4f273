//! A bound on connections that come to nothing.
//!
//! A good client says a good Start-Control-Connection-Request on each connection that it makes and is never counted here. Who
//! lets connections end without one gets a strike for each. Strikes are forgiven with time; a network that has too many is
//! barred until some are, so that the connections of a scanner or a flood cost an `accept` and a `close`.
//!
//! Behind one address may be an office, of which one machine fails again and again. So a network is told apart from which
//! somebody has logged in: it is an acquaintance, for which the server has more patience.
//!
//! It does not count connections and calls that exist: the server does.

use core::time::Duration;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use pptp_core::time::Instant;

/// With so many strikes a network is barred. All clients of an office behind one address may fail together.
const MOST: u32 = 30;

/// In this time one strike is forgiven, so that a network that is barred is heard once in it.
const FORGIVEN_IN: Duration = Duration::from_secs(1);

/// Networks with strikes, at most. It bounds memory to some 300 KiB.
const MOST_NETWORKS: usize = 8192;

/// Whom an address belongs to: an IPv4 address, or the /64 of an IPv6 address, all of which one host may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
        }
    }
}

/// The strikes of all networks.
#[derive(Debug)]
pub struct Strikes {
    /// With so many a network is barred.
    most: u32,
    /// When all strikes of a network will be forgiven.
    forgiven: HashMap<Network, Instant>,
}

impl Default for Strikes {
    fn default() -> Self {
        Self::beyond(MOST)
    }
}

impl Strikes {
    /// Those that bar a network when there are so many; at least one.
    pub fn beyond(most: u32) -> Self {
        Self { most, forgiven: HashMap::new() }
    }

    /// From here on as if made by [`Self::beyond`], with the strikes that there are.
    pub fn change(&mut self, most: u32) {
        self.most = most;
    }

    /// A connection from this address ended without a good request.
    pub fn add(&mut self, address: IpAddr, now: Instant) {
        if self.forgiven.len() >= MOST_NETWORKS {
            self.make_room(now);
        }
        let forgiven = self.forgiven.entry(Network::of(address)).or_default();
        // What is heard although the network is barred keeps it barred, and no longer.
        *forgiven = (now.max(*forgiven) + FORGIVEN_IN).min(now + FORGIVEN_IN * self.most.max(1));
    }

    /// Whether connections from this address should be closed unheard.
    pub fn bar(&self, address: IpAddr, now: Instant) -> bool {
        let forgiven = self.forgiven.get(&Network::of(address));
        forgiven.is_some_and(|forgiven| forgiven.since(now) > FORGIVEN_IN * self.most.saturating_sub(1))
    }

    /// Drops what is forgiven. If that is less than half, everything is: a flood from so many networks is not held by this.
    fn make_room(&mut self, now: Instant) {
        self.forgiven.retain(|_, forgiven| *forgiven > now);
        if self.forgiven.len() > MOST_NETWORKS / 2 {
            self.forgiven.clear();
        }
    }
}

/// How long a network is an acquaintance after the last session that was one's.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Networks from which somebody has logged in. Strangers can make nothing of it grow.
#[derive(Debug, Default)]
pub struct Acquaintances {
    of: HashMap<Network, Acquaintance>,
}

#[derive(Debug)]
struct Acquaintance {
    sessions: usize,
    last_seen: Instant,
}

impl Acquaintances {
    /// Somebody has logged in from this address, and stays until [`Self::leave`].
    pub fn come(&mut self, address: IpAddr, now: Instant) {
        if self.of.len() >= MOST_NETWORKS {
            self.of.retain(|_, known| known.is_known(now));
        }
        let of_network = self.of.entry(Network::of(address));
        of_network.or_insert(Acquaintance { sessions: 0, last_seen: now }).sessions += 1;
    }

    /// One of them has gone.
    pub fn leave(&mut self, address: IpAddr, now: Instant) {
        if let Some(known) = self.of.get_mut(&Network::of(address)) {
            (known.sessions, known.last_seen) = (known.sessions.saturating_sub(1), now);
        }
    }

    /// Whether somebody has a session from there, or had one not long ago.
    pub fn know(&self, address: IpAddr, now: Instant) -> bool {
        self.of.get(&Network::of(address)).is_some_and(|known| known.is_known(now))
    }
}

impl Acquaintance {
    fn is_known(&self, now: Instant) -> bool {
        self.sessions > 0 || now.since(self.last_seen) < REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn at(millis: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(millis))
    }

    #[test]
    fn too_many_strikes_bar_an_address_and_no_other() {
        let mut strikes = Strikes::default();
        for _ in 0..MOST {
            assert!(!strikes.bar(CLIENT, at(0)));
            strikes.add(CLIENT, at(0));
        }
        assert_eq!((strikes.bar(CLIENT, at(0)), strikes.bar(OTHER, at(0))), (true, false));
    }

    #[test]
    fn a_barred_address_is_heard_once_in_a_while() {
        let mut strikes = Strikes::default();
        let mut heard = 0;
        // Ten seconds of 1000 connections each.
        for millis in 0..10_000 {
            if !strikes.bar(CLIENT, at(millis)) {
                heard += 1;
                strikes.add(CLIENT, at(millis));
            }
        }
        assert_eq!(heard, MOST + 9);
    }

    #[test]
    fn a_probe_every_few_seconds_is_never_barred() {
        let mut strikes = Strikes::default();
        for second in 0..10_000 {
            assert!(!strikes.bar(CLIENT, at(second * 1000)));
            strikes.add(CLIENT, at(second * 1000));
        }
    }

    #[test]
    fn a_host_with_many_addresses_is_one() {
        let mut strikes = Strikes::default();
        for host in 0..MOST {
            strikes.add(format!("2001:db8:1:2::{host:x}").parse().unwrap(), at(0));
        }
        assert!(strikes.bar("2001:db8:1:2:ffff::1".parse().unwrap(), at(0)));
        assert!(!strikes.bar("2001:db8:1:3::1".parse().unwrap(), at(0)));
    }

    #[test]
    fn an_ipv4_address_is_the_same_on_an_ipv6_socket() {
        let mut strikes = Strikes::default();
        for _ in 0..MOST {
            strikes.add("::ffff:192.0.2.1".parse().unwrap(), at(0));
        }
        assert!(strikes.bar(CLIENT, at(0)));
    }

    #[test]
    fn strikes_of_a_network_that_is_barred_bar_it_no_longer_than_the_first_ones() {
        let mut strikes = Strikes::default();
        (0..100_000).for_each(|_| strikes.add(CLIENT, at(0)));
        assert_eq!((strikes.bar(CLIENT, at(999)), strikes.bar(CLIENT, at(1000))), (true, false));
    }

    #[test]
    fn a_network_is_known_while_somebody_is_there_and_a_day_after() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let mut known = Acquaintances::default();
        assert!(!known.know(CLIENT, at(0)));
        known.leave(CLIENT, at(0));
        (0..2).for_each(|_| known.come(CLIENT, at(0)));
        known.leave(CLIENT, at(1000));
        assert!(known.know(CLIENT, at(9 * DAY)) && !known.know(OTHER, at(0)));
        known.leave(CLIENT, at(9 * DAY));
        assert_eq!([1, 0].map(|before| known.know(CLIENT, at(10 * DAY - before))), [true, false]);
    }

    #[test]
    fn those_that_are_forgotten_make_room() {
        let mut known = Acquaintances::default();
        for address in 0..100_000_u32 {
            let (address, now) = (Ipv4Addr::from_bits(address).into(), at(u64::from(address) * 86_400));
            known.come(address, now);
            known.leave(address, now);
            // A thousand of them come in a day.
            assert!(known.of.len() <= MOST_NETWORKS && known.know(address, now));
        }
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let mut strikes = Strikes::default();
        for address in 0..100_000_u32 {
            strikes.add(Ipv4Addr::from_bits(address).into(), at(u64::from(address) / 100));
            assert!(strikes.forgiven.len() <= MOST_NETWORKS);
        }
        // What is forgiven makes room; what is not stays.
        assert!(strikes.forgiven.len() >= 100);
    }
}
