//! Cutting: the packets in what a TUN device hands over.

use super::checksum::Sum;
use super::packet::{self, CWR, FIN, PSH, TCP, UDP, Version, put, u8_at, u16_at, u32_at};
use super::vnet::{Checksum, TrainKind, VnetHeader};

/// What was read from a TUN device: one packet, or a train of segments behind one header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Train<'a> {
    packet: &'a [u8],
    cargo: Cargo,
}

#[derive(Clone, Copy, Debug)]
enum Cargo {
    Single(Option<Checksum>),
    Segments(Cut),
}

/// How a train is cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    version: Version,
    /// [`TCP`] or [`UDP`].
    protocol: u8,
    /// Where its header begins.
    transport: usize,
    /// Where the payload of all segments begins.
    payload: usize,
    /// Payload bytes of each segment but the last.
    segment: usize,
}

impl<'a> Train<'a> {
    /// The packets behind a virtio header; `None`: not what a header like this may stand before.
    pub(crate) fn new(header: VnetHeader, packet: &'a [u8]) -> Option<Self> {
        let protocol = match header.kind {
            TrainKind::Single => {
                Version::of(packet)?;
                return Some(Self { packet, cargo: Cargo::Single(header.checksum) });
            }
            TrainKind::Tcp4 | TrainKind::Tcp6 => TCP,
            TrainKind::Udp => UDP,
            TrainKind::Unknown(_) => return None,
        };
        let version = Version::of(packet)?;
        let is_other_version =
            matches!((header.kind, version), (TrainKind::Tcp4, Version::V6) | (TrainKind::Tcp6, Version::V4));
        // A train's checksum is never complete; where it begins is where the transport does, whatever extension headers
        // are before it.
        let transport = usize::from(header.checksum?.start);
        let payload = transport.checked_add(packet::transport_length(packet, protocol, transport)?)?;
        let segment = usize::from(header.segment);
        let shortest = if version == Version::V4 { 20 } else { 40 };
        if is_other_version || transport < shortest || payload >= packet.len() || segment == 0 {
            return None;
        }
        Some(Self { packet, cargo: Cargo::Segments(Cut { version, protocol, transport, payload, segment }) })
    }

    /// How many packets there are.
    pub(crate) fn count(&self) -> usize {
        match self.cargo {
            Cargo::Single(_) => 1,
            Cargo::Segments(cut) => (self.packet.len() - cut.payload).div_ceil(cut.segment),
        }
    }

    /// Bytes of packet number `index`.
    pub(crate) fn length(&self, index: usize) -> usize {
        match self.cargo {
            Cargo::Single(_) => self.packet.len(),
            Cargo::Segments(cut) => {
                let rest = self.packet.len().saturating_sub(cut.payload + index * cut.segment);
                cut.payload + rest.min(cut.segment)
            }
        }
    }

    /// Writes packet number `index`, complete, into `out`, which has exactly its length.
    pub(crate) fn write(&self, index: usize, out: &mut [u8]) {
        match self.cargo {
            Cargo::Single(checksum) => {
                copy(out, self.packet);
                if let Some(checksum) = checksum {
                    complete(out, checksum);
                }
            }
            Cargo::Segments(cut) => self.write_segment(cut, index, out),
        }
    }

    fn write_segment(&self, cut: Cut, index: usize, out: &mut [u8]) {
        let Some((header, payload)) = out.split_at_mut_checked(cut.payload) else { return };
        copy(header, self.packet);
        copy(payload, self.packet.get(cut.payload + index * cut.segment..).unwrap_or_default());
        cut.number_ip(index, out);
        if cut.protocol == TCP {
            cut.number_tcp(index, index + 1 == self.count(), out);
        } else {
            let length = word(out.len() - cut.transport);
            put(out, cut.transport + 4, length);
        }
        cut.complete_transport(out);
    }
}

