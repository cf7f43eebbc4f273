//! Stateful mode, receiving: the tables go on from packet to packet (RFC 3078 §7.2, §8.2).

use super::chain::KeyChain;
use super::config::KeyLength;
use super::decryptor::{Death, Outcome};
use super::derive::StartKey;
use super::header::{Count, Header};
use super::plaintext::Verdict;
use super::rc4::Rc4;
use super::stateless::peek;

/// From here on a count is behind rather than ahead.
const BEHIND: u16 = 2048;
/// A flushed packet farther ahead must be certain.
const FAR: u16 = 256;
/// The same for a flag packet while a reset is waited for: a sender like ours goes on to the next one for each Reset-Request,
/// and some of these packets may be lost.
const FAR_IN_RESET: u16 = 1024;
/// Keys to try for a flushed packet: the present one, and one more for this and each lost flushed packet of a sender that
/// changes the key with each.
const KEYS: usize = 5;
/// Key changes until counts repeat, which is not noticed.
const CYCLE: usize = 16;
/// So many late packets in a row are not late.
const MOST_LATE: u8 = 4;

/// What a sender does to its key when it flushes after a Reset-Request.
///
/// RFC 3078 §8.2 re-initialises the tables "using the current session key". Linux (`ppp_mppe`, both ends) changes the key
/// before that, once for each flushed packet. Both kinds of peer exist; which one it is shows when a flushed packet decrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Flush {
    /// As the RFC says.
    KeepsKey,
    /// As Linux does.
    #[default]
    ChangesKey,
}

pub(super) struct Stateful {
    chain: KeyChain,
    /// The key of a sender that changes it by the count alone. Whatever was taken for a change of the key, a forged packet
    /// for one, leads back to it.
    by_count: KeyChain,
    tables: Rc4,
    /// The count of the packet before.
    last: Count,
    in_sync: bool,
    /// Late packets in a row.
    late: u8,
    flush: Flush,
}

impl Stateful {
    pub(super) fn new(start: &StartKey, length: KeyLength) -> Self {
        let chain = KeyChain::new(start, length);
        let tables = chain.session().cipher();
        Self {
            by_count: chain.clone(),
            chain,
            tables,
            last: Count::BEFORE_FIRST,
            in_sync: true,
            late: 0,
            flush: Flush::default(),
        }
    }

    pub(super) fn decrypt(&mut self, header: Header, body: &mut [u8]) -> Outcome {
        let ahead = header.count.since(self.last);
        if ahead == 0 || (ahead > BEHIND && !header.flushed) {
            return self.doubt();
        }
        if header.flushed {
            return self.decrypt_flushed(header.count, body);
        }
        self.in_sync = self.in_sync && ahead == 1;
        if !self.in_sync {
            return Outcome::OutOfSync;
        }
        self.decrypt_next(header.count, body)
    }

    /// A packet that is late, unless too many are: then the peer is far ahead.
    fn doubt(&mut self) -> Outcome {
        self.late = self.late.saturating_add(1);
        if self.late < MOST_LATE {
            return Outcome::Dropped(Death::Late);
        }
        self.in_sync = false;
        Outcome::OutOfSync
    }

    /// The packet that was expected. A garbled one changes nothing: if it was forged, the peer's is still to come, and if not,
    /// the next one will be one too many.
    fn decrypt_next(&mut self, count: Count, body: &mut [u8]) -> Outcome {
        let mut chain = self.chain.clone();
        let mut tables = self.tables.clone();
        if count.is_flag() {
            chain.change();
            tables = chain.session().cipher();
        }
        if peek(tables.clone(), body) == Verdict::Garbled {
            return Outcome::Dropped(Death::Garbled);
        }
        self.accept(count, chain, tables, body)
    }

    /// A packet with new tables ends the search, if a key can be found that makes sense of it.
    fn decrypt_flushed(&mut self, count: Count, body: &mut [u8]) -> Outcome {
        let Some(chain) = self.find(count, body) else {
            let late = count.since(self.last) > BEHIND;
            return Outcome::Dropped(if late { Death::Late } else { Death::Garbled });
        };
        let tables = chain.session().cipher();
        self.accept(count, chain, tables, body)
    }

    /// The key of a flushed packet: one with which it is certain, else the one that is expected, if the packet is near.
    fn find(&mut self, count: Count, body: &[u8]) -> Option<KeyChain> {
        let mut chain = self.chain.clone();
        change_by_count(&mut chain, self.last, count);
        let far = if count.is_flag() && !self.in_sync { FAR_IN_RESET } else { FAR };
        let near = count.since(self.last) <= far;
        let expected = if count.is_flag() { 0 } else { usize::from(self.expects_change()) };
        let mut found = None;
        for changes in 0..CYCLE + KEYS {
            match peek(chain.session().cipher(), body) {
                Verdict::Certain => {
                    self.learn(count, changes % CYCLE);
                    return Some(chain);
                }
                Verdict::Possible if near && changes == expected => found = Some(chain.clone()),
                Verdict::Possible | Verdict::Garbled => {}
            }
            chain.change();
        }
        self.certain_by_count(count, body).or(found)
    }

    fn certain_by_count(&self, count: Count, body: &[u8]) -> Option<KeyChain> {
        let mut chain = self.by_count.clone();
        change_by_count(&mut chain, self.last, count);
        (peek(chain.session().cipher(), body) == Verdict::Certain).then_some(chain)
    }

    /// Before the first packet everybody's key is the initial one.
    fn expects_change(&self) -> bool {
        self.flush == Flush::ChangesKey && self.last != Count::BEFORE_FIRST
    }

    fn learn(&mut self, count: Count, changes: usize) {
        if !count.is_flag() && self.last != Count::BEFORE_FIRST {
            self.flush = if changes == 0 { Flush::KeepsKey } else { Flush::ChangesKey };
        }
    }

    fn accept(&mut self, count: Count, chain: KeyChain, tables: Rc4, body: &mut [u8]) -> Outcome {
        change_by_count(&mut self.by_count, self.last, count);
        self.chain = chain;
        self.tables = tables;
        self.tables.apply(body);
        self.last = count;
        self.in_sync = true;
        self.late = 0;
        Outcome::Plain
    }
}

/// Changes the key of `last` as often as the counts on the way to `count`, and this one, say.
fn change_by_count(chain: &mut KeyChain, last: Count, count: Count) {
    let flags = flags_between(last, count) + u16::from(count.is_flag());
    (0..flags).for_each(|_| chain.change());
}

/// Flag packets after `last` and before `count`.
fn flags_between(last: Count, count: Count) -> u16 {
    let first = last.next();
    let steps = count.since(first);
    (first.low().saturating_add(steps)) >> 8
}
