//! Joining: packets of one flow that follow each other become one train for the TUN device.
//!
//! The kernel trusts a train's checksum, so what is joined is checked first. Order within a flow is kept: a packet joins the
//! flow's latest train or begins a new one, and the trains are written in the order in which they began. Nothing waits
//! for a later batch.

use pptp_io::tun::Offload;

use super::packet::{self, ACK, Kind, PSH, Segment, TCP, UDP, Version, put, u8_at, u16_at, u32_at};
use super::segment::checksum_offset;
use super::vnet::{Checksum, TrainKind, VnetHeader};

/// The most packets in one train: what the kernel allows for UDP.
pub(crate) const MOST_MEMBERS: usize = 64;

/// The longest head of a train: virtio header, IPv6, TCP with options.
pub(crate) const HEAD_LENGTH: usize = VnetHeader::LENGTH + 40 + 60;

/// The longest IP packet.
const LONGEST: usize = 65535;

/// The plan for a batch: which packets go together.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    groups: Vec<Group>,
    /// For each packet the next one of its group.
    next: Vec<Option<usize>>,
    /// Groups before this one are closed, whatever they are.
    barrier: usize,
}

/// Packets that go to the device in one write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    first: usize,
    last: usize,
    count: usize,
    /// Payload bytes of all members.
    payload: usize,
    state: State,
    /// How the first member looks; `None`: it is of no flow.
    segment: Option<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing can be added.
    Closed,
    /// The first packet's checksums have not been looked at.
    Unchecked,
    /// All members are intact.
    Checked,
}

impl State {
    fn of_first(packet: &[u8], segment: &Segment) -> Self {
        if segment.protocol == TCP && is_pushed(packet, segment) { Self::Closed } else { Self::Unchecked }
    }
}

impl Coalescer {
    /// Plans a batch of IP packets, in the order in which they came, for a device that takes such trains.
    pub(crate) fn plan<P: AsRef<[u8]>>(&mut self, packets: &[P], offload: Offload) {
        self.groups.clear();
        self.next.clear();
        self.barrier = 0;
        for index in 0..packets.len() {
            self.next.push(None);
            match offload {
                Offload::None => self.begin(index, None, State::Closed),
                _ => self.place(index, packets, offload),
            }
        }
    }

    /// The trains, in the order in which they have to be written.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The indices of a group's packets, in order.
    pub(crate) fn members(&self, group: &Group) -> impl Iterator<Item = usize> + use<'_> {
        std::iter::successors(Some(group.first), |&index| self.next.get(index).copied().flatten())
    }

    fn place<P: AsRef<[u8]>>(&mut self, index: usize, packets: &[P], offload: Offload) {
        let packet = packets.get(index).map(AsRef::as_ref).unwrap_or_default();
        let segment = match packet::classify(packet) {
            Kind::Flow(segment) => segment,
            Kind::Other => return self.begin(index, None, State::Closed),
            Kind::Unclear => {
                self.begin(index, None, State::Closed);
                self.barrier = self.groups.len();
                return;
            }
        };
        if !may_travel(packet, &segment, offload) {
            return self.begin(index, Some(segment), State::Closed);
        }
        let first_of = |group: &Group| packets.get(group.first).map(AsRef::as_ref).unwrap_or_default();
        let recent = self.groups.get_mut(self.barrier..).unwrap_or_default();
        let Some(group) = recent.iter_mut().rev().find(|group| is_same_flow(group, first_of(group), packet, &segment))
        else {
            return self.begin(index, Some(segment), State::of_first(packet, &segment));
        };
        let first = first_of(group);
        if !group.continues_with(first, packet, &segment) || !group.is_intact(first) || !segment.is_intact(packet) {
            return self.begin(index, Some(segment), State::of_first(packet, &segment));
        }
        group.append(index, packet, &segment, &mut self.next);
    }

    fn begin(&mut self, first: usize, segment: Option<Segment>, state: State) {
        let payload = segment.map_or(0, |segment| segment.payload_length());
        self.groups.push(Group { first, last: first, count: 1, payload, state, segment });
    }
}