impl Cut {
    /// Length and identification of the IP header.
    fn number_ip(&self, index: usize, out: &mut [u8]) {
        match self.version {
            Version::V4 => {
                let id = u16_at(out, 4).unwrap_or(0).wrapping_add(u16::try_from(index).unwrap_or(0));
                put(out, 2, word(out.len()));
                put(out, 4, id.to_be_bytes());
                let header_length = usize::from(u8_at(out, 0).unwrap_or(0) & 0xf) * 4;
                packet::complete_ipv4(out, header_length);
            }
            Version::V6 => put(out, 4, word(out.len().saturating_sub(40))),
        }
    }

    /// Sequence number and flags: the end is in the last segment only, "window reduced" in the first only.
    fn number_tcp(&self, index: usize, is_last: bool, out: &mut [u8]) {
        let at = self.transport;
        let offset = u32::try_from(index * self.segment).unwrap_or(0);
        let sequence = u32_at(out, at + 4).unwrap_or(0).wrapping_add(offset);
        put(out, at + 4, sequence.to_be_bytes());
        let mut flags = u8_at(out, at + 13).unwrap_or(0);
        if !is_last {
            flags &= !(FIN | PSH);
        }
        if index > 0 {
            flags &= !CWR;
        }
        put(out, at + 13, [flags]);
    }

    fn complete_transport(&self, out: &mut [u8]) {
        let at = self.transport + checksum_offset(self.protocol);
        put(out, at, [0, 0]);
        let transport = out.get(self.transport..).unwrap_or_default();
        let sum = packet::pseudo_header(out, self.protocol, transport.len()).add(transport);
        put(out, at, stored(sum, self.protocol == UDP));
    }
}

/// Where the checksum stands in a transport header.
pub(super) fn checksum_offset(protocol: u8) -> usize {
    if protocol == TCP { 16 } else { 6 }
}

/// Completes the checksum of a packet that has the pseudo header's sum in the checksum's place.
fn complete(packet: &mut [u8], checksum: Checksum) {
    let Checksum { start, offset } = checksum;
    let Some(covered) = packet.get_mut(usize::from(start)..) else { return };
    let sum = Sum::default().add(covered);
    put(covered, usize::from(offset), stored(sum, usize::from(offset) == checksum_offset(UDP)));
}

/// A checksum as it is stored: in UDP zero means "none", so there it is the other zero.
fn stored(sum: Sum, is_udp: bool) -> [u8; 2] {
    match sum.checksum() {
        0 if is_udp => [0xff, 0xff],
        checksum => checksum.to_be_bytes(),
    }
}

