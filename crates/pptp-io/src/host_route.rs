//! A route to one host, as the kernel sends to it at this moment: what goes there goes on doing so when a tunnel takes the
//! default route.
//!
//! IPv4 and the main table alone. Each that is made is a route of its own, whoever else has one to the same host: they differ in
//! their metric, and each is removed with its owner. Metric 0, that of a route made by hand, is left to others: theirs is the one
//! that counts, and removing by a metric cannot hit another's.
//!
//! The three messages that this takes are written by hand, 100 lines in `netlink`. Of the libraries, `rtnetlink` is asynchronous
//! (tokio, 30 crates), where pppd forks and has no runtime; `neli` brings 32 crates, three sets of macros among them.
//! `netlink-packet-route` has the messages' types alone, with 10 crates, and would leave the sockets and all decisions here.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{MsgFlags, recv};

use crate::sys;

mod keeper;
mod netlink;

pub use keeper::{Keeper, News};
use netlink::{Attributes, Header, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, ask, put, take_apart};

// linux/rtnetlink.h
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_MARK: u16 = 16;
const RTA_VIA: u16 = 18;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTM_F_LOOKUP_TABLE: u32 = 0x1000;
const RTNH_F_ONLINK: u32 = 4;
const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;

/// What says how a packet leaves.
const WAY: [u16; 5] = [RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_METRICS, RTA_VIA];

/// Tunnels to one host at the same time, at most.
const MOST_ROUTES: u32 = 1000;

/// Where packets go, and what rules (ip-rule(8)) may look at besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// To here.
    pub host: Ipv4Addr,
    /// Their firewall mark.
    pub mark: Option<u32>,
    /// From here; `None`: from wherever the way suggests.
    pub source: Option<Ipv4Addr>,
}

/// How the kernel sends to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    kind: u8,
    table: u32,
    attributes: Attributes,
}

/// A route; dropping it removes it.
#[derive(Debug)]
struct HostRoute {
    socket: OwnedFd,
    made: Made,
    /// For the log.
    text: String,
}

/// A route that was added.
#[derive(Debug)]
struct Made {
    metric: u32,
    /// The message that has done it, but for its header.
    route: Vec<u8>,
}

/// Tells when there may be other ways than before.
#[derive(Debug)]
pub struct Changes(OwnedFd);

impl Way {
    /// At this moment.
    ///
    /// # Errors
    /// There is no way.
    pub fn look_up(destination: &Destination) -> io::Result<Self> {
        let header =
            Header { has_source: destination.source.is_some(), flags: RTM_F_LOOKUP_TABLE, ..Header::default() };
        let mut question = header.to(destination.host);
        if let Some(source) = destination.source {
            put(&mut question, RTA_SRC, &source.octets());
        }
        if let Some(mark) = destination.mark {
            put(&mut question, RTA_MARK, &mark.to_ne_bytes());
        }
        Self::read(&ask(&netlink::open()?, libc::RTM_GETROUTE, 0, &question)?)
    }

    fn read(answer: &[u8]) -> io::Result<Self> {
        let (kind, mut attributes) = take_apart(answer)?;
        let table = number_of(&attributes, RTA_TABLE).unwrap_or_default();
        // An MTU that was learned, and is forgotten again.
        let is_learned = find(&attributes, RTA_CACHEINFO).is_some_and(|info| info.get(8..12) != Some(&[0; 4]));
        attributes.retain(|(kind, _)| WAY.contains(kind) && !(is_learned && *kind == RTA_METRICS));
        Ok(Self { kind, table, attributes })
    }

    /// The number of the interface by which packets leave (`if_nametoindex`(3)).
    pub fn interface(&self) -> Option<u32> {
        number_of(&self.attributes, RTA_OIF)
    }

    /// Whether a default route in the main table could be another way: not to this machine itself, or by a table that comes first.
    fn follows_default_route(&self) -> bool {
        let tables = [libc::RT_TABLE_UNSPEC, libc::RT_TABLE_MAIN, libc::RT_TABLE_DEFAULT].map(u32::from);
        self.kind == libc::RTN_UNICAST && tables.contains(&self.table)
    }

