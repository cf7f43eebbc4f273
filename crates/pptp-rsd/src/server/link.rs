//! A client's TCP connection: bytes out in order, bytes in as they come, never blocking.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use pptp_io::poller::Interest;

/// While the client leaves this much unread, nothing more is read from it: what it sends only adds to the answers.
const MOST_UNSENT: usize = 16 * 1024;

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    Bytes(&'a [u8]),
    Nothing,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// When the rest is written the client is told that nothing follows.
    Closing,
    /// It was told, and closes its own end some time.
    Finished,
}

pub(super) struct Link {
    stream: TcpStream,
    unsent: Vec<u8>,
    /// What it was last waited for.
    pub(super) waited: Interest,
    phase: Phase,
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, unsent: Vec::new(), waited: Interest::Read, phase: Phase::Open }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn interest(&self) -> Interest {
        match self.unsent.len() {
            0 => Interest::Read,
            1..MOST_UNSENT => Interest::ReadWrite,
            MOST_UNSENT.. => Interest::Write,
        }
    }

    pub(super) fn queue(&mut self, message: &[u8]) {
        self.unsent.extend_from_slice(message);
    }

    /// Where it comes from, and to; `None`: it has failed meanwhile.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.stream.peer_addr().ok()?, self.stream.local_addr().ok()?))
    }

    /// Nothing but what is queued follows, and what comes is thrown away.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closing;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Writes what the client has room for.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        let outcome = loop {
            let rest = self.unsent.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.stream.write(rest) {
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..written);
        if self.unsent.is_empty() {
            // Most connections are silent for most of their lives.
            self.unsent = Vec::new();
            if self.phase == Phase::Closing {
                self.phase = Phase::Finished;
                return outcome.and_then(|()| self.stream.shutdown(Shutdown::Write));
            }
        }
        outcome
    }

    pub(super) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Input<'a> {
        match self.stream.read(buffer) {
            Ok(0) => Input::Closed,
            Ok(length) => buffer.get(..length).map_or(Input::Nothing, Input::Bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Input::Nothing
            }
            Err(_) => Input::Closed,
        }
    }
}
