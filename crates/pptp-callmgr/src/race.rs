//! TCP connections to all addresses of the server, a little apart; the first that opens wins (after RFC 8305 §5).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use pptp_core::time::Instant;
use pptp_io::clock;
use pptp_io::poller::{Interest, Ready, wait};
use pptp_io::tcp::{Attempt, Route};

use crate::candidate::Stop;
use crate::client::{Failure, FailureKind, Request};
use crate::reporter::Reporter;
use crate::words;

/// How long an address may be silent before the next is tried as well ("Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Winner {
    pub(crate) stream: TcpStream,
    pub(crate) server: Ipv4Addr,
}

struct Race<'a> {
    request: &'a Request,
    route: Route,
    /// Addresses that are still to be tried, in order.
    waiting: std::vec::IntoIter<Ipv4Addr>,
    running: Vec<(Ipv4Addr, Attempt)>,
    failed: Vec<(Ipv4Addr, io::Error)>,
    next_start: Instant,
}

/// The first of `servers` to accept a connection.
pub(crate) fn connect(
    request: &Request,
    servers: Vec<Ipv4Addr>,
    plugin: &Reporter,
    deadline: Instant,
) -> Result<Winner, Stop> {
    let bind = match request.bind {
        None => None,
        Some(IpAddr::V4(address)) => Some(address),
        Some(IpAddr::V6(address)) => {
            let text = format!("cannot use {address} as the local address: PPTP in the kernel has no IPv6");
            return Err(Stop::Failed(words::local(text)));
        }
    };
    let route = Route { bind, mark: request.mark };
    let waiting = servers.into_iter();
    let (running, failed) = (Vec::new(), Vec::new());
    Race { request, route, waiting, running, failed, next_start: clock::now() }.run(plugin, deadline)
}

