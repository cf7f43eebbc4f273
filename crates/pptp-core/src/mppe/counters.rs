//! What a decryptor counts.

/// The counters of one direction. Every packet ends in exactly one place: `received` is `decrypted` + `out_of_sync` +
/// [`Counters::dropped`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that were handed to the decryptor.
    pub received: u64,
    /// Packets that came out in clear.
    pub decrypted: u64,
    /// Stateful: packets that cannot be decrypted before the peer has reset.
    pub out_of_sync: u64,

    /// Dropped: shorter than a header and a protocol.
    pub malformed: u64,
    /// Dropped: the header says that it is not encrypted.
    pub not_encrypted: u64,
    /// Dropped: stateless, but the header does not say that the key was changed.
    pub not_flushed: u64,
    /// Dropped: its key is no longer kept.
    pub late: u64,
    /// Dropped: its key was used before.
    pub replayed: u64,
    /// Dropped: too far ahead, and the contents do not confirm it.
    pub implausible: u64,
    /// Dropped: no packet that is ever encrypted came out.
    pub garbled: u64,
}

impl Counters {
    /// Every way a packet can die, by name.
    pub const fn drops(&self) -> [(&'static str, u64); 7] {
        [
            ("malformed", self.malformed),
            ("not-encrypted", self.not_encrypted),
            ("not-flushed", self.not_flushed),
            ("late", self.late),
            ("replayed", self.replayed),
            ("implausible", self.implausible),
            ("garbled", self.garbled),
        ]
    }

    /// Packets that were received and did not come out.
    pub fn dropped(&self) -> u64 {
        self.drops().into_iter().map(|(_, count)| count).sum()
    }
}
