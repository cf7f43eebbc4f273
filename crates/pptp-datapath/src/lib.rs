//! The engine: a process that carries PPP frames between GRE calls, TUN devices and pppd.
//!
//! The plugin starts it with [`client::Engine::start`] and tells it everything over one socket ([`command`]). A *unit* is a
//! TUN device with its filters and counters; a *channel* is one PPTP call. Units outlive channels.

pub mod client;
mod codec;
pub mod command;
mod engine;
mod filter;
pub mod offer;
mod offload;
pub mod record;
pub mod report;
pub mod tunnels;
