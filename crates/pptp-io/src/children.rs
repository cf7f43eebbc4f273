//! Programs that this process starts and waits for.

use std::ffi::{CString, OsStr};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys::{
    self,
    start::{self, Start},
};

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
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let program = text(program)?;
    let words = std::iter::once(Ok(program.clone())).chain(arguments.iter().map(|word| text(word.as_ref())));
    let arguments: Vec<CString> = words.collect::<Result<_, _>>()?;
    let inherited: Vec<RawFd> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let process = start::start(&Start {
        program: &program,
        arguments: &arguments,
        standard: nothing.as_raw_fd(),
        inherited: &inherited,
        parent: nix::unistd::getpid().as_raw(),
    })?;
    // Waited for by `reap`. pppd signals its whole group when a link ends.
    u32::try_from(process).map(Child).map_err(io::Error::other)
}

/// Allows a child so many descriptors, unless it asks for more: programs that were written for few go through all that there
/// might be.
///
/// # Errors
/// It is more than this process may have.
pub fn limit_descriptors(child: Child, most: u32) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let most = libc::rlim_t::from(most);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn run(program: &str, arguments: &[&str]) -> io::Result<WaitStatus> {
        let (ours, theirs) = crate::seqpacket::pair()?;
        let child = start(OsStr::new(program), arguments, &[theirs.as_fd()])?;
        drop(ours);
        Ok(waitpid(Pid::from_raw(child.id().try_into().unwrap()), None)?)
    }

    #[test]
    fn a_program_gets_its_arguments_and_the_signals_as_they_are() {
        let script = "[ \"$1\" = 'a b' ] && grep -q 'SigBlk:.0000000000000000' /proc/self/status && kill -PIPE $$";
        let status = run("sh", &["-c", script, "sh", "a b"]).unwrap();
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGPIPE, _)), "{status:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        for program in ["/nowhere/pppd", "there-is-no-such-program"] {
            assert_eq!(run(program, &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(run("/", &[]).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_word_with_a_nul_is_an_error() {
        assert_eq!(run("sh", &["a\0b"]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
