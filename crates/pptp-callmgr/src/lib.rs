//! The call manager: the process that owns a PPTP control connection, and its client.
//!
//! The plugin calls [`client::start`], which forks the process and gives back a [`client::Call`]: a descriptor to wait
//! on and the news of the call. The process resolves the server's name, joins a manager that already has a control
//! connection to that server or opens one and becomes the manager itself, and ends when its last call has ended.

mod candidate;
mod channel;
pub mod client;
mod codec;
mod manager;
mod race;
mod reporter;
mod resolve;
mod sharing;
mod words;