fn word(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Copies as much of `from` as fits.
fn copy(to: &mut [u8], from: &[u8]) {
    let length = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{ACK, Kind, classify};
    use super::super::test_packets::Builder;
    use super::*;
    use proptest::prelude::*;

    /// A train as the kernel makes it: one header, the pseudo header's sum for a checksum.
    fn train(builder: &Builder, payload: usize, segment: u16) -> (VnetHeader, Vec<u8>) {
        let mut builder = *builder;
        let mut packet = builder.next(payload);
        let Kind::Flow(parsed) = classify(&packet) else { unreachable!("a built packet is of a flow") };
        let offset = checksum_offset(parsed.protocol);
        let begun = packet::pseudo_header(&packet, parsed.protocol, parsed.end - parsed.transport).fold();
        put(&mut packet, parsed.transport + offset, begun.to_be_bytes());
        let kind = match (parsed.protocol, parsed.version) {
            (UDP, _) => TrainKind::Udp,
            (_, Version::V4) => TrainKind::Tcp4,
            (_, Version::V6) => TrainKind::Tcp6,
        };
        let start = u16::try_from(parsed.transport).unwrap();
        let checksum = Some(Checksum { start, offset: u16::try_from(offset).unwrap() });
        (VnetHeader { checksum, kind, header_length: 0, segment }, packet)
    }

    fn cut(header: VnetHeader, packet: &[u8]) -> Vec<Vec<u8>> {
        let train = Train::new(header, packet).unwrap();
        let one = |index| {
            let mut out = vec![0xaa; train.length(index)];
            train.write(index, &mut out);
            out
        };
        (0..train.count()).map(one).collect()
    }

    /// The same flow, one packet at a time: what a train has to be cut into.
    fn one_by_one(builder: &Builder, payload: &[u8], segment: usize) -> Vec<Vec<u8>> {
        let (mut builder, flags) = (*builder, builder.flags);
        let count = payload.len().div_ceil(segment);
        let mut packets = Vec::new();
        for (index, part) in payload.chunks(segment).enumerate() {
            let (is_first, is_last) = (index == 0, index + 1 == count);
            builder.flags = flags & !(if is_last { 0 } else { FIN | PSH }) & !(if is_first { 0 } else { CWR });
            packets.push(builder.next_with(part));
        }
        packets
    }

    #[test]
    fn a_train_is_cut_into_what_the_flow_would_have_sent() {
        for builder in [Builder::tcp4(), Builder::tcp6(), Builder::udp4(), Builder::udp6()] {
            let builder = Builder { flags: ACK | PSH | FIN | CWR, ..builder };
            for (payload, segment) in [(3000, 1000), (3001, 1000), (999, 1000), (1, 1), (60_000, 1408)] {
                let (header, packet) = train(&builder, payload, segment);
                let bytes = packet[packet.len() - payload..].to_vec();
                assert_eq!(cut(header, &packet), one_by_one(&builder, &bytes, segment.into()), "{builder:?}");
            }
        }
    }

    #[test]
    fn a_single_packet_gets_its_checksum() {
        for builder in [Builder::tcp4(), Builder::tcp6(), Builder::udp4(), Builder::udp6()] {
            let (header, packet) = train(&builder, 333, 0);
            let packets = cut(VnetHeader { kind: TrainKind::Single, ..header }, &packet);
            let mut builder = builder;
            assert_eq!(packets, [builder.next(333)]);
            assert_eq!(cut(VnetHeader::PLAIN, &packets[0]), packets);
        }
    }

    #[test]
    fn a_udp_checksum_of_zero_is_sent_as_the_other_zero() {
        let mut builder = Builder::udp4();
        let mut packet = builder.next_with(&[0, 0]);
        // The payload that makes the sum come out as 0xffff.
        let rest = u16_at(&packet, 26).unwrap();
        packet[28..30].copy_from_slice(&rest.to_be_bytes());
        let begun = packet::pseudo_header(&packet, UDP, 10).fold();
        put(&mut packet, 26, begun.to_be_bytes());
        let checksum = Some(Checksum { start: 20, offset: 6 });
        let packets = cut(VnetHeader { checksum, ..VnetHeader::PLAIN }, &packet);
        assert_eq!(packets[0][26..28], [0xff, 0xff]);
    }

    #[test]
    fn a_header_that_does_not_fit_its_packet_is_refused() {
        let (header, packet) = train(&Builder::tcp4(), 3000, 1000);
        let refused = [
            VnetHeader { checksum: None, ..header },
            VnetHeader { segment: 0, ..header },
            VnetHeader { kind: TrainKind::Tcp6, ..header },
            VnetHeader { kind: TrainKind::Unknown(3), ..header },
            VnetHeader { checksum: Some(Checksum { start: 4, offset: 16 }), ..header },
            VnetHeader { checksum: Some(Checksum { start: 65535, offset: 16 }), ..header },
        ];
        for header in refused {
            assert!(Train::new(header, &packet).is_none(), "{header:?}");
        }
        assert!(Train::new(header, &packet[..40]).is_none());
        assert!(Train::new(VnetHeader::PLAIN, &[]).is_none());
        assert!(Train::new(VnetHeader::PLAIN, &[0x15; 40]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(mut bytes in prop::collection::vec(any::<u8>(), 10..200), kind in 0..6u8) {
            bytes[1] = kind;
            let (header, packet) = VnetHeader::parse(&bytes).unwrap();
            if let Some(train) = Train::new(header, packet) {
                for index in 0..train.count() {
                    let mut out = vec![0; train.length(index)];
                    train.write(index, &mut out);
                }
            }
        }
    }
}
