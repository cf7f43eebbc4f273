//! The PPTP server: its configuration, what it gives out (addresses) and how much of it (limits).

pub mod config;
pub mod pool;
