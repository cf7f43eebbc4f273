//! Stateless mode, receiving: a key for each packet (RFC 3078 §7.1, §8.1).

use super::chain::{KeyChain, SessionKey};
use super::config::KeyLength;
use super::decryptor::{Death, Outcome};
use super::derive::StartKey;
use super::header::Count;
use super::plaintext::{EVIDENCE, Verdict};
use super::rc4::Rc4;

/// How far around the anchor keys are kept, in counts.
pub(super) const WINDOW: u16 = 256;
/// Slots: the window on both sides of the anchor.
const SLOTS: usize = 512;
/// Counts before they repeat.
const CYCLE: u16 = 4096;
/// From here on a count is behind rather than ahead.
const BEHIND: u16 = CYCLE / 2;
/// Key changes that looking far ahead may cost, and what each packet adds.
pub(super) const ALLOWANCE: u32 = 16384;
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
    /// At most [`WINDOW`] ahead of the anchor.
    head: Count,
    slots: Box<[Slot; SLOTS]>,
    /// The newest packet that was certainly right.
    anchor: Count,
    /// Packets of a possible protocol since the last garbled one.
    confidence: u8,
    allowance: u32,
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
        }
    }

    pub(super) fn decrypt(&mut self, count: Count, body: &mut [u8]) -> Outcome {
        self.allowance = self.allowance.saturating_add(ALLOWANCE_PER_PACKET).min(ALLOWANCE);
        let ahead = count.since(self.anchor);
        if (1..=WINDOW).contains(&ahead) {
            self.derive_to(count);
        } else if (WINDOW + 1..=CYCLE - WINDOW).contains(&ahead) && !self.follow(count, body) {
            return Outcome::Dropped(if ahead > BEHIND { Death::Late } else { Death::Implausible });
        }
        self.open(count, body)
    }

    /// Decrypts with a key that was made before.
    fn open(&mut self, count: Count, body: &mut [u8]) -> Outcome {
        let slot = self.slot(count);
        if slot.count != Some(count) {
            return Outcome::Dropped(Death::Late);
        }
        let Some(key) = &slot.key else {
            return Outcome::Dropped(Death::Replayed);
        };
        key.cipher().apply(body);
        self.judge(count, body)
    }

    /// Uses up the key, if it was the right one.
    fn judge(&mut self, count: Count, body: &[u8]) -> Outcome {
        let verdict = Verdict::of(body.get(..EVIDENCE).unwrap_or(body), body.len());
        if verdict == Verdict::Garbled {
            self.confidence = 0;
            return Outcome::Dropped(Death::Garbled);
        }
        self.slot(count).key = None;
        self.confidence = self.confidence.saturating_add(1);
        if verdict == Verdict::Certain || self.confidence >= CONFIDENT {
            self.anchor_at(count);
        }
        Outcome::Plain
    }

    /// Moves the anchor forward, never back.
    fn anchor_at(&mut self, count: Count) {
        if count.since(self.anchor) <= WINDOW {
            self.anchor = count;
        }
    }

    fn derive_to(&mut self, count: Count) {
        while (1..=2 * WINDOW).contains(&count.since(self.head)) {
            self.derive();
        }
    }

    /// Makes the next key.
    fn derive(&mut self) {
        self.chain.change();
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
            (0..more).for_each(|_| chain.change());
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
