//! The fifteen control messages (RFC 2637 §2.1 to §2.15) as plain values.
//!
//! Field order is wire order. Reserved fields are kept as received, so that what was parsed is emitted byte for byte.
//! `CallId` is always the *sender's* id for the call, `PeerCallId` the *receiver's*: see [`CallId::seen_by_peer`].

use core::fmt;

use super::codes::{
    CallResult, DisconnectResult, EchoResult, GeneralError, IncomingCallResult, StartResult, StopReason, StopResult,
};

/// The id which the sender of a message gave to a call (RFC 2637 §2.7 "Call ID").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallId(pub u16);

/// The id which the receiver of a message gave to a call (RFC 2637 §2.8 "Peer's Call ID").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PeerCallId(pub u16);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl CallId {
    /// The same id as the other end of the connection writes it.
    pub const fn seen_by_peer(self) -> PeerCallId {
        PeerCallId(self.0)
    }
}

impl fmt::Display for PeerCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PeerCallId {
    /// The same id as the end that chose it writes it.
    pub const fn seen_by_owner(self) -> CallId {
        CallId(self.0)
    }
}

/// A fixed text field of 64 bytes, padded with zeros (host name, vendor, phone number, subaddress).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text64(pub [u8; 64]);

/// PPTP version and revision; the only one is 1.0 = 0x0100 (RFC 2637 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// Version 1, revision 0: what this implementation speaks.
    pub const V1_0: Self = Self(0x0100);

    /// The version.
    pub const fn major(self) -> u8 {
        let [major, _] = self.0.to_be_bytes();
        major
    }

    /// The revision.
    pub const fn minor(self) -> u8 {
        let [_, minor] = self.0.to_be_bytes();
        minor
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

/// Start-Control-Connection-Request (§2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartControlConnectionRequest {
    /// The version that the sender wishes to use.
    pub version: ProtocolVersion,
    /// Reserved, 0.
    pub reserved1: u16,
    /// Framing types the sender offers: bit 0 asynchronous, bit 1 synchronous.
    pub framing_capabilities: u32,
    /// Bearer types the sender offers: bit 0 analogue, bit 1 digital.
    pub bearer_capabilities: u32,
    /// The sessions a PAC supports; 0 from a PNS.
    pub maximum_channels: u16,
    /// The sender's firmware or driver version.
    pub firmware_revision: u16,
    /// The sender's DNS name.
    pub host_name: Text64,
    /// The sender's make.
    pub vendor: Text64,
}

/// Start-Control-Connection-Reply (§2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartControlConnectionReply {
    /// The version that the sender wishes to use.
    pub version: ProtocolVersion,
    /// Whether the control connection is established.
    pub result: StartResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// As in the request.
    pub framing_capabilities: u32,
    /// As in the request.
    pub bearer_capabilities: u32,
    /// As in the request.
    pub maximum_channels: u16,
    /// As in the request.
    pub firmware_revision: u16,
    /// As in the request.
    pub host_name: Text64,
    /// As in the request.
    pub vendor: Text64,
}

/// Stop-Control-Connection-Request (§2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopControlConnectionRequest {
    /// Why the control connection is being closed.
    pub reason: StopReason,
    /// Reserved, 0.
    pub reserved1: u8,
    /// Reserved, 0.
    pub reserved2: u16,
}

/// Stop-Control-Connection-Reply (§2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopControlConnectionReply {
    /// The outcome of the attempt to close.
    pub result: StopResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// Reserved, 0.
    pub reserved1: u16,
}

/// Echo-Request (§2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoRequest {
    /// Copied into the reply.
    pub identifier: u32,
}

/// Echo-Reply (§2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// The request's identifier.
    pub identifier: u32,
    /// Whether the request was valid.
    pub result: EchoResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// Reserved, 0.
    pub reserved1: u16,
}

/// Outgoing-Call-Request, PNS to PAC (§2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCallRequest {
    /// The PNS's id for the call.
    pub call_id: CallId,
    /// Identifies the call attempt in logs of both ends.
    pub call_serial_number: u16,
    /// Lowest acceptable line speed, bit/s.
    pub minimum_bps: u32,
    /// Highest acceptable line speed, bit/s.
    pub maximum_bps: u32,
    /// Bearer: 1 analogue, 2 digital, 3 either.
    pub bearer_type: u32,
    /// Framing: 1 asynchronous, 2 synchronous, 3 either.
    pub framing_type: u32,
    /// Packets the PNS buffers for this session.
    pub receive_window: u16,
    /// The PNS's processing delay, tenths of a second.
    pub processing_delay: u16,
    /// Valid bytes of `phone_number`.
    pub phone_number_length: u16,
    /// Reserved, 0.
    pub reserved1: u16,
    /// The number to dial.
    pub phone_number: Text64,
    /// Additional dialling information.
    pub subaddress: Text64,
}

