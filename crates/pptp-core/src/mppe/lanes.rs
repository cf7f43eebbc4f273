//! Two packets at once, and the key changes between them.

use super::chain::{KeyChain, SessionKey};
use super::rc4::{Rc4, apply_both, schedule};

/// Tables that are made anew for each packet. They are here and not on the stack so that they need not be erased after every
/// packet; what is left in them is of the last packets.
pub(super) struct Lanes {
    packets: [Rc4; 2],
    /// For the key change.
    interim: Rc4,
}

impl Lanes {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { packets: [Rc4::BLANK; 2], interim: Rc4::BLANK })
    }

    /// Makes the tables of a packet.
    pub(super) fn schedule(&mut self, lane: Lane, key: &SessionKey) {
        schedule([(self.packet(lane), key.as_bytes())]);
    }

    /// Makes the tables of a packet and the next key of the chain, in little more than the time for one of them.
    pub(super) fn schedule_and_change(&mut self, lane: Lane, key: &SessionKey, chain: &mut KeyChain) {
        let [first, second] = &mut self.packets;
        let packet = match lane {
            Lane::First => first,
            Lane::Second => second,
        };
        let interim = &mut self.interim;
        chain.change_with(|key_of_interim, text| {
            schedule([(packet, key.as_bytes()), (interim, key_of_interim)]);
            interim.apply(text);
        });
    }

    /// Makes the next key of the chain.
    pub(super) fn change(&mut self, chain: &mut KeyChain) {
        let interim = &mut self.interim;
        chain.change_with(|key, text| {
            schedule([(interim, key)]);
            interim.apply(text);
        });
    }

    /// Encrypts or decrypts the packet in the first lane.
    pub(super) fn apply_one(&mut self, text: &mut [u8]) {
        self.packet(Lane::First).apply(text);
    }

    /// Encrypts or decrypts both packets.
    pub(super) fn apply_both(&mut self, first: &mut [u8], second: &mut [u8]) {
        apply_both(&mut self.packets, first, second);
    }

    const fn packet(&mut self, lane: Lane) -> &mut Rc4 {
        let [first, second] = &mut self.packets;
        match lane {
            Lane::First => first,
            Lane::Second => second,
        }
    }
}

/// Which packet of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    First,
    Second,
}
