//! MPPE as the RFC has it, one packet at a time with the crates `rc4` and `sha1`; and packets.

use ::rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

use super::super::stateful::Flush;
use super::super::{Config, KeyLength, Mode, Outcome, StartKey};
use super::super::{Decryptor, Encryptor, HEADER_LENGTH};

pub(super) const STATELESS: Config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };
pub(super) const STATEFUL: Config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateful };

pub(super) fn start_key() -> StartKey {
    StartKey::new(*b"0123456789abcdef")
}

/// The sender.
pub(super) struct Reference {
    config: Config,
    start: Vec<u8>,
    session: Vec<u8>,
    tables: Rc4,
    count: u16,
    /// What it does to its key when it flushes. None: it goes on to the next count where the key changes, as [`Encryptor`]
    /// does.
    pub(super) flush: Option<Flush>,
    pub(super) flush_wanted: bool,
}

impl Reference {
    pub(super) fn new(config: Config) -> Self {
        let start = start_key().as_bytes()[..config.key_length.bytes()].to_vec();
        let tables = Rc4::new_from_slice(&start).unwrap();
        let mut reference =
            Self { config, session: start.clone(), start, tables, count: 0, flush: None, flush_wanted: false };
        reference.session = reference.digest();
        reference.reduce();
        reference
    }

    fn digest(&self) -> Vec<u8> {
        let sha = Sha1::new().chain_update(&self.start).chain_update([0x00; 40]);
        sha.chain_update(&self.session).chain_update([0xf2; 40]).finalize()[..self.start.len()].to_vec()
    }

    fn reduce(&mut self) {
        match self.config.key_length {
            KeyLength::Bits40 => self.session[..3].copy_from_slice(&[0xd1, 0x26, 0x9e]),
            KeyLength::Bits56 => self.session[0] = 0xd1,
            KeyLength::Bits128 => {}
        }
        self.tables = Rc4::new_from_slice(&self.session).unwrap();
    }

    fn change(&mut self) {
        let interim = self.digest();
        self.session.clone_from(&interim);
        Rc4::new_from_slice(&interim).unwrap().apply_keystream(&mut self.session);
        self.reduce();
    }

    pub(super) fn encrypt(&mut self, payload: &[u8]) -> Vec<u8> {
        let flush = std::mem::take(&mut self.flush_wanted) && self.config.mode == Mode::Stateful;
        if flush && self.flush.is_none() {
            self.count |= 255;
        }
        let changes = self.config.mode == Mode::Stateless || self.count % 256 == 255;
        if changes || (flush && self.flush == Some(Flush::ChangesKey)) {
            self.change();
        } else if flush {
            self.tables = Rc4::new_from_slice(&self.session).unwrap();
        }
        let flags = if changes || flush { 0x9000 } else { 0x1000 };
        let mut packet = (flags | self.count).to_be_bytes().to_vec();
        packet.extend_from_slice(payload);
        self.tables.apply_keystream(&mut packet[HEADER_LENGTH..]);
        self.count = (self.count + 1) % 4096;
        packet
    }
}

/// Linux' receiver in stateful mode: it changes its key for each flushed packet that it sees. A Reset-Ack is taken to come
/// before each packet that is flushed after a Reset-Request.
pub(super) struct LinuxReceiver {
    /// Key, tables, and the count that is expected.
    next: Reference,
    is_lost: bool,
}

impl LinuxReceiver {
    pub(super) fn new() -> Self {
        Self { next: Reference::new(STATEFUL), is_lost: false }
    }

    /// None if it needs a reset: a flushed packet ends a search, but a packet that begins one is lost in any case.
    pub(super) fn decrypt(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let header = u16::from_be_bytes([packet[0], packet[1]]);
        let (flushed, count) = (header & 0x8000 != 0, header & 0x0fff);
        let was_lost = std::mem::replace(&mut self.is_lost, count != self.next.count);
        if (was_lost && !flushed) || (!was_lost && self.is_lost) {
            self.is_lost = true;
            return None;
        }
        while self.next.count / 256 != count / 256 {
            self.next.change();
            self.next.count = (self.next.count + 256) % 4096;
        }
        if flushed {
            self.next.change();
        }
        let mut payload = packet[HEADER_LENGTH..].to_vec();
        self.next.tables.apply_keystream(&mut payload);
        (self.next.count, self.is_lost) = ((count + 1) % 4096, false);
        Some(payload)
    }
}

/// An IPv4 packet that carries a number.
pub(super) fn ip(number: u32, filler: usize) -> Vec<u8> {
    let mut packet = vec![0x00, 0x21, 0x45, 0x00];
    packet.extend_from_slice(&u16::try_from(20 + filler).unwrap().to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.resize(2 + 20 + filler, 0x5a);
    packet
}

/// A packet of another protocol that carries a number: no length, no certainty.
pub(super) fn compressed_tcp(number: u32) -> Vec<u8> {
    [&[0x00, 0x2d][..], &number.to_be_bytes()].concat()
}

/// With room for the header.
pub(super) fn with_room(payload: &[u8]) -> Vec<u8> {
    [&[0; HEADER_LENGTH], payload].concat()
}

pub(super) fn encrypt(encryptor: &mut Encryptor, payload: &[u8]) -> Vec<u8> {
    let mut packet = with_room(payload);
    encryptor.encrypt_batch([packet.as_mut_slice()]);
    packet
}

/// Decrypts one packet.
pub(super) fn decrypt(decryptor: &mut Decryptor, packet: &[u8]) -> Result<Vec<u8>, Outcome> {
    decrypt_all(decryptor, &[packet.to_vec()]).remove(0)
}

/// Decrypts a batch.
pub(super) fn decrypt_all(decryptor: &mut Decryptor, packets: &[Vec<u8>]) -> Vec<Result<Vec<u8>, Outcome>> {
    let mut batch = packets.to_vec();
    let mut outcomes = vec![Outcome::OutOfSync; 3];
    decryptor.decrypt_batch(batch.iter_mut().map(Vec::as_mut_slice), &mut outcomes);
    assert_eq!(outcomes.len(), packets.len());
    let counters = decryptor.counters();
    assert_eq!(counters.received, counters.decrypted + counters.out_of_sync + counters.dropped());
    let results = batch.iter().zip(&outcomes).zip(packets).map(|((packet, outcome), before)| match outcome {
        Outcome::Plain => Ok(packet[HEADER_LENGTH..].to_vec()),
        Outcome::OutOfSync => {
            assert_eq!(packet, before, "to be handed up as it was");
            Err(*outcome)
        }
        Outcome::Dropped(_) => Err(*outcome),
    });
    results.collect()
}
