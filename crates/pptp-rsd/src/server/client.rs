//! One control connection: what its events mean for the calls.

use core::fmt;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use log::{Level, debug, info, log_enabled, warn};
use pptp_core::control::{
    self, CallAnswer, CallParameters, CloseReason, ConnectedLine, Connection, Event, IncomingCall, IncomingCallAnswer,
    IncomingCallOffer, Misbehaviour, OutgoingCallOffer,
};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, GeneralError, IncomingCallResult, PeerCallId, StartResult, StopReason};

use super::lines::Lines;
use super::orders::{Placing, Ticket};
use super::quota::Quotas;
use super::refusal::Refusal;
use super::session::{ClientId, Origin, SessionId};
use super::switchboard::{Switchboard, Wanted};
use crate::config::Config;

/// Odd messages of one connection that are logged.
const MOST_ODDITIES: u32 = 20;

/// What is told of a call until the peer answers, which may let it ring.
const OFFERED: &str = "the control connection is there; the call is offered and waits for an answer";

/// Packets that the engine of a call buffers.
pub(super) const RECEIVE_WINDOW: u16 = 64;

/// What the server has to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Whether the connection may start.
    ToStart,
    /// To place this on a connection of its own: who has opened this one takes no calls.
    ToPlace(Placing),
    Nothing,
}

/// How far a control connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has until then for a good Start-Control-Connection-Request.
    Starting(Instant),
    /// It has said one, and there are too many others.
    Rejected,
    /// It has said one while this end did the same on a connection of its own, which survives (RFC 2637 §3.1.3).
    Yielding,
    /// This end opens the TCP connection, until then.
    Opening(Instant),
    /// This end waits for Start-Control-Connection-Reply, until then.
    Asking(Instant),
    Started,
}

/// Who opened the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    Peer,
    Us,
}

pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) opener: Opener,
    pub(super) connection: Connection,
    pub(super) stage: Stage,
    calls: HashMap<CallId, SessionId>,
    /// Calls of ours that are not connected yet. Their ids are claimed.
    placing: HashMap<CallId, Placing>,
    oddities: u32,
}

impl Client {
    /// The peer has opened it.
    pub(super) fn new(id: ClientId, [peer, local]: [SocketAddr; 2], connection: Connection, start_by: Instant) -> Self {
        Self {
            id,
            peer,
            local,
            opener: Opener::Peer,
            connection,
            stage: Stage::Starting(start_by),
            calls: HashMap::new(),
            placing: HashMap::new(),
            oddities: MOST_ODDITIES,
        }
    }

    /// This end opens it; the local address is not known yet.
    pub(super) fn opening(id: ClientId, peer: SocketAddr, connection: Connection, until: Instant) -> Self {
        let local = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { opener: Opener::Us, stage: Stage::Opening(until), ..Self::new(id, [peer, local], connection, until) }
    }

