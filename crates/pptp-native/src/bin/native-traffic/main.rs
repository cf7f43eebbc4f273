//! Traffic for tests: a sink says where it listens, then what it has seen.
//!
//! ```text
//! native-traffic tcp-sink ADDRESS               prints the port, then bytes and sum
//! native-traffic tcp-source ADDRESS PORT BYTES  prints bytes and sum
//! native-traffic udp-sink ADDRESS               prints the port, then how many came, came again, were broken
//! native-traffic udp-source ADDRESS PORT COUNT PACKETS-PER-SECOND BYTES
//! native-traffic swallow                        takes all GRE packets; prints "ready"
//! native-traffic relay LOCAL CLIENT LOCAL SERVER LOST DOUBLED OVERTAKEN DELAY JITTER
//!                                               of TCP port 1723 and GRE; prints "ready"; per cent and milliseconds
//! ```

mod relay;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use pptp_io::gre_socket;
use pptp_io::poller::{Interest, wait};

/// The end of a stream of datagrams.
const LAST: u32 = u32::MAX;

/// Bytes of datagrams that a sink may be behind: the kernel's usual 208 KiB are less than a hundred.
const SINK_ROOM: usize = 16 << 20;

/// How long a sink waits for more: a source that has ended may have left it alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What TCP's bytes are made of.
const BLOCK: usize = 1 << 16;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["tcp-sink", address] => tcp_sink(address.parse()?)?,
        ["tcp-source", address, port, bytes] => tcp_source((address.parse()?, port.parse()?), bytes.parse()?)?,
        ["udp-sink", address] => udp_sink(address.parse()?)?,
        ["udp-source", address, port, count, rate, size] => {
            let to = (address.parse()?, port.parse()?);
            udp_source(to, (count.parse()?, rate.parse()?), size.parse()?)?;
        }
        ["swallow"] => swallow()?,
        ["relay", ref rest @ ..] => relay::run(rest)?,
        _ => return Err("not understood".into()),
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{text}")?;
    output.flush()
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 16
}

/// A sum that changes when words of eight bytes change their place.
fn sum(before: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(before, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.rotate_left(5) ^ u64::from_le_bytes(word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

fn tcp_sink(address: IpAddr) -> io::Result<()> {
    let listener = TcpListener::bind((address, 0))?;
    say(&listener.local_addr()?.port().to_string())?;
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut bytes, mut total) = (0, 0);
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        if (&stream).take(BLOCK as u64).read_to_end(&mut block)? == 0 {
            break;
        }
        (bytes, total) = (bytes + block.len(), sum(total, &block));
    }
    say(&format!("{bytes} {total:x}"))
}

fn tcp_source(to: (IpAddr, u16), bytes: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let mut state = 1;
    let mut block: Vec<u8> = (0..BLOCK).map(|_| random(&mut state).to_be_bytes()[7]).collect();
    let (mut sent, mut total) = (0, 0);
    while sent < bytes {
        // No two blocks are alike.
        block[..8].copy_from_slice(&random(&mut state).to_be_bytes());
        let part = &block[..BLOCK.min(bytes - sent)];
        stream.write_all(part)?;
        (sent, total) = (sent + part.len(), sum(total, part));
    }
    say(&format!("{sent} {total:x}"))
}

/// A number, and bytes that follow from it.
fn datagram(number: u32, size: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((4..size).map(|at| (at as u32 ^ number) as u8));
    bytes
}

fn udp_source(to: (IpAddr, u16), (count, rate): (u32, u32), size: usize) -> io::Result<()> {
    let any: IpAddr = if to.0.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    let begin = Instant::now();
    for number in 0..count {
        socket.send_to(&datagram(number, size), to)?;
        let due = Duration::from_secs(1) * number / rate;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(100));
        socket.send_to(&datagram(LAST, 4), to)?;
    }
    say("sent")
}

fn udp_sink(address: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind((address, 0))?;
    setsockopt(&socket, RcvBufForce, &SINK_ROOM)?;
    say(&socket.local_addr()?.port().to_string())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (mut seen, mut twice, mut broken) = (BTreeSet::new(), 0, 0);
    let mut buffer = vec![0; 2000];
    loop {
        let length = socket.recv(&mut buffer)?;
        let number = buffer.first_chunk().map_or(0, |&bytes| u32::from_be_bytes(bytes));
        if number == LAST {
            break;
        }
        broken += u32::from(buffer[..length] != datagram(number, length));
        twice += u32::from(!seen.insert(number));
    }
    say(&format!("{} {twice} {broken}", seen.len()))
}

fn swallow() -> io::Result<()> {
    let socket = gre_socket::open(None)?;
    say("ready")?;
    let mut buffers = vec![vec![0; 2048]; 16];
    loop {
        wait(&[(socket.as_fd(), Interest::Read)], None)?;
        let _ = gre_socket::Receiver::new(16).receive(socket.as_fd(), &mut buffers).map(drop);
    }
}
