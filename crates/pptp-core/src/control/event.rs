//! What a connection tells its owner.

use core::fmt;

use crate::wire::{
    CallId, CallResult, DisconnectResult, GeneralError, IncomingCallResult, PeerCallId, ProtocolVersion, StartResult,
    StopReason, WireError,
};

use super::config::WanErrorCounters;
use super::error::Misbehaviour;

/// What happened, in order.
///
/// Every call that was placed, offered or asked for gets exactly one [`Event::CallEnded`], [`Event::CallRefused`] or
/// [`Event::IncomingCallRefused`], and before that at most one [`Event::CallConnected`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer asks for a control connection, which was told to wait for the owner's word (`hold_start`).
    StartRequested(PeerInfo),
    /// The control connection is established.
    Established(PeerInfo),
    /// The call is established: data may flow.
    CallConnected(CallParameters),
    /// The peer, a PAC, refused the call that was placed. Its id is free.
    CallRefused {
        /// The call.
        call: CallId,
        /// Why.
        result: CallResult,
        /// The general error, when `result` says so.
        error: GeneralError,
        /// Additional failure information (ISDN: Q.931 cause).
        cause: u16,
    },
    /// The peer, a PNS, refused the call that was offered. Its id is free.
    IncomingCallRefused {
        /// The call.
        call: CallId,
        /// Why.
        result: IncomingCallResult,
        /// The general error, when `result` says so.
        error: GeneralError,
    },
    /// The call is over and its id is free.
    CallEnded {
        /// The call.
        call: CallId,
        /// Why.
        reason: CallEnd,
    },
    /// The peer, a PNS, asks for an outgoing call: answer with `accept_call` or `refuse_call`.
    OutgoingCallRequested(OutgoingCallOffer),
    /// The peer, a PAC, has a ringing line: answer with `accept_incoming_call` or `refuse_incoming_call`.
    IncomingCallRequested(IncomingCallOffer),
    /// The peer, a PNS, takes the call that was offered: connect the line, then `connect_incoming_call`.
    IncomingCallAccepted {
        /// The call.
        call: CallId,
        /// The peer's id for it.
        peer_call: PeerCallId,
    },
    /// Set-Link-Info (§2.15).
    LinkInfo {
        /// The call.
        call: CallId,
        /// The ACCM for what the peer's client sends.
        send_accm: u32,
        /// The ACCM for what the peer's client receives.
        receive_accm: u32,
    },
    /// WAN-Error-Notify (§2.14).
    WanErrors {
        /// The call.
        call: CallId,
        /// Errors since the call began.
        counters: WanErrorCounters,
    },
    /// The peer did something odd that was tolerated: worth a debug line.
    PeerMisbehaved(Misbehaviour),
    /// The last event: send what is left to transmit, then close the TCP connection.
    Closed(CloseReason),
}

/// What the peer told of itself (§2.1, §2.2). Texts are for logs: control characters are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The version that is in use.
    pub version: ProtocolVersion,
    /// Its host name.
    pub host_name: String,
    /// Its make.
    pub vendor: String,
    /// Framing types it offers.
    pub framing_capabilities: u32,
    /// Bearer types it offers.
    pub bearer_capabilities: u32,
    /// Sessions it supports; not to be relied on (§2.2).
    pub maximum_channels: u16,
    /// Its firmware or driver version.
    pub firmware_revision: u16,
}

/// What the data channel of an established call needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallParameters {
    /// Our id: in the GRE packets that we receive.
    pub call: CallId,
    /// The peer's id: in the GRE packets that we send.
    pub peer_call: PeerCallId,
    /// Packets that the peer buffers.
    pub peer_receive_window: u16,
    /// The line speed, bit/s.
    pub connect_speed: u32,
    /// The peer's processing delay, tenths of a second.
    pub peer_processing_delay: u16,
}

