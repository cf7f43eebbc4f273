//! Two engines back to back, over a veth cable between two network namespaces, with a program in place of pppd.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of a test may fail like the test")]

mod encrypted;
mod harness;
mod hostile;
mod hosts;
mod impaired;
mod lives;
mod mppe_peer;
mod ports;
mod pppd;
mod terminals;
mod traffic;
mod trouble;
mod wire;
