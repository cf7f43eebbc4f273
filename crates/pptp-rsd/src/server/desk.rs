//! The control socket: operators ask, and are answered.
//!
//! Only root and this process's own user are heard. Nothing is kept for who does not read: the kernel holds what it has room
//! for, and the rest of an answer is made when there is room again.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pptp_core::time::Instant;
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::poller::{Interest, Ready};
use pptp_io::{process, seqpacket};

use super::answers::{Answer, answer, of_outcome};
use super::exchange::Exchange;
use super::lines::Lines;
use super::orders::{Outcome, Ticket};
use crate::control::{LONGEST_REQUEST, Line, PLACING};

/// Operators at a time; the oldest gives way.
const MOST: usize = 16;

/// How long an operator may ask and read nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bit that tokens of the control socket have; the one without a number is the listener's.
pub(super) const TOKENS: u64 = 1 << 62;

/// The socket's file, removed at the end if it is still this one.
pub(super) struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    fn of(path: &Path) -> Option<(u64, u64)> {
        std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if Self::of(&self.path) == Some(self.file) {
            // One that cannot be removed is taken over by the next server.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

struct Asker {
    socket: OwnedFd,
    answer: Option<Answer>,
    waited: Interest,
    until: Instant,
}

pub(super) struct Desk {
    listener: OwnedFd,
    _place: Option<Place>,
    askers: BTreeMap<u64, Asker>,
    last: u64,
    begin: Instant,
}

impl Desk {
    /// Opens it at `path`, in the place of a socket on which nobody listens any more. It is waited for from here on.
    pub(super) fn open(path: &Path, events: &EventSet, now: Instant) -> io::Result<Self> {
        let listener = seqpacket::listen_in_place(path)?;
        let file = Place::of(path).ok_or(io::ErrorKind::NotFound)?;
        let place = Place { path: path.to_owned(), file };
        Self::at(listener, Some(place), events, now)
    }

    /// Opens it at this listening socket. It is waited for from here on.
    pub(super) fn at(listener: OwnedFd, place: Option<Place>, events: &EventSet, now: Instant) -> io::Result<Self> {
        events.add(listener.as_fd(), TOKENS, Interest::Read, Trigger::Level)?;
        Ok(Self { listener, _place: place, askers: BTreeMap::new(), last: 0, begin: now })
    }

    /// Waits for new operators, or does not.
    pub(super) fn listen(&self, events: &EventSet, interest: Interest) -> io::Result<()> {
        events.change(self.listener.as_fd(), TOKENS, interest, Trigger::Level)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.askers.values().map(Asker::next_timeout).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.askers.retain(|_, asker| asker.until > now);
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
            return self.accept(events, exchange, now);
        }
        let uptime = now.since(self.begin);
        let Some(asker) = self.askers.get_mut(&token) else { return Ok(()) };
        if asker.answer.as_ref().is_some_and(Answer::is_open) {
            // It waits for nothing but the end of an asker that has lost its patience.
            self.dismiss(token, exchange, now);
            return Ok(());
        }
        let read = if ready.readable() { asker.read(exchange, uptime, now) } else { Ok(()) };
        if read.and_then(|()| asker.write(exchange, now)).and_then(|()| asker.wait(token, events)).is_err() {
            self.askers.remove(&token);
        }
        Ok(())
    }

    /// Sessions may have told their news, or it is time to do without.
    pub(super) fn handle_news<L: Lines>(&mut self, events: &EventSet, exchange: &Exchange<L>, now: Instant) {
        let uptime = now.since(self.begin);
        self.askers.retain(|token, asker| {
            let Some(soon) = asker.answer.take_if(|answer| matches!(answer, Answer::Soon(..))) else { return true };
            asker.answer = Some(soon.settled(exchange, uptime, now));
            asker.write(exchange, now).and_then(|()| asker.wait(*token, events)).is_ok()
        });
    }

    /// Whoever follows this order hears how far it is.
    pub(super) fn tell_progress(&self, ticket: Ticket, how_far: String) {
        let waiting = self.askers.values().find(|asker| asker.awaited() == Some(ticket));
        if let Some(asker) = waiting {
            // Who does not read misses it.
            let _ = seqpacket::send(asker.socket.as_fd(), format!("{}\n", Line::Progress(how_far)).as_bytes(), &[]);
        }
    }

    /// Whoever waits for this outcome hears it, if anybody still does.
    pub(super) fn tell<L: Lines>(
        &mut self,
        (ticket, outcome): (Ticket, Outcome),
        events: &EventSet,
        exchange: &Exchange<L>,
        now: Instant,
    ) -> bool {
        let waiting = self.askers.iter_mut().find(|(_, asker)| asker.awaited() == Some(ticket));
        let Some((&token, asker)) = waiting else { return false };
        asker.answer = Some(of_outcome(exchange, outcome, now));
        let is_told = asker.write(exchange, now).and_then(|()| asker.wait(token, events)).is_ok();
        if !is_told {
            self.askers.remove(&token);
        }
        is_told
    }

    /// An asker has gone, or has to. Nobody hears what comes of its order.
    fn dismiss<L: Lines>(&mut self, token: u64, exchange: &mut Exchange<L>, now: Instant) {
        let asker = self.askers.remove(&token);
        if let Some(ticket) = asker.as_ref().and_then(Asker::awaited) {
            exchange.withdraw(ticket, now);
        }
    }

    fn accept<L: Lines>(&mut self, events: &EventSet, exchange: &mut Exchange<L>, now: Instant) -> io::Result<()> {
        let socket = match seqpacket::accept(self.listener.as_fd()) {
            Ok(socket) => socket,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
                return Err(error);
            }
            Err(_) => return Ok(()),
        };
        let uid = seqpacket::peer_uid(socket.as_fd())?;
        if uid != 0 && uid != process::effective_uid() {
            return Ok(());
        }
        while let Some(&oldest) = self.askers.keys().next().filter(|_| self.askers.len() >= MOST) {
            self.dismiss(oldest, exchange, now);
        }
        self.last += 1;
        let token = TOKENS + self.last;
        events.add(socket.as_fd(), token, Interest::Read, Trigger::Level)?;
        let asker = Asker { socket, answer: None, waited: Interest::Read, until: now + PATIENCE };
        self.askers.insert(token, asker);
        Ok(())
    }
}

