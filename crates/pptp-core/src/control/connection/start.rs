//! Start-Control-Connection-Request and -Reply: versions, the owner's say, and collisions (RFC 2637 §3.1).

use crate::control::error::{Misbehaviour, Misuse};
use crate::control::event::{CloseReason, Event, PeerInfo};
use crate::control::timers::Timer;
use crate::time::Instant;
use crate::wire::{
    GeneralError, ProtocolVersion, StartControlConnectionReply, StartControlConnectionRequest, StartResult, StopReason,
    Text64,
};

use super::keepalive::KeepAlive;
use super::{Connection, State};

/// Who answers Start-Control-Connection-Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartPolicy {
    /// It is answered at once.
    Answer,
    /// The owner is asked.
    Ask,
}

impl Connection {
    /// Makes an accepted connection ask its owner ([`Event::StartRequested`]) before it answers
    /// Start-Control-Connection-Request: `answer_start`, `refuse_start` or `win_collision`.
    ///
    /// # Errors
    /// The connection does not wait for a Start-Control-Connection-Request.
    pub fn hold_start(&mut self) -> Result<(), Misuse> {
        let State::WaitCtlRequest(policy) = &mut self.state else {
            return self.misuse("hold_start");
        };
        *policy = StartPolicy::Ask;
        Ok(())
    }

    /// Answers [`Event::StartRequested`]: the connection is established.
    ///
    /// # Errors
    /// No request waits for an answer.
    pub fn answer_start(&mut self, now: Instant) -> Result<(), Misuse> {
        let State::Held(peer) = &self.state else {
            return self.misuse("answer_start");
        };
        let peer = peer.clone();
        self.establish_as_receiver(peer, now);
        Ok(())
    }

    /// Answers [`Event::StartRequested`] with a refusal, and closes.
    ///
    /// # Errors
    /// No request waits for an answer, or the result code is the one that accepts.
    pub fn refuse_start(&mut self, result: StartResult, error: GeneralError) -> Result<(), Misuse> {
        let State::Held(_) = self.state else {
            return self.misuse("refuse_start");
        };
        if result == StartResult::Established {
            return Err(Misuse::RefusalAccepts);
        }
        let reply = self.start_reply(result, error);
        self.outbox.send(&reply.into());
        self.close(CloseReason::RefusedByUs(result));
        Ok(())
    }

    /// An accepted connection collides with one that this end opened, and this end wins (§3.1.3): nothing is sent on
    /// it, and it waits for the peer to close it.
    ///
    /// # Errors
    /// The connection is not accepted, or Start-Control-Connection-Request has been answered.
    pub fn win_collision(&mut self, now: Instant) -> Result<(), Misuse> {
        let (State::WaitCtlRequest(_) | State::Held(_)) = self.state else {
            return self.misuse("win_collision");
        };
        self.end_calls(&CloseReason::CollisionWon);
        self.state = State::Silent;
        self.outbox.discard_transmit();
        self.timers.set(Timer::Setup, now + self.config.setup_timeout);
        Ok(())
    }

    /// A connection that this end opened collides with one that the peer opened, and the peer wins (§3.1.3): it is
    /// closed, and nothing more is sent on it.
    ///
    /// # Errors
    /// This end did not open the connection, or it is established.
    pub fn lose_collision(&mut self) -> Result<(), Misuse> {
        let State::WaitCtlReply = self.state else {
            return self.misuse("lose_collision");
        };
        self.outbox.discard_transmit();
        self.close(CloseReason::CollisionLost);
        Ok(())
    }

    pub(super) fn send_start_request(&mut self) {
        let request = StartControlConnectionRequest {
            version: ProtocolVersion::V1_0,
            reserved1: 0,
            framing_capabilities: self.config.framing_capabilities,
            bearer_capabilities: self.config.bearer_capabilities,
            maximum_channels: self.config.maximum_channels,
            firmware_revision: self.config.firmware_revision,
            host_name: Text64::new(&self.config.host_name),
            vendor: Text64::new(&self.config.vendor),
        };
        self.outbox.send(&request.into());
    }

