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
use super::metrics::{Asked, LONGEST_HEAD, Telling, begin, read, refusal};
use super::news::Inquiry;
use super::tally::Figures;

/// Connections at a time; the oldest gives way.
const MOST: usize = 16;

/// How long one may last without progress.
const LIFE: Duration = Duration::from_secs(5);

/// The bit that tokens of metrics have; the one without a number is the listener's.
pub(super) const TOKENS: u64 = 1 << 63;

/// How long the sessions' news are good enough for whoever asks next.
const FRESH: Duration = Duration::from_secs(1);

struct Reader {
    link: Link,
    until: Instant,
    stage: Stage,
    /// Nothing more comes from there.
    is_ended: bool,
}

enum Stage {
    /// So much has come of the request.
    Asking(Vec<u8>),
    /// Sessions are asked for news until then, at most.
    Waiting(Instant),
    /// This has still to be told.
    Telling(Telling),
    /// All is said.
    Done,
}

pub(super) struct Metrics {
    listener: TcpListener,
    readers: BTreeMap<u64, Reader>,
    last: u64,
    begin: Instant,
    /// When sessions were asked for news.
    asked: Option<Instant>,
}

impl Metrics {
    /// From here on it is waited for.
    pub(super) fn new(listener: TcpListener, events: &EventSet, now: Instant) -> io::Result<Self> {
        events.add(listener.as_fd(), TOKENS, Interest::Read, Trigger::Level)?;
        Ok(Self { listener, readers: BTreeMap::new(), last: 0, begin: now, asked: None })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for new connections, or does not.
    pub(super) fn listen(&self, events: &EventSet, interest: Interest) -> io::Result<()> {
        events.change(self.listener.as_fd(), TOKENS, interest, Trigger::Level)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.readers.values().map(Reader::next_timeout).min()
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
        exchange: &mut Exchange<L>,
        now: Instant,
    ) -> io::Result<()> {
        if token == TOKENS {
            return self.accept(events, now);
        }
        let Some(reader) = self.readers.get_mut(&token) else { return Ok(()) };
        if ready.readable() && reader.read(now).is_err() {
            self.readers.remove(&token);
            return Ok(());
        }
        if matches!(reader.stage, Stage::Waiting(_)) && self.asked.is_none_or(|asked| now.since(asked) >= FRESH) {
            self.asked = Some(now);
            exchange.inquire(None);
        }
        self.proceed(token, events, exchange, now);
        Ok(())
    }

    /// Sessions may have told their news, or it is time to do without.
    pub(super) fn handle_news<L: Lines>(&mut self, events: &EventSet, exchange: &Exchange<L>, now: Instant) {
        let waiting = self.readers.iter().filter(|(_, reader)| matches!(reader.stage, Stage::Waiting(_)));
        for token in waiting.map(|(token, _)| *token).collect::<Vec<_>>() {
            self.proceed(token, events, exchange, now);
        }
    }

    fn proceed<L: Lines>(&mut self, token: u64, events: &EventSet, exchange: &Exchange<L>, now: Instant) {
        let Some(reader) = self.readers.get_mut(&token) else { return };
        if matches!(reader.stage, Stage::Waiting(until) if until <= now || exchange.has_news()) {
            let figures = Figures { uptime: now.since(self.begin), ..exchange.figures() };
            reader.link.queue(begin(&figures).as_bytes());
            reader.stage = Stage::Telling(Telling::ALL);
        }
        if reader.write(exchange, now).and_then(|()| reader.wait(token, events)).is_err() {
            self.readers.remove(&token);
        }
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
        self.readers
            .insert(token, Reader { link, until: now + LIFE, stage: Stage::Asking(Vec::new()), is_ended: false });
        Ok(())
    }
}

impl Reader {
    fn next_timeout(&self) -> Instant {
        match self.stage {
            Stage::Waiting(until) => until,
            Stage::Asking(_) | Stage::Telling(_) | Stage::Done => self.until,
        }
    }

    /// An error: whoever asked has gone.
    fn read(&mut self, now: Instant) -> io::Result<()> {
        let mut buffer = [0; LONGEST_HEAD];
        let bytes = match self.link.read(&mut buffer) {
            Input::Closed => return self.end(now),
            Input::Nothing => return Ok(()),
            Input::Bytes(bytes) => bytes,
        };
        // What follows a request is thrown away.
        let Stage::Asking(head) = &mut self.stage else { return Ok(()) };
        head.extend_from_slice(bytes);
        match read(head) {
            Asked::Incomplete => {}
            Asked::Metrics => self.stage = Stage::Waiting(Inquiry::deadline(now)),
            Asked::Other(status) => {
                self.stage = Stage::Done;
                self.link.queue(refusal(status).as_bytes());
                self.link.close();
            }
        }
        Ok(())
    }

    /// Whoever asked sends no more. It may still read.
    fn end(&mut self, now: Instant) -> io::Result<()> {
        let is_answered = matches!(self.stage, Stage::Done) && self.link.interest() == Interest::Read;
        if matches!(self.stage, Stage::Asking(_)) || is_answered {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Stage::Waiting(until) = &mut self.stage {
            *until = now;
        }
        self.is_ended = true;
        Ok(())
    }

    /// Writes what there is room for. Nothing is made before there is room for it.
    fn write<L: Lines>(&mut self, exchange: &Exchange<L>, now: Instant) -> io::Result<()> {
        self.link.flush()?;
        while let (Stage::Telling(telling), Interest::Read) = (&self.stage, self.link.interest()) {
            let (text, rest) = telling.part(exchange, now);
            self.link.queue(text.as_bytes());
            self.until = now + LIFE;
            match rest {
                Some(rest) => self.stage = Stage::Telling(rest),
                None => {
                    self.stage = Stage::Done;
                    self.link.close();
                }
            }
            self.link.flush()?;
        }
        Ok(())
    }

    fn wait(&mut self, token: u64, events: &EventSet) -> io::Result<()> {
        let interest = match self.link.interest() {
            // All is written, and the end was heard before.
            Interest::Read if self.is_ended => return Err(io::ErrorKind::BrokenPipe.into()),
            Interest::ReadWrite if self.is_ended => Interest::Write,
            interest => interest,
        };
        if interest != self.link.waited {
            events.change(self.link.fd(), token, interest, Trigger::Level)?;
            self.link.waited = interest;
        }
        Ok(())
    }
}