impl Race<'_> {
    fn run(mut self, plugin: &Reporter, deadline: Instant) -> Result<Winner, Stop> {
        loop {
            self.start_due()?;
            if self.running.is_empty() {
                return Err(Stop::Failed(self.all_failed()));
            }
            let ready = self.wait(plugin, deadline).map_err(Stop::cannot_wait)?;
            if let Some(winner) = self.finish(&ready) {
                return Ok(winner);
            }
            if plugin.is_gone() {
                return Err(Stop::PluginGone);
            }
            if clock::now() >= deadline {
                return Err(Stop::Failed(self.too_late()));
            }
        }
    }

    /// Starts the attempts whose time has come, and one more for each that has failed at once.
    fn start_due(&mut self) -> Result<(), Stop> {
        while self.running.is_empty() || clock::now() >= self.next_start {
            let Some(server) = self.waiting.next() else { return Ok(()) };
            match Attempt::start(SocketAddrV4::new(server, self.request.port), self.route) {
                Ok(attempt) => {
                    self.running.push((server, attempt));
                    self.next_start = clock::now() + HEAD_START;
                }
                Err(error) => self.failed.push((server, self.unless_ours(error)?)),
            }
        }
        Ok(())
    }

    /// An error that is about the server; one about what the user wants of this machine ends the race.
    fn unless_ours(&self, error: io::Error) -> Result<io::Error, Stop> {
        let reason = pptp_io::words(&error);
        let text = match (error.kind(), self.route.bind, self.route.mark) {
            (io::ErrorKind::AddrNotAvailable, Some(local), _) => {
                format!("cannot use {local} as the local address: {reason}")
            }
            (io::ErrorKind::PermissionDenied, _, Some(mark)) => {
                format!("cannot set the firewall mark {mark}: {reason}")
            }
            _ => return Ok(error),
        };
        Err(Stop::Failed(words::local(text)))
    }

    fn wait(&self, plugin: &Reporter, deadline: Instant) -> io::Result<Vec<Ready>> {
        let mut descriptors: Vec<_> = self.running.iter().map(|(_, attempt)| (attempt.fd(), Interest::Write)).collect();
        descriptors.push((plugin.fd(), Interest::Read));
        let until = if self.waiting.len() == 0 { deadline } else { deadline.min(self.next_start) };
        wait(&descriptors, Some(clock::until(until)))
    }

    fn finish(&mut self, ready: &[Ready]) -> Option<Winner> {
        let mut running = Vec::new();
        for (index, (server, attempt)) in self.running.drain(..).enumerate() {
            if !ready.get(index).is_some_and(|ready| ready.writable()) {
                running.push((server, attempt));
                continue;
            }
            match attempt.finish() {
                Ok(stream) => return Some(Winner { stream, server }),
                Err(error) => {
                    self.failed.push((server, error));
                    // A failure is the next one's cue.
                    self.next_start = clock::now();
                }
            }
        }
        self.running = running;
        None
    }

    fn all_failed(&self) -> Failure {
        let silent = self.failed.iter().all(|(_, error)| error.kind() == io::ErrorKind::TimedOut);
        let kind = if silent { FailureKind::Timeout } else { FailureKind::Connect };
        Failure { kind, text: self.failures(&[]) }
    }

    fn too_late(&self) -> Failure {
        let silent: Vec<_> = self.running.iter().map(|(server, _)| *server).collect();
        let limit = words::seconds(self.request.connect_timeout);
        let text = if self.failed.is_empty() {
            format!("no answer from {} port {} within {limit} (firewall?)", words::list(&silent), self.request.port)
        } else {
            self.failures(&silent)
        };
        Failure { kind: FailureKind::Timeout, text }
    }

    /// One line for all addresses, those without an answer among them.
    fn failures(&self, silent: &[Ipv4Addr]) -> String {
        let port = self.request.port;
        if let ([(server, error)], []) = (&self.failed[..], silent) {
            return format!("cannot connect to {server} port {port}: {}", words::tcp_error(error));
        }
        let mut reasons: Vec<_> =
            self.failed.iter().map(|(server, error)| format!("{server}: {}", words::tcp_error(error))).collect();
        reasons.extend(silent.iter().map(|server| format!("{server}: no answer (firewall?)")));
        format!("cannot connect to {} port {port}: {}", self.request.server, reasons.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn request(port: u16) -> Request {
        let timeout = Duration::from_secs(5);
        Request {
            server: String::from("vpn.example"),
            phone: String::new(),
            window: 50,
            port,
            bind: None,
            mark: None,
            connect_timeout: timeout,
            echo_interval: timeout,
            echo_timeout: timeout,
            share: true,
            quirk: None,
            uid: 0,
        }
    }

    fn plugin() -> (Reporter, std::os::fd::OwnedFd) {
        let (manager, plugin) = pptp_io::seqpacket::pair().unwrap();
        (Reporter::new(manager), plugin)
    }

    fn loopback(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, last)
    }

    /// A listener whose queue is full: it drops every further SYN.
    fn silent(address: Ipv4Addr) -> (TcpListener, Vec<Attempt>) {
        use std::os::fd::AsFd;
        let listener = TcpListener::bind((address, 0)).unwrap();
        nix::sys::socket::listen(&listener.as_fd(), nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let std::net::SocketAddr::V4(server) = listener.local_addr().unwrap() else { unreachable!("IPv4") };
        let filling = (0..3).map(|_| Attempt::start(server, Route::default()).unwrap()).collect();
        (listener, filling)
    }

    fn failure(result: Result<Winner, Stop>) -> Failure {
        match result {
            Err(Stop::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_dead_address_does_not_keep_the_living_one_waiting() {
        let (silent, _filling) = silent(loopback(11));
        let port = silent.local_addr().unwrap().port();
        let _living = TcpListener::bind((loopback(12), port)).unwrap();
        let (reporter, _plugin) = plugin();
        let begin = clock::now();
        // The silent one would be waited for until then.
        let deadline = begin + Duration::from_secs(30);
        let winner = connect(&request(port), vec![loopback(11), loopback(12)], &reporter, deadline).unwrap();
        assert_eq!(winner.server, loopback(12));
        let took = clock::now().since(begin);
        assert!((HEAD_START..HEAD_START * 60).contains(&took), "{took:?}");
    }

    #[test]
    fn a_refusal_starts_the_next_address_at_once() {
        let living = TcpListener::bind((loopback(13), 0)).unwrap();
        let port = living.local_addr().unwrap().port();
        let (reporter, _plugin) = plugin();
        // So many that to wait for the head start of each would take longer than even a busy machine does.
        let refusals = 60;
        let servers = (100..100 + refusals).chain([13]).map(loopback).collect();
        let begin = clock::now();
        let winner = connect(&request(port), servers, &reporter, begin + Duration::from_secs(30)).unwrap();
        assert_eq!(winner.server, loopback(13));
        assert!(clock::now().since(begin) < HEAD_START * refusals.into());
    }

    #[test]
    fn every_address_has_its_reason_in_the_failure() {
        let listener = TcpListener::bind((loopback(15), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let (reporter, _plugin) = plugin();
        let deadline = clock::now() + Duration::from_secs(5);
        let failure = failure(connect(&request(port), vec![loopback(15), loopback(16)], &reporter, deadline));
        assert_eq!(failure.kind, FailureKind::Connect);
        let hint = "connection refused (is a PPTP server running there?)";
        let expected = format!("cannot connect to vpn.example port {port}: 127.0.0.15: {hint}; 127.0.0.16: {hint}");
        assert_eq!(failure.text, expected);
    }

    #[test]
    fn silence_lasts_until_the_deadline() {
        let (silent, _filling) = silent(loopback(17));
        let port = silent.local_addr().unwrap().port();
        let (reporter, _plugin) = plugin();
        let deadline = clock::now() + Duration::from_millis(100);
        let failure = failure(connect(&request(port), vec![loopback(17)], &reporter, deadline));
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert_eq!(failure.text, format!("no answer from 127.0.0.17 port {port} within 5 s (firewall?)"));
        assert!(clock::until(deadline).is_zero());
    }

    #[test]
    fn a_plugin_that_goes_ends_the_race() {
        let (silent, _filling) = silent(loopback(18));
        let port = silent.local_addr().unwrap().port();
        let (reporter, plugin) = plugin();
        drop(plugin);
        let deadline = clock::now() + Duration::from_secs(5);
        let result = connect(&request(port), vec![loopback(18)], &reporter, deadline);
        assert!(matches!(result, Err(Stop::PluginGone)), "{result:?}");
    }

    #[test]
    fn a_local_address_that_is_not_ours_is_named() {
        let (reporter, _plugin) = plugin();
        let request = Request { bind: Some(IpAddr::from([192, 0, 2, 77])), ..request(1723) };
        let deadline = clock::now() + Duration::from_secs(5);
        let failure = failure(connect(&request, vec![loopback(1)], &reporter, deadline));
        assert_eq!(failure.kind, FailureKind::Local);
        assert_eq!(failure.text, "cannot use 192.0.2.77 as the local address: cannot assign requested address");
    }
}
