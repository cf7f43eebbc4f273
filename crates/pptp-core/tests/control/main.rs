//! The control connection and its calls: both ends in virtual time, or one end against a scripted peer.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect has to fail"
)]

mod calls;
mod collision;
mod connection;
mod disconnect;
mod golden;
mod harness;
mod hostile;
mod illegal;
mod keepalive;
mod random;
mod texts;
mod tolerance;
