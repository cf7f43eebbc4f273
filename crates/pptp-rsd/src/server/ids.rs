//! Call ids of our own, none of them in use twice on this server: RFC 2637 §3.2.2 wants that only of one tunnel, but pptp.ko
//! knows a call by our address and id alone, and two clients behind one address are one address to a GRE socket. They are
//! spread over the engines by their lowest bits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pptp_core::wire::CallId;

use super::engines::mask;

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
    /// How many calls each engine has.
    loads: Vec<usize>,
    /// Whose turn it is among those with equally many: ids are drawn before they are claimed.
    turn: usize,
}

impl CallIds {
    /// For so many engines.
    pub(super) fn new(random: Box<dyn FnMut() -> u32 + Send>, engines: usize) -> Self {
        let (taken, resting, loads) = (Box::new([0; WORDS]), VecDeque::new(), vec![0; engines.max(1)]);
        Self(Arc::new(Mutex::new(Book { random, taken, resting, loads, turn: 0 })))
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
        if free {
            book.mark(id, true);
            book.load(id, |load| load + 1);
        }
        free
    }

    /// Gives an id back that was claimed.
    pub(super) fn release(&self, id: CallId) {
        let mut book = self.book();
        book.load(id, |load| load.saturating_sub(1));
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
    /// An id of the engine with the fewest calls.
    fn draw(&mut self) -> u32 {
        let mask = u32::from(mask(self.loads.len()));
        let engine = self.next_engine();
        let mut drawn = 0;
        for _ in 0..DRAWS {
            drawn = (self.random)() & !mask | engine;
            let [.., high, low] = drawn.to_be_bytes();
            if !self.is_taken(CallId(u16::from_be_bytes([high, low]))) {
                break;
            }
        }
        drawn
    }

    fn next_engine(&mut self) -> u32 {
        let engines = (0_u32..).zip(&self.loads).cycle().skip(self.turn).take(self.loads.len());
        let next = engines.min_by_key(|(_, load)| **load).map_or(0, |(engine, _)| engine);
        self.turn = (self.turn + 1) % self.loads.len();
        next
    }

    fn load(&mut self, id: CallId, change: impl FnOnce(usize) -> usize) {
        let engine = usize::from(id.0 & mask(self.loads.len()));
        if let Some(load) = self.loads.get_mut(engine) {
            *load = change(*load);
        }
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

    fn counting_for(engines: usize) -> CallIds {
        let mut next = 0;
        let random = move || {
            next += 1;
            next % 8
        };
        CallIds::new(Box::new(random), engines)
    }

    #[test]
    fn ids_that_are_drawn_together_are_of_all_engines() {
        let mut draw = counting_for(2).source();
        assert_eq!([draw(), draw(), draw(), draw()].map(|id| id & 1), [0, 1, 0, 1]);
    }

    fn counting() -> CallIds {
        counting_for(1)
    }

    #[test]
    fn an_id_is_of_the_engine_with_the_fewest_calls() {
        let ids = counting_for(3);
        let mut draw = ids.source();
        // Of 1, 2, 3, 4, 5, 6, 7 with the last two bits of an engine.
        assert_eq!((draw(), ids.claim(CallId(0))), (0, true));
        assert_eq!((draw(), ids.claim(CallId(1))), (1, true));
        assert_eq!((draw(), ids.claim(CallId(2))), (2, true));
        assert_eq!((draw(), ids.claim(CallId(4))), (4, true));
        assert_eq!((draw(), ids.claim(CallId(5))), (5, true));
        ids.release(CallId(2));
        assert_eq!(draw(), 6);
        ids.release(CallId(0));
        assert_eq!(draw() & 3, 2);
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