impl Group {
    /// The virtio header and, of a train, the headers that stand for all members, into `head`: how many bytes. What follows
    /// is the members' payload (of a single packet: all of it).
    pub(crate) fn head(&self, packets: &[impl AsRef<[u8]>], head: &mut [u8; HEAD_LENGTH]) -> usize {
        let bytes_of = |index: usize| packets.get(index).map(AsRef::as_ref).unwrap_or_default();
        let (Some(segment), true) = (self.segment, self.count > 1) else {
            put(head, 0, VnetHeader::PLAIN.to_bytes());
            return VnetHeader::LENGTH;
        };
        let first = bytes_of(self.first);
        let is_pushed = segment.protocol == TCP && is_pushed(bytes_of(self.last), &segment);
        self.join(&segment, first, is_pushed, head)
    }

    /// Where in a member the bytes begin and end that go behind the head.
    pub(crate) fn body(&self, packet_length: usize) -> std::ops::Range<usize> {
        match self.segment {
            // Members of a train have the same header length and differ only at their end.
            Some(segment) if self.count > 1 => segment.payload..packet_length,
            _ => 0..packet_length,
        }
    }

    /// How many packets the group has.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    fn join(&self, segment: &Segment, first: &[u8], is_pushed: bool, head: &mut [u8; HEAD_LENGTH]) -> usize {
        let kind = match (segment.protocol, segment.version) {
            (UDP, _) => TrainKind::Udp,
            (_, Version::V4) => TrainKind::Tcp4,
            (_, Version::V6) => TrainKind::Tcp6,
        };
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        let offset = checksum_offset(segment.protocol);
        let vnet = VnetHeader {
            checksum: Some(Checksum { start: short(segment.transport), offset: short(offset) }),
            kind,
            header_length: short(segment.payload),
            segment: short(segment.payload_length()),
        };
        put(head, 0, vnet.to_bytes());
        let Some(header) = head.get_mut(VnetHeader::LENGTH..VnetHeader::LENGTH + segment.payload) else { return 0 };
        for (to, from) in header.iter_mut().zip(first) {
            *to = *from;
        }
        let transport_length = segment.payload - segment.transport + self.payload;
        if segment.version == Version::V4 {
            put(header, 2, short(segment.payload + self.payload).to_be_bytes());
            packet::complete_ipv4(header, segment.transport);
        } else {
            put(header, 4, short(transport_length).to_be_bytes());
        }
        if segment.protocol == UDP {
            put(header, segment.transport + 4, short(transport_length).to_be_bytes());
        }
        if is_pushed {
            let flags = u8_at(header, segment.transport + 13).unwrap_or(0);
            put(header, segment.transport + 13, [flags | PSH]);
        }
        let begun = packet::pseudo_header(header, segment.protocol, transport_length).fold();
        put(header, segment.transport + offset, begun.to_be_bytes());
        VnetHeader::LENGTH + segment.payload
    }

    fn continues_with(&self, first: &[u8], packet: &[u8], segment: &Segment) -> bool {
        let Some(begin) = self.segment else { return false };
        let is_open = self.state != State::Closed && self.count < MOST_MEMBERS;
        let fits = segment.payload_length() <= begin.payload_length()
            && self.payload + segment.end <= LONGEST
            && segment.payload == begin.payload;
        is_open && fits && self.ip_continues(first, packet) && self.transport_continues(first, packet, segment)
    }

    /// Same type of service and hop limit; of IPv4 also the same "don't fragment", without which the identifications count
    /// up, as they will when the train is cut.
    fn ip_continues(&self, first: &[u8], packet: &[u8]) -> bool {
        if Version::of(packet) == Some(Version::V6) {
            return first.get(..4) == packet.get(..4) && first.get(6..8) == packet.get(6..8);
        }
        let is_same = first.get(..2) == packet.get(..2) && first.get(6..9) == packet.get(6..9);
        let may_be_fragmented = u8_at(first, 6) == Some(0);
        let (Some(first_id), Some(id)) = (u16_at(first, 4), u16_at(packet, 4)) else { return false };
        let counts_up = usize::from(id.wrapping_sub(first_id)) == self.count;
        is_same && (counts_up || !may_be_fragmented)
    }

    /// TCP: the next sequence number, the same acknowledgement, window, urgent pointer and options.
    fn transport_continues(&self, first: &[u8], packet: &[u8], segment: &Segment) -> bool {
        if segment.protocol == UDP {
            return true;
        }
        let at = segment.transport;
        let (Some(begin), Some(sequence)) = (u32_at(first, at + 4), u32_at(packet, at + 4)) else { return false };
        let is_next = u32::try_from(self.payload).is_ok_and(|offset| begin.wrapping_add(offset) == sequence);
        let is_same = |from: usize, to: usize| first.get(from..to) == packet.get(from..to);
        is_next && is_same(at + 8, at + 13) && is_same(at + 14, at + 16) && is_same(at + 18, segment.payload)
    }

    /// Whether the checksums of what the group has are right; one that is not is left alone, for the kernel to count.
    fn is_intact(&mut self, first: &[u8]) -> bool {
        if self.state == State::Unchecked {
            let is_right = self.segment.is_some_and(|segment| segment.is_intact(first));
            self.state = if is_right { State::Checked } else { State::Closed };
        }
        self.state == State::Checked
    }

    fn append(&mut self, index: usize, packet: &[u8], segment: &Segment, next: &mut [Option<usize>]) {
        if let Some(link) = next.get_mut(self.last) {
            *link = Some(index);
        }
        self.last = index;
        self.count += 1;
        self.payload += segment.payload_length();
        let is_full = self.segment.is_some_and(|begin| segment.payload_length() == begin.payload_length());
        if !is_full || (segment.protocol == TCP && is_pushed(packet, segment)) {
            self.state = State::Closed;
        }
    }
}

