//! The receiving half of a session: which numbers are taken, and in which order their frames come out.

use crate::time::Instant;

use super::ack::Acknowledger;
use super::config::Config;
use super::counters::Counters;
use super::reorder::{Place, ReorderQueue};
use super::seq::SeqNum;

/// A number this far ahead of the expected one is only believed when another packet confirms it. GRE protects nothing with
/// a checksum, and one wrong number that is believed makes all the right ones stale.
const PLAUSIBLE_JUMP: u32 = 8192;

/// A confirming number is at most this far after the one that it confirms.
const CONFIRMING_DISTANCE: u32 = 64;

/// Numbers, the queue, and acknowledgements.
#[derive(Debug)]
pub(super) struct Receiver<B> {
    pub(super) queue: ReorderQueue<B>,
    pub(super) acks: Acknowledger,
    /// An implausible number that waits to be confirmed.
    suspect: Option<SeqNum>,
    has_begun: bool,
}

impl<B> Receiver<B> {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            queue: ReorderQueue::new(config.reordering, config.first_sequence),
            acks: Acknowledger::new(config),
            suspect: None,
            has_begun: false,
        }
    }

    /// Decides about a number, and notes that it has to be acknowledged if it is taken. Until the first one was, none is
    /// stale: a peer may begin anywhere, if it confirms that.
    pub(super) fn admit(&mut self, sequence: SeqNum, now: Instant, counters: &mut Counters) -> bool {
        match self.queue.place(sequence) {
            Place::Stale if self.has_begun => counters.stale += 1,
            Place::Duplicate => counters.duplicate += 1,
            _ if !self.is_plausible(sequence) => counters.implausible += 1,
            _ => {
                self.has_begun = true;
                self.acks.note(sequence, now);
                return true;
            }
        }
        false
    }

    fn is_plausible(&mut self, sequence: SeqNum) -> bool {
        if sequence.distance_from(self.queue.next()) < PLAUSIBLE_JUMP {
            self.suspect = None;
            return true;
        }
        let suspect = self.suspect.replace(sequence);
        if !suspect.is_some_and(|suspect| confirms(sequence, suspect)) {
            return false;
        }
        self.suspect = None;
        if !self.has_begun {
            self.queue.begin_with(sequence);
        }
        true
    }
}

fn confirms(sequence: SeqNum, suspect: SeqNum) -> bool {
    sequence.is_after(suspect) && sequence.distance_from(suspect) <= CONFIRMING_DISTANCE
}
