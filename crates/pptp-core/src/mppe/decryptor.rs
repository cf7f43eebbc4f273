//! Datagrams to packets.

use core::fmt;

use super::config::{Config, Mode};
use super::counters::Counters;
use super::derive::StartKey;
use super::header::{Count, HEADER_LENGTH, Header};
use super::lanes::Lane;
use super::stateful::Stateful;
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
/// **Loss and order.** In stateless mode every packet decrypts on its own: keys are kept for 255 counts behind the newest
/// packet, and a key decrypts one packet. In stateful mode the order must be right; a gap needs a reset, and until then a packet
/// where the key changes is believed as far as 1024 ahead.
///
/// **Forged packets.** MPPE has no checksum. A count is believed as far as 255 packets ahead of the newest packet that was
/// certainly right: an IP packet that has the length it says, or one of a series without noise. Keys on the way are kept, so
/// a forged packet takes the place of at most one other, and the keys that it makes necessary are needed anyway. What is
/// farther away is followed only if it is certain. To try this costs key changes (a digest and an RC4 schedule each), which come
/// from an allowance: 8192 at first and at most, 4 more with each packet. What decrypts to no packet that is ever encrypted
/// is dropped and leaves everything as it was; forged packets that look like one, 43 of 100, come out as packets.
///
/// **Long failures.** A count has 12 bits, so a cycle of 4096 more is tried as well. Who comes back just where he left, a cycle
/// later, is misunderstood for at most 512 packets.
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
        match &mut self.state {
            State::Stateless(stateless) => decrypt_stateless(stateless, packets.into_iter(), outcomes),
            State::Stateful(stateful) => outcomes.extend(packets.into_iter().map(|packet| match examine(packet) {
                Ok((header, body)) => stateful.decrypt(header, body),
                Err(death) => Outcome::Dropped(death),
            })),
        }
        for outcome in outcomes {
            self.count(*outcome);
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

/// What a packet must have in either mode.
fn examine(packet: &mut [u8]) -> Result<(Header, &mut [u8]), Death> {
    let (header, body) = packet.split_first_chunk_mut::<HEADER_LENGTH>().ok_or(Death::Malformed)?;
    let header = Header::parse(*header);
    if body.is_empty() {
        Err(Death::Malformed)
    } else if !header.encrypted {
        Err(Death::NotEncrypted)
    } else {
        Ok((header, body))
    }
}

/// A packet that was admitted and begun, and waits for another, so that both are decrypted at once.
struct Waiting<'a> {
    /// Where its outcome goes.
    index: usize,
    count: Count,
    body: &'a mut [u8],
}

/// The outcomes are as if the packets were decrypted one by one.
fn decrypt_stateless<'a>(
    stateless: &mut Stateless,
    packets: impl Iterator<Item = &'a mut [u8]>,
    outcomes: &mut Vec<Outcome>,
) {
    let mut waiting: Option<Waiting<'a>> = None;
    for packet in packets {
        let index = outcomes.len();
        outcomes.push(Outcome::Dropped(Death::NotFlushed));
        let (count, body) = match examine(packet) {
            Ok((header, body)) if header.flushed => (header.count, body),
            Ok(_) => continue,
            Err(death) => {
                put(outcomes, index, Outcome::Dropped(death));
                continue;
            }
        };
        if let Some(first) = waiting.take_if(|first| !stateless.is_independent(first.count, count)) {
            put(outcomes, first.index, stateless.decrypt(first.count, first.body));
        }
        if let Err(death) = stateless.admit(count, body) {
            put(outcomes, index, Outcome::Dropped(death));
            continue;
        }
        waiting = match waiting {
            None => {
                stateless.begin(Lane::First, count);
                Some(Waiting { index, count, body })
            }
            Some(first) => {
                stateless.begin(Lane::Second, count);
                let [of_first, of_second] = stateless.decrypt_both((first.count, first.body), (count, body));
                put(outcomes, first.index, of_first);
                put(outcomes, index, of_second);
                None
            }
        };
    }
    if let Some(last) = waiting {
        put(outcomes, last.index, stateless.decrypt(last.count, last.body));
    }
}

fn put(outcomes: &mut [Outcome], index: usize, outcome: Outcome) {
    if let Some(place) = outcomes.get_mut(index) {
        *place = outcome;
    }
}
