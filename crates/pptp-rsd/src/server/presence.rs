//! Which control connections there are, and which of them has to go when there are too many.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::session::ClientId;
use crate::limits::Network;

/// Connections by the network that they are from, those that have started apart.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// In the order in which they came.
    starting: HashMap<Network, BTreeSet<ClientId>>,
    starting_count: usize,
    started: HashMap<Network, usize>,
    started_count: usize,
    /// Those that have started and have no call, in the order in which they came to have none.
    idle: HashMap<Network, BTreeMap<u64, ClientId>>,
    idle_since: HashMap<ClientId, u64>,
    clock: u64,
}

impl Presence {
    pub(super) fn begin(&mut self, client: ClientId, address: IpAddr) {
        self.starting.entry(Network::of(address)).or_default().insert(client);
        self.starting_count += 1;
    }

    /// It has started: its first message was a good one.
    pub(super) fn start(&mut self, client: ClientId, address: IpAddr) {
        self.leave_start(client, address);
        *self.started.entry(Network::of(address)).or_default() += 1;
        self.started_count += 1;
        self.set_idle(client, address, true);
    }

    /// It has gone.
    pub(super) fn end(&mut self, client: ClientId, address: IpAddr) {
        if self.leave_start(client, address) {
            return;
        }
        self.set_idle(client, address, false);
        let network = Network::of(address);
        if let Some(count) = self.started.get_mut(&network) {
            *count = count.saturating_sub(1);
            self.started_count = self.started_count.saturating_sub(1);
            if *count == 0 {
                self.started.remove(&network);
            }
        }
    }

    fn leave_start(&mut self, client: ClientId, address: IpAddr) -> bool {
        let network = Network::of(address);
        let Some(starting) = self.starting.get_mut(&network) else { return false };
        let was = starting.remove(&client);
        if starting.is_empty() {
            self.starting.remove(&network);
        }
        self.starting_count -= usize::from(was);
        was
    }

    /// Whether it has no call; of one that has started.
    pub(super) fn set_idle(&mut self, client: ClientId, address: IpAddr, idle: bool) {
        if idle == self.idle_since.contains_key(&client) {
            return;
        }
        let of_network = self.idle.entry(Network::of(address)).or_default();
        if idle {
            self.clock += 1;
            self.idle_since.insert(client, self.clock);
            of_network.insert(self.clock, client);
        } else if let Some(since) = self.idle_since.remove(&client) {
            of_network.remove(&since);
            if of_network.is_empty() {
                self.idle.remove(&Network::of(address));
            }
        }
    }

    pub(super) fn starting(&self) -> usize {
        self.starting_count
    }

    pub(super) fn started(&self) -> usize {
        self.started_count
    }

    pub(super) fn started_from(&self, address: IpAddr) -> usize {
        self.started.get(&Network::of(address)).copied().unwrap_or(0)
    }

    /// Of the connections from this network that are starting, the oldest, if there are more than so many.
    pub(super) fn oldest_beyond(&self, most: usize, address: IpAddr) -> Option<ClientId> {
        let starting = self.starting.get(&Network::of(address)).filter(|starting| starting.len() > most)?;
        starting.first().copied()
    }

    /// Of the address that most of the starting connections are from, the oldest: a flood from one address costs nobody else.
    pub(super) fn least_welcome(&self) -> Option<ClientId> {
        self.starting.values().max_by_key(|clients| clients.len())?.first().copied()
    }

    /// Of the network that has most connections without a call, the one that has been so for the longest: who floods the
    /// server with them takes the place of nobody who has just come, and is about to ask for a call.
    pub(super) fn most_idle(&self) -> Option<ClientId> {
        let most = |clients: &&BTreeMap<u64, ClientId>| (clients.len(), clients.keys().next().copied().map(Reverse));
        self.idle.values().max_by_key(most)?.values().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_oldest_of_the_most_numerous_is_least_welcome() {
        let mut presence = Presence::default();
        for (client, last) in [(1, 1), (2, 2), (3, 2), (4, 3)] {
            presence.begin(ClientId(client), address(last));
        }
        assert_eq!(presence.least_welcome(), Some(ClientId(2)));
        presence.start(ClientId(2), address(2));
        presence.begin(ClientId(5), address(3));
        assert_eq!(presence.least_welcome(), Some(ClientId(4)));
        assert_eq!((presence.starting(), presence.started()), (4, 1));
    }

    #[test]
    fn whoever_goes_is_forgotten() {
        let mut presence = Presence::default();
        for client in 1..=3 {
            presence.begin(ClientId(client), address(1));
        }
        presence.start(ClientId(1), address(1));
        presence.start(ClientId(2), address(1));
        presence.end(ClientId(1), address(1));
        assert_eq!(presence.started_from(address(1)), 1);
        presence.end(ClientId(2), address(1));
        presence.end(ClientId(3), address(1));
        assert!(presence.starting.is_empty() && presence.started.is_empty() && presence.idle.is_empty());
        assert_eq!((presence.starting(), presence.started(), presence.most_idle()), (0, 0, None));
    }

    #[test]
    fn who_has_most_idle_connections_makes_room() {
        let mut presence = Presence::default();
        // One that has just come, among those of a flood from two addresses.
        for (client, last) in [(1, 1), (2, 2), (3, 9), (4, 1), (5, 2), (6, 2)] {
            presence.begin(ClientId(client), address(last));
            presence.start(ClientId(client), address(last));
        }
        for flood in [2, 1, 5] {
            assert_eq!(presence.most_idle(), Some(ClientId(flood)));
            presence.end(ClientId(flood), address(if flood == 1 { 1 } else { 2 }));
        }
        // One each: who waits longest.
        assert_eq!(presence.most_idle(), Some(ClientId(3)));
    }

    #[test]
    fn a_host_with_many_ipv6_addresses_is_one() {
        let mut presence = Presence::default();
        for (client, host) in [(1, "2001:db8::1"), (2, "2001:db8:1::1"), (3, "2001:db8:1::2")] {
            presence.begin(ClientId(client), host.parse().unwrap());
        }
        assert_eq!(presence.least_welcome(), Some(ClientId(2)));
        presence.start(ClientId(2), "2001:db8:1::1".parse().unwrap());
        assert_eq!(presence.started_from("2001:db8:1::ffff".parse().unwrap()), 1);
    }

    #[test]
    fn the_most_idle_is_who_has_had_no_call_for_the_longest() {
        let mut presence = Presence::default();
        for client in 1..=3 {
            presence.begin(ClientId(client), address(1));
            presence.start(ClientId(client), address(1));
        }
        presence.set_idle(ClientId(1), address(1), false);
        assert_eq!(presence.most_idle(), Some(ClientId(2)));
        presence.set_idle(ClientId(1), address(1), true);
        presence.set_idle(ClientId(2), address(1), false);
        assert_eq!(presence.most_idle(), Some(ClientId(3)));
    }
}
