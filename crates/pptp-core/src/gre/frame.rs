//! What goes into a session and what comes out of it.

use core::fmt;
use core::ops::Range;

use crate::wire::{CallId, GreHeader};

use super::seq::SeqNum;

/// A packet that was received: a buffer of the caller's, and where in it the packet is, without the outer IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<B> {
    /// The buffer.
    pub buffer: B,
    /// Where the GRE header begins and the packet ends.
    pub bytes: Range<usize>,
}

/// Whose packet this is: the call id in its header, with which a receiver of many calls finds the session. Nothing else is
/// looked at; `None` if the packet ends before.
pub fn call_of(packet: &[u8]) -> Option<CallId> {
    let (id, _) = packet.get(6..)?.split_first_chunk()?;
    Some(CallId(u16::from_be_bytes(*id)))
}

/// A data packet that was accepted: what has to be known to deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub sequence: SeqNum,
    /// Where the PPP frame is in the slice that was accepted.
    pub payload: Range<usize>,
}

impl Arrival {
    /// The frame in its buffer, if the slice that was accepted began `offset` bytes into it.
    pub fn in_buffer<B>(self, buffer: B, offset: usize) -> Frame<B> {
        let Range { start, end } = self.payload;
        let payload = start.saturating_add(offset)..end.saturating_add(offset);
        Frame { sequence: self.sequence, missing: 0, buffer, payload }
    }
}

/// A PPP frame, in the buffer in which it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<B> {
    /// The number of the packet that carried it.
    pub sequence: SeqNum,
    /// How many numbers immediately before it were given up; 0 until it is delivered.
    pub missing: u32,
    /// The buffer.
    pub buffer: B,
    /// Where in the buffer the frame is. Whoever changes the frame's length in place (decryption) changes this too.
    pub payload: Range<usize>,
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// The bytes of the frame; none if the payload is not inside the buffer.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().get(self.payload.clone()).unwrap_or_default()
    }
}

impl<B: AsMut<[u8]>> Frame<B> {
    /// The bytes of the frame, to be changed in place; none if the payload is not inside the buffer.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.as_mut().get_mut(self.payload.clone()).unwrap_or_default()
    }
}

/// Where a session puts what comes out of it. It only appends: the caller drains both, and uses them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound<B> {
    /// Frames to be delivered, in order.
    pub frames: Vec<Frame<B>>,
    /// Buffers that are free again.
    pub spent: Vec<B>,
}

impl<B> Inbound<B> {
    /// Both empty, with room for a batch of so many packets.
    pub fn with_capacity(packets: usize) -> Self {
        Self { frames: Vec::with_capacity(packets), spent: Vec::with_capacity(packets) }
    }
}

impl<B> Default for Inbound<B> {
    fn default() -> Self {
        Self { frames: Vec::new(), spent: Vec::new() }
    }
}

/// The header of a packet to be sent: these bytes, and the payload after them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    bytes: [u8; GreHeader::MAX_LENGTH],
    length: usize,
}

impl Stamp {
    pub(super) fn new(header: &GreHeader) -> Self {
        let mut bytes = [0; GreHeader::MAX_LENGTH];
        let room = header.emit(&mut bytes).map_or(GreHeader::MAX_LENGTH, |rest| rest.len());
        Self { bytes, length: GreHeader::MAX_LENGTH.saturating_sub(room) }
    }

    /// The bytes of the header.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Stamp {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({:02x?})", self.as_bytes())
    }
}

/// The transmit window is closed: nothing was stamped, and the frame is the caller's to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowClosed;

impl fmt::Display for WindowClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("transmit window is closed")
    }
}

impl core::error::Error for WindowClosed {}
