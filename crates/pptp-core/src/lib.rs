//! The PPTP protocol (RFC 2637) as pure state: wire formats and state machines.
//!
//! Nothing here opens a socket, reads a clock or starts a thread. Time comes in as [`time::Instant`], bytes come in as
//! slices, and everything that has to happen outside is drained through `poll_*` methods.
#![forbid(unsafe_code)]

pub mod ccp;
pub mod control;
pub mod gre;
pub mod hdlc;
pub mod mppe;
pub mod mschap;
pub mod sim;
pub mod time;
pub mod wire;
