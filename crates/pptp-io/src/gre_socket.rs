//! Raw sockets for GRE (IP protocol 47) over IPv4.
//!
//! A packet received begins with the outer IP header; one sent does not have it, the kernel makes it.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::SockaddrIn;

use crate::filter::Then::{Drop, Next, Pass};
use crate::filter::{and, if_equal, index_ip_header, load_half_at_index, program};
use crate::sys::messages::{self, Headers};
use crate::{sys, tcp};

/// Room for 4 MiB of packets: the kernel's usual 208 KiB hold less than a hundred, and a burst is longer.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// Small, so that we are told to wait before a queueing discipline below silently drops: 64 KiB, which the kernel doubles.
const SEND_BUFFER: i32 = 64 << 10;

/// An error that comes more often is no news.
const MOST_NEWS: usize = 16;

/// Every GRE packet of any peer until [`claim`] and [`connect`] say otherwise; close-on-exec and non-blocking. While it is
/// open, the kernel does not answer GRE packets with ICMP errors. Needs `CAP_NET_RAW`; `mark` needs `CAP_NET_ADMIN`.
///
/// # Errors
/// `PermissionDenied`: a capability is missing.
pub fn open(mark: Option<u32>) -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;

    let socket = sys::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, libc::IPPROTO_GRE)?;
    if let Some(mark) = mark {
        tcp::set_mark(socket.as_fd(), mark)?;
    }
    // The outer packet may be fragmented: "don't fragment" would only lose what is too large.
    sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)?;
    let forced = sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER);
    forced.or_else(|_| sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER))?;
    sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, SEND_BUFFER)?;
    Ok(socket)
}

/// The call ids whose packets a socket gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// One.
    Only(u16),
    /// Those whose bits in `mask` are as in `value`.
    Matching {
        /// Which bits.
        mask: u16,
        /// What they are.
        value: u16,
    },
}

/// Receives only enhanced GRE with PPP inside, for the address `local` and these calls; `local` is also where packets are
/// sent from. What came since [`open`] is thrown away.
///
/// # Errors
/// `AddrNotAvailable`: the address is not this machine's. Or not such a socket, or one that is connected.
pub fn claim(socket: BorrowedFd<'_>, local: Ipv4Addr, calls: Calls) -> io::Result<()> {
    // Nothing comes in while what is there, of any call, is thrown away.
    sys::attach_filter(socket, &closed())?;
    discard_all(socket)?;
    sys::attach_filter(socket, &filter_for(calls))?;
    Ok(nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(local, 0)))?)
}

/// Throws away what has arrived.
fn discard_all(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut buffers = [[0_u8; 1]; 16];
    let mut receiver = Receiver::new(buffers.len());
    let mut news = 0;
    loop {
        match receiver.receive(socket, &mut buffers).map(drop) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // News of packets that were sent (ICMP) are told once each; this error stays.
            Err(error) if news == MOST_NEWS => return Err(error),
            Err(_) => news += 1,
        }
    }
}

/// Receives only from `peer` and sends there.
///
/// # Errors
/// No route.
pub fn connect(socket: BorrowedFd<'_>, peer: Ipv4Addr) -> io::Result<()> {
    Ok(nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(peer, 0)))?)
}

/// The packets of one call to [`Receiver::receive`].
#[derive(Debug)]
pub struct Receiver {
    headers: Headers,
    arrived: Vec<messages::Arrived>,
}

impl Receiver {
    /// For at most `packets` at a time.
    pub fn new(packets: usize) -> Self {
        Self { headers: Headers::new(packets), arrived: Vec::with_capacity(packets) }
    }

    /// Receives without blocking, one packet into each of `buffers`, and gives the lengths in order; `None`: that packet
    /// was longer than its buffer. Fewer than there are buffers: there were no more.
    ///
    /// # Errors
    /// `WouldBlock`: none was there. Others are news of packets that were sent (ICMP) and take nothing away: go on.
    pub fn receive<B: AsMut<[u8]>>(
        &mut self,
        socket: BorrowedFd<'_>,
        buffers: &mut [B],
    ) -> io::Result<impl Iterator<Item = Option<usize>> + use<'_, B>> {
        self.arrived.clear();
        self.headers.receive(socket, buffers, &mut self.arrived)?;
        Ok(self.arrived.iter().map(|arrived| match arrived {
            messages::Arrived::Whole(length) => Some(*length),
            messages::Arrived::Truncated => None,
        }))
    }
}

