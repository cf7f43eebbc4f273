//! The tunnels of `make test`.

mod carrying;
mod daemon;
mod dialling;
mod encryption;
mod faults;
mod guides;
mod host_route;
mod mschap;
mod placing;
mod pptpd_files;
mod radius;
mod secrets;
mod setup;
mod statistics;
mod tunnels;
mod visible;