    /// When to look at it again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let start_by = match self.stage {
            Stage::Starting(deadline) | Stage::Opening(deadline) | Stage::Asking(deadline) => Some(deadline),
            Stage::Rejected | Stage::Yielding | Stage::Started => None,
        };
        start_by.into_iter().chain(self.connection.poll_timeout()).min()
    }

    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty() || !self.placing.is_empty()
    }

    /// Whether this end has opened it for calls, and none is left.
    pub(super) fn is_done(&self) -> bool {
        self.opener == Opener::Us && !self.has_calls() && self.connection.call_count() == 0
    }

    /// Offers the peer a call, as soon as the connection is established.
    pub(super) fn place<L: Lines>(&mut self, placing: Placing, calls: &mut Switchboard<L>, now: Instant) {
        match self.offer(&placing, calls, now) {
            Ok(call) => {
                if self.stage == Stage::Started {
                    calls.outcomes.tell(&placing, OFFERED);
                }
                self.placing.insert(call, placing);
            }
            Err(why) => calls.answer(&placing, Err(why)),
        }
    }

    fn offer<L: Lines>(
        &mut self,
        placing: &Placing,
        calls: &mut Switchboard<L>,
        now: Instant,
    ) -> Result<CallId, String> {
        let call = self.connection.reserve_call_id().map_err(|misuse| misuse.to_string())?;
        if !calls.ids.claim(call) {
            self.connection.release_call_id(call);
            return Err(Refusal::OurIdTaken.to_string());
        }
        let offer = IncomingCall {
            dialed_number: placing.order.number.clone(),
            dialing_number: placing.order.from.clone(),
            ..IncomingCall::default()
        };
        let offered = self.connection.offer_incoming_call(call, offer, now);
        offered.map(|()| call).map_err(|misuse| {
            calls.ids.release(call);
            misuse.to_string()
        })
    }

    pub(super) fn is_placing(&self, ticket: Ticket) -> bool {
        self.placing.values().any(|placing| placing.ticket == ticket)
    }

    /// Clears the call that this order has brought about.
    pub(super) fn withdraw<L: Lines>(&mut self, ticket: Ticket, calls: &mut Switchboard<L>, now: Instant) {
        let mut placing = self.placing.iter().filter(|(_, placing)| placing.ticket == ticket);
        if let Some(call) = placing.next().map(|(call, _)| *call) {
            self.over(call, &"the operator who wanted it has gone", calls, now);
            self.clear(call, now);
        }
    }

    /// Tells whoever follows the calls that are not connected how far they are.
    pub(super) fn tell_progress<L: Lines>(&self, how_far: &str, calls: &mut Switchboard<L>) {
        self.placing.values().for_each(|placing| calls.outcomes.tell(placing, how_far));
    }

    /// Takes the calls of ours that are not connected: for another connection, or none.
    pub(super) fn take_placing<L: Lines>(&mut self, calls: &Switchboard<L>) -> Vec<Placing> {
        let placing = std::mem::take(&mut self.placing).into_iter();
        placing.inspect(|(call, _)| calls.ids.release(*call)).map(|(_, placing)| placing).collect()
    }

    /// Lets it start: it has its first answer.
    pub(super) fn admit(&mut self, now: Instant) {
        self.stage = Stage::Started;
        // It waits for this.
        let _ = self.connection.answer_start(now);
    }

    /// Refuses its start, which closes it.
    pub(super) fn reject(&mut self) {
        self.stage = Stage::Rejected;
        let _ = self.connection.refuse_start(StartResult::GeneralError, GeneralError::NoResource);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.connection.stop(StopReason::StopLocalShutdown, now);
    }

    /// A pppd has ended, and with it its call.
    pub(super) fn clear(&mut self, call: CallId, now: Instant) {
        self.calls.remove(&call);
        // A call that is unknown has just ended by itself.
        let _ = self.connection.clear_call(call, now);
    }

    pub(super) fn handle_event<L: Lines>(
        &mut self,
        event: Event,
        calls: &mut Switchboard<L>,
        quotas: &mut Quotas,
        now: Instant,
    ) -> Asked {
        match event {
            Event::StartRequested(_) => return Asked::ToStart,
            Event::Established(peer) => {
                self.stage = Stage::Started;
                self.tell_progress(OFFERED, calls);
                self.log_detail(&format_args!("control connection established: {peer}"), quotas, now);
            }
            Event::OutgoingCallRequested(offer) => {
                if let Err(refusal) = self.take_outgoing(&offer, calls, now) {
                    calls.tally.refuse(&refusal);
                    self.log_refusal(&refusal, quotas, now);
                    let _ = self.connection.refuse_call(offer.call, refusal.of_outgoing(), now);
                }
            }
            Event::IncomingCallRequested(offer) => {
                if let Err(refusal) = self.take_incoming(&offer, calls, now) {
                    calls.tally.refuse(&refusal);
                    self.log_refusal(&refusal, quotas, now);
                    let (result, error) = refusal.of_incoming();
                    let _ = self.connection.refuse_incoming_call(offer.call, result, error, now);
                }
            }
            Event::IncomingCallAccepted { call, peer_call } => self.answer_line(call, peer_call, calls, now),
            Event::CallConnected(parameters) => self.connected(&parameters, calls, quotas, now),
            Event::CallEnded { call, reason } => self.over(call, &reason, calls, now),
            Event::IncomingCallRefused { call, result: IncomingCallResult::DoNotAccept, .. }
                if self.opener == Opener::Peer =>
            {
                let Some(placing) = self.placing.remove(&call) else { return Asked::Nothing };
                calls.ids.release(call);
                return Asked::ToPlace(placing);
            }
            Event::CallRefused { call, .. } | Event::IncomingCallRefused { call, .. } => {
                self.over(call, &event, calls, now);
            }
            Event::WanErrors { call, counters } => {
                if let Some(&session) = self.calls.get(&call) {
                    calls.note_errors(session, &counters);
                    self.log_detail(&format_args!("line errors of call {}: {counters:?}", call.0), quotas, now);
                }
            }
            Event::LinkInfo { call, send_accm, receive_accm } => {
                if let Some(&session) = self.calls.get(&call) {
                    calls.note_link_info(session, [send_accm, receive_accm]);
                }
                self.log_detail(&event, quotas, now);
            }
            Event::Closed(reason) => self.log_close(&reason, quotas, now),
            Event::PeerMisbehaved(Misbehaviour::TooManyCalls) => {
                calls.tally.refuse_beyond_connection();
                self.log_oddity(&event, quotas, now);
            }
            // Most are reports of what the client does wrong.
            _ => self.log_oddity(&event, quotas, now),
        }
        Asked::Nothing
    }

    /// pppd is started before the client is told that it is connected: what cannot be done is refused.
    fn take_outgoing<L: Lines>(
        &mut self,
        offer: &OutgoingCallOffer,
        calls: &mut Switchboard<L>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let session = calls.open(&self.wanted(offer.call, offer.peer_call), Origin::Outgoing, now)?;
        calls.start(session, offer.peer_receive_window, now)?;
        self.calls.insert(offer.call, session);
        let answer = CallAnswer { receive_window: RECEIVE_WINDOW, ..CallAnswer::default() };
        // It waits for this answer.
        let _ = self.connection.accept_call(offer.call, answer, now);
        Ok(())
    }

    /// pppd is started when the line is connected, which takes as long as somebody lets it ring.
    fn take_incoming<L: Lines>(
        &mut self,
        offer: &IncomingCallOffer,
        calls: &mut Switchboard<L>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let session = calls.open(&self.wanted(offer.call, offer.peer_call), Origin::Incoming, now)?;
        self.calls.insert(offer.call, session);
        let answer = IncomingCallAnswer { receive_window: RECEIVE_WINDOW, ..IncomingCallAnswer::default() };
        let _ = self.connection.accept_incoming_call(offer.call, answer, now);
        Ok(())
    }

    /// The peer takes a call of ours: the way is opened before the peer is told that it is connected.
    fn answer_line<L: Lines>(&mut self, call: CallId, peer_call: PeerCallId, calls: &mut Switchboard<L>, now: Instant) {
        let Some(placing) = self.placing.get(&call) else { return };
        calls.outcomes.tell(placing, "the call is accepted");
        match calls.open_placed(&self.wanted(call, peer_call), placing.order.option_file.clone(), now) {
            Ok(session) => {
                self.calls.insert(call, session);
                let line = ConnectedLine { receive_window: RECEIVE_WINDOW, ..ConnectedLine::default() };
                // It waits for this.
                let _ = self.connection.connect_incoming_call(call, line, now);
            }
            Err(refusal) => {
                if let Some(placing) = self.placing.remove(&call) {
                    calls.answer(&placing, Err(refusal.to_string()));
                }
                self.clear(call, now);
            }
        }
    }

    fn connected<L: Lines>(
        &mut self,
        parameters: &CallParameters,
        calls: &mut Switchboard<L>,
        quotas: &mut Quotas,
        now: Instant,
    ) {
        let Some(&session) = self.calls.get(&parameters.call) else { return };
        calls.connected(session, parameters);
        if calls.is_started(session) {
            return;
        }
        let started = calls.start(session, parameters.peer_receive_window, now);
        match (&started, self.placing.remove(&parameters.call)) {
            (Ok(()), Some(placing)) => calls.answer(&placing, Ok(session)),
            (Ok(()), None) => {}
            (Err(refusal), Some(placing)) => calls.answer(&placing, Err(refusal.to_string())),
            (Err(refusal), None) => {
                calls.tally.refuse(refusal);
                self.log_refusal(refusal, quotas, now);
            }
        }
        if started.is_err() {
            self.clear(parameters.call, now);
        }
    }

    fn wanted(&self, call: CallId, peer_call: PeerCallId) -> Wanted {
        Wanted { client: self.id, local: self.local, peer: self.peer, call, peer_call }
    }

    fn over<L: Lines>(&mut self, call: CallId, reason: &dyn fmt::Display, calls: &mut Switchboard<L>, now: Instant) {
        let (placing, session) = (self.placing.remove(&call), self.calls.remove(&call));
        match (session, &placing) {
            // The id is its own.
            (Some(session), _) => calls.hang_up(session, &reason.to_string(), now),
            (None, Some(_)) => calls.ids.release(call),
            (None, None) => {}
        }
        if let Some(placing) = placing {
            calls.answer(&placing, Err(reason.to_string()));
        }
    }

    fn log_refusal(&self, refusal: &Refusal, quotas: &mut Quotas, now: Instant) {
        if quotas.refusals.permits(now) {
            warn!("{self}: call refused: {refusal}");
        }
    }

    fn log_close(&self, reason: &CloseReason, quotas: &mut Quotas, now: Instant) {
        match reason {
            CloseReason::StoppedByPeer(_) | CloseReason::StoppedByUs | CloseReason::PeerClosed => {
                self.log_detail(&format_args!("closed: {reason}"), quotas, now);
            }
            _ if quotas.strangers.permits(now) => info!("{self}: closed: {reason}"),
            _ => {}
        }
    }

    fn log_oddity(&mut self, event: &Event, quotas: &mut Quotas, now: Instant) {
        if self.oddities > 0 {
            self.oddities -= 1;
            self.log_detail(event, quotas, now);
        }
    }

    fn log_detail(&self, what: &dyn fmt::Display, quotas: &mut Quotas, now: Instant) {
        if log_enabled!(Level::Debug) && quotas.details.permits(now) {
            debug!("{self}: {what}");
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}: {}", self.id.0, self.peer)
    }
}

/// How control connections behave.
pub(super) fn connection_config(config: &Config, host_name: &str) -> control::Config {
    control::Config {
        host_name: host_name.to_owned(),
        maximum_channels: u16::try_from(config.most_calls()).unwrap_or(u16::MAX),
        peer_call_limit: u16::try_from(config.max_per_address).unwrap_or(u16::MAX),
        echo_interval: config.echo_interval,
        echo_timeout: config.echo_timeout,
        ..control::Config::default()
    }
}
