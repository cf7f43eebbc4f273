//! The tunnels of `make test`.

mod carrying;
mod dialling;
mod faults;
mod statistics;
