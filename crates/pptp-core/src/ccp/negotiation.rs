//! Configure-Request and its answers, both ways.

use crate::mppe::{Config, OPTION_TYPE};
use crate::time::Instant;

use super::answer::{Refusals, Verdict, judge};
use super::event::{Preparation, Reason};
use super::machine::{Ccp, Outcome, State};
use super::option::{self, Bits, Received};
use super::packet::{CONFIGURE_ACK, CONFIGURE_NAK, CONFIGURE_REJECT, Packet};

impl Ccp {
    pub(super) fn configure_requested(&mut self, packet: Packet<'_>, now: Instant) {
        let Some(options) = option::parse(packet.data) else {
            return self.outbox.malformed();
        };
        let wanted = match self.state {
            State::RequestSent | State::AckReceived | State::AckSent => true,
            State::Stopped => {
                self.begin(now);
                true
            }
            State::Opened if self.is_repeated(packet, &options, now) => return self.acknowledge(packet),
            State::Opened => self.reopen(now),
            State::Closed => return self.deny(packet),
            State::Initial | State::Starting | State::Closing | State::Stopping => return self.outbox.unexpected(),
        };
        if wanted {
            self.answer(packet, &options, now);
        }
    }

    /// Whether the peer has missed the Configure-Ack that opened this end: it asks for the same, with the same identifier or
    /// within the time in which a request is repeated. To negotiate anew it would need another identifier (RFC 1661 §5.1).
    fn is_repeated(&self, packet: Packet<'_>, options: &[Received<'_>], now: Instant) -> bool {
        let patience = self.settings.restart_interval.saturating_mul(self.settings.max_configure);
        let same = self.judge(options) == Verdict::Ack(self.send);
        same && (self.acknowledged == Some(packet.identifier) || now.since(self.opened) <= patience)
    }

    /// The peer negotiates anew: whether this end does. There are no keys for another time.
    fn reopen(&mut self, now: Instant) -> bool {
        let was_encrypted = self.outcome == Outcome::Encrypted;
        if was_encrypted {
            self.give_up(Reason::Renegotiated);
        } else {
            self.begin(now);
        }
        !was_encrypted
    }

    fn judge(&self, options: &[Received<'_>]) -> Verdict {
        judge(&self.settings.policy, self.request.wish().is_some(), options)
    }

    fn answer(&mut self, packet: Packet<'_>, options: &[Received<'_>], now: Instant) {
        match self.judge(options) {
            Verdict::Ack(config) => self.agree(packet, config, now),
            Verdict::Reject(rejected) if self.may_refuse(packet) => self.disagree(CONFIGURE_REJECT, packet, &rejected),
            Verdict::Reject(_) => self.give_up(Reason::NotAllowed),
            Verdict::Nak(best, _) | Verdict::Missing(best) if self.may_refuse(packet) => {
                self.disagree(CONFIGURE_NAK, packet, &Bits::of(best).option());
            }
            Verdict::Nak(_, bits) => {
                self.disagree(CONFIGURE_REJECT, packet, &bits.option());
                self.go_without(Reason::NotAllowed, now);
            }
            Verdict::Missing(_) => {
                if self.go_without(Reason::NotOffered, now) {
                    self.agree(packet, None, now);
                }
            }
        }
    }

    fn may_refuse(&mut self, packet: Packet<'_>) -> bool {
        self.refusals.count(packet.identifier, self.settings.max_failure, self.settings.max_configure)
    }

    /// Send-Configure-Ack.
    fn agree(&mut self, packet: Packet<'_>, config: Option<Config>, now: Instant) {
        if let Some(config) = config {
            self.outbox.prepare(Preparation::Send(config));
        }
        self.acknowledge(packet);
        self.send = config;
        self.refusals = Refusals::default();
        match self.state {
            State::AckReceived => self.finish(now),
            _ => self.state = State::AckSent,
        }
    }

    fn acknowledge(&mut self, packet: Packet<'_>) {
        self.acknowledged = Some(packet.identifier);
        self.outbox.send(CONFIGURE_ACK, packet.identifier, packet.data);
    }

    /// Send-Configure-Nak or -Reject.
    fn disagree(&mut self, code: u8, packet: Packet<'_>, options: &[u8]) {
        self.outbox.send(code, packet.identifier, options);
        self.acknowledged = None;
        self.send = None;
        if self.state == State::AckSent {
            self.state = State::RequestSent;
        }
    }

    /// The peer will not ask for what is allowed. What this end asked for, be it acknowledged or not, is asked for no more.
    fn go_without(&mut self, reason: Reason, now: Instant) -> bool {
        let goes_on = self.refuse(reason);
        if goes_on {
            self.refusals = Refusals::default();
            self.state = State::RequestSent;
            self.send_new_request(now);
        }
        goes_on
    }

    pub(super) fn configure_acknowledged(&mut self, packet: Packet<'_>, now: Instant) {
        if !self.is_answer(packet) {
            return;
        }
        if packet.data != self.request.data() {
            return self.outbox.malformed();
        }
        self.request.answered();
        self.receive = match self.request.wish().map(|bits| (bits, bits.config())) {
            // Several key lengths are no agreement, though the peer thinks so.
            Some((bits, None)) => return self.follow(Some(bits), now),
            Some((_, config)) => config,
            None => None,
        };
        if self.state == State::AckSent {
            self.finish(now);
        } else {
            self.state = State::AckReceived;
        }
    }

    /// Configure-Nak or -Reject; `learn` says how.
    pub(super) fn configure_answered(
        &mut self,
        packet: Packet<'_>,
        now: Instant,
        learn: fn(&mut Self, &[Received<'_>], Instant),
    ) {
        if !self.is_answer(packet) {
            return;
        }
        match option::parse(packet.data) {
            Some(options) => learn(self, &options, now),
            None => self.outbox.malformed(),
        }
    }

    pub(super) fn configure_nak(&mut self, options: &[Received<'_>], now: Instant) {
        self.request.answered();
        self.follow(options.iter().find_map(|option| option.mppe()), now);
    }

    /// A Reject of anything but what was asked for is invalid (RFC 1661 §5.4).
    pub(super) fn configure_reject(&mut self, options: &[Received<'_>], now: Instant) {
        let mppe = options.iter().any(|option| option.bytes().first() == Some(&OPTION_TYPE));
        if !mppe || self.request.wish().is_none() {
            return self.outbox.malformed();
        }
        self.request.answered();
        if self.refuse(Reason::Rejected) {
            self.send_new_request(now);
        }
    }

    /// Asks for what the peer has in mind, if that is allowed; else for the same again, but not for ever.
    fn follow(&mut self, bits: Option<Bits>, now: Instant) {
        if self.request.count_nak() >= self.settings.max_failure {
            return self.stop_asking(now);
        }
        if let (Some(_), Some(bits)) = (self.request.wish(), bits) {
            self.request.ask_for(Bits::of(self.settings.policy.settle(bits)));
        }
        self.send_new_request(now);
    }

    /// There were too many Configure-Naks. A peer that wants more than no option at all is not understood.
    fn stop_asking(&mut self, now: Instant) {
        if self.request.wish().is_none() {
            self.give_up(Reason::NotAllowed);
        } else if self.refuse(Reason::NotAllowed) {
            self.send_new_request(now);
        }
    }

    /// Whether this answers the request; else it is dealt with.
    fn is_answer(&mut self, packet: Packet<'_>) -> bool {
        match self.state {
            State::Closed | State::Stopped => self.deny(packet),
            State::RequestSent | State::AckSent if self.request.awaits(packet.identifier) => return true,
            _ => self.outbox.unexpected(),
        }
        false
    }
}
