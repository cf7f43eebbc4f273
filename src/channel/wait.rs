//! Waiting that pppd's signals end at once, and in which the tunnel can be asked how it is.
//!
//! pppd's handlers only set flags. Signals are held back while the flags are read, and let in by ppoll(2) alone, so
//! that none can slip in between and be noticed a whole time-out later.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::time::TimeSpec;

use crate::pppd::{self, Interruption};
use crate::tunnels;

/// While it exists, signals wait.
pub(super) struct HeldSignals {
    before: SigSet,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The descriptor can be read.
    Readable,
    /// pppd got a signal that it has to act on.
    Interrupted(Interruption),
    /// The deadline has passed.
    TooLate,
}

impl HeldSignals {
    pub(super) fn hold() -> io::Result<Self> {
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
        Ok(Self { before })
    }

    /// Waits until `fd` can be read, pppd is interrupted, or `deadline` has passed.
    pub(super) fn wait(&self, fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<Woken> {
        loop {
            if let Some(interruption) = pppd::interruption() {
                return Ok(Woken::Interrupted(interruption));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Woken::TooLate);
            }
            let [is_readable, is_asked] = match tunnels::with_ear(|ear| self.poll([Some(fd), ear], left)) {
                Err(Errno::EINTR) => continue,
                polled => polled?,
            };
            if is_asked {
                tunnels::answer();
            }
            if is_readable {
                return Ok(Woken::Readable);
            }
        }
    }

    /// Which of them can be read within this time.
    fn poll(&self, fds: [Option<BorrowedFd<'_>>; 2], limit: Duration) -> Result<[bool; 2], Errno> {
        let mut polled: Vec<_> = fds.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        ppoll(&mut polled, Some(TimeSpec::from_duration(limit)), Some(self.before))?;
        let mut is_readable = polled.iter().map(|fd| fd.any().unwrap_or(true));
        Ok(fds.map(|fd| fd.is_some() && is_readable.next().unwrap_or(false)))
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // It fails only for arguments that these are not.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
