//! A scripted PPTP server for tests: it answers as RFC 2637 asks, or as badly as its script says, and writes one line
//! for every event, so that a test can read what the client under test really sent.
//!
//! It is a second opinion: its control connection shares no code with `pptp-core`, and its message layouts ([`layout`]) were written from
//! the figures of RFC 2637 §2. It plays the PAC (the server of outgoing calls) only.
//!
//! [`mdoc`] and [`sources`] read man pages and programs, for the tests that compare them.

pub mod hdlc;
pub mod journal;
pub mod kernel_call;
pub mod layout;
pub mod mdoc;
pub mod message;
pub mod relay;
pub mod script;
pub mod session;
pub mod sources;
mod sys;
pub mod waiting;
