//! All of this crate's `unsafe`: one operation per block.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The result of a libc call that returns -1 and sets `errno`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: every caller passes a descriptor that the kernel has just made for it and that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// socket(2), close-on-exec.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointers.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    Ok(owned(fd))
}
