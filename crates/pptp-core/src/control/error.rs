//! Whose fault it was: the owner's ([`Misuse`]) or the peer's ([`Misbehaviour`]).
//!
//! A peer whose bytes are no PPTP at all, or whose version does not match, ends the connection: see
//! [`CloseReason`](super::CloseReason).

use core::fmt;

use crate::wire::{CallId, EchoResult};

/// The owner asked for something that the state of the connection or of the call does not allow. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// No call has this id.
    UnknownCall(CallId),
    /// The id was not reserved with `reserve_call_id`, or is a call's already.
    NotReserved(CallId),
    /// All 65535 call ids are taken.
    NoFreeCallId,
    /// The call cannot do this in its state.
    WrongCallState {
        /// The call.
        call: CallId,
        /// What was asked for.
        operation: &'static str,
        /// The call's role and state, as RFC 2637 §3.2 names them.
        state: &'static str,
    },
    /// The connection cannot do this in its state.
    WrongConnectionState {
        /// What was asked for.
        operation: &'static str,
        /// The connection's state, as RFC 2637 §3.1 names it.
        state: &'static str,
    },
    /// A text does not fit into its field.
    TextTooLong {
        /// Which text.
        field: &'static str,
        /// Its bytes; 63 fit.
        length: usize,
    },
    /// A refusal with the result code that accepts.
    RefusalAccepts,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCall(call) => write!(f, "there is no call with id {}", call.0),
            Self::NotReserved(call) => write!(f, "call id {} is not reserved", call.0),
            Self::NoFreeCallId => write!(f, "no call id is free"),
            Self::WrongCallState { call, operation, state } => {
                write!(f, "{operation} is not possible for call {} in state {state}", call.0)
            }
            Self::WrongConnectionState { operation, state } => {
                write!(f, "{operation} is not possible for a control connection in state {state}")
            }
            Self::TextTooLong { field, length } => write!(f, "the {field} is too long: {length} bytes, 63 fit"),
            Self::RefusalAccepts => write!(f, "a refusal needs a result code other than 1"),
        }
    }
}

impl core::error::Error for Misuse {}

/// Something that RFC 2637 does not allow the peer, and that does not matter: worth a debug line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A message that the state does not allow; it was ignored.
    UnexpectedMessage {
        /// The message's name.
        message: &'static str,
        /// The state of the connection or of the call that it was for.
        state: &'static str,
    },
    /// A message for a call that does not exist (any more); it was ignored.
    UnknownCall {
        /// The message's name.
        message: &'static str,
        /// The id in it.
        id: u16,
    },
    /// A message that only a PAC, or only a PNS, may send; it was understood all the same.
    WrongDirection {
        /// The message's name.
        message: &'static str,
    },
    /// A message names the call by the id of the wrong end; it was understood all the same.
    WrongEndsCallId {
        /// The message's name.
        message: &'static str,
        /// The id in it.
        id: u16,
    },
    /// The peer gave one id to two calls.
    DuplicateCallId(u16),
    /// A call beyond [`Config::peer_call_limit`](super::Config::peer_call_limit) was asked for, and refused.
    TooManyCalls,
    /// The control connection was accepted with result code 0 in place of 1.
    StartResultZero,
    /// An Echo-Reply with an identifier other than the Echo-Request's.
    EchoIdentifier {
        /// What was sent.
        sent: u32,
        /// What came back.
        received: u32,
    },
    /// An Echo-Reply with a result other than 1.
    EchoResult(EchoResult),
    /// A stop reason or disconnect result of 0, which has no meaning.
    CodeZero {
        /// The message's name.
        message: &'static str,
    },
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedMessage { message, state } => write!(f, "{message} in state {state} ignored"),
            Self::UnknownCall { message, id } => write!(f, "{message} for unknown call id {id} ignored"),
            Self::WrongDirection { message } => write!(f, "{message} from the wrong end accepted"),
            Self::WrongEndsCallId { message, id } => write!(f, "{message} with the wrong end's call id {id} accepted"),
            Self::DuplicateCallId(id) => write!(f, "the peer gave call id {id} to two calls"),
            Self::TooManyCalls => write!(f, "the peer asked for more calls than allowed"),
            Self::StartResultZero => write!(f, "control connection accepted with result code 0"),
            Self::EchoIdentifier { sent, received } => write!(f, "echo reply {received} to echo request {sent}"),
            Self::EchoResult(result) => write!(f, "echo reply with result: {result}"),
            Self::CodeZero { message } => write!(f, "{message} with code 0"),
        }
    }
}
