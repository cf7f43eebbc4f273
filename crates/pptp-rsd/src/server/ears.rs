//! Where pppds tell this server what they know of their calls (`pptp_datapath::report`).

use core::fmt::Display;
use core::hash::Hash;
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use log::warn;
use pptp_datapath::report::{self, Report};
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::poller::Interest;

/// Reports that are taken from one pppd before others get their turn.
const MOST_AT_ONCE: usize = 8;

/// A socket for each pppd, by its number. They have a set of their own, which is one descriptor for who waits.
pub(super) struct Ears<P> {
    events: EventSet,
    ears: HashMap<u64, (P, OwnedFd)>,
    numbers: HashMap<P, u64>,
    last: u64,
    /// Whether somebody has told something that is no report, which is logged once.
    is_puzzled: bool,
}

impl<P: Copy + Eq + Hash + Display> Ears<P> {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { events: EventSet::new()?, ears: HashMap::new(), numbers: HashMap::new(), last: 0, is_puzzled: false })
    }

    /// Readable when somebody has something to tell.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.events.fd()
    }

    /// What this process tells will be heard here.
    pub(super) fn add(&mut self, process: P, socket: OwnedFd) {
        self.last += 1;
        // What cannot be waited for is heard when its process has ended.
        let _ = self.events.add(socket.as_fd(), self.last, Interest::Read, Trigger::Level);
        self.ears.insert(self.last, (process, socket));
        self.numbers.insert(process, self.last);
    }

    /// Processes that have something to tell.
    pub(super) fn ready(&mut self) -> Vec<P> {
        let Ok(ready) = self.events.wait(Some(Duration::ZERO)) else { return Vec::new() };
        let ears = &self.ears;
        ready.filter_map(|(number, _)| ears.get(&number)).map(|(process, _)| *process).collect()
    }

    /// Asks a process for a report; whether one may come.
    pub(super) fn ask(&self, process: P) -> bool {
        let socket = self.numbers.get(&process).and_then(|number| self.ears.get(number));
        socket.is_some_and(|(_, socket)| report::ask(socket.as_fd()).is_ok())
    }

    /// Lets a process know that its call is over; what it tells is heard as before.
    pub(super) fn say_goodbye(&self, process: P) {
        let socket = self.numbers.get(&process).and_then(|number| self.ears.get(number));
        socket.iter().for_each(|(_, socket)| report::say_goodbye(socket.as_fd()));
    }

    /// The last of what a process has told meanwhile.
    pub(super) fn hear(&mut self, process: P) -> Option<Report> {
        let mut last = None;
        for _ in 0..MOST_AT_ONCE {
            let (_, socket) = self.numbers.get(&process).and_then(|number| self.ears.get(number))?;
            match report::receive(socket.as_fd()) {
                Ok(report) => last = Some(report),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => self.wonder(process),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It tells nothing more.
                Err(_) => {
                    self.forget(process);
                    break;
                }
            }
        }
        last
    }

    /// A package that was upgraded leaves a server running that does not fit its plugin.
    fn wonder(&mut self, process: P) {
        if !std::mem::replace(&mut self.is_puzzled, true) {
            warn!(
                "the plugin of pppd {process} is of another version than this server, which learns no users and no traffic from it: restart pptp-rsd"
            );
        }
    }

    /// The process has ended.
    pub(super) fn forget(&mut self, process: P) {
        let ear = self.numbers.remove(&process).and_then(|number| self.ears.remove(&number));
        if let Some((_, socket)) = ear {
            // Its other end may be open elsewhere, but this one is not.
            let _ = self.events.remove(socket.as_fd());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pptp_io::seqpacket;

    fn report(user: &str) -> Report {
        Report { user: Some(user.into()), ..Report::default() }
    }

    #[test]
    fn each_is_heard_by_its_own_ear_and_once() {
        let mut ears = Ears::new().unwrap();
        let pairs: Vec<_> = (0..3).map(|_| seqpacket::pair().unwrap()).collect();
        let mut far = Vec::new();
        for (process, (near, other)) in ['a', 'b', 'c'].into_iter().zip(pairs) {
            ears.add(process, near);
            far.push(other);
        }
        assert_eq!(ears.ready(), []);
        report::send(far[1].as_fd(), &report("first")).unwrap();
        report::send(far[1].as_fd(), &report("last")).unwrap();
        assert_eq!(ears.ready(), ['b']);
        assert_eq!((ears.hear('b'), ears.hear('b'), ears.is_puzzled), (Some(report("last")), None, false));
        assert_eq!((ears.ready(), ears.hear('a')), (vec![], None));
        assert!(ears.ask('c') && !ears.ask('d'));
        assert!(report::is_asked(far[2].as_fd()).unwrap() && !report::is_asked(far[0].as_fd()).unwrap());
    }

    #[test]
    fn whoever_tells_nothing_more_is_forgotten_after_its_last_words() {
        let mut ears = Ears::new().unwrap();
        let (near, far) = seqpacket::pair().unwrap();
        ears.add('a', near);
        seqpacket::send(far.as_fd(), b"nonsense", &[]).unwrap();
        report::send(far.as_fd(), &report("last")).unwrap();
        drop(far);
        assert_eq!((ears.hear('a'), ears.is_puzzled), (Some(report("last")), true));
        assert!(ears.ears.is_empty() && ears.numbers.is_empty() && !ears.ask('a'));
        assert_eq!((ears.ready(), ears.hear('a')), (vec![], None));
    }
}
