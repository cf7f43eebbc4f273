//! GRE packets that nobody has asked for.

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::sys::socket::SockaddrIn;
use pptp_io::gre_socket::{self, Sender};
use pptp_io::random;

use super::{Outcome, Server, calling};

/// Packets in one go.
const BURST: u32 = 50;

/// So many packets a second, with a sequence number far ahead and LCP inside.
pub(crate) fn flood(server: &Server, rate: u32, calls: &[u32]) -> Outcome<(u64, u64)> {
    let socket = gre_socket::open(None)?;
    gre_socket::connect(socket.as_fd(), server.address)?;
    let mut sender = Sender::new(BURST as usize);
    let (begin, mut count) = (Instant::now(), 0);
    while server.is_time_left() {
        let packets: Vec<Vec<u8>> = (0..BURST).map(|_| packet(calls)).collect();
        // What does not fit is not sent.
        count += sender.send(socket.as_fd(), packets.iter().map(|packet| (packet.as_slice(), None))).unwrap_or(0);
        let due = Duration::from_secs(1) * u32::try_from(count)? / rate;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    Ok((count as u64, server.time.as_secs()))
}

/// So many packets a second for a call of its own, numbered as they should be: LCP's Echo-Request, which pppd has to look at.
pub(crate) fn own(server: &Server, rate: u32, source: u32) -> Outcome<(u64, u64)> {
    let (mut stream, call) = calling::dial(server, source)?;
    let socket = gre_socket::open(None)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(super::source(source), 0)))?;
    gre_socket::connect(socket.as_fd(), server.address)?;
    let mut sender = Sender::new(BURST as usize);
    let (begin, mut count) = (Instant::now(), 0_u32);
    while server.is_time_left() {
        let packets: Vec<Vec<u8>> = (count..count + BURST).map(|number| numbered(call, number)).collect();
        let _ = sender.send(socket.as_fd(), packets.iter().map(|packet| (packet.as_slice(), None)));
        count += BURST;
        let due = Duration::from_secs(1) * count / rate;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    let alive = calling::is_alive(&mut stream)?;
    Ok((count.into(), alive.into()))
}

fn numbered(call: u16, number: u32) -> Vec<u8> {
    let mut packet = vec![0x30, 1, 0x88, 0x0b, 0, 12];
    packet.extend(call.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend([0xff, 3, 0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0]);
    packet
}

fn packet(calls: &[u32]) -> Vec<u8> {
    let number = random::number();
    let call = calls.get(number as usize % calls.len().max(1)).copied().unwrap_or(number);
    let mut packet = vec![0x30, 1, 0x88, 0x0b, 0, 14];
    packet.extend(&call.to_be_bytes()[2..]);
    packet.extend([0, 0, 0x10, 0, 0xff, 3, 0xc0, 0x21, 5, 1, 0, 10]);
    packet.extend(number.to_be_bytes());
    packet
}
