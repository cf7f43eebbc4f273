//! Packets to datagrams.

use core::fmt;

use super::chain::KeyChain;
use super::config::{Config, Mode};
use super::derive::StartKey;
use super::header::{Count, HEADER_LENGTH, Header};
use super::rc4::Rc4;
use super::stateful::Flush;

/// Encrypts what is sent on a link.
pub struct Encryptor {
    chain: KeyChain,
    /// The count of the packet before.
    count: Count,
    /// Stateful mode: the tables go on from packet to packet.
    tables: Option<Rc4>,
    flush: Flush,
    flush_wanted: bool,
}

impl Encryptor {
    /// From the key that pppd passes (transmit 1). The first packet has the count 0. In stateful mode it does not have bit A:
    /// every receiver's tables are new, and Linux would change its key for it.
    pub fn new(config: Config, key: &StartKey) -> Self {
        let chain = KeyChain::new(key, config.key_length);
        let tables = match config.mode {
            Mode::Stateless => None,
            Mode::Stateful => Some(chain.session().cipher()),
        };
        Self { chain, count: Count::BEFORE_FIRST, tables, flush: Flush::default(), flush_wanted: false }
    }

    /// Encrypts packets in place, in the order in which they are sent. Each is [`HEADER_LENGTH`] bytes of room, which the
    /// header overwrites, and the payload: protocol (1 or 2 bytes) and information. Slices without this room stay as they are.
    pub fn encrypt_batch<'a>(&mut self, packets: impl IntoIterator<Item = &'a mut [u8]>) {
        for packet in packets {
            self.encrypt(packet);
        }
    }

    /// A CCP Reset-Request came: the next packet is flushed (RFC 3078 §8.2). Means nothing in stateless mode.
    pub const fn handle_reset_request(&mut self) {
        self.flush_wanted = true;
    }

    /// What the peer takes a flushed packet for: [`Decryptor::flush`](super::Decryptor::flush).
    pub const fn set_flush(&mut self, flush: Flush) {
        self.flush = flush;
    }

    fn encrypt(&mut self, packet: &mut [u8]) {
        let Some((room, payload)) = packet.split_first_chunk_mut::<HEADER_LENGTH>() else {
            return;
        };
        self.count = self.count.next();
        let flushed = self.prepare();
        *room = Header { flushed, encrypted: true, count: self.count }.emit();
        match &mut self.tables {
            None => self.chain.session().cipher().apply(payload),
            Some(tables) => tables.apply(payload),
        }
    }

    /// Changes key and tables for the next packet; true if it is flushed.
    fn prepare(&mut self) -> bool {
        let Some(tables) = &mut self.tables else {
            self.chain.change();
            return true;
        };
        let flushed = core::mem::take(&mut self.flush_wanted);
        if self.count.is_flag() || (flushed && self.flush == Flush::ChangesKey) {
            self.chain.change();
        } else if !flushed {
            return false;
        }
        *tables = self.chain.session().cipher();
        true
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryptor").field("chain", &self.chain).field("count", &self.count).finish_non_exhaustive()
    }
}
