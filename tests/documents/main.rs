//! README and guides say what is: their links lead somewhere, what they name is there, their commands are run by tests, the log
//! lines that they quote are those of the source, and no section of the RFCs is left out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail like the test")]

mod commands;
mod links;
mod logs;
mod names;
mod pages;
mod rfcs;
