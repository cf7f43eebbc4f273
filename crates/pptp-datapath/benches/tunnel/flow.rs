//! The traffic, in processes of its own inside the namespaces: this program again, with other words.
//!
//! ```text
//! flow tcp-sink ADDRESS                  prints the port, then bytes and microseconds from the first byte to the last
//! flow tcp-source ADDRESS PORT MILLISECONDS
//! flow udp-sink ADDRESS                  prints the port, then how many datagrams came
//! flow udp-source MILLISECONDS PORT ADDRESS...
//!                                        prints how many were sent, to one address after the other
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::harness::{End, Killed};

/// Datagrams a second.
pub(crate) const UDP_RATE: u32 = 40_000;

/// Payload of a datagram, bytes.
const UDP_PAYLOAD: usize = 64;

/// How many datagrams are sent in a row: a millisecond's.
const UDP_BURST: u32 = UDP_RATE / 1000;

/// Bytes for one read(2) or write(2).
const CHUNK: usize = 128 << 10;

/// The last datagram is one byte.
const LAST: &[u8] = b".";

pub(crate) fn run(words: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    match *words {
        ["tcp-sink", address] => tcp_sink(address.parse()?)?,
        ["tcp-source", address, port, time] => {
            tcp_source((address.parse()?, port.parse()?), Duration::from_millis(time.parse()?))?;
        }
        ["udp-sink", address] => udp_sink(address.parse()?)?,
        ["udp-source", time, port, ref addresses @ ..] => {
            let addresses = addresses.iter().map(|address| address.parse()).collect::<Result<Vec<_>, _>>()?;
            udp_source(&addresses, port.parse()?, Duration::from_millis(time.parse()?))?;
        }
        _ => return Err("not understood".into()),
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn tcp_sink(address: IpAddr) -> io::Result<()> {
    let listener = TcpListener::bind((address, 0))?;
    say(&listener.local_addr()?.port().to_string())?;
    let (mut stream, _) = listener.accept()?;
    let mut buffer = vec![0; CHUNK];
    let mut total = stream.read(&mut buffer)?;
    let (first, mut last) = (total, Instant::now());
    let begin = last;
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        total += length;
        last = Instant::now();
    }
    say(&format!("{} {}", total - first, (last - begin).as_micros()))
}

fn tcp_source(to: (IpAddr, u16), time: Duration) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let (buffer, begin) = (vec![0; CHUNK], Instant::now());
    while begin.elapsed() < time {
        stream.write_all(&buffer)?;
    }
    Ok(())
}

fn udp_sink(address: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind((address, 0))?;
    setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    say(&socket.local_addr()?.port().to_string())?;
    let mut count = 0;
    while socket.recv(&mut [0; UDP_PAYLOAD])? == UDP_PAYLOAD {
        count += 1;
    }
    say(&format!("{count}"))
}

fn udp_source(addresses: &[IpAddr], port: u16, time: Duration) -> io::Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    let (mut to, begin, mut count) = (addresses.iter().cycle(), Instant::now(), 0);
    while begin.elapsed() < time {
        for address in to.by_ref().take(UDP_BURST.try_into().unwrap_or(1)) {
            socket.send_to(&[0; UDP_PAYLOAD], (*address, port))?;
            count += 1;
        }
        let due = Duration::from_secs(1) * count / UDP_RATE;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    say(&format!("{count}"))?;
    std::thread::sleep(Duration::from_millis(200));
    for address in addresses.iter().take(3) {
        socket.send_to(LAST, (*address, port))?;
    }
    Ok(())
}

/// A sink in `end`'s namespace, and the port where it listens.
struct Sink {
    _process: Killed,
    lines: io::Lines<BufReader<std::process::ChildStdout>>,
    port: String,
}

impl Sink {
    fn new(end: &End, kind: &str, address: &str) -> Self {
        let mut command = end.command(&program(), &format!("flow {kind}-sink {address}"));
        let mut process = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap();
        Self { _process: process, lines, port }
    }

    /// The numbers that it prints in the end.
    fn numbers(&mut self) -> Vec<u64> {
        let line = self.lines.next().expect("the sink says what came").unwrap();
        line.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }
}

fn program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

/// What came of a TCP flow.
pub(crate) struct Stream {
    pub(crate) bytes: f64,
    /// Bits a second.
    pub(crate) rate: f64,
}

/// One TCP flow for some time.
pub(crate) fn tcp(from: &End, (to, address): (&End, &str), time: Duration) -> Stream {
    let mut sink = Sink::new(to, "tcp", address);
    from.run(&program(), &format!("flow tcp-source {address} {} {}", sink.port, time.as_millis()));
    let [bytes, microseconds] = sink.numbers().try_into().unwrap();
    Stream { bytes: bytes as f64, rate: bytes as f64 * 8e6 / microseconds as f64 }
}

/// Datagrams of 64 bytes at [`UDP_RATE`] to one or many addresses of `to`: how many were sent and how many came.
pub(crate) fn udp(from: &End, (to, addresses): (&End, &[String]), time: Duration) -> [u64; 2] {
    let mut sink = Sink::new(to, "udp", "0.0.0.0");
    let (time, addresses) = (time.as_millis(), addresses.join(" "));
    let sent = from.run(&program(), &format!("flow udp-source {time} {} {addresses}", sink.port));
    [sent.trim().parse().unwrap(), sink.numbers()[0]]
}
