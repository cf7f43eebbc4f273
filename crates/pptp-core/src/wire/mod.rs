//! Wire formats: the control messages (RFC 2637 §2) and the enhanced GRE header (§4.1).

pub mod codes;
pub mod message;

pub use codes::*;
pub use message::*;