/// Sends many packets at a time.
#[derive(Debug)]
pub struct Sender {
    headers: Headers,
}

impl Sender {
    /// For at most `packets` at a time.
    pub fn new(packets: usize) -> Self {
        Self { headers: Headers::new(packets) }
    }

    /// Sends packets without blocking, from the GRE header on, each to its address or where the socket is connected to,
    /// and says how many of the first were sent.
    ///
    /// # Errors
    /// None was sent. `WouldBlock`, or `ENOBUFS`: wait and send them again. Others may be news of earlier packets (ICMP),
    /// or mean the first of these.
    pub fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        packets: impl Iterator<Item = (&'a [u8], Option<Ipv4Addr>)>,
    ) -> io::Result<usize> {
        self.headers.send(socket, packets.map(|(bytes, to)| (bytes, to.map(address))))
    }
}

fn address(ip: Ipv4Addr) -> libc::sockaddr_in {
    *SockaddrIn::from(SocketAddrV4::new(ip, 0)).as_ref()
}

/// The kernel runs it from the outer IP header on.
fn filter_for(calls: Calls) -> Vec<libc::sock_filter> {
    let (mask, value) = match calls {
        Calls::Only(id) => (u16::MAX, id),
        Calls::Matching { mask, value } => (mask, value),
    };
    program(&[
        index_ip_header(0),
        load_half_at_index(2), // protocol type
        if_equal(0x880b, Next, Drop),
        load_half_at_index(0), // flags and version
        and(7),
        if_equal(1, Next, Drop),
        load_half_at_index(6), // call id
        and(mask.into()),
        if_equal((value & mask).into(), Pass, Drop),
    ])
}

