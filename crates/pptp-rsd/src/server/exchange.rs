//! The server without its system calls: bytes, time and ended pppds come in, bytes and closed connections go out.
//!
//! It is driven as the core is: one `handle_*`, then [`Exchange::poll_work`] until there is none, and
//! [`Exchange::next_timeout`] says when to come back.

mod placing;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use log::{info, warn};
use pptp_core::control::Connection;
use pptp_core::control::collision::{Collision, resolve};
use pptp_core::time::Instant;
use pptp_core::wire::StopReason;
use pptp_io::children::Ending;

use self::placing::OPENING;
use super::client::{Asked, Client, Opener, Stage, connection_config};
use super::deadlines::Deadlines;
use super::lines::Lines;
use super::orders::Ticket;
use super::presence::Presence;
use super::quota::Quotas;
use super::session::{ClientId, SessionId};
use super::switchboard::{CUT, Switchboard};
use super::tally::{Figures, Suppressed};
use crate::config::Config;
use crate::control::Target;
use crate::limits::Strikes;

/// So many connections of a network that is barred, and known, may say something good; a good client does at once.
const MOST_OF_BARRED: usize = 32;

/// What is to be done with a TCP connection, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Open it: [`Exchange::handle_open`] or [`Exchange::handle_unreachable`] follows, unless it is dropped before.
    Open(ClientId, SocketAddr),
    /// Send this.
    Send(ClientId, Vec<u8>),
    /// Close it when the client has read everything, or had the time to. Nothing follows for this connection.
    Close(ClientId),
    /// Close it. Nothing follows for this connection.
    Drop(ClientId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Everybody is told that the server ends; whoever is left then is not waited for.
    Draining(Instant),
    /// They are ended.
    Ending,
}

pub(super) struct Exchange<L: Lines> {
    config: Arc<Config>,
    host_name: String,
    clients: BTreeMap<ClientId, Client>,
    calls: Switchboard<L>,
    presence: Presence,
    strikes: Strikes,
    deadlines: Deadlines<ClientId>,
    quotas: Quotas,
    work: VecDeque<Work>,
    phase: Phase,
    last: u64,
    last_ticket: Ticket,
}

impl<L: Lines> Exchange<L> {
    /// `random` is the source of call ids, `host_name` what clients are told.
    pub(super) fn new(
        config: Arc<Config>,
        host_name: String,
        lines: L,
        random: Box<dyn FnMut() -> u32 + Send>,
    ) -> Self {
        Self {
            host_name,
            clients: BTreeMap::new(),
            calls: Switchboard::new(lines, random, Arc::clone(&config)),
            config,
            presence: Presence::default(),
            strikes: Strikes::default(),
            deadlines: Deadlines::default(),
            quotas: Quotas::default(),
            work: VecDeque::new(),
            phase: Phase::Serving,
            last: 0,
            last_ticket: Ticket(0),
        }
    }

    /// A connection was accepted: from `peer`, at `local`. `None`: nobody wants to hear it.
    pub(super) fn handle_connect(&mut self, peer: SocketAddr, local: SocketAddr, now: Instant) -> Option<ClientId> {
        let is_barred = self.strikes.bar(peer.ip(), now);
        if is_barred && !self.calls.know(peer.ip(), now) {
            self.calls.tally.unheard += 1;
            return None;
        }
        self.calls.tally.connections += 1;
        let (id, peer, local) = (self.next_id(), canonical(peer), canonical(local));
        let config = connection_config(&self.config, &self.host_name);
        let mut connection = Connection::accept(config, self.calls.ids.source(), now);
        // It waits for the request, as it has to for this.
        let _ = connection.hold_start();
        let client = Client::new(id, [peer, local], connection, now + self.config.stimeout);
        self.deadlines.set(id, client.deadline());
        self.clients.insert(id, client);
        self.presence.begin(id, peer.ip());
        let from_there = if is_barred { self.presence.oldest_beyond(MOST_OF_BARRED, peer.ip()) } else { None };
        if let Some(oldest) = from_there {
            self.drop_client(oldest, "too many connections from there come to nothing", now);
        }
        while self.presence.starting() > self.config.max_starting.max(1) {
            let Some(unwelcome) = self.presence.least_welcome() else { break };
            self.drop_client(unwelcome, "too many connections wait for their start (max-starting)", now);
        }
        Some(id)
    }

    fn next_id(&mut self) -> ClientId {
        self.last += 1;
        ClientId(self.last)
    }

