//! Every system call of pptp-rs: sockets, processes, confinement. Decisions live in `pptp-core`; all `unsafe` in `sys`.

pub mod pppox;
mod sys;
