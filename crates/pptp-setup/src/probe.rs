//! The layers below a call, tried one by one: the server's name, TCP, the control connection. Nothing is called.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pptp_core::control::{CloseReason, Config, Connection, Event, PeerInfo};
use pptp_core::time::Instant;
use pptp_core::wire::{PORT, StopReason};
use pptp_io::poller::{self, Interest};
use pptp_io::stream::{Input, Stream};
use pptp_io::tcp::{self, Attempt, Route};
use pptp_io::{clock, random, words};

use crate::account::{CHECK_CONTROL, CHECK_NAME, CHECK_TCP};
use crate::layers::{Fault, Layer};
use crate::profile::Summary;

/// How long each of the layers may take at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one address of several is tried at least.
const SHORTEST: Duration = Duration::from_secs(2);

/// Bytes that a server may leave unread.
const MOST_UNSENT: usize = 4096;

/// Where the server is, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) server: String,
    pub(crate) port: u16,
    route: Route,
    /// How long each of the layers may take.
    patience: Duration,
}

impl Target {
    /// That of a profile; no layer may take longer than `limit`.
    ///
    /// # Errors
    /// What the profile says about it is wrong.
    pub(crate) fn of(summary: &Summary, limit: Duration) -> Result<Self, Fault> {
        let wrong = |option: &str, text: &str| {
            Fault::new(Layer::Profile, format!("{option}: '{}' is wrong", text.escape_debug()), "correct the profile")
        };
        let server = summary.server.clone().ok_or_else(|| wrong("pptp_server", ""))?;
        let port =
            summary.port.as_deref().map_or(Ok(PORT), |text| text.parse().map_err(|_| wrong("pptp_port", text)))?;
        let bind =
            summary.bind.as_deref().map(|text| text.parse().map_err(|_| wrong("pptp_bind", text))).transpose()?;
        let mark =
            summary.mark.as_deref().map(|text| number(text).ok_or_else(|| wrong("pptp_mark", text))).transpose()?;
        Ok(Self { server, port, route: Route { bind, mark }, patience: PATIENCE.min(limit) })
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The addresses that the server's name has.
pub(crate) fn resolve(target: &Target) -> Result<Vec<Ipv4Addr>, Fault> {
    let fault = |what: String| Fault::new(Layer::Name, what, CHECK_NAME);
    let name = target.server.clone();
    let (sender, receiver) = mpsc::channel();
    let found = move || (name.as_str(), 0).to_socket_addrs().map(|found| found.filter_map(tcp::ipv4).collect());
    let thread = thread::spawn(move || drop(sender.send(found())));
    // A thread that hangs is left behind: this program ends then.
    let answer: io::Result<Vec<Ipv4Addr>> = receiver
        .recv_timeout(target.patience)
        .map_err(|_| fault(format!("no name server has answered within {} s", target.patience.as_secs())))?;
    let _ = thread.join();
    let mut addresses = answer.map_err(|error| {
        let text = error.to_string();
        let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        fault(format!("{} has no address: {reason}", target.server))
    })?;
    addresses.dedup();
    if addresses.is_empty() {
        return Err(fault(format!("{} has no IPv4 address, and PPTP has no IPv6", target.server)));
    }
    Ok(addresses)
}

/// A TCP connection to the first of the addresses that takes one, and which that is.
pub(crate) fn connect(target: &Target, addresses: &[Ipv4Addr]) -> Result<(TcpStream, Ipv4Addr), Fault> {
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let each = (target.patience / count).max(SHORTEST);
    let deadline = clock::now() + target.patience;
    let mut reasons = Vec::new();
    for address in addresses {
        if clock::until(deadline).is_zero() {
            break;
        }
        match open(SocketAddrV4::new(*address, target.port), target.route, each.min(clock::until(deadline))) {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => reasons.push(format!("{address} port {}: {}", target.port, reason(&error))),
        }
    }
    Err(Fault::new(Layer::Tcp, reasons.join("; "), CHECK_TCP))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there".into(),
        io::ErrorKind::TimedOut => "no answer".into(),
        _ => words(error),
    }
}

fn open(server: SocketAddrV4, route: Route, limit: Duration) -> io::Result<TcpStream> {
    let attempt = Attempt::start(server, route)?;
    let ready = poller::wait(&[(attempt.fd(), Interest::Write)], Some(limit))?;
    if ready.first().is_some_and(|ready| ready.writable()) {
        attempt.finish()
    } else {
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Opens a control connection (RFC 2637 §3.1) and closes it again as it should be; what the server says of itself.
pub(crate) fn greet(target: &Target, stream: TcpStream) -> Result<PeerInfo, Fault> {
    let config = Config { setup_timeout: target.patience, ..Config::default() };
    let connection = Connection::originate(config, Box::new(random::number), clock::now());
    let mut talk = Talk { stream: Stream::new(stream, MOST_UNSENT), connection, server: None, reason: None };
    while talk.reason.is_none() {
        talk.go_on().map_err(|error| control_fault(words(&error)))?;
    }
    let _ = talk.stream.flush();
    match (talk.server, talk.reason) {
        (Some(server), _) => Ok(server),
        (None, Some(reason)) => Err(control_fault(explain(&reason))),
        (None, None) => Err(control_fault("it has ended".into())),
    }
}

fn control_fault(what: String) -> Fault {
    Fault::new(Layer::Control, what, CHECK_CONTROL)
}

fn explain(reason: &CloseReason) -> String {
    match reason {
        CloseReason::PeerClosed => "the server has closed the connection without a word".into(),
        CloseReason::SetupTimeout => "the server takes the connection and says nothing".into(),
        other => other.to_string().replacen("the peer", "the server", 1),
    }
}

/// A control connection that is opened and closed.
struct Talk {
    stream: Stream,
    connection: Connection,
    server: Option<PeerInfo>,
    /// Why it is over.
    reason: Option<CloseReason>,
}

impl Talk {
    fn go_on(&mut self) -> io::Result<()> {
        while let Some(message) = self.connection.poll_transmit() {
            self.stream.queue(&message);
        }
        // A server that is gone is heard of by reading.
        let _ = self.stream.flush();
        let left = self.connection.poll_timeout().map(clock::until);
        let ready = poller::wait(&[(self.stream.fd().as_fd(), self.stream.interest())], left)?;
        let now = clock::now();
        if ready.first().is_some_and(|ready| ready.readable()) {
            self.read(now);
        }
        self.connection.handle_timeout(now);
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Established(server) => {
                    self.server = Some(server);
                    self.connection.stop(StopReason::None, now);
                }
                Event::Closed(reason) => self.reason = Some(reason),
                _ => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, now: Instant) {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Input::Bytes(bytes) => self.connection.handle_input(bytes, now),
            Input::Nothing => {}
            Input::Closed => self.connection.handle_disconnect(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn target(server: &str) -> Target {
        Target { server: server.into(), port: PORT, route: Route::default(), patience: PATIENCE }
    }

    /// What a server that does this makes of a greeting.
    fn met(server: impl FnOnce(TcpStream) + Send + 'static) -> Result<PeerInfo, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        let thread = thread::spawn(move || server(listener.accept().unwrap().0));
        let outcome = greet(&target("h"), client);
        thread.join().unwrap();
        outcome
    }

    #[test]
    fn a_profile_says_where_the_server_is() {
        let summary = Summary::read(b"pptp_server h pptp_port 1724 pptp_bind 192.0.2.9 pptp_mark 0x10");
        let route = Route { bind: Some(Ipv4Addr::new(192, 0, 2, 9)), mark: Some(16) };
        assert_eq!(Target::of(&summary, SHORTEST), Ok(Target { port: 1724, route, patience: SHORTEST, ..target("h") }));
        assert_eq!(Target::of(&Summary::read(b"pptp_server h"), PATIENCE * 2), Ok(target("h")));
        for text in ["", "pptp_server h pptp_port x", "pptp_server h pptp_bind x", "pptp_server h pptp_mark -1"] {
            assert_eq!(Target::of(&Summary::read(text.as_bytes()), PATIENCE).unwrap_err().layer, Layer::Profile);
        }
    }

    #[test]
    fn an_address_is_its_own_and_a_name_that_cannot_be_has_none() {
        assert_eq!(resolve(&target("192.0.2.1")), Ok(vec![Ipv4Addr::new(192, 0, 2, 1)]));
        assert_eq!(resolve(&target("no.such.name.invalid")).unwrap_err().layer, Layer::Name);
    }

    #[test]
    fn what_does_not_speak_pptp_is_told_from_what_says_nothing() {
        let web = met(|mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        });
        let fault = web.unwrap_err();
        assert!(fault.layer == Layer::Control && fault.what.contains("does not speak pptp"), "{fault}");
        let closed = met(|mut stream| drop(stream.read(&mut [0; 1024])));
        assert_eq!(closed.unwrap_err().what, "the server has closed the connection without a word");
    }

    #[test]
    fn nothing_listens_and_is_said_with_address_and_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let fault = connect(&Target { port, ..target("h") }, &[Ipv4Addr::LOCALHOST]).unwrap_err();
        assert_eq!(fault.what, format!("127.0.0.1 port {port}: connection refused: nothing listens there"));
        assert_eq!(fault.layer, Layer::Tcp);
    }
}
