//! Traffic for tests: `sink` says where it listens, the other end sends, and both say what they have seen.
//!
//! ```text
//! tunnel-traffic tcp-sink ADDRESS               prints the port, then bytes and sum
//! tunnel-traffic tcp-source ADDRESS PORT BYTES  prints bytes and sum
//! tunnel-traffic udp-sink ADDRESS               prints the port, then how many came, out of order, broken
//! tunnel-traffic udp-source ADDRESS PORT COUNT PACKETS-PER-SECOND
//! tunnel-traffic gre-relay LOCAL PEER LOCAL PEER LOSS DUPLICATES LATE
//!                                               prints "ready"; so many per cent; what is late is so by 1 to 3 ms
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pptp_io::gre_socket::{self, Calls, Receiver, Sender};
use pptp_io::poller::{Interest, wait};

/// The end of a stream of datagrams.
const LAST: u32 = u32::MAX;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["tcp-sink", address] => tcp_sink(address.parse()?)?,
        ["tcp-source", address, port, bytes] => tcp_source((address.parse()?, port.parse()?), bytes.parse()?)?,
        ["udp-sink", address] => udp_sink(address.parse()?)?,
        ["udp-source", address, port, count, rate] => {
            udp_source((address.parse()?, port.parse()?), count.parse()?, rate.parse()?)?;
        }
        ["gre-relay", local, peer, other_local, other_peer, ref harm @ ..] => {
            let ends = [gre(local.parse()?, peer.parse()?)?, gre(other_local.parse()?, other_peer.parse()?)?];
            let harm: Vec<u64> = harm.iter().map(|percent| percent.parse()).collect::<Result<_, _>>()?;
            Relay { ends, late: Vec::new(), harm: harm.try_into().map_err(|_| "three numbers")?, state: 1 }.run()?;
        }
        _ => return Err("not understood".into()),
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{text}")?;
    output.flush()
}

/// A sum that changes when bytes change their place.
#[derive(Default)]
struct Sum(u64, usize);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(5) ^ u64::from(byte).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        self.1 += bytes.len();
    }
}

fn tcp_sink(address: IpAddr) -> io::Result<()> {
    let listener = TcpListener::bind((address, 0))?;
    say(&listener.local_addr()?.port().to_string())?;
    let (mut stream, _) = listener.accept()?;
    let (mut sum, mut buffer) = (Sum::default(), vec![0; 1 << 16]);
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        sum.add(&buffer[..length]);
    }
    say(&format!("{} {:x}", sum.1, sum.0))
}

fn tcp_source(to: (IpAddr, u16), bytes: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let (mut sum, mut state) = (Sum::default(), 1_u64);
    while sum.1 < bytes {
        let length = (1 << 16).min(bytes - sum.1);
        let chunk: Vec<u8> = (0..length).map(|_| random(&mut state).to_be_bytes()[0]).collect();
        sum.add(&chunk);
        stream.write_all(&chunk)?;
    }
    say(&format!("{} {:x}", sum.1, sum.0))
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state
}

/// Number, length, and bytes that follow from both.
fn datagram(number: u32) -> Vec<u8> {
    let length = 8 + (number.wrapping_mul(2_654_435_761) >> 16) as usize % 1400;
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend((8..length).map(|at| (at as u32 ^ number) as u8));
    bytes
}

fn udp_source(to: (IpAddr, u16), count: u32, rate: u32) -> io::Result<()> {
    let any: IpAddr = if to.0.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    let begin = Instant::now();
    for number in 0..count {
        socket.send_to(&datagram(number), to)?;
        let due = Duration::from_secs(1) * number / rate;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        socket.send_to(&LAST.to_be_bytes(), to)?;
    }
    Ok(())
}

fn udp_sink(address: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind((address, 0))?;
    say(&socket.local_addr()?.port().to_string())?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut count, mut out_of_order, mut broken, mut highest) = (0, 0, 0, None);
    let mut buffer = vec![0; 2000];
    loop {
        let length = socket.recv(&mut buffer)?;
        let number = buffer.first_chunk().map_or(0, |&bytes| u32::from_be_bytes(bytes));
        if number == LAST {
            break;
        }
        count += 1;
        broken += u32::from(buffer[..length] != datagram(number));
        out_of_order += u32::from(highest.is_some_and(|highest| number <= highest));
        highest = highest.max(Some(number));
    }
    say(&format!("{count} {out_of_order} {broken}"))
}

fn gre(local: Ipv4Addr, peer: Ipv4Addr) -> io::Result<OwnedFd> {
    let socket = gre_socket::open(None)?;
    gre_socket::claim(socket.as_fd(), local, Calls::Matching { mask: 0, value: 0 })?;
    gre_socket::connect(socket.as_fd(), peer)?;
    Ok(socket)
}

/// Passes GRE packets on, and harms some.
struct Relay {
    ends: [OwnedFd; 2],
    /// When to which end.
    late: Vec<(Instant, usize, Vec<u8>)>,
    /// Per cent lost, doubled, late.
    harm: [u64; 3],
    state: u64,
}

impl Relay {
    fn run(mut self) -> io::Result<()> {
        say("ready")?;
        let mut buffers = vec![vec![0; 2048]; 16];
        loop {
            let pause = if self.late.is_empty() { None } else { Some(Duration::from_micros(200)) };
            let [one, two] = &self.ends;
            wait(&[(one.as_fd(), Interest::Read), (two.as_fd(), Interest::Read)], pause)?;
            for end in 0..2 {
                let lengths: Vec<_> = match Receiver::new(16).receive(self.ends[end].as_fd(), &mut buffers) {
                    Ok(lengths) => lengths.collect(),
                    Err(_) => continue,
                };
                for (buffer, length) in buffers.iter().zip(lengths) {
                    self.pass(1 - end, buffer[20..length.unwrap_or(20)].to_vec());
                }
            }
            let now = Instant::now();
            let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(when, ..)| *when <= now);
            self.late = late;
            let due: Vec<_> = due;
            for (_, to, packet) in due {
                self.send(to, &packet);
            }
        }
    }

    fn pass(&mut self, to: usize, packet: Vec<u8>) {
        let harm = self.harm;
        let [lost, doubled, late] = harm.map(|percent| self.chance(percent));
        if lost {
            return;
        }
        if doubled {
            self.send(to, &packet);
        }
        if late {
            let delay = Duration::from_micros(1000 + random(&mut self.state) % 2000);
            self.late.push((Instant::now() + delay, to, packet));
        } else {
            self.send(to, &packet);
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        (random(&mut self.state) >> 33) % 100 < percent
    }

    /// A socket that is full is one more loss.
    fn send(&self, to: usize, packet: &[u8]) {
        let _ = Sender::new(1).send(self.ends[to].as_fd(), std::iter::once((packet, None)));
    }
}