impl Asker {
    /// A request is taken when the one before is answered. An error: the operator has gone.
    fn read<L: Lines>(&mut self, exchange: &mut Exchange<L>, uptime: Duration, now: Instant) -> io::Result<()> {
        if self.answer.is_some() {
            return Ok(());
        }
        let mut buffer = [0; LONGEST_REQUEST];
        let request = match seqpacket::receive(self.socket.as_fd(), &mut buffer) {
            Ok(received) if received.length == 0 => return Err(io::ErrorKind::BrokenPipe.into()),
            Ok(received) => buffer.get(..received.length).unwrap_or_default(),
            // What is too long is as wrong as nothing.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => &[],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.answer = Some(answer(exchange, request, uptime, now));
        self.until = now + if self.awaited().is_some() { PLACING } else { PATIENCE };
        Ok(())
    }

    fn next_timeout(&self) -> Instant {
        match self.answer {
            Some(Answer::Soon(_, until)) => until,
            _ => self.until,
        }
    }

    /// The order that it has given, while nothing has come of it.
    fn awaited(&self) -> Option<Ticket> {
        match self.answer {
            Some(Answer::Later(ticket)) => Some(ticket),
            _ => None,
        }
    }

    fn write<L: Lines>(&mut self, exchange: &Exchange<L>, now: Instant) -> io::Result<()> {
        while let Some(answer) = self.answer.as_ref().filter(|answer| !answer.is_open()) {
            let (text, rest) = answer.part(exchange, now);
            match seqpacket::send(self.socket.as_fd(), text.as_bytes(), &[]) {
                Ok(()) => (self.answer, self.until) = (rest, now + PATIENCE),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait(&mut self, token: u64, events: &EventSet) -> io::Result<()> {
        let interest = match &self.answer {
            None => Interest::Read,
            Some(answer) if answer.is_open() => Interest::Nothing,
            Some(_) => Interest::Write,
        };
        if interest != self.waited {
            events.change(self.socket.as_fd(), token, interest, Trigger::Level)?;
            self.waited = interest;
        }
        Ok(())
    }
}
