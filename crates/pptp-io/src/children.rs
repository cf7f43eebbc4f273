//! Programs that this process starts and waits for.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;
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

/// Starts a program, in a process group of its own, without standard input and output and with all signals as they are by
/// default, and gives it `inherited`, under the same number. All other descriptors of this process that are close-on-exec
/// stay its own.
///
/// # Errors
/// The program cannot be run. Out of processes (`EAGAIN`), memory or descriptors. `InvalidInput`: a word has a NUL in it.
pub fn start<S: AsRef<OsStr>>(program: &OsStr, arguments: &[S], inherited: BorrowedFd<'_>) -> io::Result<Child> {
    let words = std::iter::once(program).chain(arguments.iter().map(AsRef::as_ref)).map(c_text);
    let words = words.collect::<io::Result<Vec<_>>>()?;
    let variable = |(name, value): (OsString, OsString)| c_text([name, value].join(OsStr::new("=")));
    let environment = std::env::vars_os().map(variable).collect::<io::Result<Vec<_>>>()?;
    let mut files = PosixSpawnFileActions::init()?;
    for standard in 0..=2 {
        files.add_open(standard, "/dev/null", OFlag::O_RDWR, Mode::empty())?;
    }
    // Onto itself: that is how it is not closed.
    files.add_dup2(inherited.as_raw_fd(), inherited.as_raw_fd())?;
    let pid = posix_spawn(program, &files, &attributes()?, &words, &environment)?;
    // Waited for by `reap`.
    u32::try_from(pid.as_raw()).map(Child).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

fn attributes() -> io::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    let own_group = PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
    let own_signals = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
    attributes.set_flags(own_group | own_signals)?;
    // pppd signals its whole group when a link ends.
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    Ok(attributes)
}

fn c_text(text: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
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
