//! Messages of RFC 2637 §2, by hand: this program wants to send wrong ones, too.

use std::io::{self, Read};
use std::net::TcpStream;

pub(crate) const START_REPLY: u16 = 2;
pub(crate) const ECHO_REQUEST: u16 = 5;
pub(crate) const ECHO_REPLY: u16 = 6;
pub(crate) const CALL_REPLY: u16 = 8;
pub(crate) const CALL_ENDED: u16 = 13;

/// A control message of this kind, with this after its head.
fn message(kind: u16, length: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend([0, 1, 0x1a, 0x2b, 0x3c, 0x4d]);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(body);
    bytes.resize(length.into(), 0);
    bytes
}

/// Start-Control-Connection-Request.
pub(crate) fn start_request() -> Vec<u8> {
    message(1, 156, &[1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3])
}

/// Stop-Control-Connection-Request.
pub(crate) fn stop_request() -> Vec<u8> {
    message(3, 16, &[1])
}

/// Echo-Request.
pub(crate) fn echo_request(number: u32) -> Vec<u8> {
    message(ECHO_REQUEST, 16, &number.to_be_bytes())
}

/// Outgoing-Call-Request.
pub(crate) fn call_request(id: u16) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend([0, 1, 0, 0, 1, 0x2c, 5, 0xf5, 0xe1, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 64]);
    message(7, 168, &body)
}

/// Call-Clear-Request.
pub(crate) fn clear_request(id: u16) -> Vec<u8> {
    message(12, 16, &id.to_be_bytes())
}

/// A message of the server's.
pub(crate) struct Heard(Vec<u8>);

impl Heard {
    pub(crate) fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        let (head, rest) = bytes.split_at_mut_checked(2).ok_or(io::ErrorKind::InvalidData)?;
        head.copy_from_slice(&length);
        stream.read_exact(rest)?;
        Ok(Self(bytes))
    }

    fn number(&self, at: usize) -> u16 {
        self.0.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn kind(&self) -> u16 {
        self.number(8)
    }

    /// The server's id of the call that a reply is about.
    pub(crate) fn call(&self) -> u16 {
        self.number(12)
    }

    /// Result and error of a reply to a call request.
    pub(crate) fn call_result(&self) -> (u8, u8) {
        self.number(16).to_be_bytes().into()
    }

    /// Result of a reply to a start request.
    pub(crate) fn start_result(&self) -> u8 {
        self.number(14).to_be_bytes()[0]
    }
}