/// Outgoing-Call-Reply, PAC to PNS (§2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCallReply {
    /// The PAC's id for the call.
    pub call_id: CallId,
    /// The PNS's id, from the request.
    pub peer_call_id: PeerCallId,
    /// The outcome of the attempt.
    pub result: CallResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// Additional failure information (ISDN: Q.931 cause).
    pub cause: u16,
    /// The line speed, bit/s.
    pub connect_speed: u32,
    /// Packets the PAC buffers for this session.
    pub receive_window: u16,
    /// The PAC's processing delay, tenths of a second.
    pub processing_delay: u16,
    /// The PAC's physical channel, for logs.
    pub physical_channel_id: u32,
}

/// Incoming-Call-Request, PAC to PNS (§2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCallRequest {
    /// The PAC's id for the call.
    pub call_id: CallId,
    /// Identifies the call attempt in logs of both ends.
    pub call_serial_number: u16,
    /// Bearer: 1 analogue, 2 digital.
    pub bearer_type: u32,
    /// The PAC's physical channel, for logs.
    pub physical_channel_id: u32,
    /// Valid bytes of `dialed_number`.
    pub dialed_number_length: u16,
    /// Valid bytes of `dialing_number`.
    pub dialing_number_length: u16,
    /// The number that was called.
    pub dialed_number: Text64,
    /// The caller's number.
    pub dialing_number: Text64,
    /// Additional dialling information.
    pub subaddress: Text64,
}

/// Incoming-Call-Reply, PNS to PAC (§2.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCallReply {
    /// The PNS's id for the call.
    pub call_id: CallId,
    /// The PAC's id, from the request.
    pub peer_call_id: PeerCallId,
    /// Whether the PAC should answer the call.
    pub result: IncomingCallResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// Packets the PNS buffers for this session.
    pub receive_window: u16,
    /// The PNS's processing delay, tenths of a second.
    pub transit_delay: u16,
    /// Reserved, 0.
    pub reserved1: u16,
}

/// Incoming-Call-Connected, PAC to PNS (§2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCallConnected {
    /// The PNS's id, from its reply.
    pub peer_call_id: PeerCallId,
    /// Reserved, 0.
    pub reserved1: u16,
    /// The line speed, bit/s.
    pub connect_speed: u32,
    /// Packets the PAC buffers for this session.
    pub receive_window: u16,
    /// The PAC's processing delay, tenths of a second.
    pub transit_delay: u16,
    /// Framing: 1 asynchronous, 2 synchronous.
    pub framing_type: u32,
}

/// Call-Clear-Request, PNS to PAC (§2.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallClearRequest {
    /// The PNS's id for the call.
    pub call_id: CallId,
    /// Reserved, 0.
    pub reserved1: u16,
}

/// Call-Disconnect-Notify, PAC to PNS (§2.13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallDisconnectNotify {
    /// The PAC's id for the call (some peers write the PNS's).
    pub call_id: CallId,
    /// Why the call ended.
    pub result: DisconnectResult,
    /// The general error, when `result` says so.
    pub error: GeneralError,
    /// Additional disconnect information (ISDN: Q.931 cause).
    pub cause: u16,
    /// Reserved, 0.
    pub reserved1: u16,
    /// Vendor-specific statistics, for logs.
    pub call_statistics: [u8; 128],
}

/// WAN-Error-Notify, PAC to PNS (§2.14): counts since the call began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WanErrorNotify {
    /// The PNS's id for the call.
    pub peer_call_id: PeerCallId,
    /// Reserved, 0.
    pub reserved1: u16,
    /// PPP frames with a wrong checksum.
    pub crc_errors: u32,
    /// Improperly framed PPP packets.
    pub framing_errors: u32,
    /// Receive overruns in hardware.
    pub hardware_overruns: u32,
    /// Receive overruns in buffers.
    pub buffer_overruns: u32,
    /// Time-outs.
    pub timeout_errors: u32,
    /// Alignment errors.
    pub alignment_errors: u32,
}

/// Set-Link-Info, PNS to PAC (§2.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetLinkInfo {
    /// The PAC's id for the call.
    pub peer_call_id: PeerCallId,
    /// Reserved, 0.
    pub reserved1: u16,
    /// The ACCM the client uses for what it sends.
    pub send_accm: u32,
    /// The ACCM the client uses for what it receives.
    pub receive_accm: u32,
}

/// Any control message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented on the type of the same name")]
pub enum Message {
    StartControlConnectionRequest(StartControlConnectionRequest),
    StartControlConnectionReply(StartControlConnectionReply),
    StopControlConnectionRequest(StopControlConnectionRequest),
    StopControlConnectionReply(StopControlConnectionReply),
    EchoRequest(EchoRequest),
    EchoReply(EchoReply),
    OutgoingCallRequest(OutgoingCallRequest),
    OutgoingCallReply(OutgoingCallReply),
    IncomingCallRequest(IncomingCallRequest),
    IncomingCallReply(IncomingCallReply),
    IncomingCallConnected(IncomingCallConnected),
    CallClearRequest(CallClearRequest),
    CallDisconnectNotify(CallDisconnectNotify),
    WanErrorNotify(WanErrorNotify),
    SetLinkInfo(SetLinkInfo),
}
