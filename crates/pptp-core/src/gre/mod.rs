//! The tunnel of one call: what enhanced GRE does (RFC 2637 §4), without I/O.
//!
//! A [`Session`] numbers what is sent, acknowledges what is received, puts it in order, and holds sending back when the peer
//! asks for that. It works on batches and in buffers of the caller's: nothing is copied, nothing is allocated per packet.
//!
//! ```text
//!  recvmmsg -> accept -+-> (decrypt) -> deliver -> Inbound::frames -> (decrypt) -> TUN, pty
//!                      +-> buffer is free again -> recvmmsg
//!  TUN, pty -> room -> (encrypt) -> stamp -> sendmmsg <- poll_ack
//! ```
//!
//! One process can have many sessions: [`call_of`] says which one a packet belongs to, and an [`Inbound`] is drained before
//! it is lent to another session.
//!
//! It never retransmits. It does not look into PPP frames, and does not know what happened to a packet after it was stamped.

mod ack;
mod config;
mod counters;
mod frame;
mod receiver;
mod reorder;
mod seq;
mod session;
mod timeout;
mod transmitter;
mod window;

pub use config::{Config, MAX_ACK_DELAY, MAX_REORDER_PACKETS, Reordering, Timeouts};
pub use counters::Counters;
pub use frame::{Arrival, Frame, Inbound, Packet, Stamp, WindowClosed, call_of};
pub use seq::SeqNum;
pub use session::Session;
