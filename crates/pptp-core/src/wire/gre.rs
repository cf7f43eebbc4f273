//! The enhanced GRE header (RFC 2637 §4.1). Sequence numbers are plain values here: what they mean is not decided here.

use super::error::WireError;
use super::message::PeerCallId;
use super::reader::Reader;

/// Bit 0, checksum present.
const CHECKSUM: u16 = 0x8000;
/// Bit 1, routing present.
const ROUTING: u16 = 0x4000;
/// Bit 2, key present.
const KEY: u16 = 0x2000;
/// Bit 3, sequence number present.
const SEQUENCE: u16 = 0x1000;
/// Bit 4, strict source route present.
const STRICT_ROUTE: u16 = 0x0800;
/// Bits 5 to 7, recursion control.
const RECURSION: u16 = 0x0700;
/// Bit 8, acknowledgement number present.
const ACKNOWLEDGEMENT: u16 = 0x0080;
/// Bits 9 to 12, flags.
const FLAGS: u16 = 0x0078;
/// Bits 13 to 15, version.
const VERSION: u16 = 0x0007;
/// The version of enhanced GRE.
const ENHANCED: u8 = 1;
/// Protocol type: PPP.
const PPP: u16 = 0x880b;

/// The header of a tunnel packet.
///
/// A packet with a sequence number carries a PPP frame; one without only acknowledges, and a payload that it might have is
/// no frame (RFC 2637 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreHeader {
    /// The receiver's id for the call (key, low half).
    pub call_id: PeerCallId,
    /// Bytes after the header (key, high half).
    pub payload_length: u16,
    /// The number of this packet, if it carries a PPP frame (S).
    pub sequence: Option<u32>,
    /// The highest number that the sender has received (A).
    pub acknowledgement: Option<u32>,
    /// Recursion control, 3 bits: sent as 0, kept as received.
    pub recursion: u8,
    /// Flags, 4 bits: sent as 0, kept as received.
    pub flags: u8,
}

impl GreHeader {
    /// Bytes of the longest header.
    pub const MAX_LENGTH: usize = 16;

    /// The header of a packet that carries a PPP frame of `payload_length` bytes.
    pub const fn data(call_id: PeerCallId, payload_length: u16, sequence: u32) -> Self {
        Self { call_id, payload_length, sequence: Some(sequence), acknowledgement: None, recursion: 0, flags: 0 }
    }

    /// A packet that only acknowledges.
    pub const fn ack_only(call_id: PeerCallId, acknowledgement: u32) -> Self {
        Self {
            call_id,
            payload_length: 0,
            sequence: None,
            acknowledgement: Some(acknowledgement),
            recursion: 0,
            flags: 0,
        }
    }

    /// The same header, acknowledging too.
    #[must_use]
    pub const fn acknowledging(self, acknowledgement: u32) -> Self {
        Self { acknowledgement: Some(acknowledgement), ..self }
    }

    /// Bytes of this header on the wire: 8, 12 or 16.
    pub const fn wire_length(&self) -> usize {
        match (self.sequence, self.acknowledgement) {
            (None, None) => 8,
            (Some(_), None) | (None, Some(_)) => 12,
            (Some(_), Some(_)) => Self::MAX_LENGTH,
        }
    }

    /// Splits what follows the outer IP header into header and payload.
    ///
    /// The payload has exactly the declared length: a packet with less is an error, and what follows it (padding) is left
    /// out. Checksum, routing and strict source routing must be absent, since a PPTP peer sends them as 0 and they would
    /// move the other fields; recursion control and flags move nothing and are kept.
    ///
    /// # Errors
    /// Not enhanced GRE carrying PPP, or truncated.
    pub fn parse(packet: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let mut reader = Reader::new(packet);
        let bits = reader.take_u16()?;
        check_version(bits)?;
        let protocol = reader.take_u16()?;
        if protocol != PPP {
            return Err(WireError::GreProtocol(protocol));
        }
        check_presence(bits)?;
        let payload_length = reader.take_u16()?;
        let header = Self {
            payload_length,
            call_id: PeerCallId(reader.take_u16()?),
            sequence: number_if(bits & SEQUENCE, &mut reader)?,
            acknowledgement: number_if(bits & ACKNOWLEDGEMENT, &mut reader)?,
            recursion: field_of(bits, RECURSION),
            flags: field_of(bits, FLAGS),
        };
        Ok((header, reader.take_slice(usize::from(payload_length))?))
    }

    /// Writes the header to the front of `out` and gives the rest of `out`, where the payload belongs; `None`, with `out`
    /// unspecified, if there is no room. `out` needs [`GreHeader::wire_length`] bytes. Allocates nothing.
    pub fn emit<'a>(&self, out: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let mut rest = put(out, self.bits().to_be_bytes())?;
        rest = put(rest, PPP.to_be_bytes())?;
        rest = put(rest, self.payload_length.to_be_bytes())?;
        rest = put(rest, self.call_id.0.to_be_bytes())?;
        for number in [self.sequence, self.acknowledgement].into_iter().flatten() {
            rest = put(rest, number.to_be_bytes())?;
        }
        Some(rest)
    }

    /// The first two bytes of the header.
    fn bits(&self) -> u16 {
        let mut bits = KEY | in_place(ENHANCED, VERSION);
        if self.sequence.is_some() {
            bits |= SEQUENCE;
        }
        if self.acknowledgement.is_some() {
            bits |= ACKNOWLEDGEMENT;
        }
        bits | in_place(self.recursion, RECURSION) | in_place(self.flags, FLAGS)
    }
}

fn check_version(bits: u16) -> Result<(), WireError> {
    match field_of(bits, VERSION) {
        ENHANCED => Ok(()),
        version => Err(WireError::GreVersion(version)),
    }
}

fn check_presence(bits: u16) -> Result<(), WireError> {
    if bits & KEY == 0 {
        return Err(WireError::GreKeyAbsent(bits));
    }
    if bits & (CHECKSUM | ROUTING | STRICT_ROUTE) != 0 {
        return Err(WireError::GreFlags(bits));
    }
    Ok(())
}

fn number_if(present: u16, reader: &mut Reader<'_>) -> Result<Option<u32>, WireError> {
    if present == 0 {
        return Ok(None);
    }
    reader.take_u32().map(Some)
}

/// The bits of `mask`, at most eight, moved down to bit 0.
fn field_of(bits: u16, mask: u16) -> u8 {
    let [_, low] = ((bits & mask) >> mask.trailing_zeros()).to_be_bytes();
    low
}

/// The opposite of [`field_of`]; what does not fit the mask is cut off.
fn in_place(value: u8, mask: u16) -> u16 {
    (u16::from(value) << mask.trailing_zeros()) & mask
}

/// Writes `bytes` to the front of `out` and gives what follows.
fn put<const N: usize>(out: &mut [u8], bytes: [u8; N]) -> Option<&mut [u8]> {
    let (head, rest) = out.split_first_chunk_mut::<N>()?;
    *head = bytes;
    Some(rest)
}
