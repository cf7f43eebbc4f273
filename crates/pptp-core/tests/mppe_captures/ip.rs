//! Is it a packet of IPv4, and whole?

use crate::pcap::TCP;

const ICMP: u8 = 1;
const UDP: u8 = 17;

/// Checks a packet to its last byte: the header and its checksum, the length, and the checksum of what it carries.
pub(crate) fn assert_whole(packet: &[u8]) {
    assert_eq!(packet[0] >> 4, 4, "not IPv4: {packet:02x?}");
    let header_length = usize::from(packet[0] & 15) * 4;
    assert!((20..=packet.len()).contains(&header_length), "length of the header: {packet:02x?}");
    assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len(), "length: {packet:02x?}");
    let (header, payload) = packet.split_at(header_length);
    assert_eq!(sum(header, 0), 0xffff, "checksum of the header: {packet:02x?}");
    assert_eq!(u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff, 0, "a fragment: {packet:02x?}");

    let protocol = packet[9];
    let pseudo_header = sum(&packet[12..20], u64::from(protocol) + u64::try_from(payload.len()).unwrap());
    let initial = match protocol {
        ICMP => 0,
        TCP | UDP => u64::from(pseudo_header),
        other => panic!("protocol {other}: {packet:02x?}"),
    };
    assert!(protocol != UDP || payload[6..8] != [0, 0], "without a checksum: {packet:02x?}");
    assert_eq!(sum(payload, initial), 0xffff, "checksum of protocol {protocol}: {packet:02x?}");
}

/// The ones' complement sum of these bytes and a number (RFC 1071).
fn sum(bytes: &[u8], initial: u64) -> u16 {
    let words = bytes.chunks(2).map(|word| u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)])));
    let mut sum = initial + words.sum::<u64>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
