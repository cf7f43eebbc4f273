//! How each kind of field is laid out: network byte order, no padding (RFC 2637 §2).

use super::codes::{
    CallResult, DisconnectResult, EchoResult, GeneralError, IncomingCallResult, StartResult, StopReason, StopResult,
};
use super::error::WireError;
use super::message::{CallId, PeerCallId, ProtocolVersion, Text64};
use super::reader::Reader;

/// A field of a control message.
pub(super) trait Field: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError>;
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Field for $integer {
            fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                reader.take_array().map(Self::from_be_bytes)
            }

            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )+};
}

integers!(u8, u16, u32);

macro_rules! wrappers {
    ($($wrapper:ident),+) => {$(
        impl Field for $wrapper {
            fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                Field::read(reader).map(Self)
            }

            fn write(&self, out: &mut Vec<u8>) {
                self.0.write(out);
            }
        }
    )+};
}

wrappers!(CallId, PeerCallId, ProtocolVersion, Text64);

macro_rules! codes {
    ($($code:ident),+) => {$(
        impl Field for $code {
            fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
                u8::read(reader).map(Self::from)
            }

            fn write(&self, out: &mut Vec<u8>) {
                u8::from(*self).write(out);
            }
        }
    )+};
}

codes!(StartResult, StopReason, StopResult, EchoResult, CallResult, IncomingCallResult, DisconnectResult, GeneralError);

impl<const N: usize> Field for [u8; N] {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.take_array()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}
