//! PPP in enhanced GRE (RFC 2637 §4.1), as somebody on the way reads and forges it. Not pptp-core's: a second opinion.

const ALL_STATIONS: [u8; 2] = [0xff, 0x03];

const SEQUENCE_PRESENT: u8 = 0x10;
const ACKNOWLEDGMENT_PRESENT: u8 = 0x80;

/// Numbers of protocols.
pub mod protocol {
    /// IPv4.
    pub const IP: u16 = 0x0021;
    /// IPv6.
    pub const IPV6: u16 = 0x0057;
    /// An MPPE datagram (RFC 3078 §3).
    pub const MPPE: u16 = 0x00fd;
    /// Compression control.
    pub const CCP: u16 = 0x80fd;
    /// Link control.
    pub const LCP: u16 = 0xc021;
    /// Authentication.
    pub const CHAP: u16 = 0xc223;
}

/// A PPP frame: a protocol and its information field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its number; see [`protocol`].
    pub protocol: u16,
    /// What follows.
    pub information: Vec<u8>,
}

impl Frame {
    /// A frame.
    #[must_use]
    pub fn new(protocol: u16, information: impl Into<Vec<u8>>) -> Self {
        Self { protocol, information: information.into() }
    }

    /// A frame of a control protocol (RFC 1661 §5).
    #[must_use]
    pub fn control(protocol: u16, [code, identifier]: [u8; 2], data: &[u8]) -> Self {
        let length = u16::try_from(data.len() + 4).unwrap_or(u16::MAX);
        Self::new(protocol, [&[code, identifier][..], &length.to_be_bytes(), data].concat())
    }

    /// Whether it is one of these protocols.
    #[must_use]
    pub fn is(&self, protocol: u16) -> bool {
        self.protocol == protocol
    }

    /// Reads a frame in any form of header.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&ALL_STATIONS).unwrap_or(bytes);
        match *bytes {
            [low, ref information @ ..] if low & 1 == 1 => Some(Self::new(low.into(), information)),
            [high, low, ref information @ ..] => Some(Self::new(u16::from_be_bytes([high, low]), information)),
            _ => None,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [&ALL_STATIONS[..], &self.protocol.to_be_bytes(), &self.information].concat()
    }
}

/// A call id and the frame in a GRE packet, if there is any.
pub(crate) fn open(packet: &[u8]) -> Option<(u16, Frame)> {
    let (&flags, &version) = (packet.first()?, packet.get(1)?);
    let number = |at| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let (length, call) = (number(4)?, number(6)?);
    if flags & SEQUENCE_PRESENT == 0 {
        return None;
    }
    let start = if version & ACKNOWLEDGMENT_PRESENT == 0 { 12 } else { 16 };
    Some((call, Frame::parse(packet.get(start..start + usize::from(length))?)?))
}

/// The GRE packet for a frame, without acknowledgment.
pub(crate) fn seal(call: u16, sequence: u32, frame: &Frame) -> Vec<u8> {
    let frame = frame.bytes();
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    let parts =
        [&[0x30, 1, 0x88, 0x0b][..], &length.to_be_bytes(), &call.to_be_bytes(), &sequence.to_be_bytes(), &frame];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_opened() {
        let frame = Frame::control(protocol::CCP, [5, 7], b"now");
        let packet = seal(9, 3, &frame);
        assert_eq!(packet[..16], [0x30, 1, 0x88, 0x0b, 0, 11, 0, 9, 0, 0, 0, 3, 0xff, 3, 0x80, 0xfd]);
        assert_eq!(packet[16..], *b"\x05\x07\x00\x07now");
        assert_eq!(open(&packet), Some((9, frame)));
        assert_eq!(open(&[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 3]), None);
        (0..packet.len()).for_each(|length| assert_eq!(open(&packet[..length]), None));
    }

    #[test]
    fn every_form_of_header_is_read() {
        for header in [&[0xff, 3, 0, 0x21][..], &[0, 0x21], &[0xff, 3, 0x21], &[0x21]] {
            assert_eq!(Frame::parse(&[header, b"ip"].concat()), Some(Frame::new(protocol::IP, *b"ip")));
        }
    }
}
