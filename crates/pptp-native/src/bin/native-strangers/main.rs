//! `native-strangers ADDRESS MILLISECONDS KIND` is not nice to the PPTP server there, and then prints two numbers.
//!
//! ```text
//! silent COUNT      so many connections that say nothing; how many were opened, and how many the server leaves open
//! open COUNT        the same, which end with the time; how many were opened, and how many are still open by then
//! slow COUNT        so many that say a request octet by octet; octets, and connections that were opened
//! connect           connections from ever new addresses, reset at once; begun, and opened
//! half              connections of which this end is closed, at all stages; how many, and those that the server closed
//! garbage           connections that say what is no PPTP; how many, and those that the server closed
//! start             good connections without calls; how many, and those that were welcome
//! calls COUNT FROM  one from the address with this number that asks for so many calls at a time, again and again; calls
//!                   accepted, and refused because the server has no room or has had enough of it
//! clear             one that begins calls and clears them at once; calls begun, and ended
//! talk              connections that send echo requests, stops and rubbish in the right form, and do not read;
//!                   messages, and connections
//! own RATE FROM     packets for a call of its own, from the address with this number; packets, and 1 if the server still talks
//! gre RATE [ID...]  packets for calls that do not exist, or for these; packets, and seconds
//! ```
//!
//! Connections come from 198.18.0.0/16, all of which has to be this machine's.

mod calling;
mod connecting;
mod message;
mod packets;

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, setsockopt, sockopt};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long an answer may take on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much later than others' time is over a server that has much to do may be.
const SERVER_S_PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [address, time, kind, rest @ ..] = &words[..] else { return Err("ADDRESS MILLISECONDS KIND".into()) };
    let time = Duration::from_millis(time.parse()?);
    let server = Server { address: address.parse()?, time, end: Instant::now() + time };
    let numbers = rest.iter().map(|word| word.parse()).collect::<Result<Vec<u32>, _>>()?;
    let (one, other) = match (*kind, &numbers[..]) {
        ("silent", [count]) => connecting::silent(&server, *count, SERVER_S_PATIENCE)?,
        ("open", [count]) => connecting::silent(&server, *count, Duration::ZERO)?,
        ("slow", [count]) => connecting::slow(&server, *count)?,
        ("connect", []) => connecting::connect(&server)?,
        ("half", []) => connecting::half(&server)?,
        ("garbage", []) => connecting::garbage(&server)?,
        ("start", []) => calling::start(&server)?,
        ("calls", [count, source]) => calling::calls(&server, (*count).try_into()?, *source)?,
        ("clear", []) => calling::clear(&server)?,
        ("talk", []) => calling::talk(&server)?,
        ("own", [rate, source]) => packets::own(&server, *rate, *source)?,
        ("gre", [rate, calls @ ..]) => packets::flood(&server, *rate, calls)?,
        _ => return Err(format!("{kind}: not understood").into()),
    };
    Ok(writeln!(io::stdout(), "{one} {other}")?)
}

/// The address with this number.
fn source(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from_be_bytes([198, 18, 0, 0]) | (1 + number % 65_000))
}

/// Whom they are not nice to, and for how long.
struct Server {
    address: Ipv4Addr,
    time: Duration,
    end: Instant,
}

impl Server {
    fn is_time_left(&self) -> bool {
        Instant::now() < self.end
    }

    /// Begins to connect, without waiting, from the address with this number.
    fn begin(&self, source: u32) -> Outcome<OwnedFd> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = nix::sys::socket::socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        // The port is chosen by connect(), which knows the other end: there are as many as are needed.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(self::source(source), 0)))?;
        match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(self.address, 1723))) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }

    /// A connection from the address with this number.
    fn open(&self, source: u32) -> Outcome<TcpStream> {
        let socket = self.begin(source)?;
        wait_until_open(&socket, PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether it is open now.
fn wait_until_open(socket: &OwnedFd, limit: Duration) -> io::Result<()> {
    use std::os::fd::AsFd;

    use pptp_io::poller::{Interest, wait};

    let [ready] = wait(&[(socket.as_fd(), Interest::Write)], Some(limit))?[..] else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match (nix::sys::socket::getsockopt(socket, sockopt::SocketError)?, ready.writable()) {
        (0, true) => Ok(()),
        (0, false) => Err(io::ErrorKind::TimedOut.into()),
        (error, _) => Err(io::Error::from_raw_os_error(error)),
    }
}
