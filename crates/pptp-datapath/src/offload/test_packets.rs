//! Packets for tests, built field by field and independently of what they test.

use proptest::prelude::*;

/// The next packet of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builder {
    pub(super) version: u8,
    pub(super) protocol: u8,
    pub(super) address: u8,
    pub(super) ports: (u16, u16),
    pub(super) service: u8,
    pub(super) hop_limit: u8,
    pub(super) dont_fragment: bool,
    pub(super) id: u16,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) urgent: u16,
    pub(super) timestamp: u32,
}

impl Builder {
    pub(super) fn tcp4() -> Self {
        Self {
            version: 4,
            protocol: 6,
            address: 7,
            ports: (40_000, 443),
            service: 0,
            hop_limit: 64,
            dont_fragment: true,
            id: 65_534,
            sequence: u32::MAX - 700,
            acknowledgement: 99,
            flags: 0x10,
            window: 501,
            urgent: 0,
            timestamp: 12_345,
        }
    }

    pub(super) fn tcp6() -> Self {
        Self { version: 6, ..Self::tcp4() }
    }

    pub(super) fn udp4() -> Self {
        Self { protocol: 17, ..Self::tcp4() }
    }

    pub(super) fn udp6() -> Self {
        Self { version: 6, ..Self::udp4() }
    }

    /// The next packet, with some payload of that length.
    pub(super) fn next(&mut self, length: usize) -> Vec<u8> {
        let payload: Vec<u8> = (0..length).map(|index| (index * 7 + length) as u8).collect();
        self.next_with(&payload)
    }

    pub(super) fn next_with(&mut self, payload: &[u8]) -> Vec<u8> {
        let transport = self.transport(payload);
        let packet = if self.version == 4 { self.ipv4(&transport) } else { self.ipv6(&transport) };
        self.id = self.id.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(u32::try_from(payload.len()).unwrap());
        packet
    }

    fn addresses(&self) -> Vec<u8> {
        let length = if self.version == 4 { 4 } else { 16 };
        let mut addresses = vec![10; length * 2];
        addresses[length - 1] = self.address;
        addresses
    }

    fn transport(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = [self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes()].concat();
        let checksum_at = if self.protocol == 17 {
            bytes.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
            bytes.extend([0, 0]);
            6
        } else {
            bytes.extend(self.sequence.to_be_bytes());
            bytes.extend(self.acknowledgement.to_be_bytes());
            bytes.extend([8 << 4, self.flags]);
            bytes.extend(self.window.to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(self.urgent.to_be_bytes());
            bytes.extend([1, 1, 8, 10]);
            bytes.extend(self.timestamp.to_be_bytes());
            bytes.extend([0, 0, 0, 1]);
            16
        };
        bytes.extend(payload);
        let mut covered = self.addresses();
        covered.extend([0, self.protocol]);
        covered.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        covered.extend(&bytes);
        let checksum = match checksum(&covered) {
            0 if self.protocol == 17 => 0xffff,
            other => other,
        };
        bytes[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    fn ipv4(&self, transport: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, self.service];
        bytes.extend(u16::try_from(20 + transport.len()).unwrap().to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, self.hop_limit, self.protocol, 0, 0]);
        bytes.extend(self.addresses());
        let checksum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        bytes.extend(transport);
        bytes
    }

    fn ipv6(&self, transport: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60 | self.service >> 4, self.service << 4, 0, 1];
        bytes.extend(u16::try_from(transport.len()).unwrap().to_be_bytes());
        bytes.extend([self.protocol, self.hop_limit]);
        bytes.extend(self.addresses());
        bytes.extend(transport);
        bytes
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// Packets of a few flows, mixed, mostly such as can be joined.
pub(super) fn packets_of_flows() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![6 => Just(700usize), 1 => 0..900usize, 1 => Just(100usize)];
    let flags = prop_oneof![8 => Just(0x10u8), 2 => Just(0x18u8), 1 => any::<u8>()];
    let step = (0..6usize, length, flags, prop::bool::weighted(0.05));
    prop::collection::vec(step, 1..100).prop_map(|steps| {
        let fragmentable = Builder { dont_fragment: false, ports: (1, 2), ..Builder::tcp4() };
        let other = Builder { address: 8, ..Builder::tcp4() };
        let mut flows = [Builder::tcp4(), Builder::tcp6(), Builder::udp4(), Builder::udp6(), fragmentable, other];
        let mut packet = |(flow, length, flags, is_gap): (usize, usize, u8, bool)| {
            let flow = &mut flows[flow];
            flow.flags = flags;
            flow.sequence = flow.sequence.wrapping_add(u32::from(is_gap));
            flow.next(length)
        };
        steps.into_iter().map(&mut packet).collect()
    })
}
