//! One control message with its header (RFC 2637 §1.4).

use super::error::WireError;
use super::message::Message;
use super::reader::Reader;
use super::table::length_of;

/// Marks the beginning of every message (RFC 2637 §1.4).
pub const MAGIC_COOKIE: u32 = 0x1a2b_3c4d;
/// Bytes of the longest control message, Incoming-Call-Request (RFC 2637 §2.9).
pub const MAX_MESSAGE_LENGTH: usize = 220;

/// PPTP message type: control message.
const CONTROL: u16 = 1;
/// Bytes up to the end of the magic cookie.
const COOKIE_END: usize = 8;
/// Bytes up to the end of the control message type.
const TYPE_END: usize = 10;

/// A control message and the reserved field of its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Reserved, 0; kept as received.
    pub reserved0: u16,
    /// The message.
    pub message: Message,
}

impl Frame {
    /// The frame that this end sends for a message.
    pub const fn new(message: Message) -> Self {
        Self { reserved0: 0, message }
    }

    /// Reads exactly one message.
    ///
    /// # Errors
    /// Fewer bytes than the message has, more bytes, or a header that does not belong to a control message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let needed = bytes_needed(bytes)?;
        let mut reader = Reader::new(bytes);
        let frame = reader.take_slice(needed)?;
        reader.finish()?;

        let mut reader = Reader::new(frame);
        let _checked_by_bytes_needed: [u8; COOKIE_END] = reader.take_array()?;
        let message_type = reader.take_u16()?;
        let reserved0 = reader.take_u16()?;
        Ok(Self { reserved0, message: Message::read_body(message_type, reader)? })
    }

    /// Appends the message as it goes over the wire.
    pub fn emit(&self, out: &mut Vec<u8>) {
        emit(self.reserved0, &self.message, out);
    }
}

impl From<Message> for Frame {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

impl Message {
    /// Appends the message as it goes over the wire, with its header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        emit(0, self, out);
    }
}

fn emit(reserved0: u16, message: &Message, out: &mut Vec<u8>) {
    out.reserve(usize::from(message.wire_length()));
    out.extend_from_slice(&message.wire_length().to_be_bytes());
    out.extend_from_slice(&CONTROL.to_be_bytes());
    out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
    out.extend_from_slice(&message.message_type().to_be_bytes());
    out.extend_from_slice(&reserved0.to_be_bytes());
    message.write_body(out);
}

/// How many bytes the message that begins with `prefix` needs before more can be said about it: its whole length, once its
/// type is there. Nobody waits for the rest of what is no message.
pub(super) fn bytes_needed(prefix: &[u8]) -> Result<usize, WireError> {
    let mut reader = Reader::new(prefix);
    let Ok(length) = reader.take_u16() else {
        return Ok(COOKIE_END);
    };
    let Ok(pptp_type) = reader.take_u16() else {
        return Ok(COOKIE_END);
    };
    let Ok(magic) = reader.take_u32() else {
        return Ok(COOKIE_END);
    };
    if magic != MAGIC_COOKIE {
        return Err(WireError::BadMagic(magic));
    }
    if pptp_type != CONTROL {
        return Err(WireError::NotControl(pptp_type));
    }
    let Ok(message_type) = reader.take_u16() else {
        return Ok(TYPE_END);
    };
    match length_of(message_type) {
        None => Err(WireError::UnknownMessage(message_type)),
        Some(expected) if expected != length => Err(WireError::BadLength { message_type, expected, found: length }),
        Some(expected) => Ok(usize::from(expected)),
    }
}