/// Whether a packet of a flow can be part of a train at all.
fn may_travel(packet: &[u8], segment: &Segment, offload: Offload) -> bool {
    let has_padding = segment.end != packet.len();
    if segment.payload_length() == 0 || has_padding {
        return false;
    }
    if segment.protocol == UDP {
        return offload == Offload::TcpAndUdp && u16_at(packet, segment.transport + 6) != Some(0);
    }
    u8_at(packet, segment.transport + 13).is_some_and(|flags| flags & !PSH == ACK)
}

fn is_pushed(packet: &[u8], segment: &Segment) -> bool {
    u8_at(packet, segment.transport + 13).is_some_and(|flags| flags & PSH != 0)
}

/// Same protocol, addresses and ports.
fn is_same_flow(group: &Group, first: &[u8], packet: &[u8], segment: &Segment) -> bool {
    let Some(begin) = group.segment else { return false };
    let addresses = if segment.version == Version::V4 { 12..20 } else { 8..40 };
    let ports = segment.transport..segment.transport + 4;
    begin.protocol == segment.protocol
        && begin.version == segment.version
        && first.get(ports.clone()) == packet.get(ports)
        && first.get(addresses.clone()) == packet.get(addresses)
}

#[cfg(test)]
mod tests {
    use super::super::segment::Train;
    use super::super::test_packets::{Builder, packets_of_flows};
    use super::*;
    use proptest::prelude::*;

    /// What the TUN device would be given.
    fn joined(packets: &[Vec<u8>], offload: Offload) -> Vec<Vec<u8>> {
        let mut coalescer = Coalescer::default();
        coalescer.plan(packets, offload);
        let write = |group: &Group| {
            let mut head = [0; HEAD_LENGTH];
            let length = group.head(packets, &mut head);
            let mut bytes = head[..length].to_vec();
            for member in coalescer.members(group) {
                bytes.extend(&packets[member][group.body(packets[member].len())]);
            }
            bytes
        };
        coalescer.groups().iter().map(write).collect()
    }

    /// What the kernel would make of it.
    fn cut(writes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let cut_one = |bytes: &Vec<u8>| {
            let (header, packet) = VnetHeader::parse(bytes).unwrap();
            let train = Train::new(header, packet).unwrap();
            let packet = |index| {
                let mut out = vec![0; train.length(index)];
                train.write(index, &mut out);
                out
            };
            (0..train.count()).map(packet).collect::<Vec<_>>()
        };
        writes.iter().flat_map(cut_one).collect()
    }

    fn joins(packets: &[Vec<u8>]) -> usize {
        joined(packets, Offload::TcpAndUdp).len()
    }

