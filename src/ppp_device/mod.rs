//! A /dev/ppp for a kernel that has none: pppd's calls of open(2) and ioctl(2) are answered here, by the ABI of
//! `linux/ppp-ioctl.h`, and what they ask for is done by the engine with TUN devices.
//!
//! Every descriptor that pppd gets is one end of a local socket that keeps message boundaries; the engine holds the
//! other end, so that reading, writing and waiting need no help. Descriptors are known by their sockets (inodes), not by
//! their numbers: pppd closes and duplicates them as it likes.
//!
//! As in the kernel, a descriptor is nothing until `PPPIOCNEWUNIT` makes it a unit or `PPPIOCATTCHAN` a channel. What a
//! channel is made of is the caller's business ([`offer_line`]).
//!
//! - [`hooks`]: the functions that pppd calls instead of the C library's.
//! - [`kernel_unit`]: the exception, a unit of the kernel's of which only the encryption is answered for here.
//! - [`requests`]: ioctl requests, from pppd's memory and back.
//! - [`statistics`]: what pppd reads of the interface's counters.

mod device;
mod hooks;
mod kernel_unit;
mod requests;
mod statistics;

pub(crate) use device::{Attach, has_lost_unit, offer_line, require_encryption, unit_statistics, withdraw_line};
pub(crate) use hooks::{install, obstacle};
pub(crate) use kernel_unit::encrypt;
