//! The manager: one control connection, the calls on it, and the plugins that want them.
//!
//! One thread, one loop. It reads nothing from the peer before its privileges are gone.

mod client;
mod events;

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use log::Level;
use pptp_core::control::{Config, Connection, PeerInfo};
use pptp_core::time::Instant;
use pptp_core::wire::StopReason;
use pptp_io::poller::{Interest, Ready, wait};
use pptp_io::stream::{Input, Stream};
use pptp_io::{clock, random, tcp};

use crate::channel::Channel;
use crate::client::{FailureKind, Request};
use crate::race::Winner;
use crate::reporter::{Reporter, Word};
use crate::sharing::{self, Arrival, Listening};
use crate::words;

use client::{Client, Stage};

/// Bytes that the server may leave unread.
const MOST_UNSENT: usize = 64 * 1024;

/// The core's own limit on a set-up; a call's deadline comes first unless it is longer.
const LONGEST_SETUP: Duration = Duration::from_secs(60);

/// Candidates that are connected and have not said what they want.
const MOST_CANDIDATES: usize = 16;

/// What a candidate has when it becomes the manager.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) winner: Winner,
    pub(crate) listening: Option<Listening>,
    pub(crate) request: Request,
    pub(crate) plugin: Reporter,
    pub(crate) channel: Channel,
    /// When the first call has failed.
    pub(crate) deadline: Instant,
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There are calls.
    Serving,
    /// The last plugin has gone; its call is being cleared.
    Clearing,
    /// The control connection is being stopped.
    Stopping,
    /// It is closed.
    Closed,
}

struct Manager {
    connection: Connection,
    link: Stream,
    local: Ipv4Addr,
    server: Ipv4Addr,
    peer: Option<PeerInfo>,
    clients: Vec<Client>,
    listening: Option<Listening>,
    candidates: Vec<(OwnedFd, Instant)>,
    phase: Phase,
    /// Lines about a peer's oddities that may still be logged.
    oddities: u32,
}

/// Serves calls until the last one has ended.
pub(crate) fn run(start: Start) {
    let Some(local) = start.winner.stream.local_addr().ok().and_then(tcp::ipv4) else { return };
    let mut manager = Manager::new(start, local);
    manager.settle(clock::now());
    while manager.phase != Phase::Closed {
        manager.turn();
    }
    if let Some(listening) = manager.listening.take() {
        listening.close();
    }
}

impl Manager {
    fn new(start: Start, local: Ipv4Addr) -> Self {
        let config = Config {
            echo_interval: start.request.echo_interval,
            echo_timeout: start.request.echo_timeout,
            setup_timeout: LONGEST_SETUP.max(start.request.connect_timeout),
            quirk: start.request.quirk,
            ..Config::default()
        };
        let server = start.winner.server;
        let first = Client::new(start.plugin, start.channel, start.request, server, start.deadline);
        Self {
            connection: Connection::originate(config, Box::new(random::number), clock::now()),
            link: Stream::new(start.winner.stream, MOST_UNSENT),
            local,
            server,
            peer: None,
            clients: vec![first],
            listening: start.listening,
            candidates: Vec::new(),
            phase: Phase::Serving,
            oddities: 20,
        }
    }

    /// Waits for something to happen and deals with it.
    fn turn(&mut self) {
        let ready = match self.wait() {
            Ok(ready) => ready,
            // Without waiting there is only spinning.
            Err(error) => {
                return self.close_with(&format!("the call manager cannot wait: {error}"), FailureKind::Local);
            }
        };
        let now = clock::now();
        let mut ready = ready.into_iter();
        let link = ready.next().unwrap_or_default();
        let clients: Vec<Ready> = ready.by_ref().take(self.clients.len()).collect();
        let candidates: Vec<Ready> = ready.by_ref().take(self.audible_candidates().len()).collect();
        let listener = ready.next().unwrap_or_default();
        self.read_link(link, now);
        // Who joins from here on must find the connection as it is. A client that this moves in the list is looked at
        // in the next turn.
        self.settle(now);
        self.hear_clients(&clients, now);
        self.hear_candidates(&candidates, now);
        if listener.readable() {
            self.accept_candidate(now);
        }
        self.connection.handle_timeout(now);
        self.fail_late_clients(now);
        self.settle(now);
    }

    fn wait(&self) -> io::Result<Vec<Ready>> {
        let mut descriptors = vec![(self.link.fd(), self.link.interest())];
        descriptors.extend(self.clients.iter().map(|client| (client.plugin.fd(), Interest::Read)));
        let candidates = self.audible_candidates().iter();
        descriptors.extend(candidates.map(|(candidate, _)| (candidate.as_fd(), Interest::Read)));
        if let Some(listening) = self.listening.as_ref().filter(|_| self.candidates.len() < MOST_CANDIDATES) {
            descriptors.push((listening.fd(), Interest::Read));
        }
        let clients = self.clients.iter().filter_map(Client::timeout);
        let candidates = self.audible_candidates().iter().map(|(_, deadline)| *deadline);
        let next = clients.chain(candidates).chain(self.connection.poll_timeout()).min();
        wait(&descriptors, next.map(clock::until))
    }