    /// Bytes came on a connection.
    pub(super) fn handle_input(&mut self, id: ClientId, bytes: &[u8], now: Instant) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.connection.handle_input(bytes, now);
            self.settle(id, now);
        }
    }

    /// A connection has ended, or failed.
    pub(super) fn handle_disconnect(&mut self, id: ClientId, now: Instant) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.connection.handle_disconnect(now);
            self.settle(id, now);
        }
    }

    /// A pppd may have told something of its session.
    pub(super) fn handle_news(&mut self, process: L::Process, now: Instant) {
        self.calls.hear(process, now);
    }

    /// Asks all sessions for news, or one.
    pub(super) fn inquire(&mut self, which: Option<SessionId>) {
        self.calls.inquire(which);
    }

    /// Whether everybody who was asked for news has answered.
    pub(super) fn has_news(&self) -> bool {
        self.calls.has_news()
    }

    /// A pppd has ended.
    pub(super) fn handle_process_end(&mut self, process: L::Process, ending: Ending, now: Instant) {
        let Some((id, call)) = self.calls.process_ended(process, ending, now) else { return };
        if let Some(client) = self.clients.get_mut(&id) {
            client.clear(call, now);
            self.settle(id, now);
        }
    }

    /// The time of [`Exchange::next_timeout`] has come.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.pop_expired(now) {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            let (opening, start) = (OPENING.as_secs(), self.config.stimeout.as_secs());
            match client.stage {
                Stage::Starting(deadline) if deadline <= now => {
                    self.drop_client(id, &format!("no start request within {start} s (stimeout)"), now);
                }
                Stage::Opening(deadline) if deadline <= now => {
                    self.give_up(id, &format!("cannot connect: no answer within {opening} s"), now);
                }
                Stage::Asking(deadline) if deadline <= now => {
                    self.give_up(id, &format!("no answer to the start request within {start} s (stimeout)"), now);
                }
                _ => {
                    client.connection.handle_timeout(now);
                    self.settle(id, now);
                }
            }
        }
        self.calls.handle_timeout(now);
        for (count, what) in self.quotas.take_counts(now) {
            warn!("{count} more lines about {what} were not logged");
        }
        if matches!(self.phase, Phase::Draining(deadline) if deadline <= now) {
            self.finish(now);
        }
    }

    /// When [`Exchange::handle_timeout`] is to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let draining = match self.phase {
            Phase::Draining(deadline) => Some(deadline),
            Phase::Serving | Phase::Ending => None,
        };
        [self.deadlines.next(), self.calls.next_timeout(), self.quotas.deadline(), draining].into_iter().flatten().min()
    }

    /// What is to be done next.
    pub(super) fn poll_work(&mut self) -> Option<Work> {
        self.work.pop_front()
    }

    /// The server is to end: every client is told, and has until the drain deadline.
    pub(super) fn drain(&mut self, now: Instant) {
        if self.phase != Phase::Serving {
            return self.finish(now);
        }
        let (clients, calls) = (self.clients.len(), self.calls.len());
        info!("ending: control connections: {clients}, calls: {calls}");
        self.phase = Phase::Draining(now + self.config.drain_timeout);
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            if let Some(client) = self.clients.get_mut(&id) {
                client.stop(now);
                self.settle(id, now);
            }
        }
    }

    /// Whoever has not gone is not waited for.
    fn finish(&mut self, now: Instant) {
        self.phase = Phase::Ending;
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            self.drop_client(id, "the server ends", now);
        }
        self.calls.kill_all(now);
    }

    /// Whether a drain is over.
    pub(super) fn is_over(&self) -> bool {
        self.phase != Phase::Serving && self.clients.is_empty() && self.calls.len() == 0
    }

    /// Whether the drain has run out of time: what is left are pppds that were killed.
    pub(super) fn is_ending(&self) -> bool {
        self.phase == Phase::Ending
    }

    /// Another configuration for what comes from here on.
    pub(super) fn reconfigure(&mut self, config: Arc<Config>) {
        self.config = Arc::clone(&config);
        self.calls.reconfigure(config);
    }

    /// The calls.
    pub(super) fn calls(&self) -> &Switchboard<L> {
        &self.calls
    }

    /// What is counted. The server's uptime is its owner's to know.
    pub(super) fn figures(&self) -> Figures {
        let Quotas { strangers, refusals, .. } = &self.quotas;
        Figures {
            uptime: Duration::ZERO,
            sessions: self.calls.stages(),
            starting: self.presence.starting(),
            started: self.presence.started(),
            suppressed: Suppressed { strangers: strangers.suppressed, refusals: refusals.suppressed },
            tally: self.calls.tally.clone(),
        }
    }

    /// An operator ends sessions: how many there were.
    pub(super) fn disconnect(&mut self, target: &Target, now: Instant) -> usize {
        let found = self.calls.matching(target);
        self.end_calls(&found, "an operator has ended it", now);
        found.len()
    }

    /// Something that carries calls has ended.
    pub(super) fn handle_cut(&mut self, now: Instant) {
        self.end_calls(&self.calls.cut(), CUT, now);
    }

    fn end_calls(&mut self, sessions: &[SessionId], why: &str, now: Instant) {
        for id in sessions {
            let Some((client_id, call)) = self.calls.call_of(*id) else { continue };
            self.calls.disconnect(*id, why, now);
            if let Some(client) = self.clients.get_mut(&client_id) {
                client.clear(call, now);
                self.settle(client_id, now);
            }
        }
    }

    /// What starts pppds.
    pub(super) fn lines(&mut self) -> &mut L {
        &mut self.calls.lines
    }

    /// Lets what has happened to a connection take its course.
    fn settle(&mut self, id: ClientId, now: Instant) {
        self.handle_events(id, now);
        self.send(id);
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.is_done() && client.connection.takes_calls() {
            // Nobody else wants it.
            client.connection.stop(StopReason::None, now);
            return self.settle(id, now);
        }
        let started = client.stage == Stage::Started;
        if client.connection.is_closed() {
            // What a stranger has said is worth no waiting for it to close its end.
            return self.forget(id, if started { Work::Close(id) } else { Work::Drop(id) }, now);
        }
        self.deadlines.set(id, client.deadline());
        if started && client.opener == Opener::Peer {
            self.presence.set_idle(id, client.peer.ip(), !client.has_calls());
        }
    }

    fn handle_events(&mut self, id: ClientId, now: Instant) {
        loop {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let Some(event) = client.connection.poll_event() else { return };
            match client.handle_event(event, &mut self.calls, &mut self.quotas, now) {
                Asked::ToStart => self.decide_on_start(id, now),
                Asked::ToPlace(placing) => self.place_on_ours(placing, now),
                Asked::Nothing => {}
            }
        }
    }

    fn decide_on_start(&mut self, id: ClientId, now: Instant) {
        let Some((peer, local)) = self.clients.get(&id).map(|client| (client.peer, client.local)) else { return };
        let rivals = self.rivals(peer.ip());
        let outcome = resolve(local.ip(), peer.ip());
        if outcome == Collision::Winner && rivals.iter().any(|(_, stage)| matches!(stage, Stage::Asking(_))) {
            return self.yield_to_ours(id, now);
        }
        let full_for_address = self.presence.started_from(peer.ip()) >= self.config.max_per_address;
        if !full_for_address && self.presence.started() >= self.config.connections {
            self.make_room(now);
        }
        let full = self.presence.started() >= self.config.connections;
        let Some(client) = self.clients.get_mut(&id) else { return };
        if !full && !full_for_address {
            client.admit(now);
            self.calls.tally.starts += 1;
            self.presence.start(id, peer.ip());
            if outcome != Collision::SameAddress {
                rivals.into_iter().for_each(|(ours, _)| self.replace(ours, id, now));
            }
            return;
        }
        client.reject();
        self.calls.tally.refused_starts += 1;
        if self.quotas.refusals.permits(now) {
            let limit = if full_for_address { "max-per-address" } else { "connections" };
            warn!("{client}: refused: there are as many control connections as allowed ({limit})");
        }
    }

    /// Who has no call makes room for who may have one.
    fn make_room(&mut self, now: Instant) {
        if let Some(idle) = self.presence.most_idle() {
            self.drop_client(idle, "it has no call, and others want to connect", now);
        }
    }

    /// Ends a connection without waiting for the client, who is told if there is time for one message.
    fn drop_client(&mut self, id: ClientId, why: &str, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if self.quotas.strangers.permits(now) {
            info!("{client}: closed: {why}");
        }
        client.stop(now);
        client.connection.handle_disconnect(now);
        self.handle_events(id, now);
        self.send(id);
        self.forget(id, Work::Drop(id), now);
    }

    fn send(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| !matches!(client.stage, Stage::Opening(_))) else {
            return;
        };
        while let Some(message) = client.connection.poll_transmit() {
            self.work.push_back(Work::Send(id, message));
        }
    }

    fn forget(&mut self, id: ClientId, work: Work, now: Instant) {
        let Some(client) = self.clients.remove(&id) else { return };
        if matches!(client.stage, Stage::Starting(_)) && self.phase == Phase::Serving {
            self.strikes.add(client.peer.ip(), now);
        }
        self.deadlines.set(id, None);
        if client.opener == Opener::Peer {
            self.presence.end(id, client.peer.ip());
        }
        self.work.push_back(work);
    }
}

/// An IPv4 address that came to an IPv6 socket is one all the same.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
