//! Packets to datagrams.

use core::fmt;

use super::chain::KeyChain;
use super::config::{Config, Mode};
use super::derive::StartKey;
use super::header::{Count, HEADER_LENGTH, Header};
use super::lanes::{Lane, Lanes};
use super::rc4::Rc4;

/// Encrypts what is sent on a link.
pub struct Encryptor {
    mode: Encrypting,
}

enum Encrypting {
    Stateless(Stateless),
    Stateful(Box<Stateful>),
}

impl Encryptor {
    /// From the key that pppd passes (transmit 1). The first packet has the count 0. In stateful mode it does not have bit A:
    /// every receiver's tables are new, and Linux would change its key for it.
    pub fn new(config: Config, key: &StartKey) -> Self {
        let chain = KeyChain::new(key, config.key_length);
        let mode = match config.mode {
            Mode::Stateless => Encrypting::Stateless(Stateless::new(chain)),
            Mode::Stateful => Encrypting::Stateful(Box::new(Stateful::new(chain))),
        };
        Self { mode }
    }

    /// Encrypts packets in place, in the order in which they are sent. Each is [`HEADER_LENGTH`] bytes of room, which the
    /// header overwrites, and the payload: protocol (1 or 2 bytes) and information. Slices without this room stay as they are.
    ///
    /// In stateless mode the packets of a batch are encrypted two at a time, which takes half as long as one by one.
    pub fn encrypt_batch<'a>(&mut self, packets: impl IntoIterator<Item = &'a mut [u8]>) {
        let packets = packets.into_iter().filter_map(|packet| packet.split_first_chunk_mut());
        match &mut self.mode {
            Encrypting::Stateless(stateless) => stateless.encrypt(packets),
            Encrypting::Stateful(stateful) => packets.for_each(|(room, payload)| stateful.encrypt(room, payload)),
        }
    }

    /// A CCP Reset-Request came: the next packet is flushed (RFC 3078 §8.2), and its count is the next whose low octet is
    /// 0xff, at most 255 further. Means nothing in stateless mode.
    pub fn handle_reset_request(&mut self) {
        if let Encrypting::Stateful(stateful) = &mut self.mode {
            stateful.flush_wanted = true;
        }
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryptor").finish_non_exhaustive()
    }
}

struct Stateless {
    /// At the key of the next packet.
    chain: KeyChain,
    /// The count of the next packet.
    count: Count,
    lanes: Box<Lanes>,
}

impl Stateless {
    fn new(mut chain: KeyChain) -> Self {
        chain.change();
        Self { chain, count: Count::BEFORE_FIRST.next(), lanes: Lanes::new() }
    }

    fn encrypt<'a>(&mut self, mut packets: impl Iterator<Item = (&'a mut [u8; HEADER_LENGTH], &'a mut [u8])>) {
        while let Some((room, first)) = packets.next() {
            *room = self.begin(Lane::First);
            match packets.next() {
                None => self.lanes.apply_one(first),
                Some((room, second)) => {
                    *room = self.begin(Lane::Second);
                    self.lanes.apply_both(first, second);
                }
            }
        }
    }

    /// Makes the tables of the next packet; gives its header.
    fn begin(&mut self, lane: Lane) -> [u8; HEADER_LENGTH] {
        let key = self.chain.session().clone();
        self.lanes.schedule_and_change(lane, &key, &mut self.chain);
        let header = Header { flushed: true, encrypted: true, count: self.count };
        self.count = self.count.next();
        header.emit()
    }
}

struct Stateful {
    chain: KeyChain,
    /// The count of the next packet.
    count: Count,
    tables: Rc4,
    flush_wanted: bool,
}

impl Stateful {
    fn new(chain: KeyChain) -> Self {
        let tables = chain.session().cipher();
        Self { chain, count: Count::BEFORE_FIRST.next(), tables, flush_wanted: false }
    }

    fn encrypt(&mut self, room: &mut [u8; HEADER_LENGTH], payload: &mut [u8]) {
        let flushed = self.prepare();
        *room = Header { flushed, encrypted: true, count: self.count }.emit();
        self.tables.apply(payload);
        self.count = self.count.next();
    }

    /// Makes key and tables anew if the next packet needs it; true if it is flushed.
    ///
    /// After a Reset-Request the count goes on to where the key changes. Linux (`ppp_mppe`) changes its key for each flushed
    /// packet that it sees, RFC 3078 §8.2 only where the count says so. At other counts the two have different keys, and
    /// Linux' depends on which flushed packets arrive: after one that is lost it never finds the key again. At these counts
    /// both change it once, and for those that they have not seen the count tells how often.
    fn prepare(&mut self) -> bool {
        if core::mem::take(&mut self.flush_wanted) {
            self.count = self.count.flag();
        }
        if !self.count.is_flag() {
            return false;
        }
        self.chain.change();
        self.tables = self.chain.session().cipher();
        true
    }
}
