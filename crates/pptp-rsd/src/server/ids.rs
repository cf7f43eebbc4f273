//! Call ids of our own, none of them in use twice on this server: RFC 2637 §3.2.2 wants that only of one tunnel, but pptp.ko
//! knows a call by our address and id alone, and two clients behind one address are one address to a GRE socket.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pptp_core::wire::CallId;

/// How many ids that became free are kept back, so that what is on the way for their calls reaches no other.
const RESTING: usize = 256;

/// Random draws before an id of another call is offered after all; whoever draws finds out when it claims it.
const DRAWS: usize = 64;

const WORDS: usize = 1 << 10;

/// The ids of all control connections; copies are the same.
#[derive(Clone)]
pub(super) struct CallIds(Arc<Mutex<Book>>);

struct Book {
    random: Box<dyn FnMut() -> u32 + Send>,
    /// A bit for each id that is in use or rests.
    taken: Box<[u64; WORDS]>,
    resting: VecDeque<CallId>,
}

impl CallIds {
    pub(super) fn new(random: Box<dyn FnMut() -> u32 + Send>) -> Self {
        Self(Arc::new(Mutex::new(Book { random, taken: Box::new([0; WORDS]), resting: VecDeque::new() })))
    }

    /// Where a control connection draws its ids.
    pub(super) fn source(&self) -> Box<dyn FnMut() -> u32 + Send> {
        let ids = self.clone();
        Box::new(move || ids.book().draw())
    }

    /// Takes an id that was drawn; whether it was free.
    pub(super) fn claim(&self, id: CallId) -> bool {
        let mut book = self.book();
        let free = !book.is_taken(id);
        book.mark(id, true);
        free
    }

    /// Gives an id back that was claimed.
    pub(super) fn release(&self, id: CallId) {
        let mut book = self.book();
        book.resting.push_back(id);
        if book.resting.len() <= RESTING {
            return;
        }
        if let Some(rested) = book.resting.pop_front() {
            book.mark(rested, false);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn draw(&mut self) -> u32 {
        let mut drawn = 0;
        for _ in 0..DRAWS {
            drawn = (self.random)();
            let [.., high, low] = drawn.to_be_bytes();
            if !self.is_taken(CallId(u16::from_be_bytes([high, low]))) {
                break;
            }
        }
        drawn
    }

    fn is_taken(&self, id: CallId) -> bool {
        let (word, bit) = place(id);
        self.taken.get(word).is_some_and(|word| word & bit != 0)
    }

    fn mark(&mut self, id: CallId, taken: bool) {
        let (word, bit) = place(id);
        let Some(word) = self.taken.get_mut(word) else { return };
        if taken { *word |= bit } else { *word &= !bit }
    }
}

fn place(id: CallId) -> (usize, u64) {
    (usize::from(id.0 >> 6), 1 << (id.0 & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> CallIds {
        let mut next = 0;
        CallIds::new(Box::new(move || {
            next += 1;
            next % 8
        }))
    }

    #[test]
    fn what_one_connection_has_is_not_offered_to_another() {
        let ids = counting();
        let (mut one, mut other) = (ids.source(), ids.source());
        assert_eq!(one(), 1);
        assert!(ids.claim(CallId(1)) && ids.claim(CallId(3)));
        assert_eq!([other(), other(), one()], [2, 4, 5]);
    }

    #[test]
    fn an_id_rests_before_it_is_given_again() {
        let ids = counting();
        assert!(ids.claim(CallId(7)));
        ids.release(CallId(7));
        assert!(!ids.claim(CallId(7)));
        for other in 0..RESTING {
            ids.release(CallId(u16::try_from(other + 100).unwrap()));
        }
        assert!(ids.claim(CallId(7)));
    }

    #[test]
    fn a_claim_tells_of_an_id_that_is_in_use() {
        let ids = counting();
        assert!(ids.claim(CallId(u16::MAX)));
        assert!(!ids.claim(CallId(u16::MAX)));
    }
}
