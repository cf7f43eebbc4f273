//! How this end of a control connection behaves, and what the owner fills in for a call.

use core::time::Duration;

use crate::wire::{CallResult, GeneralError};

use super::error::Misuse;
use super::quirk::Quirk;

/// Bytes of text that a field of 64 takes, its end marked.
const MAX_TEXT: usize = 63;

/// How this end behaves. The defaults are RFC 2637's timers (§3.1.4, §3.2.1) and a peer that may not open calls here.
#[derive(Clone, Debug)]
pub struct Config {
    /// Sent as Host Name (§2.1); at most 63 bytes of it.
    pub host_name: String,
    /// Sent as Vendor Name (§2.1); at most 63 bytes of it.
    pub vendor: String,
    /// Sent as Framing Capabilities (§2.1): bit 0 asynchronous, bit 1 synchronous.
    pub framing_capabilities: u32,
    /// Sent as Bearer Capabilities (§2.1): bit 0 analogue, bit 1 digital.
    pub bearer_capabilities: u32,
    /// Sent as Maximum Channels (§2.1): the sessions a PAC supports, 0 from a PNS. Not a limit on anything here.
    pub maximum_channels: u16,
    /// Sent as Firmware Revision (§2.1).
    pub firmware_revision: u16,
    /// How many calls the peer may have open here at once, whichever way they go. A request beyond it is refused
    /// without asking the owner; with 0, every request is.
    pub peer_call_limit: u16,
    /// Time without a message from the peer before an Echo-Request is sent (§3.1.4); zero: never sent.
    pub echo_interval: Duration,
    /// Time from an Echo-Request until its missing reply closes the connection (§3.1.4); zero: it never does.
    pub echo_timeout: Duration,
    /// Time for the control connection to be established (§3.1.4), and for each step of a call's set-up (§3.2.1).
    pub setup_timeout: Duration,
    /// How long Stop-Control-Connection-Request waits for its reply, and Call-Clear-Request for its
    /// Call-Disconnect-Notify.
    pub stop_timeout: Duration,
    /// Least time between two WAN-Error-Notify of one call (§2.14).
    pub wan_error_interval: Duration,
    /// What a peer that departs from the RFC needs.
    pub quirk: Option<Quirk>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_name: String::new(),
            vendor: String::from("pptp-rs"),
            framing_capabilities: 3,
            bearer_capabilities: 3,
            maximum_channels: 0,
            firmware_revision: 1,
            peer_call_limit: 0,
            echo_interval: Duration::from_secs(60),
            echo_timeout: Duration::from_secs(60),
            setup_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(3),
            wan_error_interval: Duration::from_secs(60),
            quirk: None,
        }
    }
}

/// What a PNS asks for with Outgoing-Call-Request (§2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCall {
    /// The number to dial, at most 63 bytes; empty for a server that is itself the destination.
    pub phone_number: String,
    /// Additional dialling information, at most 63 bytes.
    pub subaddress: String,
    /// Packets this end buffers for the session.
    pub receive_window: u16,
    /// This end's processing delay, tenths of a second.
    pub processing_delay: u16,
    /// Lowest acceptable line speed, bit/s.
    pub minimum_bps: u32,
    /// Highest acceptable line speed, bit/s.
    pub maximum_bps: u32,
    /// Bearer: 1 analogue, 2 digital, 3 either.
    pub bearer_type: u32,
    /// Framing: 1 asynchronous, 2 synchronous, 3 either.
    pub framing_type: u32,
}

impl Default for OutgoingCall {
    fn default() -> Self {
        Self {
            phone_number: String::new(),
            subaddress: String::new(),
            receive_window: 50,
            processing_delay: 0,
            minimum_bps: 2_400,
            maximum_bps: 1_000_000_000,
            bearer_type: 3,
            framing_type: 3,
        }
    }
}

impl OutgoingCall {
    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_text("phone number", &self.phone_number)?;
        check_text("subaddress", &self.subaddress)
    }
}

/// What a PAC answers to an Outgoing-Call-Request that it accepts (§2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAnswer {
    /// The line speed, bit/s.
    pub connect_speed: u32,
    /// Packets this end buffers for the session.
    pub receive_window: u16,
    /// This end's processing delay, tenths of a second.
    pub processing_delay: u16,
    /// The physical channel, for the peer's logs.
    pub physical_channel_id: u32,
}

impl Default for CallAnswer {
    fn default() -> Self {
        Self { connect_speed: 100_000_000, receive_window: 50, processing_delay: 0, physical_channel_id: 0 }
    }
}

/// What a PAC answers to an Outgoing-Call-Request that it refuses (§2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRefusal {
    /// Why; anything but `Connected`.
    pub result: CallResult,
    /// The general error, when `result` says so; else `None`.
    pub error: GeneralError,
    /// Additional failure information (ISDN: Q.931 cause); else 0.
    pub cause: u16,
}

impl From<CallResult> for CallRefusal {
    fn from(result: CallResult) -> Self {
        Self { result, error: GeneralError::None, cause: 0 }
    }
}

/// What a PAC tells of a ringing line with Incoming-Call-Request (§2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCall {
    /// Bearer: 1 analogue, 2 digital.
    pub bearer_type: u32,
    /// The physical channel, for the peer's logs.
    pub physical_channel_id: u32,
    /// The number that was called, at most 63 bytes.
    pub dialed_number: String,
    /// The caller's number, at most 63 bytes.
    pub dialing_number: String,
    /// Additional dialling information, at most 63 bytes.
    pub subaddress: String,
}

impl Default for IncomingCall {
    fn default() -> Self {
        Self {
            bearer_type: 2,
            physical_channel_id: 0,
            dialed_number: String::new(),
            dialing_number: String::new(),
            subaddress: String::new(),
        }
    }
}

impl IncomingCall {
    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_text("dialed number", &self.dialed_number)?;
        check_text("dialing number", &self.dialing_number)?;
        check_text("subaddress", &self.subaddress)
    }
}

/// A number with its end cut off would be another number.
fn check_text(field: &'static str, text: &str) -> Result<(), Misuse> {
    let length = text.len();
    if length > MAX_TEXT { Err(Misuse::TextTooLong { field, length }) } else { Ok(()) }
}

/// What a PNS answers to an Incoming-Call-Request that it accepts (§2.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCallAnswer {
    /// Packets this end buffers for the session.
    pub receive_window: u16,
    /// This end's processing delay ("Packet Transmit Delay"), tenths of a second.
    pub processing_delay: u16,
}

impl Default for IncomingCallAnswer {
    fn default() -> Self {
        Self { receive_window: 50, processing_delay: 0 }
    }
}

/// What a PAC tells with Incoming-Call-Connected once the line is up (§2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedLine {
    /// The line speed, bit/s.
    pub connect_speed: u32,
    /// Packets this end buffers for the session.
    pub receive_window: u16,
    /// This end's processing delay ("Packet Transmit Delay"), tenths of a second.
    pub processing_delay: u16,
    /// Framing: 1 asynchronous, 2 synchronous.
    pub framing_type: u32,
}

impl Default for ConnectedLine {
    fn default() -> Self {
        Self { connect_speed: 100_000_000, receive_window: 50, processing_delay: 0, framing_type: 1 }
    }
}

/// A call's line errors since it began, as WAN-Error-Notify carries them (§2.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WanErrorCounters {
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