/// No packet passes.
fn closed() -> Vec<libc::sock_filter> {
    program(&[if_equal(0, Drop, Drop)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    /// A GRE header with a call id, a version and a protocol type.
    fn packet(call_id: u16, version: u8, protocol: u16) -> Vec<u8> {
        let mut bytes = vec![0x30, version];
        bytes.extend(protocol.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(call_id.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    /// Two sockets on two loopback addresses, connected to each other.
    fn pair(network: u8, calls: Calls) -> (OwnedFd, OwnedFd) {
        assert!(nix::unistd::geteuid().is_root(), "this test has to run as root");
        let (here, there) = (Ipv4Addr::new(127, 71, network, 1), Ipv4Addr::new(127, 71, network, 2));
        let (ours, theirs) = (open(None).unwrap(), open(None).unwrap());
        claim(ours.as_fd(), here, calls).unwrap();
        connect(ours.as_fd(), there).unwrap();
        claim(theirs.as_fd(), there, Calls::Matching { mask: 0, value: 0 }).unwrap();
        connect(theirs.as_fd(), here).unwrap();
        (ours, theirs)
    }

    fn received(socket: &OwnedFd) -> Vec<Vec<u8>> {
        let mut buffers = vec![vec![0; 100]; 16];
        let Ok(lengths) = Receiver::new(16).receive(socket.as_fd(), &mut buffers).map(Vec::from_iter) else {
            return Vec::new();
        };
        let packets = lengths.into_iter().zip(buffers);
        packets.map(|(length, buffer)| buffer[20..length.unwrap()].to_vec()).collect()
    }

    #[test]
    fn only_the_packets_of_the_call_arrive_and_in_order() {
        let (ours, theirs) = pair(1, Calls::Only(0x1234));
        let mut right = packet(0x1234, 1, 0x880b);
        let wrong = [packet(0x1235, 1, 0x880b), packet(0x1234, 0, 0x880b), packet(0x1234, 1, 0x0800)];
        let first = right.clone();
        right.push(9);
        let all = [&first, &wrong[0], &wrong[1], &wrong[2], &right];
        let sent = Sender::new(8).send(theirs.as_fd(), all.iter().map(|bytes| (bytes.as_slice(), None))).unwrap();
        assert_eq!(sent, 5);
        assert_eq!(received(&ours), [first, right]);
        assert!(received(&ours).is_empty());
    }

    #[test]
    fn what_came_before_the_filter_is_thrown_away() {
        let (ours, theirs) = pair(5, Calls::Only(8));
        let late = open(None).unwrap();
        let other = packet(9, 1, 0x880b);
        Sender::new(1).send(theirs.as_fd(), std::iter::once((other.as_slice(), None))).unwrap();
        claim(late.as_fd(), Ipv4Addr::new(127, 71, 5, 1), Calls::Only(8)).unwrap();
        let right = packet(8, 1, 0x880b);
        Sender::new(1).send(theirs.as_fd(), std::iter::once((right.as_slice(), None))).unwrap();
        assert_eq!(received(&late), std::slice::from_ref(&right));
        assert_eq!(received(&ours), [right]);
    }

    /// A TCP socket without a connection can be given a filter, but never gives a packet.
    #[test]
    fn a_socket_that_cannot_be_read_is_not_claimed() {
        let tcp = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let error = claim(tcp.as_fd(), Ipv4Addr::LOCALHOST, Calls::Only(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }

    #[test]
    fn a_socket_can_be_claimed_for_another_call() {
        let (_ours, theirs) = pair(6, Calls::Only(1));
        let socket = open(None).unwrap();
        let here = Ipv4Addr::new(127, 71, 6, 1);
        for (claimed, other) in [(8, 9), (9, 8)] {
            claim(socket.as_fd(), here, Calls::Only(claimed)).unwrap();
            let both = [packet(other, 1, 0x880b), packet(claimed, 1, 0x880b)];
            Sender::new(2).send(theirs.as_fd(), both.iter().map(|bytes| (bytes.as_slice(), None))).unwrap();
        }
        assert_eq!(received(&socket), [packet(9, 1, 0x880b)]);
    }

    #[test]
    fn a_socket_can_serve_the_ids_with_its_low_bits() {
        let (ours, theirs) = pair(2, Calls::Matching { mask: 3, value: 2 });
        let all: Vec<Vec<u8>> = (0..8).map(|id| packet(id, 1, 0x880b)).collect();
        Sender::new(8).send(theirs.as_fd(), all.iter().map(|bytes| (bytes.as_slice(), None))).unwrap();
        assert_eq!(received(&ours), [all[2].clone(), all[6].clone()]);
    }

    #[test]
    fn packets_can_have_addresses_of_their_own() {
        let (ours, _theirs) = pair(3, Calls::Only(5));
        let free = open(None).unwrap();
        claim(free.as_fd(), Ipv4Addr::new(127, 71, 3, 2), Calls::Only(6)).unwrap();
        let bytes = packet(5, 1, 0x880b);
        let to = Some(Ipv4Addr::new(127, 71, 3, 1));
        assert_eq!(Sender::new(1).send(free.as_fd(), std::iter::once((bytes.as_slice(), to))).unwrap(), 1);
        assert_eq!(received(&ours), [bytes]);
    }

    #[test]
    fn a_packet_that_does_not_fit_is_told_from_one_that_does() {
        let (ours, theirs) = pair(4, Calls::Only(7));
        let mut long = packet(7, 1, 0x880b);
        long.resize(200, 0);
        let short = packet(7, 1, 0x880b);
        let both = [&long, &short];
        Sender::new(2).send(theirs.as_fd(), both.iter().map(|bytes| (bytes.as_slice(), None))).unwrap();
        let mut buffers = vec![vec![0; 100]; 4];
        let lengths: Vec<_> = Receiver::new(4).receive(ours.as_fd(), &mut buffers).unwrap().collect();
        assert_eq!(lengths, [None, Some(32)]);
    }
}
