//! Datagrams to packets.

use core::fmt;

use super::config::{Config, Mode};
use super::counters::Counters;
use super::derive::StartKey;
use super::header::{HEADER_LENGTH, Header};
use super::stateful::{Flush, Stateful};
use super::stateless::Stateless;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is in clear: protocol (1 or 2 bytes) and information, from [`HEADER_LENGTH`] on.
    Plain,
    /// Stateful mode: a packet was lost, and this one cannot be decrypted before the peer has reset. It is as it was. To be
    /// handed to pppd, so that its CCP sends a Reset-Request.
    OutOfSync,
    /// Nothing; what is in the buffer means nothing.
    Dropped(Death),
}

/// The ways in which a packet can die. Each has its counter in [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Death {
    /// Shorter than a header and a protocol.
    Malformed,
    /// Bit D is clear: the sender says that it is not encrypted.
    NotEncrypted,
    /// Stateless mode, but bit A is clear.
    NotFlushed,
    /// Its key is no longer kept.
    Late,
    /// Its key was used before.
    Replayed,
    /// Too far ahead, and the contents do not confirm it.
    Implausible,
    /// What came out is no packet that is ever encrypted.
    Garbled,
}

/// Where a decryptor gives up: as much as in Linux.
const HOPELESS: u32 = 1600;

/// Decrypts what is received on a link.
///
/// **Loss and order.** In stateless mode every packet decrypts on its own: keys of packets that have not come yet are kept
/// for 256 counts behind the newest packet, a key decrypts one packet. In stateful mode the order must be right; a gap needs
/// a reset.
///
/// **Forged packets.** MPPE has no checksum. The count is believed as far as 256 packets ahead of the newest packet which was
/// certainly right (an IP packet that has the length it says, or one of a series without noise), and keys on the way are kept:
/// so a forged packet takes the place of at most one other, and the keys that it makes necessary were needed anyway. Whoever
/// is farther away must be certain, and only then the counts are followed; trying it costs key changes (SHA-1 and RC4), which
/// come from an allowance: 16384 at first and at most, 4 more with each packet. What decrypts to no packet that is ever encrypted is
/// dropped and leaves everything as it was. As the count has 12 bits, several multiples of 4096 are tried, so that long
/// failures are survived.
pub struct Decryptor {
    state: State,
    counters: Counters,
    /// How bad it was lately.
    score: u32,
}

enum State {
    Stateless(Stateless),
    Stateful(Box<Stateful>),
}

impl Decryptor {
    /// From the key that pppd passes (transmit 0).
    pub fn new(config: Config, key: &StartKey) -> Self {
        let state = match config.mode {
            Mode::Stateless => State::Stateless(Stateless::new(key, config.key_length)),
            Mode::Stateful => State::Stateful(Box::new(Stateful::new(key, config.key_length))),
        };
        Self { state, counters: Counters::default(), score: 0 }
    }

    /// Decrypts packets in place, in the order in which they came: MPPE header and what follows, without the protocol 0x00fd.
    /// `outcomes` is emptied and gets one for each.
    pub fn decrypt_batch<'a>(&mut self, packets: impl IntoIterator<Item = &'a mut [u8]>, outcomes: &mut Vec<Outcome>) {
        outcomes.clear();
        for packet in packets {
            let outcome = self.decrypt(packet);
            self.count(outcome);
            outcomes.push(outcome);
        }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Too many bad packets and hardly a good one between: the keys do not fit, or somebody interferes. Linux closes the link
    /// then.
    pub const fn is_hopeless(&self) -> bool {
        self.score >= HOPELESS
    }

    /// What the peer does when it flushes, as far as it was seen, for [`Encryptor::set_flush`](super::Encryptor::set_flush).
    pub fn flush(&self) -> Flush {
        match &self.state {
            State::Stateless(_) => Flush::default(),
            State::Stateful(stateful) => stateful.flush(),
        }
    }

    fn decrypt(&mut self, packet: &mut [u8]) -> Outcome {
        let Some((header, body)) = packet.split_first_chunk_mut::<HEADER_LENGTH>() else {
            return Outcome::Dropped(Death::Malformed);
        };
        let header = Header::parse(*header);
        if body.is_empty() {
            return Outcome::Dropped(Death::Malformed);
        }
        if !header.encrypted {
            return Outcome::Dropped(Death::NotEncrypted);
        }
        match &mut self.state {
            State::Stateless(_) if !header.flushed => Outcome::Dropped(Death::NotFlushed),
            State::Stateless(stateless) => stateless.decrypt(header.count, body),
            State::Stateful(stateful) => stateful.decrypt(header, body),
        }
    }

    fn count(&mut self, outcome: Outcome) {
        let counters = &mut self.counters;
        counters.received += 1;
        let (counter, score) = match outcome {
            Outcome::Plain => {
                self.score >>= 1;
                (&mut counters.decrypted, 0)
            }
            Outcome::OutOfSync => (&mut counters.out_of_sync, 0),
            Outcome::Dropped(Death::Malformed) => (&mut counters.malformed, 0),
            Outcome::Dropped(Death::NotEncrypted) => (&mut counters.not_encrypted, 100),
            Outcome::Dropped(Death::NotFlushed) => (&mut counters.not_flushed, 100),
            Outcome::Dropped(Death::Late) => (&mut counters.late, 1),
            Outcome::Dropped(Death::Replayed) => (&mut counters.replayed, 1),
            Outcome::Dropped(Death::Implausible) => (&mut counters.implausible, 1),
            Outcome::Dropped(Death::Garbled) => (&mut counters.garbled, 5),
        };
        *counter += 1;
        self.score = self.score.saturating_add(score);
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryptor").field("counters", &self.counters).finish_non_exhaustive()
    }
}
