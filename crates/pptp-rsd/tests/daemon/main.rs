//! The daemon as a process, with stubs in place of pppd: good clients, and clients that are not.

mod calls;
mod harness;
mod hostile;
mod life;
mod operators;
mod placing;
mod service;
