//! Calls that this end places, as PAC (RFC 2637 §3.2.3.1), and the control connections that it opens for them.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use log::debug;
use pptp_core::control::Connection;
use pptp_core::time::Instant;
use pptp_core::wire::PORT;

use super::{Exchange, Phase, Work, canonical};
use crate::control::Order;
use crate::server::client::{Client, Opener, Stage, connection_config};
use crate::server::lines::Lines;
use crate::server::orders::{Outcome, Placing, Ticket};
use crate::server::session::{ClientId, SessionId};

/// How long a TCP connection may take to open.
pub(super) const OPENING: Duration = Duration::from_secs(10);

impl<L: Lines> Exchange<L> {
    /// An operator wants a call placed, as PAC: [`Exchange::poll_outcome`] tells what comes of it.
    pub(in crate::server) fn place(&mut self, order: Order, now: Instant) -> Ticket {
        self.last_ticket.0 += 1;
        let placing = Placing::new(self.last_ticket, order);
        if self.phase != Phase::Serving {
            self.calls.answer(&placing, Err("the server ends".into()));
        } else if let Err(refusal) = self.calls.check_full() {
            self.calls.answer(&placing, Err(refusal.to_string()));
        } else {
            match self.connection_from(SocketAddr::V4(placing.order.to)) {
                Some(id) => self.place_on(id, placing, now),
                None => self.place_on_ours(placing, now),
            }
        }
        self.last_ticket
    }

    /// Whoever has given an order wants nothing of it any more.
    pub(in crate::server) fn withdraw(&mut self, ticket: Ticket, now: Instant) {
        let Some(client) = self.clients.values_mut().find(|client| client.is_placing(ticket)) else { return };
        let id = client.id;
        client.withdraw(ticket, &mut self.calls, now);
        self.settle(id, now);
    }

    /// Nobody has heard that an order is carried out.
    pub(in crate::server) fn abandon(&mut self, session: SessionId, now: Instant) {
        self.end_calls(&[session], "the operator who had it placed has gone", now);
    }

    /// How far an order is that is followed, in its order.
    pub(in crate::server) fn poll_progress(&mut self) -> Option<(Ticket, String)> {
        self.calls.outcomes.poll_progress()
    }

    /// What has come of an order, once.
    pub(in crate::server) fn poll_outcome(&mut self) -> Option<(Ticket, Outcome)> {
        self.calls.outcomes.poll()
    }

    fn place_on(&mut self, id: ClientId, placing: Placing, now: Instant) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.place(placing, &mut self.calls, now);
            self.settle(id, now);
        }
    }

    /// On a control connection that this end has opened, or opens.
    pub(super) fn place_on_ours(&mut self, placing: Placing, now: Instant) {
        let to = SocketAddr::V4(placing.order.to);
        let id = self.connection_to(to).unwrap_or_else(|| {
            self.calls.outcomes.tell(&placing, &format!("connecting to {to}"));
            self.open_connection(to, now)
        });
        self.place_on(id, placing, now);
    }

    fn connection_to(&self, to: SocketAddr) -> Option<ClientId> {
        let mut ours = self.clients.values().filter(|client| client.opener == Opener::Us && client.peer == to);
        ours.find(|client| client.connection.takes_calls()).map(|ours| ours.id)
    }

    /// The control connection that the PNS has opened: there is to be one between both ends (RFC 2637 §3.1). Where its
    /// address has several, that stands for several machines; and one whose client takes no calls says so.
    fn connection_from(&self, to: SocketAddr) -> Option<ClientId> {
        if self.connection_to(to).is_some() {
            return None;
        }
        let is_theirs = |client: &&Client| client.peer.ip() == to.ip() && client.stage == Stage::Started;
        let mut theirs = self.clients.values().filter(|client| client.opener == Opener::Peer).filter(is_theirs);
        match (theirs.next(), theirs.next()) {
            (Some(only), None) if to.port() == PORT && only.connection.takes_calls() => Some(only.id),
            _ => None,
        }
    }

    fn open_connection(&mut self, to: SocketAddr, now: Instant) -> ClientId {
        let id = self.next_id();
        let config = connection_config(&self.config, &self.host_name);
        let connection = Connection::originate(config, self.calls.ids.source(), now);
        self.clients.insert(id, Client::opening(id, to, connection, now + OPENING));
        self.work.push_back(Work::Open(id, to));
        id
    }

    /// A connection is open, at `local`.
    pub(in crate::server) fn handle_open(&mut self, id: ClientId, local: SocketAddr, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        (client.local, client.stage) = (canonical(local), Stage::Asking(now + self.config.stimeout));
        client.tell_progress("connected; asking for a control connection", &mut self.calls);
        self.settle(id, now);
    }

    /// A connection cannot be opened, and why.
    pub(in crate::server) fn handle_unreachable(&mut self, id: ClientId, why: &str, now: Instant) {
        self.give_up(id, &format!("cannot connect: {why}"), now);
    }

    /// Ends a connection that this end wanted for calls.
    pub(super) fn give_up(&mut self, id: ClientId, why: &str, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        for placing in client.take_placing(&self.calls) {
            self.calls.answer(&placing, Err(why.to_owned()));
        }
        self.drop_client(id, why, now);
    }

    /// Connections that this end opens to the same peer (RFC 2637 §3.1.3).
    pub(super) fn rivals(&self, peer: IpAddr) -> Vec<(ClientId, Stage)> {
        let ours = self.clients.values().filter(|client| client.opener == Opener::Us && client.peer.ip() == peer);
        let ours = ours.filter(|client| matches!(client.stage, Stage::Opening(_) | Stage::Asking(_)));
        ours.map(|client| (client.id, client.stage)).collect()
    }

    /// A collision is won: the peer closes its connection.
    pub(super) fn yield_to_ours(&mut self, id: ClientId, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        debug!("{client}: this end's own control connection survives (RFC 2637 3.1.3)");
        client.stage = Stage::Yielding;
        // It waits for its start, as it has to for this.
        let _ = client.connection.win_collision(now);
    }

    /// A collision is lost, or about to happen: the peer's connection is as good for our calls.
    pub(super) fn replace(&mut self, ours: ClientId, theirs: ClientId, now: Instant) {
        let Some(client) = self.clients.get_mut(&ours) else { return };
        debug!("{client}: the peer's control connection survives (RFC 2637 3.1.3)");
        let placing = client.take_placing(&self.calls);
        let _ = client.connection.lose_collision();
        self.handle_events(ours, now);
        self.forget(ours, Work::Drop(ours), now);
        for placing in placing {
            self.place_on(theirs, placing, now);
        }
    }
}
