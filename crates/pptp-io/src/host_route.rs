//! A route to one host, as the kernel would send to it at this moment (rtnetlink(7)): what goes there goes on doing so when a
//! tunnel takes the default route.
//!
//! IPv4 and the main table alone. Each that is made is a route of its own, whoever else has one to the same host: they differ in
//! their metric, and each is removed with its owner.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{MsgFlags, recv, send};

use crate::sys;

// linux/netlink.h
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const MESSAGE_HEADER: usize = 16;

// linux/rtnetlink.h
const ROUTE_HEADER: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_VIA: u16 = 18;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;

/// What says how a packet leaves.
const WAY: [u16; 4] = [RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_VIA];

/// Type and value of each attribute.
type Attributes = Vec<(u16, Vec<u8>)>;

/// Tunnels to one host at the same time, at most.
const MOST_ROUTES: u32 = 1000;

/// Such a route; dropping it removes it.
#[derive(Debug)]
pub struct HostRoute {
    socket: OwnedFd,
    /// The message that made it, but for its header.
    route: Vec<u8>,
    /// For the log.
    text: String,
}

impl HostRoute {
    /// Makes one; `None`: the host is this machine, or has to be asked for by broadcast. Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// There is no way to the host. `PermissionDenied`.
    pub fn hold(host: Ipv4Addr) -> io::Result<Option<Self>> {
        let socket = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        let (kind, way) = look_up(&socket, host)?;
        if kind != libc::RTN_UNICAST {
            return Ok(None);
        }
        let text = describe(host, &way);
        for metric in 0..MOST_ROUTES {
            let route = route(host, &way, metric);
            match ask(&socket, libc::RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route) {
                Ok(_) => return Ok(Some(Self { socket, route, text })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The route in words: the host, and by which router.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for HostRoute {
    fn drop(&mut self) {
        // One that is gone already, with its interface, needs no removing.
        let _ = ask(&self.socket, libc::RTM_DELROUTE, NLM_F_ACK, &self.route);
    }
}

fn describe(host: Ipv4Addr, way: &[(u16, Vec<u8>)]) -> String {
    let gateway = way.iter().find(|(kind, _)| *kind == RTA_GATEWAY);
    match gateway.and_then(|(_, address)| <[u8; 4]>::try_from(address.as_slice()).ok()) {
        Some(gateway) => format!("{host} by way of {}", Ipv4Addr::from(gateway)),
        None => format!("{host} without a router"),
    }
}

/// How the kernel would send to `host`: the kind of route, and the attributes of [`WAY`].
fn look_up(socket: &OwnedFd, host: Ipv4Addr) -> io::Result<(u8, Attributes)> {
    let mut question = route_header(RT_SCOPE_UNIVERSE, 0, 0, 0);
    put(&mut question, RTA_DST, &host.octets());
    let answer = ask(socket, libc::RTM_GETROUTE, 0, &question)?;
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let (header, attributes) = answer.split_at_checked(ROUTE_HEADER).ok_or_else(broken)?;
    let kind = *header.get(7).ok_or_else(broken)?;
    Ok((kind, attributes_of(attributes).filter(|(kind, _)| WAY.contains(kind)).collect()))
}

fn route(host: Ipv4Addr, way: &[(u16, Vec<u8>)], metric: u32) -> Vec<u8> {
    let is_direct = !way.iter().any(|(kind, _)| matches!(*kind, RTA_GATEWAY | RTA_VIA));
    let scope = if is_direct { RT_SCOPE_LINK } else { RT_SCOPE_UNIVERSE };
    let mut route = route_header(scope, libc::RT_TABLE_MAIN, RTPROT_BOOT, libc::RTN_UNICAST);
    put(&mut route, RTA_DST, &host.octets());
    for (kind, value) in way {
        put(&mut route, *kind, value);
    }
    if metric > 0 {
        put(&mut route, RTA_PRIORITY, &metric.to_ne_bytes());
    }
    route
}

/// `struct rtmsg` for a single IPv4 address.
fn route_header(scope: u8, table: u8, protocol: u8, kind: u8) -> Vec<u8> {
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    vec![family, 32, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0]
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Type and value of each attribute.
fn attributes_of(mut rest: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(4..length)?.to_vec();
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Asks the kernel, which answers before it returns from that: the answer without its header.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
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
    fn this_machine_needs_no_route_to_itself() {
        assert!(HostRoute::hold(Ipv4Addr::LOCALHOST).unwrap().is_none());
    }

    #[test]
    fn attributes_come_back_as_they_were_put() {
        let mut message = Vec::new();
        put(&mut message, RTA_OIF, &7_u32.to_ne_bytes());
        put(&mut message, 99, b"odd");
        put(&mut message, RTA_GATEWAY, &[192, 0, 2, 1]);
        let all: Vec<_> = attributes_of(&message).collect();
        assert_eq!(all, [(4, 7_u32.to_ne_bytes().to_vec()), (99, b"odd".to_vec()), (5, vec![192, 0, 2, 1])]);
        for length in 0..message.len() {
            assert!(attributes_of(&message[..length]).count() <= all.len());
        }
        assert_eq!(attributes_of(&[0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn a_route_is_told_in_words() {
        let host = Ipv4Addr::new(198, 51, 100, 1);
        assert_eq!(describe(host, &[(RTA_GATEWAY, vec![192, 0, 2, 1])]), "198.51.100.1 by way of 192.0.2.1");
        assert_eq!(describe(host, &[(RTA_OIF, vec![1, 0, 0, 0])]), "198.51.100.1 without a router");
    }
}
