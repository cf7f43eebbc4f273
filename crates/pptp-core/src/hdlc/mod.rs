//! PPP in HDLC-like framing on an asynchronous line (RFC 1662 §3, §4), as a pseudo-terminal with the ppp line discipline has
//! it: flags between frames, control escapes, both character maps, a 16-bit FCS.
//!
//! A frame here is what stands between the flags without its FCS: the address and control bytes are part of it if the other
//! end sends them, and are neither added nor taken away. Compressed fields, the 32-bit FCS and bit-stuffing (§5) are not here.

mod accm;
mod decoder;
mod encoder;
mod fcs;
mod scan;

pub use accm::Accm;
pub use decoder::{Counters, Decoder};
pub use encoder::Encoder;

/// Between frames (§3.1).
const FLAG: u8 = 0x7e;
/// Before a byte that is sent in another form (§4.2).
const ESCAPE: u8 = 0x7d;
/// What makes the other form of a byte, and undoes it (§4.2).
const ESCAPED: u8 = 0x20;
