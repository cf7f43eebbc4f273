//! Serving metrics: one answer for each connection, and a short life.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use pptp_core::time::Instant;
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::listener;
use pptp_io::poller::{Interest, Ready};

use super::exchange::Exchange;
use super::lines::Lines;
use super::link::{Input, Link};
use super::metrics::{Asked, LONGEST_HEAD, answer, read, refusal};
use super::tally::Figures;

/// Connections at a time; the oldest gives way.
const MOST: usize = 16;

/// How long one may last.
const LIFE: Duration = Duration::from_secs(5);

/// The bit that tokens of metrics have; the one without a number is the listener's.
pub(super) const TOKENS: u64 = 1 << 63;

struct Reader {
    link: Link,
    head: Vec<u8>,
    until: Instant,
}

pub(super) struct Metrics {
    listener: TcpListener,
    readers: BTreeMap<u64, Reader>,
    last: u64,
    begin: Instant,
}

impl Metrics {
    /// From here on it is waited for.
    pub(super) fn new(listener: TcpListener, events: &EventSet, now: Instant) -> io::Result<Self> {
        events.add(listener.as_fd(), TOKENS, Interest::Read, Trigger::Level)?;
        Ok(Self { listener, readers: BTreeMap::new(), last: 0, begin: now })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for new connections, or does not.
    pub(super) fn listen(&self, events: &EventSet, interest: Interest) -> io::Result<()> {
        events.change(self.listener.as_fd(), TOKENS, interest, Trigger::Level)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.readers.values().map(|reader| reader.until).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.readers.retain(|_, reader| reader.until > now);
    }

    /// One of its tokens is ready.
    ///
    /// # Errors
    /// Somebody waits who cannot be accepted now.
    pub(super) fn handle<L: Lines>(
        &mut self,
        (token, ready): (u64, Ready),
        events: &EventSet,
        exchange: &Exchange<L>,
        now: Instant,
    ) -> io::Result<()> {
        if token == TOKENS {
            return self.accept(events, now);
        }
        let uptime = now.since(self.begin);
        let Some(reader) = self.readers.get_mut(&token) else { return Ok(()) };
        let figures = || Figures { uptime, ..exchange.figures() };
        let read = if ready.readable() { reader.read(figures) } else { Ok(()) };
        if read.and_then(|()| reader.write(token, events)).is_err() {
            self.readers.remove(&token);
        }
        Ok(())
    }

    fn accept(&mut self, events: &EventSet, now: Instant) -> io::Result<()> {
        let stream = match listener::accept(&self.listener) {
            Ok(stream) => stream,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
                return Err(error);
            }
            Err(_) => return Ok(()),
        };
        while self.readers.len() >= MOST && self.readers.pop_first().is_some() {}
        self.last += 1;
        let token = TOKENS + self.last;
        let link = Link::new(stream);
        events.add(link.fd(), token, Interest::Read, Trigger::Level)?;
        self.readers.insert(token, Reader { link, head: Vec::new(), until: now + LIFE });
        Ok(())
    }
}

impl Reader {
    /// An error: whoever asked has gone.
    fn read(&mut self, figures: impl FnOnce() -> Figures) -> io::Result<()> {
        let mut buffer = [0; LONGEST_HEAD];
        match self.link.read(&mut buffer) {
            Input::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
            Input::Nothing => return Ok(()),
            // What follows a request is thrown away.
            Input::Bytes(_) if self.link.is_closing() => return Ok(()),
            Input::Bytes(bytes) => self.head.extend_from_slice(bytes),
        }
        let text = match read(&self.head) {
            Asked::Incomplete => return Ok(()),
            Asked::Metrics => answer(&figures()),
            Asked::Other(status) => refusal(status),
        };
        self.head = Vec::new();
        self.link.queue(text.as_bytes());
        self.link.close();
        Ok(())
    }

    fn write(&mut self, token: u64, events: &EventSet) -> io::Result<()> {
        self.link.flush()?;
        let interest = self.link.interest();
        if interest != self.link.waited {
            events.change(self.link.fd(), token, interest, Trigger::Level)?;
            self.link.waited = interest;
        }
        Ok(())
    }
}