    fn gateway(&self) -> Option<Ipv4Addr> {
        let address: [u8; 4] = find(&self.attributes, RTA_GATEWAY)?.try_into().ok()?;
        Some(Ipv4Addr::from(address))
    }

    /// The message that makes this the way to `host`, but for the header.
    fn route(&self, host: Ipv4Addr, metric: u32, flags: u32) -> Vec<u8> {
        let is_direct = !self.attributes.iter().any(|(kind, _)| matches!(*kind, RTA_GATEWAY | RTA_VIA));
        let scope = if is_direct { RT_SCOPE_LINK } else { RT_SCOPE_UNIVERSE };
        let header = Header {
            table: libc::RT_TABLE_MAIN,
            protocol: RTPROT_BOOT,
            scope,
            kind: libc::RTN_UNICAST,
            flags,
            ..Header::default()
        };
        let mut route = header.to(host);
        for (kind, value) in &self.attributes {
            put(&mut route, *kind, value);
        }
        put(&mut route, RTA_PRIORITY, &metric.to_ne_bytes());
        route
    }
}

impl HostRoute {
    /// Makes this the way to `host`.
    fn make(host: Ipv4Addr, way: &Way) -> io::Result<Self> {
        let socket = netlink::open()?;
        let made = make(&socket, host, way)?;
        Ok(Self { socket, made, text: describe(host, way) })
    }

    /// Makes this the way in place of the one before.
    fn change(&mut self, host: Ipv4Addr, way: &Way) -> io::Result<()> {
        let before = std::mem::replace(&mut self.made, make(&self.socket, host, way)?);
        // If not, it had gone. To the kernel the two may be one: it does not ask whether a route to be removed is "onlink".
        if before.metric != self.made.metric {
            self.remove(&before);
        }
        self.text = describe(host, way);
        Ok(())
    }

    /// Makes it again if it has gone, as with its interface or with an address; whether it had.
    fn renew(&self) -> io::Result<bool> {
        match ask(&self.socket, libc::RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &self.made.route) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, made: &Made) {
        // One that is gone already, with its interface, needs no removing.
        let _ = ask(&self.socket, libc::RTM_DELROUTE, NLM_F_ACK, &made.route);
    }

    /// The route in words: the host, and by which router.
    fn text(&self) -> &str {
        &self.text
    }
}

fn make(socket: &OwnedFd, host: Ipv4Addr, way: &Way) -> io::Result<Made> {
    add(socket, |metric| way.route(host, metric, 0)).or_else(|error| match error.raw_os_error() {
        // The router has an address of no network of this machine's, as in some clouds.
        Some(libc::ENETUNREACH) if way.gateway().is_some() => {
            add(socket, |metric| way.route(host, metric, RTNH_F_ONLINK)).map_err(|_| error)
        }
        _ => Err(error),
    })
}

