//! GRE packets that nobody has asked for.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pptp_io::gre_socket::{self, Sender};
use pptp_io::random;

use super::{Outcome, Server};

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

fn packet(calls: &[u32]) -> Vec<u8> {
    let number = random::number();
    let call = calls.get(number as usize % calls.len().max(1)).copied().unwrap_or(number);
    let mut packet = vec![0x30, 1, 0x88, 0x0b, 0, 14];
    packet.extend(&call.to_be_bytes()[2..]);
    packet.extend([0, 0, 0x10, 0, 0xff, 3, 0xc0, 0x21, 5, 1, 0, 10]);
    packet.extend(number.to_be_bytes());
    packet
}
