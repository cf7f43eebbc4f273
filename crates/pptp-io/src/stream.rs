//! A TCP connection for an event loop: bytes out in order, bytes in as they come, never blocking.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use crate::poller::Interest;

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// At least one.
    Bytes(&'a [u8]),
    /// There is nothing to be read at the moment.
    Nothing,
    /// The peer sends no more, or the connection has failed.
    Closed,
}

/// A connection, and what waits to be written.
#[derive(Debug)]
pub struct Stream {
    stream: TcpStream,
    unsent: Vec<u8>,
    most_unsent: usize,
}

impl Stream {
    /// A stream that does not block. While the peer leaves `most_unsent` bytes unread, nothing more is to be read from it:
    /// what it sends only adds to the answers.
    pub const fn new(stream: TcpStream, most_unsent: usize) -> Self {
        Self { stream, unsent: Vec::new(), most_unsent }
    }

    /// The socket.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Where it comes from, and to; `None`: it has failed meanwhile.
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.stream.peer_addr().ok()?, self.stream.local_addr().ok()?))
    }

    /// What to wait for.
    pub fn interest(&self) -> Interest {
        match self.unsent.len() {
            0 => Interest::Read,
            length if length < self.most_unsent => Interest::ReadWrite,
            _ => Interest::Write,
        }
    }

    /// Adds to what is to be written.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Writes what the peer has room for; whether that was all.
    ///
    /// # Errors
    /// The connection has failed.
    pub fn flush(&mut self) -> io::Result<bool> {
        let mut written = 0;
        let outcome = loop {
            let rest = self.unsent.get(written..).unwrap_or_default();
            if rest.is_empty() {
                // Most connections are silent for most of their lives.
                self.unsent = Vec::new();
                return Ok(true);
            }
            match self.stream.write(rest) {
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..written);
        outcome
    }

    /// Tells the peer that nothing follows.
    ///
    /// # Errors
    /// The connection has failed.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads once.
    pub fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Input<'a> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    /// A stream and its peer, on loopback.
    fn pair(most_unsent: usize) -> (Stream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (Stream::new(near, most_unsent), peer)
    }

    #[test]
    fn what_the_peer_does_not_read_waits_in_order_and_stops_reading() {
        let (mut stream, mut peer) = pair(1000);
        assert_eq!(stream.interest(), Interest::Read);
        let bytes: Vec<u8> = (0..16_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        stream.queue(&bytes);
        assert!(!stream.flush().unwrap());
        assert_eq!(stream.interest(), Interest::Write);
        let mut received = vec![0; bytes.len()];
        for part in received.chunks_mut(65_536) {
            peer.read_exact(part).unwrap();
            stream.flush().unwrap();
        }
        assert!(received == bytes);
        assert_eq!((stream.flush().unwrap(), stream.interest()), (true, Interest::Read));
    }

    #[test]
    fn bytes_come_as_they_are_and_then_the_end() {
        let (mut stream, mut peer) = pair(1000);
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer), Input::Nothing);
        peer.write_all(b"abc").unwrap();
        drop(peer);
        assert_eq!(stream.read(&mut buffer), Input::Bytes(b"abc"));
        assert_eq!(stream.read(&mut buffer), Input::Closed);
    }
}
