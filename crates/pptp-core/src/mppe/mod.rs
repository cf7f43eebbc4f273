//! Microsoft Point-to-Point Encryption (MPPE, RFC 3078) of PPP payloads, and its keys (RFC 3079), without I/O.
//!
//! An [`Encryptor`] and a [`Decryptor`] are one direction of one link each. They work on batches and in buffers of the
//! caller's; nothing is copied, nothing is allocated per packet. Both see the information field of a PPP packet with protocol
//! 0x00fd, the MPPE datagram (§3.1):
//!
//! ```text
//!  +-+-+-+-+------------+----------------------------------------------+
//!  |A|B|C|D|  coherency | PPP protocol (1 or 2 bytes) and information, |
//!  | | | | |  count     | encrypted                                    |
//!  +-+-+-+-+------------+----------------------------------------------+
//!  '----- HEADER_LENGTH '
//! ```
//!
//! It does not negotiate (that is CCP), does not choose which packets are encrypted ([`is_encrypted`] says which ones are),
//! and MPPE does not authenticate: whoever can forge a packet can make noise of it. What this costs is bounded, see
//! [`Decryptor`].

mod chain;
mod config;
mod counters;
mod decryptor;
mod derive;
mod encryptor;
mod header;
#[cfg_attr(pptp_plain_mppe, path = "../../benches/plain/lanes.rs")]
mod lanes;
mod plaintext;
mod rc4;
mod stateful;
mod stateless;
#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, KeyLength, Mode, OPTION_LENGTH, OPTION_TYPE};
pub use counters::Counters;
pub use decryptor::{Death, Decryptor, Outcome};
pub use derive::{MasterKey, Role, StartKey, Traffic, mschap1_start_key};
pub use encryptor::Encryptor;
pub use header::HEADER_LENGTH;

/// The PPP protocol number of an MPPE datagram (RFC 3078 §3).
pub const PROTOCOL: u16 = 0x00fd;

/// Whether packets of this PPP protocol are encrypted: "only packets with PPP Protocol numbers in the range 0x0021 to 0x00FA
/// are encrypted" (RFC 3078 §3).
pub const fn is_encrypted(protocol: u16) -> bool {
    protocol >= 0x0021 && protocol <= 0x00fa
}
