//! The automaton of RFC 1661 §4: its states, the owner's events, the restart timer, and how a negotiation ends.

use core::time::Duration;

use crate::mppe::Config;
use crate::time::Instant;

use super::answer::Refusals;
use super::event::{Event, Preparation, Reason};
use super::option::Bits;
use super::outbox::{Counters, Outbox};
use super::packet::{CONFIGURE_REQUEST, RESET_REQUEST, TERMINATE_REQUEST};
use super::policy::{Policy, Presence};
use super::request::Request;

/// Least time between two Reset-Requests, if the first one is not answered.
pub const RESET_INTERVAL: Duration = Duration::from_secs(1);

/// How this end behaves. RFC 1661 §4.6 names the timer and the counters.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What may be negotiated.
    pub policy: Policy,
    /// Time from a Configure-Request or Terminate-Request to its repetition.
    pub restart_interval: Duration,
    /// Configure-Requests that are sent before the peer counts as silent.
    pub max_configure: u32,
    /// Terminate-Requests that are sent.
    pub max_terminate: u32,
    /// Configure-Naks and -Rejects in a row, in either direction, before there is no agreement.
    pub max_failure: u32,
}

impl Settings {
    /// RFC 1661's values: 3 s, 10, 2 and 5.
    pub const fn new(policy: Policy) -> Self {
        Self { policy, restart_interval: Duration::from_secs(3), max_configure: 10, max_terminate: 2, max_failure: 5 }
    }
}

/// RFC 1661 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Initial,
    Starting,
    Closed,
    Stopped,
    Closing,
    Stopping,
    RequestSent,
    AckReceived,
    AckSent,
    Opened,
}

/// What came of the negotiation, while the lower layer is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Undecided,
    Clear,
    /// Once and for all.
    Encrypted,
    Failed,
}

/// One end.
///
/// After each `handle_*`, drain `poll_preparation`, `poll_transmit` and `poll_event`, in this order, and ask `poll_timeout` anew. Events that a state does not
/// know (Up twice) change nothing.
#[derive(Debug)]
pub struct Ccp {
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) outcome: Outcome,
    pub(super) request: Request,
    /// Acknowledged by this end: the identifier of the request, and how this end encrypts.
    pub(super) acknowledged: Option<u8>,
    pub(super) send: Option<Config>,
    /// Acknowledged by the peer: how it encrypts.
    pub(super) receive: Option<Config>,
    pub(super) refusals: Refusals,
    pub(super) opened: Instant,
    restart: Option<Instant>,
    restart_count: u32,
    /// The Reset-Request that is not answered yet.
    pub(super) reset: Option<(u8, Instant)>,
    pub(super) outbox: Outbox,
}

impl Ccp {
    /// An end that is neither open nor up.
    pub fn new(settings: Settings) -> Self {
        Self {
            request: Request::new(&settings.policy),
            settings,
            state: State::Initial,
            outcome: Outcome::Undecided,
            acknowledged: None,
            send: None,
            receive: None,
            refusals: Refusals::default(),
            opened: Instant::default(),
            restart: None,
            restart_count: 0,
            reset: None,
            outbox: Outbox::default(),
        }
    }

    /// The owner wants to negotiate: once the lower layer is up, it begins; with [`Presence::Denied`], the peer has to.
    pub fn handle_open(&mut self, now: Instant) {
        match self.state {
            State::Initial => self.state = State::Starting,
            State::Closed => self.start(now),
            State::Closing => self.state = State::Stopping,
            _ => {}
        }
    }

    /// The owner does not want to any more. [`Event::Closed`] follows; what was encrypted is not to be sent in clear then.
    pub fn handle_close(&mut self, now: Instant) {
        match self.state {
            State::Starting => self.close(State::Initial),
            State::Stopped => self.close(State::Closed),
            State::Stopping => self.state = State::Closing,
            State::RequestSent | State::AckReceived | State::AckSent | State::Opened => {
                self.terminate(State::Closing, now);
            }
            State::Initial | State::Closed | State::Closing => {}
        }
    }

