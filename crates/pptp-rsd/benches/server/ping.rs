//! `ping ADDRESS...`: all addresses at the same time, a few times.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recvfrom, sendto, setsockopt, socket,
    sockopt,
};

/// How often each address is pinged, and how long all answers may take.
const TIMES: u16 = 3;
const PATIENCE: Duration = Duration::from_secs(10);

/// What a full-sized packet has no use for: most of a tunnel's packets are small.
const DATA: usize = 56;

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

/// Says in one line how many requests there were, how many were answered, and how long the last answer of a turn took.
pub(crate) fn run(addresses: &[&str]) -> String {
    let addresses: Vec<Ipv4Addr> = addresses.iter().map(|text| text.parse().expect("an IPv4 address")).collect();
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp).unwrap();
    setsockopt(&socket, sockopt::RcvBuf, &(1 << 22)).unwrap();
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for turn in 0..TIMES {
        let begin = Instant::now();
        let mut missing: HashSet<Ipv4Addr> = addresses.iter().copied().collect();
        for address in &addresses {
            let place = SockaddrIn::from(SocketAddrV4::new(*address, 0));
            sendto(socket.as_raw_fd(), &request(turn), &place, MsgFlags::empty()).unwrap();
        }
        while !missing.is_empty() && begin.elapsed() < PATIENCE {
            match answer(&socket, turn) {
                Some(from) => answered += usize::from(missing.remove(&from)),
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        }
        slowest = slowest.max(begin.elapsed());
    }
    let requests = addresses.len() * usize::from(TIMES);
    format!("requests={requests} answered={answered} slowest={:.3}", slowest.as_secs_f64() * 1000.0)
}

fn request(turn: u16) -> Vec<u8> {
    let mut packet = vec![0; 8 + DATA];
    packet[0] = ECHO_REQUEST;
    packet[6..8].copy_from_slice(&turn.to_be_bytes());
    let sum = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    packet[2..4].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    packet
}

/// Whose answer of this turn has come.
fn answer(socket: &OwnedFd, turn: u16) -> Option<Ipv4Addr> {
    loop {
        let mut packet = [0; 1500];
        let (length, from) = match recvfrom::<SockaddrIn>(socket.as_raw_fd(), &mut packet) {
            Ok(received) => received,
            Err(Errno::EAGAIN) => return None,
            Err(error) => panic!("ping: {error}"),
        };
        let start = usize::from(packet[0] & 15) * 4;
        let message = packet.get(start..length)?;
        if message[0] == ECHO_REPLY && message[6..8] == turn.to_be_bytes() {
            return from.map(|from| from.ip());
        }
    }
}
