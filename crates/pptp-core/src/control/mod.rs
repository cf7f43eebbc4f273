//! The control connection (RFC 2637 §3.1) and its calls (§3.2), both ends of each, without I/O.
//!
//! A [`Connection`] is driven by one call at a time, `handle_*` for what comes from outside and a command for what the
//! owner wants; after each, the owner drains [`Connection::poll_transmit`] and [`Connection::poll_event`] and arms
//! [`Connection::poll_timeout`]. After [`Event::Closed`] what is left to transmit is sent, then the TCP connection is
//! closed.

mod call;
mod config;
mod connection;
mod error;
mod event;
mod ids;
mod outbox;
mod quirk;
mod table;
mod timers;

pub mod collision;

pub use config::{
    CallAnswer, CallRefusal, Config, ConnectedLine, IncomingCall, IncomingCallAnswer, OutgoingCall, WanErrorCounters,
};
pub use connection::Connection;
pub use error::{Misbehaviour, Misuse};
pub use event::{CallEnd, CallParameters, CloseReason, Event, IncomingCallOffer, OutgoingCallOffer, PeerInfo};
pub use quirk::Quirk;
