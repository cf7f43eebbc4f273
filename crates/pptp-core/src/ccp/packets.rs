//! Packets that end, reset or reject, and the way to the others.

use crate::time::Instant;

use super::event::{Event, Reason};
use super::machine::{Ccp, Outcome, State};
use super::packet::{
    CODE_REJECT, CONFIGURE_ACK, CONFIGURE_NAK, CONFIGURE_REJECT, CONFIGURE_REQUEST, Packet, RESET_ACK, RESET_REQUEST,
    TERMINATE_ACK, TERMINATE_REQUEST,
};

impl Ccp {
    /// A CCP packet from the peer, from its code on.
    pub fn handle_packet(&mut self, bytes: &[u8], now: Instant) {
        let encrypts = self.encrypts();
        self.handle_bytes(bytes, now);
        let critical = matches!(bytes, [CONFIGURE_REQUEST | TERMINATE_REQUEST | TERMINATE_ACK, ..]);
        if critical && encrypts && self.encrypts() {
            self.outbox.report(Event::Disregarded);
        }
    }

    fn encrypts(&self) -> bool {
        self.state == State::Opened && self.outcome == Outcome::Encrypted
    }

    fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        let Some(packet) = Packet::parse(bytes) else {
            return self.outbox.malformed();
        };
        match self.state {
            State::Initial | State::Starting => self.outbox.unexpected(),
            _ if self.outcome == Outcome::Failed => self.deny(packet),
            _ => self.handle_valid(packet, bytes, now),
        }
    }

    /// The peer does not know CCP: it has sent an LCP Protocol-Reject (RFC 1661 §5.7) of protocol 0x80fd.
    pub fn handle_protocol_reject(&mut self) {
        if self.outcome != Outcome::Failed {
            self.rejected_for_good(Reason::ProtocolRejected);
        }
    }

    fn handle_valid(&mut self, packet: Packet<'_>, bytes: &[u8], now: Instant) {
        match packet.code {
            CONFIGURE_REQUEST => self.configure_requested(packet, now),
            CONFIGURE_ACK => self.configure_acknowledged(packet, now),
            CONFIGURE_NAK => self.configure_answered(packet, now, Self::configure_nak),
            CONFIGURE_REJECT => self.configure_answered(packet, now, Self::configure_reject),
            TERMINATE_REQUEST => self.terminate_requested(packet, now),
            TERMINATE_ACK => self.terminate_acknowledged(),
            CODE_REJECT => self.code_rejected(packet),
            RESET_REQUEST => self.reset_requested(packet),
            RESET_ACK => self.reset_acknowledged(packet),
            _ => {
                let identifier = self.request.next_identifier();
                self.outbox.send(CODE_REJECT, identifier, bytes);
            }
        }
    }

    /// There is nothing to negotiate here: Send-Terminate-Ack to whatever asks for an answer.
    pub(super) fn deny(&mut self, packet: Packet<'_>) {
        match packet.code {
            CONFIGURE_REQUEST | CONFIGURE_ACK | CONFIGURE_NAK | CONFIGURE_REJECT | TERMINATE_REQUEST => {
                self.outbox.send(TERMINATE_ACK, packet.identifier, &[]);
            }
            _ => self.outbox.unexpected(),
        }
    }

    fn terminate_requested(&mut self, packet: Packet<'_>, now: Instant) {
        self.outbox.send(TERMINATE_ACK, packet.identifier, &[]);
        match self.state {
            State::RequestSent | State::AckReceived | State::AckSent => self.give_up(Reason::Terminated),
            State::Opened if self.encrypts() => self.give_up(Reason::Terminated),
            State::Opened => self.linger(now),
            _ => {}
        }
    }

    fn terminate_acknowledged(&mut self) {
        match self.state {
            State::Closing | State::Stopping => self.terminated(),
            State::AckReceived => self.state = State::RequestSent,
            _ => self.outbox.unexpected(),
        }
    }

    /// Codes without which there is no negotiation are those of RFC 1661.
    fn code_rejected(&mut self, packet: Packet<'_>) {
        match packet.data.first() {
            Some(&code @ CONFIGURE_REQUEST..=CODE_REJECT) => self.rejected_for_good(Reason::CodeRejected(code)),
            Some(_) => self.outbox.unexpected(),
            None => self.outbox.malformed(),
        }
    }

    fn rejected_for_good(&mut self, reason: Reason) {
        match self.state {
            State::RequestSent | State::AckReceived | State::AckSent | State::Opened => self.give_up(reason),
            State::Closing | State::Stopping => self.terminated(),
            _ => {}
        }
    }

    fn reset_requested(&mut self, packet: Packet<'_>) {
        if self.state != State::Opened || self.send.is_none() {
            return self.outbox.unexpected();
        }
        self.outbox.send(RESET_ACK, packet.identifier, packet.data);
        self.outbox.report(Event::ResetRequested);
    }

    fn reset_acknowledged(&mut self, packet: Packet<'_>) {
        match self.reset {
            Some((identifier, _)) if identifier == packet.identifier => {
                self.reset = None;
                self.outbox.report(Event::ResetAcknowledged);
            }
            _ => self.outbox.unexpected(),
        }
    }
}
