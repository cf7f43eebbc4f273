//! Was it decrypted with the right key? There is no checksum, so the only evidence is that it makes sense.

use super::is_encrypted;

/// Bytes of a packet's beginning that [`Verdict::of`] looks at: protocol, and an IP header up to its length.
pub(super) const EVIDENCE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not a packet that is ever encrypted (RFC 3078 §3): the wrong key, or noise. Noise is found out in 57 of 100 cases.
    Garbled,
    /// A protocol that is encrypted.
    Possible,
    /// An IP packet whose length is that of the payload. Noise looks like this once in hundreds of millions.
    Certain,
}

impl Verdict {
    /// Judges a payload of `length` bytes by its beginning.
    pub(super) fn of(start: &[u8], length: usize) -> Self {
        let (protocol, information) = match start {
            [0, low, information @ ..] if low & 1 == 1 => (*low, information),
            [low, information @ ..] if low & 1 == 1 => (*low, information),
            _ => return Self::Garbled,
        };
        if !is_encrypted(u16::from(protocol)) {
            return Self::Garbled;
        }
        let header = start.len() - information.len();
        match ip_length(protocol, information) {
            Some(found) if found.checked_add(header) == Some(length) => Self::Certain,
            _ => Self::Possible,
        }
    }
}

/// What an IP header says of its packet's length.
fn ip_length(protocol: u8, information: &[u8]) -> Option<usize> {
    match (protocol, information) {
        (0x21, [0x45..=0x4f, _, high, low, ..]) => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        (0x57, [0x60..=0x6f, _, _, _, high, low, ..]) => {
            Some(usize::from(u16::from_be_bytes([*high, *low])).saturating_add(40))
        }
        _ => None,
    }
}
