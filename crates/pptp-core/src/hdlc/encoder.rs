//! Frames to bytes.

use super::accm::Accm;
use super::fcs::fcs;
use super::scan::plain;
use super::{ESCAPE, ESCAPED, FLAG};

/// Makes bytes for the line out of frames.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    accm: Accm,
}

impl Encoder {
    /// An encoder for a line on which nothing was negotiated yet: all control characters are escaped.
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on these characters are escaped: what the other end's receiver asks for. LCP packets always have all of them
    /// escaped, since they are what is left when both ends do not agree (RFC 1662 §7).
    pub const fn set_accm(&mut self, accm: Accm) {
        self.accm = accm;
    }

    /// The most bytes that a frame of `length` bytes can become.
    pub const fn longest(length: usize) -> usize {
        length.saturating_add(2).saturating_mul(2).saturating_add(2)
    }

    /// Appends a frame, its FCS and flags. Two frames in one buffer share the flag between them. Allocates only if `out` has
    /// no room for [`Encoder::longest`] bytes.
    pub fn encode(&self, frame: &[u8], out: &mut Vec<u8>) {
        let accm = if is_lcp(frame) { Accm::ALL } else { self.accm };
        out.reserve(Self::longest(frame.len()));
        if out.last() != Some(&FLAG) {
            out.push(FLAG);
        }
        escape(frame, accm, out);
        escape(&fcs(frame), accm, out);
        out.push(FLAG);
    }
}

fn escape(bytes: &[u8], accm: Accm, out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some((run, after)) = rest.split_at_checked(plain(rest, accm)) {
        out.extend_from_slice(run);
        let Some((special, after)) = after.split_first() else {
            return;
        };
        out.extend_from_slice(&[ESCAPE, special ^ ESCAPED]);
        rest = after;
    }
}

fn is_lcp(frame: &[u8]) -> bool {
    frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame).starts_with(&[0xc0, 0x21])
}
