//! Reads pcap files as far as these tests need it: from the file to IPv4 payloads.

/// An IPv4 packet: addresses, protocol and what follows the IP header.
pub(crate) struct Ipv4<'a> {
    pub(crate) source: [u8; 4],
    pub(crate) destination: [u8; 4],
    pub(crate) protocol: u8,
    pub(crate) payload: &'a [u8],
}

/// The IP protocol number of TCP.
pub(crate) const TCP: u8 = 6;
/// The IP protocol number of GRE.
pub(crate) const GRE: u8 = 47;

const IPV4: u16 = 0x0800;
const VLAN: u16 = 0x8100;
const IPV6: u16 = 0x86dd;
const IPV4_IN_IPV6: u8 = 4;

/// The IPv4 packets of a pcap file, in the order of the file. Other packets are left out.
///
/// Damaged packets are the point of some captures, so the version in the IP header is not looked at, and a total length that
/// cannot be right gives the whole packet.
pub(crate) fn ipv4_packets(file: &[u8]) -> Vec<Ipv4<'_>> {
    let (header, mut records) = file.split_at_checked(24).expect("a pcap file has a header of 24 bytes");
    let u32_at = match header[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => |bytes: &[u8], at| u32::from_le_bytes(array(bytes, at)),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => |bytes: &[u8], at| u32::from_be_bytes(array(bytes, at)),
        _ => panic!("not a pcap file (pcapng is not read)"),
    };
    let link_type = u32_at(header, 20) & 0xffff;

    let mut packets = Vec::new();
    while !records.is_empty() {
        let length = usize::try_from(u32_at(records, 8)).unwrap();
        packets.extend(ipv4(link_type, &records[16..16 + length]));
        records = &records[16 + length..];
    }
    packets
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

fn ipv4(link_type: u32, packet: &[u8]) -> Option<Ipv4<'_>> {
    let (mut kind, mut packet) = match link_type {
        1 => (u16_at(packet, 12), &packet[14..]),
        113 => (u16_at(packet, 14), &packet[16..]),
        276 => (u16_at(packet, 0), &packet[20..]),
        12 | 101 => (IPV4, packet),
        other => panic!("link type {other} is not read"),
    };
    while kind == VLAN {
        (kind, packet) = (u16_at(packet, 2), &packet[4..]);
    }
    if kind == IPV6 && packet[6] == IPV4_IN_IPV6 {
        (kind, packet) = (IPV4, &packet[40..]);
    }
    if kind != IPV4 {
        return None;
    }
    let header_length = usize::from(packet[0] & 15) * 4;
    let end = Some(usize::from(u16_at(packet, 2))).filter(|end| (header_length..=packet.len()).contains(end));
    Some(Ipv4 {
        source: array(packet, 12),
        destination: array(packet, 16),
        protocol: packet[9],
        payload: &packet[header_length..end.unwrap_or(packet.len())],
    })
}