    /// The receiver's part of §3.1.2: a version equal to ours or later gets ours; an earlier one is refused, because
    /// there is none that is spoken here.
    pub(super) fn start_requested(&mut self, request: &StartControlConnectionRequest, now: Instant) {
        let State::WaitCtlRequest(policy) = self.state else {
            return self.unexpected("Start-Control-Connection-Request");
        };
        if is_earlier(request.version) {
            let reply = self.start_reply(StartResult::VersionNotSupported, GeneralError::None);
            self.outbox.answer(&reply.into());
            return self.close(CloseReason::VersionMismatch(request.version));
        }
        let peer = requester(request);
        match policy {
            StartPolicy::Answer => self.establish_as_receiver(peer, now),
            StartPolicy::Ask => {
                self.outbox.event(Event::StartRequested(peer.clone()));
                self.state = State::Held(peer);
            }
        }
    }

    /// The originator's part of §3.1.1: the version in the reply is the one to use.
    pub(super) fn start_answered(&mut self, reply: &StartControlConnectionReply, now: Instant) {
        let State::WaitCtlReply = self.state else {
            return self.unexpected("Start-Control-Connection-Reply");
        };
        match reply.result {
            StartResult::Established => {}
            StartResult::Unknown(0) => self.outbox.misbehaved(Misbehaviour::StartResultZero),
            result => return self.close(CloseReason::Refused { result, error: reply.error }),
        }
        if !is_spoken(reply.version) {
            let mismatch = CloseReason::VersionMismatch(reply.version);
            return self.begin_stop(StopReason::StopProtocol, mismatch, now);
        }
        self.establish(replier(reply), now);
    }

    pub(super) fn setup_expired(&mut self) {
        match self.state {
            State::Silent => self.close(CloseReason::CollisionWon),
            _ => self.close(CloseReason::SetupTimeout),
        }
    }

    fn establish_as_receiver(&mut self, peer: PeerInfo, now: Instant) {
        let reply = self.start_reply(StartResult::Established, GeneralError::None);
        self.outbox.answer(&reply.into());
        self.establish(peer, now);
    }

    fn establish(&mut self, peer: PeerInfo, now: Instant) {
        self.timers.clear(Timer::Setup);
        self.state = State::Established(KeepAlive::default());
        self.note_life(now);
        self.outbox.event(Event::Established(peer));
        self.start_calls(now);
    }

    fn start_reply(&self, result: StartResult, error: GeneralError) -> StartControlConnectionReply {
        StartControlConnectionReply {
            version: ProtocolVersion::V1_0,
            result,
            error,
            framing_capabilities: self.config.framing_capabilities,
            bearer_capabilities: self.config.bearer_capabilities,
            maximum_channels: self.config.maximum_channels,
            firmware_revision: self.config.firmware_revision,
            host_name: Text64::new(&self.config.host_name),
            vendor: Text64::new(&self.config.vendor),
        }
    }
}

const fn is_earlier(version: ProtocolVersion) -> bool {
    version.0 < ProtocolVersion::V1_0.0
}

/// Revisions of version 1 differ in nothing that is on the wire.
const fn is_spoken(version: ProtocolVersion) -> bool {
    version.0 >> 8 == ProtocolVersion::V1_0.0 >> 8
}

fn requester(request: &StartControlConnectionRequest) -> PeerInfo {
    PeerInfo {
        version: ProtocolVersion::V1_0,
        host_name: request.host_name.text(),
        vendor: request.vendor.text(),
        framing_capabilities: request.framing_capabilities,
        bearer_capabilities: request.bearer_capabilities,
        maximum_channels: request.maximum_channels,
        firmware_revision: request.firmware_revision,
    }
}

fn replier(reply: &StartControlConnectionReply) -> PeerInfo {
    PeerInfo {
        version: reply.version,
        host_name: reply.host_name.text(),
        vendor: reply.vendor.text(),
        framing_capabilities: reply.framing_capabilities,
        bearer_capabilities: reply.bearer_capabilities,
        maximum_channels: reply.maximum_channels,
        firmware_revision: reply.firmware_revision,
    }
}
