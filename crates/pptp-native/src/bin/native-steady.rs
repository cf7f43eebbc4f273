//! Many streams that are counted to the last datagram.
//!
//! ```text
//! native-steady answer PORT INTERFACE...      sends back what comes in by each of these interfaces
//! native-steady ask PORT RATE ADDRESS...      sends so many datagrams a second to each address, from its first line of
//!                                             input on. For each further line it pauses, waits for what is on its way, and
//!                                             prints since the line before: datagrams sent, answered, answered twice, and
//!                                             the longest time that an answer took, in milliseconds
//! ```
//!
//! Both print "ready" at first, and end with their input.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Room for what comes while this process gets no time: nothing is to be lost here.
const BUFFER: usize = 32 << 20;

/// How long an answer may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a datagram.
const SIZE: usize = 200;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["answer", port, ref interfaces @ ..] => answer(port.parse()?, interfaces),
        ["ask", port, rate, ref addresses @ ..] => {
            let addresses = addresses.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
            ask(Asked { port: port.parse()?, rate: rate.parse()?, addresses })
        }
        _ => Err("not understood".into()),
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{text}")?;
    output.flush()
}

fn open(port: u16) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
    Ok(socket)
}

/// Each interface has a socket of its own: the way back is the way there, whatever the routes say.
fn answer(port: u16, interfaces: &[&str]) -> Outcome<()> {
    for interface in interfaces {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, sockopt::BindToDevice, &(*interface).into())?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
        bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
        let socket = UdpSocket::from(socket);
        std::thread::spawn(move || send_back(&socket));
    }
    say("ready")?;
    for _ in io::stdin().lock().lines() {}
    Ok(())
}

fn send_back(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; SIZE];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], from)?;
    }
}

struct Asked {
    port: u16,
    rate: u32,
    addresses: Vec<Ipv4Addr>,
}

#[derive(Default)]
struct Count {
    /// When they were sent, by number.
    open: BTreeMap<u64, Instant>,
    sent: u64,
    answered: u64,
    twice: u64,
    longest: Duration,
}

impl Count {
    fn take(&mut self, number: u64) {
        match self.open.remove(&number) {
            Some(sent) => {
                self.answered += 1;
                self.longest = self.longest.max(sent.elapsed());
            }
            None => self.twice += 1,
        }
    }
}

fn lock(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask(asked: Asked) -> Outcome<()> {
    let socket = open(0)?;
    let (count, running) = (Mutex::new(Count::default()), Mutex::new(()));
    let mut lines = io::stdin().lock().lines();
    std::thread::scope(|scope| -> Outcome<()> {
        scope.spawn(|| receive(&socket, &count));
        say("ready")?;
        let Some(Ok(_)) = lines.next() else { std::process::exit(0) };
        scope.spawn(|| send(&socket, &asked, &count, &running));
        while let Some(Ok(_)) = lines.next() {
            let _paused = running.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = Instant::now();
            while !lock(&count).open.is_empty() && begin.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
            let Count { sent, answered, twice, longest, .. } = std::mem::take(&mut *lock(&count));
            say(&format!("{sent} {answered} {twice} {}", longest.as_millis()))?;
        }
        std::process::exit(0)
    })
}

fn receive(socket: &UdpSocket, count: &Mutex<Count>) {
    let mut buffer = [0; SIZE];
    while let Ok(length) = socket.recv(&mut buffer) {
        if let Some(number) = buffer[..length].first_chunk() {
            lock(count).take(u64::from_be_bytes(*number));
        }
    }
}

fn send(socket: &UdpSocket, asked: &Asked, count: &Mutex<Count>, running: &Mutex<()>) {
    let pause = Duration::from_secs(1) / asked.rate;
    let mut datagram = [0; SIZE];
    for number in 0.. {
        let begin = Instant::now();
        for (address, number) in asked.addresses.iter().zip(number * asked.addresses.len() as u64..) {
            let _running = running.lock().unwrap_or_else(PoisonError::into_inner);
            datagram[..8].copy_from_slice(&number.to_be_bytes());
            let mut count = lock(count);
            count.sent += 1;
            count.open.insert(number, Instant::now());
            drop(count);
            // What cannot be sent is not answered.
            let _ = socket.send_to(&datagram, (*address, asked.port));
        }
        std::thread::sleep(pause.saturating_sub(begin.elapsed()));
    }
}
