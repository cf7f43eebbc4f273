//! The PPTP server: its configuration, the addresses that it gives out, and whom it does not hear.

pub mod config;
pub mod control;
pub mod limits;
pub mod pool;
pub mod program;
pub mod rsctl;
pub mod server;
