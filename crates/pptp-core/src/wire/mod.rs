//! Wire formats: the control messages (RFC 2637 §2) and the enhanced GRE header (§4.1).
//!
//! Parsing never panics, whatever the bytes. What was parsed is emitted byte for byte: reserved fields and codes without a
//! name are kept. Whether a value makes sense for a connection (a version, a call id, a result) is decided in
//! [`crate::control`], not here.

pub mod codes;
mod error;
mod field;
mod frame;
mod framer;
mod gre;
pub mod message;
mod reader;
mod table;
mod text;

pub use codes::*;
pub use error::WireError;
pub use frame::{Frame, MAGIC_COOKIE, MAX_MESSAGE_LENGTH};
pub use framer::Framer;
pub use gre::GreHeader;
pub use message::*;

/// The TCP port of a server's control connections (RFC 2637 §3.1).
pub const PORT: u16 = 1723;
