//! A client's TCP connection, and its end: when all is said, the client is told that nothing follows, and closes.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::BorrowedFd;

use pptp_io::poller::Interest;
use pptp_io::stream::Stream;

pub(super) use pptp_io::stream::Input;

/// Bytes that a client may leave unread.
const MOST_UNSENT: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// When the rest is written the client is told that nothing follows.
    Closing,
    /// It was told, and closes its own end some time.
    Finished,
}

pub(super) struct Link {
    stream: Stream,
    /// What it was last waited for.
    pub(super) waited: Interest,
    phase: Phase,
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::new(stream, MOST_UNSENT), waited: Interest::Read, phase: Phase::Open }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.fd()
    }

    pub(super) fn interest(&self) -> Interest {
        self.stream.interest()
    }

    pub(super) fn queue(&mut self, message: &[u8]) {
        self.stream.queue(message);
    }

    /// Where it comes from, and to; `None`: it has failed meanwhile.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.stream.addresses()
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
        if self.stream.flush()? && self.phase == Phase::Closing {
            self.phase = Phase::Finished;
            return self.stream.finish();
        }
        Ok(())
    }

    pub(super) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Input<'a> {
        self.stream.read(buffer)
    }
}
