//! Call ids of our own: unique in the tunnel (RFC 2637 §3.2.2), random, not 0, and not given again at once.
//!
//! Random, so that a connection to a server that still holds calls of the one before does not meet their ids; not at
//! once, so that what is on the way for a call that ended does not reach the next one. Not 0, because peers
//! write 0 where they mean no call.

use std::collections::{BTreeSet, VecDeque};

use crate::wire::CallId;

/// How many ids that became free are kept back.
const RESTING: usize = 256;
/// Random draws before the next free id is searched for from where the last draw fell.
const DRAWS: usize = 32;

/// The ids of one tunnel.
pub(super) struct CallIds {
    random: Box<dyn FnMut() -> u32 + Send>,
    taken: BTreeSet<u16>,
    resting: VecDeque<u16>,
}

impl CallIds {
    pub(super) fn new(random: Box<dyn FnMut() -> u32 + Send>) -> Self {
        Self { random, taken: BTreeSet::new(), resting: VecDeque::new() }
    }

    /// Takes a free id, one that `avoid` does not name if there is one; `None` when all are taken.
    pub(super) fn take(&mut self, avoid: impl Fn(u16) -> bool) -> Option<CallId> {
        let id = self.draw(&avoid).or_else(|| self.search(&avoid)).or_else(|| self.longest_rested())?;
        self.taken.insert(id);
        self.resting.retain(|&resting| resting != id);
        Some(CallId(id))
    }

    /// Whether the id was taken and not given back.
    pub(super) fn is_taken(&self, id: CallId) -> bool {
        self.taken.contains(&id.0)
    }

    /// Gives an id back, to rest.
    pub(super) fn give_back(&mut self, id: CallId) {
        if !self.taken.remove(&id.0) {
            return;
        }
        if self.resting.len() >= RESTING {
            self.resting.pop_front();
        }
        self.resting.push_back(id.0);
    }

    fn draw(&mut self, avoid: &impl Fn(u16) -> bool) -> Option<u16> {
        for _ in 0..DRAWS {
            let id = low_half((self.random)());
            if self.is_free(id) && !avoid(id) {
                return Some(id);
            }
        }
        None
    }

    /// The first good id from a random place on, round the end.
    fn search(&mut self, avoid: &impl Fn(u16) -> bool) -> Option<u16> {
        let start = low_half((self.random)());
        (0..=u16::MAX).map(|step| start.wrapping_add(step)).find(|&id| self.is_free(id) && !avoid(id))
    }

    /// Only ids that rest, or that are to be avoided, are left.
    fn longest_rested(&self) -> Option<u16> {
        self.resting.front().copied().or_else(|| (1..=u16::MAX).find(|id| !self.taken.contains(id)))
    }

    fn is_free(&self, id: u16) -> bool {
        id != 0 && !self.taken.contains(&id) && !self.resting.contains(&id)
    }
}

fn low_half(random: u32) -> u16 {
    let [_, _, high, low] = random.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_from(start: u32) -> CallIds {
        let mut next = start;
        CallIds::new(Box::new(move || {
            next = next.wrapping_add(1);
            next.wrapping_sub(1)
        }))
    }

    fn never(_: u16) -> bool {
        false
    }

    #[test]
    fn zero_is_never_given() {
        let mut ids = counting_from(0x1_0000);
        assert_eq!(ids.take(never), Some(CallId(1)));
    }

    #[test]
    fn an_id_given_back_rests_while_others_are_free() {
        let mut ids = CallIds::new(Box::new(|| 5));
        let first = ids.take(never).unwrap();
        assert_eq!(first, CallId(5));
        ids.give_back(first);
        for _ in 0..RESTING {
            let next = ids.take(never).unwrap();
            assert_ne!(next, first);
            ids.give_back(next);
        }
        assert_eq!(ids.take(never), Some(first), "it has rested long enough");
    }

    #[test]
    fn a_constant_random_source_still_gives_every_id_once() {
        let mut ids = CallIds::new(Box::new(|| 0xffff_fff0));
        let mut given: BTreeSet<u16> = BTreeSet::new();
        for _ in 0..300 {
            assert!(given.insert(ids.take(never).unwrap().0));
        }
        assert!(!given.contains(&0));
    }

    #[test]
    fn every_id_but_zero_can_be_taken_and_then_none() {
        let mut ids = counting_from(1);
        for _ in 0..u16::MAX {
            assert!(ids.take(never).is_some());
        }
        assert_eq!(ids.take(never), None);
        ids.give_back(CallId(77));
        assert_eq!(ids.take(never), Some(CallId(77)), "a resting id is better than none");
    }

    #[test]
    fn ids_to_avoid_are_given_only_when_nothing_else_is_left() {
        let mut ids = counting_from(9);
        assert_eq!(ids.take(|id| id < 100), Some(CallId(100)));
        assert_eq!(counting_from(1).take(|_| true), Some(CallId(1)));
    }

    #[test]
    fn giving_back_an_id_that_is_not_taken_changes_nothing() {
        let mut ids = counting_from(9);
        ids.give_back(CallId(9));
        assert_eq!(ids.take(never), Some(CallId(9)));
    }
}
