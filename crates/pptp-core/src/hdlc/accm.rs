//! The Async-Control-Character-Map (RFC 1662 §7.1).

use core::fmt;

/// Which of the characters below 32 have to be escaped: bit n for character n.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Accm(pub u32);

impl Accm {
    /// All of them: the map of a line on which nothing was negotiated yet.
    pub const ALL: Self = Self(u32::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether the map has this character. It never has one from 32 on.
    pub fn contains(self, character: u8) -> bool {
        1_u32.checked_shl(character.into()).is_some_and(|bit| self.0 & bit != 0)
    }
}

impl Default for Accm {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Accm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accm({:#010x})", self.0)
    }
}