/// Adds the first of these routes, by their metric, that nobody has.
fn add(socket: &OwnedFd, route: impl Fn(u32) -> Vec<u8>) -> io::Result<Made> {
    for metric in 1..=MOST_ROUTES {
        let route = route(metric);
        match ask(socket, libc::RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route) {
            Ok(_) => return Ok(Made { metric, route }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

impl Drop for HostRoute {
    fn drop(&mut self) {
        self.remove(&self.made);
    }
}

impl Changes {
    /// From here on.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn watch() -> io::Result<Self> {
        let socket = netlink::open()?;
        sys::bind(socket.as_fd(), &address(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE))?;
        Ok(Self(socket))
    }

    /// Readable after a change.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Waits for the next, without blocking.
    pub fn forget(&self) {
        // What does not fit is cut off, and that some were too many for the socket is an error of one call.
        let next = || match recv(self.0.as_raw_fd(), &mut [0; 16], MsgFlags::MSG_DONTWAIT) {
            Err(nix::errno::Errno::EAGAIN) => None,
            _ => Some(()),
        };
        std::iter::from_fn(next).take(usize::from(u16::MAX)).for_each(drop);
    }
}

/// `struct sockaddr_nl` of these groups.
fn address(groups: u32) -> Vec<u8> {
    let family = u16::try_from(libc::AF_NETLINK).unwrap_or_default();
    [&family.to_ne_bytes()[..], &[0; 6], &groups.to_ne_bytes()].concat()
}

fn find(attributes: &Attributes, kind: u16) -> Option<&[u8]> {
    attributes.iter().find(|(other, _)| *other == kind).map(|(_, value)| value.as_slice())
}

fn number_of(attributes: &Attributes, kind: u16) -> Option<u32> {
    find(attributes, kind)?.try_into().ok().map(u32::from_ne_bytes)
}

fn describe(host: Ipv4Addr, way: &Way) -> String {
    match way.gateway() {
        Some(gateway) => format!("{host} by way of {gateway}"),
        None => format!("{host} without a router"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

    fn way(attributes: &[(u16, &[u8])]) -> Way {
        let mut answer = Header { kind: libc::RTN_UNICAST, ..Header::default() }.to(HOST);
        attributes.iter().for_each(|(kind, value)| put(&mut answer, *kind, value));
        Way::read(&answer).unwrap()
    }

    #[test]
    fn only_what_the_main_table_decides_needs_a_route() {
        let by = |table: u32| way(&[(RTA_TABLE, &table.to_ne_bytes())]).follows_default_route();
        assert!(by(254) && by(253) && way(&[]).follows_default_route());
        assert!(!by(100) && !by(255) && !by(1000));
    }

    #[test]
    fn a_way_is_what_a_route_needs_to_be_the_same_without_what_is_only_learned() {
        let metrics: (u16, &[u8]) = (RTA_METRICS, &[8, 0, 2, 0, 0x78, 5, 0, 0]);
        let lasting: (u16, &[u8]) = (RTA_CACHEINFO, &[0; 32]);
        let mut passing = [0; 32];
        passing[8] = 1;
        let device: (u16, &[u8]) = (RTA_OIF, &7_u32.to_ne_bytes());
        let lasting = way(&[(RTA_TABLE, &[254, 0, 0, 0]), device, metrics, lasting]);
        assert_eq!(lasting.attributes.len(), 2);
        assert_eq!(lasting.interface(), Some(7));
        let passing = way(&[device, metrics, (RTA_CACHEINFO, &passing)]);
        assert_eq!(passing.attributes, [(RTA_OIF, 7_u32.to_ne_bytes().to_vec())]);
    }

    #[test]
    fn a_route_has_its_metric_and_on_the_link_no_wider_scope() {
        let router: (u16, &[u8]) = (RTA_GATEWAY, &[192, 0, 2, 1]);
        for (way, scope) in [(way(&[router]), RT_SCOPE_UNIVERSE), (way(&[]), RT_SCOPE_LINK)] {
            let route = way.route(HOST, 3, 0);
            assert_eq!(route[6], scope);
            let (_, attributes) = take_apart(&route).unwrap();
            assert_eq!(number_of(&attributes, RTA_PRIORITY), Some(3));
            assert_eq!(find(&attributes, RTA_DST), Some(&HOST.octets()[..]));
        }
    }

    #[test]
    fn a_route_is_told_in_words() {
        let by_router = way(&[(RTA_GATEWAY, &[192, 0, 2, 1])]);
        assert_eq!(describe(HOST, &by_router), "198.51.100.1 by way of 192.0.2.1");
        assert_eq!(describe(HOST, &way(&[(RTA_OIF, &[1, 0, 0, 0])])), "198.51.100.1 without a router");
    }

    #[test]
    fn changes_are_waited_for_and_forgotten() {
        let changes = Changes::watch().unwrap();
        changes.forget();
        assert!(recv(changes.fd().as_raw_fd(), &mut [0; 16], MsgFlags::MSG_DONTWAIT).is_err());
    }
}