    fn read_link(&mut self, ready: Ready, now: Instant) {
        if !ready.readable() {
            return;
        }
        // What one read can make us answer is less than what the core takes for a flood.
        let mut buffer = [0; 2048];
        match self.link.read(&mut buffer) {
            Input::Bytes(bytes) => self.connection.handle_input(bytes, now),
            Input::Nothing => {}
            Input::Closed => self.connection.handle_disconnect(now),
        }
    }

    /// Does what plugins want, and releases those that have gone.
    fn hear_clients(&mut self, ready: &[Ready], now: Instant) {
        let clients = std::mem::take(&mut self.clients);
        for (index, client) in clients.into_iter().enumerate() {
            let is_worth_a_look = ready.get(index).is_some_and(|ready| ready.readable());
            match if is_worth_a_look { client.plugin.hear() } else { Word::Nothing } {
                Word::Gone => {
                    self.clear(&client, now);
                    continue;
                }
                Word::Admit(admission) => client.admit(admission),
                Word::Nothing => {}
            }
            self.clients.push(client);
        }
    }

    /// Ends the client's call, if it has one.
    fn clear(&mut self, client: &Client, now: Instant) {
        if let Some(call) = client.call() {
            // A call that is unknown has just ended by itself.
            let _ = self.connection.clear_call(call, now);
        }
    }

    fn fail_late_clients(&mut self, now: Instant) {
        let late = |client: &Client| client.timeout().is_some_and(|deadline| deadline <= now);
        while let Some(index) = self.clients.iter().position(late) {
            let client = self.clients.swap_remove(index);
            self.clear(&client, now);
            let limit = words::seconds(client.request.connect_timeout);
            let text = match client.stage {
                Stage::Waiting => {
                    format!("{} accepts connections but did not answer the start request within {limit}", client.server)
                }
                _ => format!("{} did not answer the call request within {limit}", client.server),
            };
            client.end(FailureKind::Timeout, text);
        }
    }

    /// Candidates that can be told whether their calls are taken: none while the server has not said how many it takes.
    fn audible_candidates(&self) -> &[(OwnedFd, Instant)] {
        if self.peer.is_some() { &self.candidates } else { &[] }
    }

    /// Lets nobody join from here on: a new call needs a new control connection.
    fn stop_sharing(&mut self) {
        self.candidates.clear();
        if let Some(listening) = self.listening.take() {
            listening.close();
        }
    }

    fn accept_candidate(&mut self, now: Instant) {
        let Some(listening) = &self.listening else { return };
        match listening.accept() {
            Ok(candidate) => self.candidates.push((candidate, sharing::candidates_deadline(now))),
            // Out of descriptors: whoever waits there would wake us again and again.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => self.stop_sharing(),
            // A candidate that has gone, or a stranger.
            Err(_) => {}
        }
    }

    fn hear_candidates(&mut self, ready: &[Ready], now: Instant) {
        if self.peer.is_none() {
            return;
        }
        let candidates = std::mem::take(&mut self.candidates);
        for (index, (candidate, deadline)) in candidates.into_iter().enumerate() {
            let readable = ready.get(index).is_some_and(|ready| ready.readable());
            let arrival = if readable { sharing::take_over(candidate.as_fd()) } else { Arrival::Nothing };
            match arrival {
                Arrival::Joined { join, plugin, channel } => {
                    let left = join.request.connect_timeout.saturating_sub(join.elapsed);
                    let plugin = Reporter::new(plugin);
                    let mut client = Client::new(plugin, channel, join.request, self.server, now + left);
                    client.shared = true;
                    let text = format!("sharing the control connection to {}", client.server);
                    client.plugin.log(Level::Info, text);
                    self.admit(client, now);
                }
                Arrival::Nothing if deadline > now => self.candidates.push((candidate, deadline)),
                Arrival::Nothing | Arrival::Useless => {}
            }
        }
    }

    /// Makes the call now if the control connection is established, else when it is.
    fn admit(&mut self, mut client: Client, now: Instant) {
        if self.peer.is_some() {
            if let Err(failure) = client.dial(&mut self.connection, self.local, now) {
                return client.plugin.fail(failure);
            }
        }
        self.clients.push(client);
    }

    /// Deals with everything that does not need waiting.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.connection.poll_event() {
                self.handle_event(event, now);
            } else if !self.wind_down(now) {
                break;
            }
        }
        while let Some(message) = self.connection.poll_transmit() {
            self.link.queue(&message);
        }
        if self.link.flush().is_err() && self.phase != Phase::Closed {
            self.connection.handle_disconnect(now);
            while let Some(event) = self.connection.poll_event() {
                self.handle_event(event, now);
            }
        }
    }

    /// The next step towards the end when the last plugin has gone. Whether there was one.
    fn wind_down(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Serving if self.clients.is_empty() => {
                self.stop_sharing();
                self.phase = Phase::Clearing;
                true
            }
            Phase::Clearing if self.connection.call_count() == 0 => {
                self.connection.stop(StopReason::None, now);
                self.phase = Phase::Stopping;
                true
            }
            _ => false,
        }
    }

    fn log_to_all(&self, level: Level, text: &str) {
        for client in &self.clients {
            client.plugin.log(level, text.to_owned());
        }
    }

    /// MTU of the path to the server; 0: unknown.
    fn outer_mtu(&self) -> u16 {
        tcp::path_mtu(self.link.fd()).unwrap_or(0)
    }
}