/// An Outgoing-Call-Request that waits for the owner's answer (§2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCallOffer {
    /// Our id.
    pub call: CallId,
    /// The peer's id.
    pub peer_call: PeerCallId,
    /// The peer's serial number, for logs.
    pub serial_number: u16,
    /// The number to dial.
    pub phone_number: String,
    /// Additional dialling information.
    pub subaddress: String,
    /// Packets that the peer buffers.
    pub peer_receive_window: u16,
    /// The peer's processing delay, tenths of a second.
    pub peer_processing_delay: u16,
    /// Lowest acceptable line speed, bit/s.
    pub minimum_bps: u32,
    /// Highest acceptable line speed, bit/s.
    pub maximum_bps: u32,
    /// Bearer: 1 analogue, 2 digital, 3 either.
    pub bearer_type: u32,
    /// Framing: 1 asynchronous, 2 synchronous, 3 either.
    pub framing_type: u32,
}

/// An Incoming-Call-Request that waits for the owner's answer (§2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCallOffer {
    /// Our id.
    pub call: CallId,
    /// The peer's id.
    pub peer_call: PeerCallId,
    /// The peer's serial number, for logs.
    pub serial_number: u16,
    /// Bearer: 1 analogue, 2 digital.
    pub bearer_type: u32,
    /// The peer's physical channel, for logs.
    pub physical_channel_id: u32,
    /// The number that was called.
    pub dialed_number: String,
    /// The caller's number.
    pub dialing_number: String,
    /// Additional dialling information.
    pub subaddress: String,
}

/// Why a call ended. Displayed as a line for the user's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEnd {
    /// The peer, as PAC, sent Call-Disconnect-Notify.
    PeerDisconnected {
        /// Why.
        result: DisconnectResult,
        /// The general error, when `result` says so.
        error: GeneralError,
        /// Additional disconnect information (ISDN: Q.931 cause).
        cause: u16,
    },
    /// The peer, as PNS, sent Call-Clear-Request.
    PeerCleared,
    /// The owner cleared it.
    Cleared,
    /// The owner refused it.
    Refused,
    /// The peer, or the owner, did not take the next step in time (§3.2.1).
    SetupTimeout,
    /// The control connection went away under it.
    ConnectionLost(CloseReason),
}

impl fmt::Display for CallEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerDisconnected { result, error, cause } => {
                write!(f, "the peer disconnected the call: ")?;
                write_code(f, result, u8::from(*result))?;
                write_error(f, *error)?;
                write_cause(f, *cause)
            }
            Self::PeerCleared => write!(f, "the peer cleared the call"),
            Self::Cleared => write!(f, "the call was cleared by this end"),
            Self::Refused => write!(f, "the call was refused by this end"),
            Self::SetupTimeout => write!(f, "the call was not connected in time"),
            Self::ConnectionLost(reason) => write!(f, "{reason}"),
        }
    }
}

