//! The fields of IP, TCP and UDP headers that joining and cutting need.

use super::checksum::Sum;

/// IP protocol numbers.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// TCP flags (byte 13 of its header).
pub(super) const FIN: u8 = 0x01;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
pub(super) const CWR: u8 = 0x80;

const IPV4_LENGTH: usize = 20;
const IPV6_LENGTH: usize = 40;
const UDP_LENGTH: usize = 8;

pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&chunk| u16::from_be_bytes(chunk))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&chunk| u32::from_be_bytes(chunk))
}

/// Writes `value` at `at`; does nothing when there is no room.
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *place = value;
    }
}

/// The version of the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Some(Self::V4),
            6 => Some(Self::V6),
            _ => None,
        }
    }
}

/// What a packet is to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// TCP or UDP right behind a plain IP header.
    Flow(Segment),
    /// It may be part of any TCP or UDP flow: a fragment, options, extension headers, or broken.
    Unclear,
    /// Neither TCP nor UDP.
    Other,
}

/// TCP or UDP right behind a plain IP header (IPv4 without options, IPv6 without extension headers), not a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) version: Version,
    /// [`TCP`] or [`UDP`].
    pub(super) protocol: u8,
    /// Where its header begins.
    pub(super) transport: usize,
    /// Where its payload begins.
    pub(super) payload: usize,
    /// Where the packet ends by its own account; bytes behind that are padding.
    pub(super) end: usize,
}

impl Segment {
    pub(super) fn payload_length(&self) -> usize {
        self.end - self.payload
    }

    /// Whether the checksums of the IP header and of the transport are right.
    pub(super) fn is_intact(&self, packet: &[u8]) -> bool {
        let Some(transport) = packet.get(self.transport..self.end) else { return false };
        let header = packet.get(..self.transport).unwrap_or_default();
        let header_is_right = self.version == Version::V6 || Sum::default().add(header).fold() == 0xffff;
        header_is_right && pseudo_header(packet, self.protocol, transport.len()).add(transport).fold() == 0xffff
    }
}

/// The sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) of a packet with `length` bytes behind the IP header.
pub(super) fn pseudo_header(packet: &[u8], protocol: u8, length: usize) -> Sum {
    let addresses = match Version::of(packet) {
        Some(Version::V4) => packet.get(12..20),
        Some(Version::V6) => packet.get(8..40),
        None => None,
    };
    // Both are shorter than 64 KiB, so the upper half of IPv6's 32-bit length is zero.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    Sum::default().add(addresses.unwrap_or_default()).add_word(protocol.into()).add_word(length)
}

/// Computes the checksum of an IPv4 header of 20 bytes or more and puts it in place.
pub(super) fn complete_ipv4(packet: &mut [u8], header_length: usize) {
    put(packet, 10, [0, 0]);
    let checksum = Sum::default().add(packet.get(..header_length).unwrap_or_default()).checksum();
    put(packet, 10, checksum.to_be_bytes());
}

/// What a packet is.
pub(super) fn classify(packet: &[u8]) -> Kind {
    let flow = match Version::of(packet) {
        Some(Version::V4) => ipv4(packet),
        Some(Version::V6) => ipv6(packet),
        None => None,
    };
    flow.unwrap_or(Kind::Unclear)
}

fn ipv4(packet: &[u8]) -> Option<Kind> {
    let protocol = u8_at(packet, 9)?;
    if !matches!(protocol, TCP | UDP) {
        return Some(Kind::Other);
    }
    let end = usize::from(u16_at(packet, 2)?);
    let is_plain = u8_at(packet, 0)? == 0x45 && u16_at(packet, 6)? & !0x4000 == 0;
    if !is_plain {
        return None;
    }
    segment(packet, Version::V4, (protocol, IPV4_LENGTH, end))
}

fn ipv6(packet: &[u8]) -> Option<Kind> {
    let next = u8_at(packet, 6)?;
    match next {
        TCP | UDP => {}
        ICMP6 => return Some(Kind::Other),
        _ => return None,
    }
    let end = usize::from(u16_at(packet, 4)?).saturating_add(IPV6_LENGTH);
    segment(packet, Version::V6, (next, IPV6_LENGTH, end))
}

fn segment(packet: &[u8], version: Version, (protocol, transport, end): (u8, usize, usize)) -> Option<Kind> {
    let payload = transport + transport_length(packet, protocol, transport)?;
    let is_whole = payload <= end && end <= packet.len();
    let is_consistent = protocol == TCP || usize::from(u16_at(packet, transport + 4)?) == end.checked_sub(transport)?;
    let segment = Segment { version, protocol, transport, payload, end };
    (is_whole && is_consistent).then_some(Kind::Flow(segment))
}

/// Bytes of the TCP or UDP header at `transport`.
pub(super) fn transport_length(packet: &[u8], protocol: u8, transport: usize) -> Option<usize> {
    if protocol == UDP {
        return Some(UDP_LENGTH);
    }
    let length = usize::from(u8_at(packet, transport + 12)? >> 4) * 4;
    (length >= 20).then_some(length)
}
