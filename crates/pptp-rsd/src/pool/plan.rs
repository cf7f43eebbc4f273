//! From the lists of pptpd.conf to pairs, by pptpd's rules.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use super::Pair;
use crate::config::{AddressRange, Config};

/// What an operator should know about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// This remote address is in the list twice. A pool has it once.
    Duplicate(Ipv4Addr),
    /// There are more remote addresses than calls.
    RemotesLeftOut,
    /// There are more local addresses than calls.
    LocalsLeftOut,
    /// There are fewer remote addresses than calls, which are so many then.
    TooFewRemotes,
    /// There are fewer local addresses than remote ones, and more than one; calls are so many then.
    TooFewLocals,
    /// An address is on both sides; the first of them.
    LocalIsRemote(Ipv4Addr),
}

/// Pairs of addresses, each with a remote address of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pairs: Vec<Pair>,
    remarks: Vec<Remark>,
}

impl Plan {
    /// The pairs of this configuration; none if pppd chooses addresses.
    pub fn of(config: &Config) -> Self {
        if config.delegate { Self::default() } else { Self::new(&config.local, &config.remote, config.most_calls()) }
    }

    /// At most `most` pairs: each remote address with the local address at the same place, or with the only one.
    pub fn new(local: &[AddressRange], remote: &[AddressRange], most: usize) -> Self {
        let mut plan = Self::default();
        let remotes = plan.remotes(remote, most);
        let locals = plan.locals(local, remotes.len());
        plan.pairs = locals.into_iter().zip(remotes).map(|(local, remote)| Pair { local, remote }).collect();
        plan.compare_sides();
        plan
    }

    fn remotes(&mut self, ranges: &[AddressRange], most: usize) -> Vec<Ipv4Addr> {
        let mut seen = HashSet::new();
        let mut all = ranges.iter().flat_map(|range| range.addresses());
        let mut remotes = Vec::new();
        for address in all.by_ref().take(most) {
            if seen.insert(address) {
                remotes.push(address);
            } else {
                self.remarks.push(Remark::Duplicate(address));
            }
        }
        if all.next().is_some() {
            self.remarks.push(Remark::RemotesLeftOut);
        } else if remotes.len() < most {
            self.remarks.push(Remark::TooFewRemotes);
        }
        remotes
    }

    /// A local address for each of `count` remote ones, or fewer.
    fn locals(&mut self, ranges: &[AddressRange], count: usize) -> Vec<Ipv4Addr> {
        let mut all = ranges.iter().flat_map(|range| range.addresses());
        let locals: Vec<_> = all.by_ref().take(count).collect();
        if all.next().is_some() {
            self.remarks.push(Remark::LocalsLeftOut);
            return locals;
        }
        if let [only] = locals.as_slice() {
            return vec![*only; count];
        }
        if locals.len() < count {
            self.remarks.push(Remark::TooFewLocals);
        }
        locals
    }

    fn compare_sides(&mut self) {
        let locals: HashSet<_> = self.pairs.iter().map(|pair| pair.local).collect();
        let both = self.pairs.iter().map(|pair| pair.remote).find(|remote| locals.contains(remote));
        self.remarks.extend(both.map(Remark::LocalIsRemote));
    }

    /// What an operator should know.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(super) fn into_pairs(self) -> Vec<Pair> {
        self.pairs
    }
}
