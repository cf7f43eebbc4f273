//! Who is to be looked at when.

use std::collections::{BTreeMap, BTreeSet};

use pptp_core::time::Instant;

/// At most one deadline for each key.
#[derive(Debug)]
pub(super) struct Deadlines<K> {
    of: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { of: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Sets, moves or (with `None`) removes a deadline.
    pub(super) fn set(&mut self, key: K, deadline: Option<Instant>) {
        let before = match deadline {
            Some(deadline) => self.of.insert(key, deadline),
            None => self.of.remove(&key),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(deadline) = deadline {
            self.order.insert((deadline, key));
        }
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Removes and gives the one whose deadline passed first, if any has.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<K> {
        let (deadline, key) = *self.order.first()?;
        if deadline > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn they_expire_in_their_order_and_once() {
        let mut deadlines = Deadlines::default();
        for (key, seconds) in [('a', 3), ('b', 1), ('c', 2)] {
            deadlines.set(key, Some(at(seconds)));
        }
        assert_eq!((deadlines.next(), deadlines.pop_expired(at(0))), (Some(at(1)), None));
        assert_eq!([deadlines.pop_expired(at(2)), deadlines.pop_expired(at(2))], [Some('b'), Some('c')]);
        assert_eq!((deadlines.pop_expired(at(2)), deadlines.next()), (None, Some(at(3))));
    }

    #[test]
    fn one_that_is_moved_or_removed_is_not_where_it_was() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', Some(at(1)));
        deadlines.set('a', Some(at(5)));
        deadlines.set('b', Some(at(1)));
        deadlines.set('b', None);
        assert_eq!((deadlines.pop_expired(at(4)), deadlines.pop_expired(at(5))), (None, Some('a')));
        assert_eq!(deadlines.next(), None);
    }
}
