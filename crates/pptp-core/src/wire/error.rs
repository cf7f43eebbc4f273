//! What can be wrong with bytes from a peer.

use core::{error, fmt};

/// Why bytes are no PPTP message or no enhanced GRE packet.
///
/// On a control connection each of these means that the connection is closed at once, without resynchronising: "loss of
/// synchronization must result in immediate closing of the control connection's TCP session" (RFC 2637 §1.4), and "receipt
/// of an invalid or malformed Control Connection message should be logged appropriately, and the control connection should
/// be closed" (§3). In a GRE packet they mean that this packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireError {
    /// The bytes end too early.
    Truncated {
        /// Bytes that the message or packet has by what is known of it.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// This many bytes follow the end of the message.
    TrailingBytes(usize),
    /// The magic cookie is not 0x1a2b3c4d (§1.4).
    BadMagic(u32),
    /// The PPTP message type is not 1: a management message (2, undefined), or nonsense (§1.4).
    NotControl(u16),
    /// No control message has this type (§1.4 defines 1 to 15).
    UnknownMessage(u16),
    /// The length is not the one length that this type of message has (§2.1 to §2.15), in bytes with the header.
    BadLength {
        /// The control message type.
        message_type: u16,
        /// The length of this type.
        expected: u16,
        /// The length in the header.
        found: u16,
    },
    /// The GRE version is not 1, enhanced GRE (§4.1).
    GreVersion(u8),
    /// The GRE protocol type is not 0x880b, PPP (§4.1).
    GreProtocol(u16),
    /// The GRE key is absent, so there is no call id (§4.1); the first two bytes of the header.
    GreKeyAbsent(u16),
    /// A checksum or routing field, or strict source routing, in a GRE header (§4.1); the first two bytes of the header.
    GreFlags(u16),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, found } => write!(f, "truncated: {found} of {needed} bytes"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes after the end of the message"),
            Self::BadMagic(found) => write!(f, "bad magic cookie: 0x{found:08x} instead of 0x1a2b3c4d"),
            Self::NotControl(found) => write!(f, "not a control message: pptp message type {found} instead of 1"),
            Self::UnknownMessage(found) => write!(f, "unknown control message type {found}"),
            Self::BadLength { message_type, expected, found } => {
                write!(f, "bad length {found} instead of {expected} for control message type {message_type}")
            }
            Self::GreVersion(found) => write!(f, "gre version {found} instead of 1"),
            Self::GreProtocol(found) => write!(f, "gre protocol type 0x{found:04x} instead of 0x880b"),
            Self::GreKeyAbsent(found) => write!(f, "gre header without a key (0x{found:04x})"),
            Self::GreFlags(found) => write!(f, "gre header with checksum or routing (0x{found:04x})"),
        }
    }
}

impl error::Error for WireError {}
