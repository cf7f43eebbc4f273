//! The kernel's PPTP socket: `AF_PPPOX` with `PX_PROTO_PPTP` (`linux/if_pppox.h`). IPv4 only.

use std::io;
use std::os::fd::OwnedFd;

use crate::sys;

const AF_PPPOX: i32 = 24;
const PX_PROTO_PPTP: i32 = 2;

/// A new PPTP socket, close-on-exec.
///
/// # Errors
/// `EAFNOSUPPORT`: no pppox.ko. `EPROTONOSUPPORT`: no pptp.ko. The kernel has tried to load them by then.
pub fn open() -> io::Result<OwnedFd> {
    sys::socket(AF_PPPOX, libc::SOCK_STREAM, PX_PROTO_PPTP)
}
