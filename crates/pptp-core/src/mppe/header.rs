//! The MPPE header (RFC 3078 §3.1).

/// Bytes of the MPPE header.
pub const HEADER_LENGTH: usize = 2;

/// Bit A.
const FLUSHED: u16 = 0x8000;
/// Bit D.
const ENCRYPTED: u16 = 0x1000;
const COUNT: u16 = 0x0fff;

/// A coherency count: 12 bits, 0 follows 4095. No order: only distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Count(u16);

impl Count {
    /// The one before the first packet's.
    pub(super) const BEFORE_FIRST: Self = Self(COUNT);

    pub(super) const fn next(self) -> Self {
        self.plus(1)
    }

    pub(super) const fn plus(self, steps: u16) -> Self {
        Self(self.0.wrapping_add(steps) & COUNT)
    }

    /// Steps from `earlier` to here, 0 to 4095.
    pub(super) const fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0) & COUNT
    }

    /// Stateful mode: the key changes before this packet (§7.2).
    pub(super) const fn is_flag(self) -> bool {
        self.0 & 0xff == 0xff
    }

    /// This count or the next one that is a flag packet's: at most 255 steps.
    pub(super) const fn flag(self) -> Self {
        Self(self.0 | 0xff)
    }

    /// The low octet.
    pub(super) const fn low(self) -> u16 {
        self.0 & 0xff
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bit A: the tables were made anew before this packet.
    pub(super) flushed: bool,
    /// Bit D.
    pub(super) encrypted: bool,
    pub(super) count: Count,
}

impl Header {
    pub(super) const fn parse(bytes: [u8; HEADER_LENGTH]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        Self { flushed: bits & FLUSHED != 0, encrypted: bits & ENCRYPTED != 0, count: Count(bits & COUNT) }
    }

    pub(super) const fn emit(self) -> [u8; HEADER_LENGTH] {
        let flushed = if self.flushed { FLUSHED } else { 0 };
        let encrypted = if self.encrypted { ENCRYPTED } else { 0 };
        (flushed | encrypted | self.count.0).to_be_bytes()
    }
}
