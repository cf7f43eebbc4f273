//! Waiting for many descriptors of which few are ready.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::poller::{Interest, Ready};

/// When a descriptor that is ready is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// In every wait, for as long as it is.
    Level,
    /// When it becomes ready; whoever hears of it reads or writes until `WouldBlock`.
    Edge,
}

/// A set of descriptors, each with a token of the caller's. A descriptor that is closed leaves the set, unless another
/// process has a copy: take those out before.
#[derive(Debug)]
pub struct EventSet {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

/// The most events that one wait reports; others wait for the next.
const MOST_EVENTS: usize = 64;

impl EventSet {
    /// An empty set.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); MOST_EVENTS] })
    }

    /// Readable when something in the set is ready: a set can be in another one.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Puts a descriptor into the set.
    ///
    /// # Errors
    /// It cannot be waited for, is in the set already, or there is no memory.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest, trigger: Trigger) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(flags(interest, trigger), token))?)
    }

    /// Waits for something else on a descriptor of the set.
    ///
    /// # Errors
    /// It is not in the set.
    pub fn change(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest, trigger: Trigger) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(flags(interest, trigger), token))?)
    }

    /// Takes a descriptor out of the set.
    ///
    /// # Errors
    /// It is not in the set.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// Waits until something is ready, `timeout` (rounded up to milliseconds; `None`: for ever) has passed or a signal
    /// came, and gives the tokens of what is ready.
    ///
    /// # Errors
    /// None that a correct program sees.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = (u64, Ready)> + use<'_>> {
        let count = match self.epoll.wait(&mut self.events, milliseconds(timeout)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let events = self.events.iter().take(count);
        Ok(events.map(|event| (event.data(), ready(event.events()))))
    }
}

fn flags(interest: Interest, trigger: Trigger) -> EpollFlags {
    let interest = match interest {
        Interest::Nothing => EpollFlags::empty(),
        Interest::Read => EpollFlags::EPOLLIN,
        Interest::Write => EpollFlags::EPOLLOUT,
        Interest::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
    };
    match trigger {
        Trigger::Level => interest,
        Trigger::Edge => interest | EpollFlags::EPOLLET,
    }
}

fn ready(flags: EpollFlags) -> Ready {
    let failed = flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
    Ready::new(flags.contains(EpollFlags::EPOLLIN), flags.contains(EpollFlags::EPOLLOUT), failed)
}

/// Up, so that a wait never ends before its time.
fn milliseconds(timeout: Option<Duration>) -> EpollTimeout {
    let Some(timeout) = timeout else { return EpollTimeout::NONE };
    let milliseconds = timeout.as_micros().div_ceil(1000);
    EpollTimeout::try_from(milliseconds.min(i32::MAX.unsigned_abs().into())).unwrap_or(EpollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seqpacket;

    fn tokens(set: &mut EventSet, timeout: Option<Duration>) -> Vec<u64> {
        set.wait(timeout).unwrap().map(|(token, _)| token).collect()
    }

    #[test]
    fn an_edge_is_reported_once_and_a_level_while_it_lasts() {
        let (near, far) = seqpacket::pair().unwrap();
        let (near2, far2) = seqpacket::pair().unwrap();
        let mut set = EventSet::new().unwrap();
        set.add(near.as_fd(), 1, Interest::Read, Trigger::Edge).unwrap();
        set.add(near2.as_fd(), 2, Interest::Read, Trigger::Level).unwrap();
        assert!(tokens(&mut set, Some(Duration::ZERO)).is_empty());
        for socket in [&far, &far2] {
            seqpacket::send(socket.as_fd(), b"x", &[]).unwrap();
        }
        let mut both = tokens(&mut set, None);
        both.sort_unstable();
        assert_eq!(both, [1, 2]);
        assert_eq!(tokens(&mut set, Some(Duration::ZERO)), [2]);
        seqpacket::send(far.as_fd(), b"y", &[]).unwrap();
        set.remove(near2.as_fd()).unwrap();
        assert_eq!(tokens(&mut set, None), [1]);
    }

    #[test]
    fn a_set_can_be_in_a_set() {
        let (near, far) = seqpacket::pair().unwrap();
        let (mut outer, mut inner) = (EventSet::new().unwrap(), EventSet::new().unwrap());
        outer.add(inner.fd(), 1, Interest::Read, Trigger::Level).unwrap();
        inner.add(near.as_fd(), 2, Interest::Read, Trigger::Level).unwrap();
        assert!(tokens(&mut outer, Some(Duration::ZERO)).is_empty());
        drop(far);
        assert_eq!((tokens(&mut outer, None), tokens(&mut inner, None)), (vec![1], vec![2]));
    }

    #[test]
    fn a_wait_ends_at_its_timeout_and_not_before() {
        for (microseconds, rounded) in [(0, 0_u16), (1, 1), (999, 1), (1000, 1), (1001, 2), (1500, 2)] {
            assert_eq!(milliseconds(Some(Duration::from_micros(microseconds))), EpollTimeout::from(rounded));
        }
        assert_eq!(milliseconds(Some(Duration::MAX)), EpollTimeout::MAX);
        assert_eq!(milliseconds(None), EpollTimeout::NONE);
        let timeout = Duration::from_micros(1500);
        let mut set = EventSet::new().unwrap();
        let lasted = |set: &mut EventSet| {
            let begin = std::time::Instant::now();
            assert!(tokens(set, Some(timeout)).is_empty());
            begin.elapsed()
        };
        // A signal for another test of this process, or whoever stops the process for a moment, ends a wait early.
        assert!((0..20).any(|_| lasted(&mut set) >= timeout));
    }
}
