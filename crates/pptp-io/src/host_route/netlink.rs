//! Messages about routes to single IPv4 addresses (netlink(7), rtnetlink(7)): what is put into them, and the kernel's answer.
//! One message is asked at a time, and answered by one.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{MsgFlags, recv, send};

use crate::sys;

// linux/netlink.h
pub(super) const NLM_F_REQUEST: u16 = 1;
pub(super) const NLM_F_ACK: u16 = 4;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const MESSAGE_HEADER: usize = 16;

// linux/rtnetlink.h
const ROUTE_HEADER: usize = 12;

/// Type and value of each attribute.
pub(super) type Attributes = Vec<(u16, Vec<u8>)>;

/// The header of a message about routes (`struct rtmsg`); what it leaves out is 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Header {
    pub(super) has_source: bool,
    pub(super) table: u8,
    pub(super) protocol: u8,
    pub(super) scope: u8,
    pub(super) kind: u8,
    pub(super) flags: u32,
}

impl Header {
    /// The beginning of a message about the route to `host`.
    pub(super) fn to(self, host: Ipv4Addr) -> Vec<u8> {
        let family = u8::try_from(libc::AF_INET).unwrap_or_default();
        let source_bits = if self.has_source { 32 } else { 0 };
        let mut message = vec![family, 32, source_bits, 0, self.table, self.protocol, self.scope, self.kind];
        message.extend(self.flags.to_ne_bytes());
        put(&mut message, super::RTA_DST, &host.octets());
        message
    }
}

pub(super) fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The kind of route that a message tells of, and its attributes.
pub(super) fn take_apart(message: &[u8]) -> io::Result<(u8, Attributes)> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let (header, attributes) = message.split_at_checked(ROUTE_HEADER).ok_or_else(broken)?;
    let kind = *header.get(7).ok_or_else(broken)?;
    Ok((kind, attributes_of(attributes).collect()))
}

fn attributes_of(mut rest: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(4..length)?.to_vec();
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A socket for [`ask`].
pub(super) fn open() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
}

/// Asks the kernel, which answers before it returns from that: the answer without its header.
pub(super) fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(MESSAGE_HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = vec![0; 4096];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
    answer.truncate(length);
    let kind = answer.get(4..).and_then(|rest| rest.first_chunk()).map(|kind| u16::from_ne_bytes(*kind));
    let body = answer.get(MESSAGE_HEADER..).unwrap_or_default();
    match (kind, body.first_chunk().map(|code| i32::from_ne_bytes(*code))) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(Vec::new()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        (Some(_), _) => Ok(body.to_vec()),
        (None, _) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_as_they_were_put() {
        let mut message = Header { kind: 1, ..Header::default() }.to(Ipv4Addr::new(192, 0, 2, 9));
        put(&mut message, 99, b"odd");
        put(&mut message, 5, &[192, 0, 2, 1]);
        let all = (1, vec![(1, vec![192, 0, 2, 9]), (99, b"odd".to_vec()), (5, vec![192, 0, 2, 1])]);
        assert_eq!(take_apart(&message).unwrap(), all);
        for length in 0..message.len() {
            assert!(take_apart(&message[..length]).is_ok_and(|(_, some)| some.len() < 4) || length < ROUTE_HEADER);
        }
        assert_eq!(attributes_of(&[0, 0, 0, 0]).count(), 0);
    }
}
