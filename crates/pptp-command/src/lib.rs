//! The command `pptp`: what pptp-linux's program of this name does, with the parts of the plugin.
//!
//! A stock pppd of any version runs it as its `pty`, or it starts one itself. It makes a call like the plugin, by the call manager,
//! and has the frames carried by an engine of its own, between GRE and the line that pppd has given it: a stream of HDLC-like
//! frames (RFC 1662). PPP itself, encryption and compression with it, is pppd's and the kernel's.

mod call;
pub mod command_line;
mod launch;
pub mod program;
