//! Programs that this process starts and waits for.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys;

/// A child that has not been [`reap`]ed: its number is nobody else's until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Child(u32);

impl Child {
    /// Its process id.
    pub fn id(self) -> u32 {
        self.0
    }
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has exited with this status.
    Status(i32),
    /// This signal has killed it.
    Signal(i32),
}

/// Starts a program, in a process group of its own, without standard input and output and with no signal held back, and gives
/// it what is `inherited`, under the same numbers. All other descriptors of this process that are close-on-exec stay its own. When
/// this process ends, however it ends, the program gets SIGTERM.
///
/// Only for a process with one thread.
///
/// # Errors
/// The program cannot be run. Out of processes (`EAGAIN`), memory or descriptors.
pub fn start<S: AsRef<OsStr>>(program: &OsStr, arguments: &[S], inherited: &[BorrowedFd<'_>]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // pppd signals its whole group when a link ends.
    command.process_group(0);
    sys::prepare_child(&mut command, inherited.iter().map(AsRawFd::as_raw_fd).collect());
    // Waited for by `reap`.
    Ok(Child(command.spawn()?.id()))
}

/// Allows a child so many descriptors, unless it asks for more: programs that were written for few go through all that there
/// might be.
///
/// # Errors
/// It is more than this process may have.
pub fn limit_descriptors(child: Child, most: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let child = i32::try_from(child.0).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    sys::limit_descriptors(child, libc::rlimit { rlim_cur: most.min(hard), rlim_max: hard })
}

/// A child that has ended since the last time, and how.
pub fn reap() -> Option<(Child, Ending)> {
    loop {
        let (pid, ending) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, Ending::Status(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Ending::Signal(signal as i32)),
            // One that is alive; or nothing to wait for.
            Ok(_) | Err(_) => return None,
        };
        if let Ok(number) = u32::try_from(pid.as_raw()) {
            return Some((Child(number), ending));
        }
    }
}

/// Asks a child to end (SIGTERM).
pub fn terminate(child: Child) {
    signal(child, Signal::SIGTERM);
}

/// Ends a child (SIGKILL).
pub fn kill(child: Child) {
    signal(child, Signal::SIGKILL);
}

fn signal(child: Child, signal: Signal) {
    let Ok(number) = i32::try_from(child.0) else { return };
    // One that has ended is there until it is reaped, and nothing happens to it.
    let _ = nix::sys::signal::kill(Pid::from_raw(number), signal);
}
