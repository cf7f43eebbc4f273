//! The TCP connection: bytes out in order, bytes in as they come, never blocking.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use pptp_io::poller::Interest;

/// While the peer leaves this much unread, nothing more is read from it: what it sends only adds to the answers.
const MOST_UNSENT: usize = 64 * 1024;

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input<'a> {
    Bytes(&'a [u8]),
    Nothing,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, unsent: Vec::new() }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(crate) fn interest(&self) -> Interest {
        match self.unsent.len() {
            0 => Interest::Read,
            1..MOST_UNSENT => Interest::ReadWrite,
            MOST_UNSENT.. => Interest::Write,
        }
    }

    pub(crate) fn queue(&mut self, message: &[u8]) {
        self.unsent.extend_from_slice(message);
    }

    /// Writes what the peer has room for.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Input<'a> {
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