    /// The link is in the network-layer protocol phase: peers authenticated, keys there.
    pub fn handle_up(&mut self, now: Instant) {
        match self.state {
            State::Initial => self.state = State::Closed,
            State::Starting => self.start(now),
            _ => {}
        }
    }

    /// The link has left that phase. Everything is forgotten but the owner's wish to negotiate.
    pub fn handle_down(&mut self) {
        self.stop_timer();
        self.outcome = Outcome::Undecided;
        self.request.forget(&self.settings.policy);
        self.forget_agreement();
        match self.state {
            State::Closing => self.close(State::Initial),
            State::Initial | State::Closed => self.state = State::Initial,
            _ => self.state = State::Starting,
        }
    }

    /// The point in time of `poll_timeout` has come; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.restart.is_none_or(|due| due > now) {
            return;
        }
        match self.state {
            _ if self.restart_count == 0 => self.restarts_spent(),
            State::Closing | State::Stopping => self.send_terminate_request(now),
            State::AckReceived => {
                self.state = State::RequestSent;
                self.send_request(now);
            }
            _ => self.send_request(now),
        }
    }

    /// Stateful mode: a packet could not be decrypted. Sends a Reset-Request, at most one in [`RESET_INTERVAL`] while there is
    /// no answer, so this may be called for each such packet.
    pub fn request_reset(&mut self, now: Instant) {
        if self.state != State::Opened || self.receive.is_none() {
            return;
        }
        let identifier = match self.reset {
            Some((_, last)) if now.since(last) < RESET_INTERVAL => return,
            Some((identifier, _)) => identifier,
            None => self.request.next_identifier(),
        };
        self.reset = Some((identifier, now));
        self.outbox.send(RESET_REQUEST, identifier, &[]);
    }

    /// When `handle_timeout` is to be called.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.restart
    }

    /// What has to be done before the next packet is sent: drain this before each `poll_transmit`.
    pub fn poll_preparation(&mut self) -> Option<Preparation> {
        self.outbox.poll_preparation()
    }

    /// The next packet to send, in order: protocol [`PROTOCOL`](super::PROTOCOL), at most 1400 bytes.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.poll_transmit()
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.poll_event()
    }

    /// Whether packets of network protocols may be sent and taken in clear: after [`Event::Unencrypted`] and before anything
    /// else. Never when MPPE is required, nor again when a link was encrypted.
    pub fn may_pass_plaintext(&self) -> bool {
        self.outcome == Outcome::Clear
    }

    /// What was not used.
    pub const fn counters(&self) -> &Counters {
        &self.outbox.counters
    }

    /// Open and up. With MPPE denied it is for the peer to begin.
    fn start(&mut self, now: Instant) {
        if self.outcome == Outcome::Failed {
            self.state = State::Stopped;
        } else if self.settings.policy.presence == Presence::Denied {
            self.state = State::Stopped;
            self.conclude_clear(Reason::Denied);
        } else {
            self.begin(now);
        }
    }

    /// A negotiation, from the beginning.
    pub(super) fn begin(&mut self, now: Instant) {
        self.forget_agreement();
        self.request.begin(&self.settings.policy);
        self.refusals = Refusals::default();
        self.state = State::RequestSent;
        self.send_new_request(now);
    }

    fn forget_agreement(&mut self) {
        self.acknowledged = None;
        self.send = None;
        self.receive = None;
        self.reset = None;
    }

    /// Initialize-Restart-Count, Send-Configure-Request.
    pub(super) fn send_new_request(&mut self, now: Instant) {
        self.restart_count = self.settings.max_configure;
        self.send_request(now);
    }

    fn send_request(&mut self, now: Instant) {
        let identifier = self.request.send();
        if let Some(config) = self.request.wish().and_then(Bits::config) {
            self.outbox.prepare(Preparation::Receive(config));
        }
        self.outbox.send(CONFIGURE_REQUEST, identifier, &self.request.data());
        self.count_restart(now);
    }

    /// Into `Closing` or `Stopping`.
    pub(super) fn terminate(&mut self, state: State, now: Instant) {
        self.state = state;
        self.restart_count = self.settings.max_terminate;
        self.send_terminate_request(now);
    }

    fn send_terminate_request(&mut self, now: Instant) {
        let identifier = self.request.next_identifier();
        self.outbox.send(TERMINATE_REQUEST, identifier, &[]);
        self.count_restart(now);
    }

    fn count_restart(&mut self, now: Instant) {
        self.restart_count = self.restart_count.saturating_sub(1);
        self.restart = Some(now + self.settings.restart_interval);
    }

    /// Zero-Restart-Count: into `Stopping`, where the peer's repetitions are awaited.
    pub(super) fn linger(&mut self, now: Instant) {
        self.state = State::Stopping;
        self.restart_count = 0;
        self.restart = Some(now + self.settings.restart_interval);
    }

    const fn stop_timer(&mut self) {
        self.restart = None;
    }

    fn restarts_spent(&mut self) {
        match self.state {
            State::Closing | State::Stopping => self.terminated(),
            _ => self.give_up(Reason::NoAnswer),
        }
    }

    /// This end's Terminate-Request was answered, or never will be.
    pub(super) fn terminated(&mut self) {
        self.stop_timer();
        match self.state {
            State::Closing => self.close(State::Closed),
            _ => self.state = State::Stopped,
        }
    }

    fn close(&mut self, state: State) {
        self.state = state;
        self.outbox.report(Event::Closed);
    }

    /// This-Layer-Up: both ends have acknowledged.
    pub(super) fn finish(&mut self, now: Instant) {
        self.stop_timer();
        self.state = State::Opened;
        self.opened = now;
        match (self.send, self.receive) {
            (Some(send), Some(receive)) => {
                self.outcome = Outcome::Encrypted;
                self.outbox.report(Event::Opened { send, receive });
            }
            (None, None) if self.may_go_without() => {
                self.conclude_clear(self.request.refused().unwrap_or(Reason::NotOffered));
            }
            (None, None) => self.give_up(self.request.refused().unwrap_or(Reason::NotOffered)),
            _ if self.may_go_without() => {
                self.request.refuse(Reason::OneWay);
                self.terminate(State::Stopping, now);
                self.conclude_clear(Reason::OneWay);
            }
            _ => self.give_up(Reason::OneWay),
        }
    }

    /// MPPE will not be acknowledged: it is not asked for any more, or that was all. Whether it goes on.
    pub(super) fn refuse(&mut self, reason: Reason) -> bool {
        if self.may_go_without() {
            self.request.refuse(reason);
            self.receive = None;
            return true;
        }
        self.give_up(reason);
        false
    }

    fn may_go_without(&self) -> bool {
        self.settings.policy.presence != Presence::Required && self.outcome != Outcome::Encrypted
    }

    /// There will be no encryption.
    pub(super) fn give_up(&mut self, reason: Reason) {
        self.stop_timer();
        self.state = State::Stopped;
        if self.may_go_without() {
            if self.acknowledged.is_some() && reason != Reason::Terminated {
                // What was rejected may have been forged: a peer that thinks there is an agreement has to know.
                let identifier = self.request.next_identifier();
                self.outbox.send(TERMINATE_REQUEST, identifier, &[]);
            }
            self.forget_agreement();
            self.conclude_clear(reason);
        } else {
            self.outcome = Outcome::Failed;
            self.forget_agreement();
            self.outbox.report(Event::Failed(reason));
        }
    }

    fn conclude_clear(&mut self, reason: Reason) {
        if self.outcome != Outcome::Clear {
            self.outcome = Outcome::Clear;
            self.outbox.report(Event::Unencrypted(reason));
        }
    }
}
