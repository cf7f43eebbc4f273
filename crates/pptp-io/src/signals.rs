//! Signals as something to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal tells a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// SIGTERM, SIGINT: end.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGCHLD: one child or more has ended.
    ChildEnded,
}

const TAKEN: [(Signal, Notice); 4] = [
    (Signal::SIGTERM, Notice::Terminate),
    (Signal::SIGINT, Notice::Terminate),
    (Signal::SIGHUP, Notice::Reload),
    (Signal::SIGCHLD, Notice::ChildEnded),
];

/// The signals that tell of a [`Notice`], from here on held back and read. Programs that `children` starts do not inherit that,
/// those that std starts do.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes them. Before there are threads, and after the last fork(2) of this process.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn take() -> io::Result<Self> {
        let mut set = SigSet::empty();
        TAKEN.iter().for_each(|(signal, _)| set.add(*signal));
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Readable when [`Signals::next`] has something to tell.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// What the next signal tells, if one came.
    pub fn next(&self) -> Option<Notice> {
        let number = i32::try_from(self.0.read_signal().ok()??.ssi_signo).ok()?;
        TAKEN.iter().find(|(signal, _)| *signal as i32 == number).map(|(_, notice)| *notice)
    }
}
