//! What a daemon does once, when it begins.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::sys;

/// Leaves the terminal: this process goes on as another one, whose parent is init, with / as its folder and 0, 1 and 2 on
/// /dev/null. The one that was started ends here.
///
/// Only for a process with a single thread, see fork(2).
///
/// # Errors
/// Out of processes.
pub fn detach() -> io::Result<()> {
    Ok(nix::unistd::daemon(false, false)?)
}

/// What this process was given besides 0, 1 and 2 is not passed on to programs that it starts.
pub fn keep_descriptors() {
    for number in sys::open_descriptors().into_iter().filter(|number| *number > 2) {
        sys::close_on_exec(number);
    }
}

/// A copy of a descriptor that this process was given, by its number.
///
/// # Errors
/// It was not.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    sys::duplicate_above_standard(number)
}

/// Passes a descriptor on to the program that this process becomes, and to those that it starts.
///
/// # Errors
/// None that a correct program sees.
pub fn pass_on(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// The name of this machine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