    fn segments(builder: &Builder, lengths: &[usize]) -> Vec<Vec<u8>> {
        let mut builder = *builder;
        lengths.iter().map(|&length| builder.next(length)).collect()
    }

    #[test]
    fn segments_that_follow_each_other_become_one_train() {
        for builder in [Builder::tcp4(), Builder::tcp6(), Builder::udp4(), Builder::udp6()] {
            let packets = segments(&builder, &[1000, 1000, 1000, 300]);
            let writes = joined(&packets, Offload::TcpAndUdp);
            assert_eq!(writes.len(), 1, "{builder:?}");
            assert_eq!(cut(&writes), packets);
        }
    }

    #[test]
    fn without_offload_nothing_is_joined_and_without_udps_only_tcp_is() {
        let (tcp, udp) = (segments(&Builder::tcp4(), &[500; 4]), segments(&Builder::udp4(), &[500; 4]));
        assert_eq!(joined(&tcp, Offload::None).len(), 4);
        assert_eq!(joined(&tcp, Offload::Tcp).len(), 1);
        assert_eq!(joined(&udp, Offload::Tcp).len(), 4);
    }

    #[test]
    fn a_train_has_at_most_64_members_and_65535_bytes() {
        assert_eq!(joins(&segments(&Builder::tcp4(), &[10; 130])), 3);
        assert_eq!(joins(&segments(&Builder::udp6(), &[10; 64])), 1);
        let large = segments(&Builder::tcp4(), &[16_000; 5]);
        let writes = joined(&large, Offload::TcpAndUdp);
        assert_eq!(writes.len(), 2);
        assert!(writes.iter().all(|write| write.len() <= 65535 + VnetHeader::LENGTH));
        assert_eq!(cut(&writes), large);
    }

    #[test]
    fn a_shorter_segment_or_a_push_closes_and_a_longer_one_begins() {
        let builder = Builder::tcp4();
        assert_eq!(joins(&segments(&builder, &[500, 400, 500, 500])), 2);
        assert_eq!(joins(&segments(&builder, &[400, 500])), 2);
        let mut pushing = builder;
        let first = pushing.next(500);
        pushing.flags = ACK | PSH;
        let second = pushing.next(500);
        pushing.flags = ACK;
        let rest = [pushing.next(500), pushing.next(500)];
        let packets = [&[first, second][..], &rest].concat();
        let writes = joined(&packets, Offload::TcpAndUdp);
        assert_eq!(writes.len(), 2);
        assert_eq!(cut(&writes), packets);
        assert_eq!(joins(&[packets[1].clone(), packets[2].clone()]), 2);
    }

    #[test]
    fn other_flags_and_bare_acknowledgements_travel_alone_and_in_their_place() {
        for flags in [ACK | 0x01, ACK | 0x02, ACK | 0x04, ACK | 0x20, ACK | 0x40, ACK | 0x80, 0] {
            let mut builder = Builder::tcp4();
            let mut packets = vec![builder.next(500)];
            builder.flags = flags;
            packets.push(builder.next(500));
            builder.flags = ACK;
            packets.push(builder.next(500));
            let writes = joined(&packets, Offload::TcpAndUdp);
            assert_eq!((writes.len(), cut(&writes)), (3, packets), "{flags:x}");
        }
        assert_eq!(joins(&segments(&Builder::tcp4(), &[500, 0, 500])), 2 + 1);
    }

    #[test]
    fn any_difference_but_in_the_sequence_keeps_segments_apart() {
        let changes: [fn(&mut Builder); 9] = [
            |builder| builder.sequence = builder.sequence.wrapping_add(1),
            |builder| builder.acknowledgement += 1,
            |builder| builder.window += 1,
            |builder| builder.urgent += 1,
            |builder| builder.timestamp += 1,
            |builder| builder.hop_limit -= 1,
            |builder| builder.service ^= 4,
            |builder| builder.ports.0 += 1,
            |builder| builder.address ^= 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            for mut builder in [Builder::tcp4(), Builder::tcp6()] {
                let first = builder.next(500);
                change(&mut builder);
                assert_eq!(joins(&[first, builder.next(500)]), 2, "change {number} of {builder:?}");
            }
        }
    }

