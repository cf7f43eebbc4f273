//! Pairs of addresses for calls, given out as pptpd does: the first that is free.
//!
//! No remote address is in use twice, also not while calls live on that began before the pool was changed.

mod plan;

pub use plan::{Plan, Remark};

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;

/// A pair of addresses. Many calls may have the same local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// pppd's own.
    pub local: Ipv4Addr,
    /// The client's.
    pub remote: Ipv4Addr,
}

/// A pair that a call has until it is given back ([`Pool::give`]).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the addresses are lost to the pool if they are not given back"]
pub struct Lease(Pair);

impl Lease {
    /// The addresses.
    pub const fn pair(&self) -> Pair {
        self.0
    }
}

/// The pairs, and which are free. Taking and giving cost O(log n).
#[derive(Debug, Default)]
pub struct Pool {
    pairs: Vec<Pair>,
    /// Where in `pairs` a remote address is.
    slots: HashMap<Ipv4Addr, usize>,
    free: BTreeSet<usize>,
    /// Remote addresses of all leases, some of which may not be in `pairs`.
    leased: HashSet<Ipv4Addr>,
}

impl Pool {
    /// A pool of which everything is free.
    pub fn new(plan: Plan) -> Self {
        let mut pool = Self::default();
        pool.change(plan);
        pool
    }

    /// From now on these pairs are given out. Leases keep theirs, also if they are no longer among them.
    pub fn change(&mut self, plan: Plan) {
        self.pairs = plan.into_pairs();
        self.slots = self.pairs.iter().enumerate().map(|(slot, pair)| (pair.remote, slot)).collect();
        let is_free = |(_, pair): &(usize, &Pair)| !self.leased.contains(&pair.remote);
        self.free = self.pairs.iter().enumerate().filter(is_free).map(|(slot, _)| slot).collect();
    }

    /// The first pair that is free; `None` if there is none.
    pub fn take(&mut self) -> Option<Lease> {
        let pair = *self.pairs.get(self.free.pop_first()?)?;
        self.leased.insert(pair.remote);
        Some(Lease(pair))
    }

    /// Takes a pair back.
    pub fn give(&mut self, lease: Lease) {
        let remote = lease.0.remote;
        self.leased.remove(&remote);
        self.free.extend(self.slots.get(&remote));
    }

    /// How many pairs could be taken.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// How many are taken, those included that are not given out any longer.
    pub fn leased(&self) -> usize {
        self.leased.len()
    }
}

#[cfg(test)]
mod tests;
