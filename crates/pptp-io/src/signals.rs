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

/// What a signal tells a command, which has no configuration to read and no children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM, SIGINT, SIGHUP: end.
    End,
    /// SIGUSR1: tell what has happened so far.
    Tell,
}

const OF_A_DAEMON: [(Signal, Notice); 4] = [
    (Signal::SIGTERM, Notice::Terminate),
    (Signal::SIGINT, Notice::Terminate),
    (Signal::SIGHUP, Notice::Reload),
    (Signal::SIGCHLD, Notice::ChildEnded),
];

const OF_A_COMMAND: [(Signal, Wish); 4] = [
    (Signal::SIGTERM, Wish::End),
    (Signal::SIGINT, Wish::End),
    (Signal::SIGHUP, Wish::End),
    (Signal::SIGUSR1, Wish::Tell),
];

/// The signals that tell of an `N`, from here on held back and read. Programs that `children` starts do not inherit that,
/// those that std starts do.
#[derive(Debug)]
pub struct Signals<N: 'static = Notice> {
    descriptor: SignalFd,
    taken: &'static [(Signal, N)],
}

impl Signals<Notice> {
    /// Takes those of a daemon. Before there are threads, and after the last fork(2) of this process.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn take() -> io::Result<Self> {
        Self::take_all(&OF_A_DAEMON)
    }
}

impl Signals<Wish> {
    /// Takes those of a command, to which SIGHUP says what SIGTERM says.
    ///
    /// # Errors
    /// As [`Signals::take`].
    pub fn take_for_command() -> io::Result<Self> {
        Self::take_all(&OF_A_COMMAND)
    }
}

impl<N: Copy> Signals<N> {
    fn take_all(taken: &'static [(Signal, N)]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        taken.iter().for_each(|(signal, _)| set.add(*signal));
        set.thread_block()?;
        Ok(Self { descriptor: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?, taken })
    }

    /// Readable when [`Signals::next`] has something to tell.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// What the next signal tells, if one came.
    pub fn next(&self) -> Option<N> {
        let number = i32::try_from(self.descriptor.read_signal().ok()??.ssi_signo).ok()?;
        self.taken.iter().find(|(signal, _)| *signal as i32 == number).map(|(_, notice)| *notice)
    }
}
