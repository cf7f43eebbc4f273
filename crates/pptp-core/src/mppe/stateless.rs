//! Stateless mode, receiving: a key for each packet (RFC 3078 §7.1, §8.1).

use super::chain::{KeyChain, SessionKey};
use super::config::KeyLength;
use super::decryptor::{Death, Outcome};
use super::derive::StartKey;
use super::header::Count;
use super::lanes::{Lane, Lanes};
use super::plaintext::{EVIDENCE, Verdict};
use super::rc4::Rc4;

/// How far behind the anchor keys are kept, in counts.
const BEHIND: u16 = 256;
/// How far ahead of the anchor a count is believed. One more key may be there already.
const AHEAD: u16 = 255;
/// Keys that are kept: those behind the anchor and those ahead.
const SLOTS: usize = 512;
/// Counts before they repeat.
const CYCLE: u16 = 4096;
/// From here on a count is rather late than early.
const LATE: u16 = CYCLE / 2;
/// Key changes that looking far ahead may cost, and what each packet adds.
const ALLOWANCE: u32 = 8192;
const ALLOWANCE_PER_PACKET: u32 = 4;
/// After so many packets of a possible protocol in a row, each is believed. Noise gets there once in 10^11 times.
const CONFIDENT: u8 = 32;

/// The key of one packet.
#[derive(Clone, Default)]
struct Slot {
    count: Option<Count>,
    /// `None` when it was used.
    key: Option<SessionKey>,
}

pub(super) struct Stateless {
    /// The newest key that was made, which is that of `head`.
    chain: KeyChain,
    /// At most [`AHEAD`] + 1 ahead of the anchor.
    head: Count,
    slots: Box<[Slot; SLOTS]>,
    /// The newest packet that was certainly right.
    anchor: Count,
    /// Packets in a row that were possible, neither garbled nor certain.
    confidence: u8,
    allowance: u32,
    lanes: Box<Lanes>,
}

impl Stateless {
    pub(super) fn new(start: &StartKey, length: KeyLength) -> Self {
        Self {
            chain: KeyChain::new(start, length),
            head: Count::BEFORE_FIRST,
            slots: Box::new([const { Slot { count: None, key: None } }; SLOTS]),
            anchor: Count::BEFORE_FIRST,
            confidence: 0,
            allowance: ALLOWANCE,
            lanes: Lanes::new(),
        }
    }

    /// Decides about a packet, without decrypting it: whether there is a key for it. Makes the key if it is to be made.
    pub(super) fn admit(&mut self, count: Count, body: &[u8]) -> Result<(), Death> {
        self.allowance = self.allowance.saturating_add(ALLOWANCE_PER_PACKET).min(ALLOWANCE);
        let ahead = count.since(self.anchor);
        if self.is_ahead(count) {
            self.derive_to(count);
        } else if (AHEAD + 1..=CYCLE - BEHIND).contains(&ahead) && !self.follow(count, body) {
            return Err(if ahead > LATE { Death::Late } else { Death::Implausible });
        }
        let slot = self.slot(count);
        if slot.count != Some(count) {
            return Err(Death::Late);
        }
        slot.key.as_ref().map(|_| ()).ok_or(Death::Replayed)
    }

    /// Whether nothing that can be learned from the packet `waiting`, which was admitted, changes what [`Self::admit`] says of
    /// this one.
    pub(super) fn is_independent(&self, waiting: Count, count: Count) -> bool {
        count != waiting && self.is_ahead(count)
    }

    /// Makes the tables of a packet that was admitted. If it is the newest, also the key of the next, which will soon be
    /// wanted.
    pub(super) fn begin(&mut self, lane: Lane, count: Count) {
        let key = self.slot(count).key.clone().unwrap_or_default();
        if count == self.head {
            self.lanes.schedule_and_change(lane, &key, &mut self.chain);
            self.keep();
        } else {
            self.lanes.schedule(lane, &key);
        }
    }

    /// Decrypts the packet that was begun in the first lane.
    pub(super) fn decrypt(&mut self, count: Count, body: &mut [u8]) -> Outcome {
        self.lanes.apply_one(body);
        self.judge(count, body)
    }

    /// Decrypts the packets that were begun in both lanes.
    pub(super) fn decrypt_both(&mut self, first: (Count, &mut [u8]), second: (Count, &mut [u8])) -> [Outcome; 2] {
        self.lanes.apply_both(first.1, second.1);
        [self.judge(first.0, first.1), self.judge(second.0, second.1)]
    }

    fn is_ahead(&self, count: Count) -> bool {
        (1..=AHEAD).contains(&count.since(self.anchor))
    }

    /// Uses up the key, if it was the right one.
    fn judge(&mut self, count: Count, body: &[u8]) -> Outcome {
        let verdict = Verdict::of(body.get(..EVIDENCE).unwrap_or(body), body.len());
        self.confidence = match verdict {
            Verdict::Possible => self.confidence.saturating_add(1),
            Verdict::Garbled | Verdict::Certain => 0,
        };
        if verdict == Verdict::Garbled {
            return Outcome::Dropped(Death::Garbled);
        }
        self.slot(count).key = None;
        if verdict == Verdict::Certain || self.confidence >= CONFIDENT {
            self.anchor_at(count);
        }
        Outcome::Plain
    }

    /// Moves the anchor forward, never back.
    fn anchor_at(&mut self, count: Count) {
        if self.is_ahead(count) {
            self.anchor = count;
        }
    }

    /// Makes the keys up to this count, unless they are there.
    fn derive_to(&mut self, count: Count) {
        let missing = count.since(self.head);
        if missing <= AHEAD {
            (0..missing).for_each(|_| self.derive());
        }
    }

    /// Makes the next key.
    fn derive(&mut self) {
        self.lanes.change(&mut self.chain);
        self.keep();
    }

    /// Keeps the key that was made.
    fn keep(&mut self) {
        self.head = self.head.next();
        let (head, key) = (self.head, self.chain.session().clone());
        *self.slot(head) = Slot { count: Some(head), key: Some(key) };
    }

    /// Follows a count that is far away, if the packet is certain. The nearest of the packets with this count comes first.
    fn follow(&mut self, count: Count, body: &[u8]) -> bool {
        let mut chain = self.chain.clone();
        let mut changes = 0;
        let mut more = count.since(self.head);
        while let Some(rest) = self.allowance.checked_sub(u32::from(more)) {
            self.allowance = rest;
            (0..more).for_each(|_| self.lanes.change(&mut chain));
            changes += u32::from(more);
            if peek(chain.session().cipher(), body) == Verdict::Certain {
                (0..changes).for_each(|_| self.derive());
                self.anchor = count;
                return true;
            }
            more = CYCLE;
        }
        false
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder is a valid index")]
    fn slot(&mut self, count: Count) -> &mut Slot {
        &mut self.slots[count.index() % SLOTS]
    }
}

/// Judges a packet without decrypting it.
pub(super) fn peek(mut tables: Rc4, body: &[u8]) -> Verdict {
    let mut start = [0; EVIDENCE];
    start.iter_mut().zip(body).for_each(|(to, from)| *to = *from);
    tables.apply(&mut start);
    Verdict::of(start.get(..body.len()).unwrap_or(&start), body.len())
}
