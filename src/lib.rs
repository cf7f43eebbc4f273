//! pptp-rs: a channel plugin for pppd that carries PPP over PPTP (RFC 2637).
//!
//! pppd loads the library, finds `plugin_init` and `pppd_version` ([`export`]) and from then on calls the functions of
//! one table ([`entry`]). pppd has one thread, so everything here runs in that thread.
//!
//! - [`ffi`]: the C shim's functions, each behind a safe one.
//! - [`pppd`]: what the plugin asks of its host, in Rust's words; the `log` crate's logger.
//! - [`options`]: the table of options, their parser and their values. Knows nothing of pppd.
//! - [`channel`]: what the callbacks do.
//! - [`ppp_device`]: a /dev/ppp of our own. Knows nothing of PPTP.
//! - [`ccp`]: CCP where pppd's own cannot do what the user wants.
//! - [`early`]: what comes for IP before its time.
//! - [`mschap`]: MS-CHAP where pppd's own does not work.
//! - [`session`]: what is known of the call, and the line at its end.
//! - [`report`]: what of that a server gets to know that has started this pppd.
//! - [`tunnels`]: the same for whoever looks at this machine's client tunnels.
//! - [`environment`]: the same for pppd's scripts.
//! - [`waiting`]: descriptors of ours among those that pppd waits for.
//! - [`engine`]: the engine's process, which both of them talk to.

mod ccp;
mod channel;
mod early;
mod engine;
mod entry;
mod environment;
mod export;
mod ffi;
mod guard;
mod mschap;
mod options;
mod ppp_device;
mod pppd;
mod report;
mod secrets;
mod session;
mod tunnels;
mod waiting;
mod wtmp;
