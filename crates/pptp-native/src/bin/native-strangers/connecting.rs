//! Connections that come to nothing.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::message::{call_request, start_request};
use super::{Outcome, PATIENCE, Server, wait_until_open};

/// Connections that are being opened at a time.
const BEGUN: usize = 1000;

pub(crate) fn silent(server: &Server, count: u32, patience: Duration) -> Outcome<(u64, u64)> {
    let streams = (0..count).map(|number| server.open(number % 200)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(server.end.saturating_duration_since(Instant::now()));
    let open = || streams.iter().filter(|stream| !is_closed(stream)).count();
    while open() > 0 && Instant::now() < server.end + patience {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok((streams.len() as u64, open() as u64))
}

/// Whether the server has closed it by now.
fn is_closed(stream: &TcpStream) -> bool {
    let mut stream = stream;
    let mut buffer = [0; 512];
    stream.set_nonblocking(true).is_err()
        || loop {
            match stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        }
}

pub(crate) fn slow(server: &Server, count: u32) -> Outcome<(u64, u64)> {
    let mut opened = 0;
    let mut next = || {
        opened += 1;
        server.open(opened)
    };
    let mut streams = (0..count).map(|_| Ok((next()?, 0))).collect::<Outcome<Vec<_>>>()?;
    let words = [start_request(), call_request(1)].concat();
    let mut octets = 0;
    while server.is_time_left() {
        for (stream, said) in &mut streams {
            let octet = words.get(*said..=*said).unwrap_or(&[0xff]);
            if stream.write_all(octet).is_ok() {
                *said += 1;
                octets += 1;
            } else {
                (*stream, *said) = (next()?, 0);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((octets, opened.into()))
}

pub(crate) fn connect(server: &Server) -> Outcome<(u64, u64)> {
    let mut begun: VecDeque<OwnedFd> = VecDeque::new();
    let (mut count, mut opened) = (0, 0);
    while server.is_time_left() {
        let socket = server.begin(count)?;
        // What is closed is gone at once, on both ends.
        setsockopt(&socket, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        begun.push_back(socket);
        count += 1;
        let oldest = if begun.len() > BEGUN { begun.pop_front() } else { None };
        opened += u64::from(oldest.is_some_and(|socket| wait_until_open(&socket, Duration::ZERO).is_ok()));
    }
    Ok((count.into(), opened))
}

/// Connections that begin with these words, one after the other, and then wait for the server's end.
fn say(server: &Server, words: &[&[u8]], end: Option<Shutdown>) -> Outcome<(u64, u64)> {
    let (mut count, mut closed) = (0, 0);
    while server.is_time_left() {
        for words in words {
            count += 1;
            let mut stream = server.open(count)?;
            // The server may have closed it already.
            let _ = stream.write_all(words);
            if let Some(end) = end {
                let _ = stream.shutdown(end);
            }
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut rest = Vec::new();
            let outcome = stream.read_to_end(&mut rest);
            closed += u64::from(!outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
        }
    }
    Ok((count.into(), closed))
}

pub(crate) fn half(server: &Server) -> Outcome<(u64, u64)> {
    let start = start_request();
    let call = [start.clone(), call_request(1)].concat();
    say(server, &[&[], &start[..100], &start, &call[..200]], Some(Shutdown::Write))
}

pub(crate) fn garbage(server: &Server) -> Outcome<(u64, u64)> {
    let good = start_request();
    let mut long = good.clone();
    long[..2].copy_from_slice(&u16::MAX.to_be_bytes());
    let mut cookie = good.clone();
    cookie[4] ^= 1;
    let twice = [good.clone(), vec![0; 1000]].concat();
    let words: [&[u8]; 6] =
        [&[0xff; 4000], b"GET / HTTP/1.1\r\n\r\n", &long, &cookie, &[0, 12, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0], &twice];
    say(server, &words, None)
}
