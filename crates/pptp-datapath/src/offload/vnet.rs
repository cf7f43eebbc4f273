//! The virtio header in front of every packet of a TUN device (`linux/virtio_net.h`), in native byte order.

/// The checksum is only begun: it has to be completed (from the kernel), or the kernel completes it.
const NEEDS_CHECKSUM: u8 = 1;
/// Explicit congestion notification is in use; says nothing about the kind of train.
const ECN: u8 = 0x80;

/// The kinds of trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrainKind {
    /// A single packet.
    Single,
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP datagrams over either.
    Udp,
    /// One we never asked for.
    Unknown(u8),
}

/// What has to be done to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VnetHeader {
    /// Whether the checksum is that of the pseudo header alone, and where it is.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) kind: TrainKind,
    /// Bytes before the payload; a hint.
    pub(crate) header_length: u16,
    /// Payload bytes of each segment but the last.
    pub(crate) segment: u16,
}

/// Where a checksum has to be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// Where the bytes begin that it covers.
    pub(crate) start: u16,
    /// How far behind `start` it stands.
    pub(crate) offset: u16,
}

impl VnetHeader {
    /// Bytes of the header.
    pub(crate) const LENGTH: usize = 10;

    /// A single packet with complete checksums.
    pub(crate) const PLAIN: Self = Self { checksum: None, kind: TrainKind::Single, header_length: 0, segment: 0 };

    /// The header and what follows it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, packet) = bytes.split_first_chunk::<{ Self::LENGTH }>()?;
        let [flags, kind, l0, l1, s0, s1, c0, c1, o0, o1] = *header;
        let number = |low, high| u16::from_ne_bytes([low, high]);
        let checksum = Checksum { start: number(c0, c1), offset: number(o0, o1) };
        let header = Self {
            checksum: (flags & NEEDS_CHECKSUM != 0).then_some(checksum),
            kind: TrainKind::from_number(kind & !ECN),
            header_length: number(l0, l1),
            segment: number(s0, s1),
        };
        Some((header, packet))
    }

    /// The header's bytes.
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let checksum = self.checksum.unwrap_or(Checksum { start: 0, offset: 0 });
        let flags = if self.checksum.is_some() { NEEDS_CHECKSUM } else { 0 };
        let [l0, l1] = self.header_length.to_ne_bytes();
        let [s0, s1] = self.segment.to_ne_bytes();
        let [c0, c1] = checksum.start.to_ne_bytes();
        let [o0, o1] = checksum.offset.to_ne_bytes();
        [flags, self.kind.number(), l0, l1, s0, s1, c0, c1, o0, o1]
    }
}

impl TrainKind {
    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Single,
            1 => Self::Tcp4,
            4 => Self::Tcp6,
            5 => Self::Udp,
            other => Self::Unknown(other),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::Tcp4 => 1,
            Self::Tcp6 => 4,
            Self::Udp => 5,
            Self::Unknown(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        for kind in [TrainKind::Single, TrainKind::Tcp4, TrainKind::Tcp6, TrainKind::Udp, TrainKind::Unknown(3)] {
            for checksum in [None, Some(Checksum { start: 20, offset: 16 })] {
                let header = VnetHeader { checksum, kind, header_length: 52, segment: 1408 };
                let bytes = [&header.to_bytes()[..], b"rest"].concat();
                assert_eq!(VnetHeader::parse(&bytes), Some((header, &b"rest"[..])));
            }
        }
    }

    #[test]
    fn the_ecn_bit_does_not_hide_the_kind() {
        let mut bytes = VnetHeader { kind: TrainKind::Tcp4, ..VnetHeader::PLAIN }.to_bytes();
        bytes[1] |= 0x80;
        assert_eq!(VnetHeader::parse(&bytes).unwrap().0.kind, TrainKind::Tcp4);
    }

    #[test]
    fn nine_bytes_are_no_header() {
        assert_eq!(VnetHeader::parse(&[0; 9]), None);
    }
}
