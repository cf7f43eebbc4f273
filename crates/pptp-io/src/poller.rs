//! Waiting for descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;

/// What to wait for on one descriptor. Errors and hang-ups are waited for in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Only errors and hang-ups.
    Nothing,
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready(u8);

impl Ready {
    const READ: u8 = 1;
    const WRITE: u8 = 2;
    const ERROR: u8 = 4;

    /// Reading will not block (it may return an error or the end).
    pub fn readable(self) -> bool {
        self.0 & (Self::READ | Self::ERROR) != 0
    }

    /// Writing will not block (it may return an error).
    pub fn writable(self) -> bool {
        self.0 & (Self::WRITE | Self::ERROR) != 0
    }

    /// The peer has hung up or the socket has failed.
    pub fn failed(self) -> bool {
        self.0 & Self::ERROR != 0
    }

    pub(crate) fn new(read: bool, write: bool, error: bool) -> Self {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        Self(flag(read, Self::READ) | flag(write, Self::WRITE) | flag(error, Self::ERROR))
    }

    fn from_flags(flags: PollFlags) -> Self {
        let failed = flags.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL);
        Self::new(flags.contains(PollFlags::POLLIN), flags.contains(PollFlags::POLLOUT), failed)
    }
}

impl Interest {
    fn flags(self) -> PollFlags {
        match self {
            Self::Nothing => PollFlags::empty(),
            Self::Read => PollFlags::POLLIN,
            Self::Write => PollFlags::POLLOUT,
            Self::ReadWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
        }
    }
}

/// The longest wait: what a caller calls for ever may be more than the kernel's clock can count.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits until a descriptor is ready, `timeout` (at most a day; `None`: for ever) has passed or a signal came, and says
/// for what each of `descriptors` is ready, in order.
///
/// # Errors
/// Out of memory or descriptors; a signal is not an error: nothing is ready then.
pub fn wait(descriptors: &[(BorrowedFd<'_>, Interest)], timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
    wait_with(descriptors, timeout, None)
}

/// Like [`wait`], with the signal mask `mask` while it waits: a signal that is blocked before the call and not in
/// `mask` ends the wait, even if it came just before the call.
///
/// # Errors
/// As [`wait`].
pub fn wait_with(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    timeout: Option<Duration>,
    mask: Option<&SigSet>,
) -> io::Result<Vec<Ready>> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|(fd, interest)| PollFd::new(*fd, interest.flags())).collect();
    match ppoll(&mut polled, timeout.map(|time| TimeSpec::from_duration(time.min(LONGEST))), mask.copied()) {
        Ok(_) => Ok(polled.iter().map(|fd| Ready::from_flags(fd.revents().unwrap_or(PollFlags::empty()))).collect()),
        Err(Errno::EINTR) => Ok(vec![Ready::default(); descriptors.len()]),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_closed_peer_is_readable_and_failed() {
        let (ours, theirs) = crate::seqpacket::pair().unwrap();
        let idle = wait(&[(ours.as_fd(), Interest::Read)], Some(Duration::ZERO)).unwrap();
        assert!(!idle[0].readable());
        drop(theirs);
        let closed = wait(&[(ours.as_fd(), Interest::Nothing)], None).unwrap();
        assert!(closed[0].readable() && closed[0].failed());
    }

    #[test]
    fn the_longest_time_is_not_too_long_to_wait() {
        let (ours, theirs) = crate::seqpacket::pair().unwrap();
        drop(theirs);
        assert!(wait(&[(ours.as_fd(), Interest::Read)], Some(Duration::MAX)).unwrap()[0].readable());
    }

    #[test]
    fn a_wait_ends_at_its_timeout() {
        let (ours, _theirs) = crate::seqpacket::pair().unwrap();
        let begin = std::time::Instant::now();
        wait(&[(ours.as_fd(), Interest::Read)], Some(Duration::from_millis(20))).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(20));
    }
}