    #[test]
    fn identifications_count_up_where_packets_may_be_fragmented() {
        let mut builder = Builder { dont_fragment: false, ..Builder::tcp4() };
        let first = builder.next(500);
        assert_eq!(joins(&[first.clone(), builder.next(500)]), 1);
        builder = Builder { id: 77, ..builder };
        assert_eq!(joins(&[first, builder.next(500)]), 2);
        let mut fixed = Builder::tcp4();
        let first = fixed.next(500);
        fixed.id = fixed.id.wrapping_sub(1);
        assert_eq!(joins(&[first, fixed.next(500)]), 1);
    }

    #[test]
    fn a_broken_checksum_is_left_for_the_kernel_to_find() {
        for at in [10, 36, 60] {
            for broken in 0..3 {
                let mut packets = segments(&Builder::tcp4(), &[500; 3]);
                packets[broken][at] ^= 1;
                let writes = joined(&packets, Offload::TcpAndUdp);
                assert_eq!(cut(&writes), packets);
                let alone = [VnetHeader::PLAIN.to_bytes().to_vec(), packets[broken].clone()].concat();
                assert!(writes.contains(&alone), "byte {at} of packet {broken}");
            }
        }
    }

    #[test]
    fn udp_without_a_checksum_is_not_given_one() {
        let mut packets = segments(&Builder::udp4(), &[500; 3]);
        put(&mut packets[1], 26, [0, 0]);
        let writes = joined(&packets, Offload::TcpAndUdp);
        assert_eq!((writes.len(), cut(&writes)), (3, packets));
    }

    #[test]
    fn a_fragment_is_not_overtaken_by_its_flow() {
        let mut packets = segments(&Builder::udp4(), &[500; 4]);
        packets[1][6] = 0x20;
        let writes = joined(&packets, Offload::TcpAndUdp);
        assert_eq!(writes.len(), 3);
        assert_eq!(writes[1][VnetHeader::LENGTH..], packets[1]);
    }

    #[test]
    fn padding_stays_with_its_packet() {
        let mut packets = segments(&Builder::tcp4(), &[500; 3]);
        packets[1].extend([0; 5]);
        assert_eq!(joined(&packets, Offload::TcpAndUdp).len(), 3);
    }

    #[test]
    fn an_echo_in_between_does_not_part_a_flow() {
        let mut packets = segments(&Builder::tcp4(), &[500; 3]);
        let mut echo = packets[0].clone();
        echo[9] = 1;
        packets.insert(1, echo);
        assert_eq!(joined(&packets, Offload::TcpAndUdp).len(), 2);
    }

    /// Addresses, protocol and ports.
    fn flow_of(packet: &[u8]) -> Vec<u8> {
        let (protocol, addresses) = if packet[0] >> 4 == 4 { (9, 12..24) } else { (6, 8..44) };
        [&packet[protocol..=protocol], &packet[addresses]].concat()
    }

    proptest! {
        #[test]
        fn cutting_what_was_joined_gives_every_packet_back_in_the_order_of_its_flow(packets in packets_of_flows()) {
            let cut = cut(&joined(&packets, Offload::TcpAndUdp));
            prop_assert_eq!(cut.len(), packets.len());
            let flows: std::collections::BTreeSet<_> = packets.iter().map(|packet| flow_of(packet)).collect();
            for flow in flows {
                let of_flow = |all: &[Vec<u8>]| -> Vec<Vec<u8>> {
                    all.iter().filter(|packet| flow_of(packet) == flow).cloned().collect()
                };
                prop_assert_eq!(of_flow(&cut), of_flow(&packets));
            }
        }

        #[test]
        fn no_bytes_make_it_stumble(
            mut packets in packets_of_flows(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..80usize, any::<u8>()), 0..20),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..80usize), 0..5),
        ) {
            for (which, at, value) in changes {
                let packet = which.get_mut(&mut packets);
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            for (which, length) in cuts {
                which.get_mut(&mut packets).truncate(length);
            }
            let writes = joined(&packets, Offload::TcpAndUdp);
            let bytes = |all: &[Vec<u8>]| all.iter().map(Vec::len).sum::<usize>();
            prop_assert!(bytes(&writes) <= bytes(&packets) + writes.len() * VnetHeader::LENGTH);
        }
    }
}