/// Why the control connection closed. Displayed as a line for the user's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer refused it with Start-Control-Connection-Reply.
    Refused {
        /// Why.
        result: StartResult,
        /// The general error, when `result` says so.
        error: GeneralError,
    },
    /// The owner refused it with Start-Control-Connection-Reply.
    RefusedByUs(StartResult),
    /// The peer is incompatible: it wants this version, and only 1.0 is spoken here.
    VersionMismatch(ProtocolVersion),
    /// The peer sent Stop-Control-Connection-Request.
    StoppedByPeer(StopReason),
    /// The owner stopped it.
    StoppedByUs,
    /// The TCP connection ended without a Stop.
    PeerClosed,
    /// An Echo-Request was not answered in time.
    EchoTimeout,
    /// The control connection was not established in time.
    SetupTimeout,
    /// The bytes from the peer are not a control message (§2: synchronisation is lost).
    Malformed(WireError),
    /// The peer sent more at once than can be answered.
    Flooded,
    /// The peer's own connection survives (§3.1.3).
    CollisionLost,
    /// The connection that this end opened survives (§3.1.3).
    CollisionWon,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { result, error } => {
                write!(f, "the peer refused the control connection: ")?;
                write_code(f, result, u8::from(*result))?;
                write_error(f, *error)
            }
            Self::RefusedByUs(result) => write!(f, "the control connection was refused by this end: {result}"),
            Self::VersionMismatch(version) => {
                write!(f, "the peer wants an incompatible protocol version (0x{:04x}, not 0x0100)", version.0)
            }
            Self::StoppedByPeer(reason) => {
                write!(f, "the peer stopped the control connection: ")?;
                write_code(f, reason, u8::from(*reason))
            }
            Self::StoppedByUs => write!(f, "the control connection was stopped by this end"),
            Self::PeerClosed => write!(f, "the peer closed the control connection"),
            Self::EchoTimeout => write!(f, "the peer did not answer an echo request in time"),
            Self::SetupTimeout => write!(f, "the control connection was not established in time"),
            Self::Malformed(error) => write!(f, "the peer does not speak pptp: {error}"),
            Self::Flooded => write!(f, "the peer flooded the control connection"),
            Self::CollisionLost => write!(f, "the control connection yielded to the peer's own"),
            Self::CollisionWon => write!(f, "the peer's control connection yielded to ours"),
        }
    }
}

/// The code's own words; 0 means in no message anything but that the peer gave none.
fn write_code(f: &mut fmt::Formatter<'_>, code: &dyn fmt::Display, number: u8) -> fmt::Result {
    if number == 0 { write!(f, "no reason given (0)") } else { write!(f, "{code}") }
}

fn write_error(f: &mut fmt::Formatter<'_>, error: GeneralError) -> fmt::Result {
    if error == GeneralError::None { Ok(()) } else { write!(f, ": {error}") }
}

fn write_cause(f: &mut fmt::Formatter<'_>, cause: u16) -> fmt::Result {
    if cause == 0 { Ok(()) } else { write!(f, ", cause ({cause})") }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartRequested(peer) => write!(f, "control connection requested by {peer}"),
            Self::Established(peer) => write!(f, "control connection established with {peer}"),
            Self::CallConnected(call) => write!(f, "call connected: {call}"),
            Self::CallRefused { result, error, cause, .. } => {
                write!(f, "call refused: ")?;
                write_code(f, result, u8::from(*result))?;
                write_error(f, *error)?;
                write_cause(f, *cause)
            }
            Self::IncomingCallRefused { result, error, .. } => {
                write!(f, "call refused: ")?;
                write_code(f, result, u8::from(*result))?;
                write_error(f, *error)
            }
            Self::CallEnded { reason, .. } => write!(f, "{reason}"),
            Self::OutgoingCallRequested(offer) => write!(f, "outgoing call requested: call id {}", offer.call.0),
            Self::IncomingCallRequested(offer) => write!(f, "incoming call offered: call id {}", offer.call.0),
            Self::IncomingCallAccepted { call, .. } => write!(f, "incoming call accepted: call id {}", call.0),
            Self::LinkInfo { call, send_accm, receive_accm } => {
                write!(f, "call id {}: send accm {send_accm:08x}, receive accm {receive_accm:08x}", call.0)
            }
            Self::WanErrors { call, counters } => write!(f, "call id {}: {counters:?}", call.0),
            Self::PeerMisbehaved(what) => write!(f, "{what}"),
            Self::Closed(reason) => write!(f, "{reason}"),
        }
    }
}

impl fmt::Display for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host '{}', vendor '{}', firmware 0x{:04x}", self.host_name, self.vendor, self.firmware_revision)
    }
}

impl fmt::Display for CallParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call id {}, peer's call id {}, ", self.call.0, self.peer_call.0)?;
        write!(f, "{} bit/s, peer's window {}", self.connect_speed, self.peer_receive_window)
    }
}
