//! Filters as people write them, as libpcap 1.10 compiles them for `DLT_PPP_PPPD`, and what it decides itself: none of them
//! needs more than the classic instructions.

use super::{Filter, Way, prefix};
use crate::command::Instruction;

/// From and to an address each: NTP sent and received, DNS, echo request sent and reply received, a SYN to port 80, an ACK to
/// port 80, a SYN to port 22 received, a fragment; then IPv6: NTP, a SYN to port 80, an echo request received; last a packet
/// that ends with its IP header.
const PACKETS: [(Way, u16, &str); 13] = [
    (Way::Sent, 0x0021, "450000200001000040110000c0000201c63364070400007b000c000064617461"),
    (Way::Received, 0x0021, "450000200001000040110000c0000201c63364070400007b000c000064617461"),
    (Way::Sent, 0x0021, "450000200001000040110000c0000201c633640704000035000c000064617461"),
    (Way::Sent, 0x0021, "4500001c0001000040010000c0000201c63364070800000000010001"),
    (Way::Received, 0x0021, "4500001c0001000040010000c0000201c63364070000000000010001"),
    (Way::Sent, 0x0021, "450000280001000040060000c0000201c6336407040100500000000100000002500203e800000000"),
    (Way::Sent, 0x0021, "450000280001000040060000c0000201c6336407040100500000000100000002501003e800000000"),
    (Way::Received, 0x0021, "450000280001000040060000c0000201c6336407040100160000000100000002500203e800000000"),
    (Way::Sent, 0x0021, "450000280001006440060000c0000201c6336407040100500000000100000002501003e800000000"),
    (
        Way::Sent,
        0x0057,
        "60000000000c114020010db800000000000000000000000120010db80000000000000000000000020400007b000c000064617461",
    ),
    (
        Way::Sent,
        0x0057,
        "600000000014064020010db800000000000000000000000120010db8000000000000000000000002040100500000000100000002500203e800000000",
    ),
    (
        Way::Received,
        0x0057,
        "6000000000083a4020010db800000000000000000000000120010db80000000000000000000000028000000000010001",
    ),
    (Way::Sent, 0x0021, "450000140001000040110000c0000201c6336407"),
];

/// A filter, its program (code, both jumps, operand; the first and the last in hexadecimal), and what it does to each of
/// [`PACKETS`]: 1 accepts.
const FILTERS: [(&str, &str, &str); 11] = [
    (
        "not udp port 123",
        "28 0 0 2, 15 0 6 57, 30 0 0 a, 15 0 15 11, 28 0 0 2c, 15 12 0 7b, 28 0 0 2e, 15 10 11 7b, 15 0 10 21, 30 0 0 d, 15 0 8 11, 28 0 0 a, 45 6 0 1fff, b1 0 0 4, 48 0 0 4, 15 2 0 7b, 48 0 0 6, 15 0 1 7b, 6 0 0 0, 6 0 0 ffff",
        "0011111110110",
    ),
    (
        "outbound and icmp",
        "30 0 0 0, 15 0 5 1, 28 0 0 2, 15 0 3 21, 30 0 0 d, 15 0 1 1, 6 0 0 ffff, 6 0 0 0",
        "0001000000000",
    ),
    (
        "inbound or tcp[13] & 2 != 0",
        "30 0 0 0, 15 9 0 0, 28 0 0 2, 15 0 8 21, 30 0 0 d, 15 0 6 6, 28 0 0 a, 45 4 0 1fff, b1 0 0 4, 50 0 0 11, 45 0 1 2, 6 0 0 ffff, 6 0 0 0",
        "0100110100010",
    ),
    (
        "outbound and not icmp[0] != 8 and not tcp[13] & 4 != 0",
        "30 0 0 0, 15 0 16 1, 28 0 0 2, 15 0 13 21, 30 0 0 d, 15 0 5 1, 28 0 0 a, 45 9 0 1fff, b1 0 0 4, 50 0 0 4, 15 6 7 8, 15 0 5 6, 28 0 0 a, 45 3 0 1fff, b1 0 0 4, 50 0 0 11, 45 1 0 4, 6 0 0 ffff, 6 0 0 0",
        "1011011011101",
    ),
    (
        "not port 53 and not ip6",
        "28 0 0 2, 15 12 0 57, 15 0 12 21, 30 0 0 d, 15 2 0 84, 15 1 0 6, 15 0 8 11, 28 0 0 a, 45 6 0 1fff, b1 0 0 4, 48 0 0 4, 15 2 0 35, 48 0 0 6, 15 0 1 35, 6 0 0 0, 6 0 0 ffff",
        "1101111110000",
    ),
    (
        "tcp port 80 or tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "28 0 0 2, 15 0 6 57, 30 0 0 a, 15 0 17 6, 28 0 0 2c, 15 14 0 50, 28 0 0 2e, 15 12 13 50, 15 0 12 21, 30 0 0 d, 15 0 10 6, 28 0 0 a, 45 8 0 1fff, b1 0 0 4, 48 0 0 4, 15 4 0 50, 48 0 0 6, 15 2 0 50, 50 0 0 11, 45 0 1 3, 6 0 0 ffff, 6 0 0 0",
        "0000011100100",
    ),
    (
        "host 198.51.100.7 and not net 10.0.0.0/8",
        "28 0 0 2, 15 0 10 21, 20 0 0 10, 15 2 0 c6336407, 20 0 0 14, 15 0 19 c6336407, 20 0 0 10, 54 0 0 ff000000, 15 16 0 a000000, 20 0 0 14, 54 0 0 ff000000, 15 13 12 a000000, 15 1 0 806, 15 0 11 8035, 20 0 0 12, 15 2 0 c6336407, 20 0 0 1c, 15 0 7 c6336407, 20 0 0 12, 54 0 0 ff000000, 15 4 0 a000000, 20 0 0 1c, 54 0 0 ff000000, 15 1 0 a000000, 6 0 0 ffff, 6 0 0 0",
        "1111111110001",
    ),
    (
        "portrange 100-200 or icmp6",
        "28 0 0 2, 15 0 13 57, 30 0 0 a, 15 2 0 84, 15 1 0 6, 15 0 5 11, 28 0 0 2c, 35 0 1 64, 25 0 20 c8, 28 0 0 2e, 35 17 19 64, 15 17 0 3a, 15 0 17 2c, 30 0 0 2c, 15 14 15 3a, 15 0 14 21, 30 0 0 d, 15 2 0 84, 15 1 0 6, 15 0 10 11, 28 0 0 a, 45 8 0 1fff, b1 0 0 4, 48 0 0 4, 35 0 1 64, 25 0 3 c8, 48 0 0 6, 35 0 2 64, 25 1 0 c8, 6 0 0 ffff, 6 0 0 0",
        "1100000001010",
    ),
    ("greater 50", "80 0 0 0, 35 0 1 32, 6 0 0 ffff, 6 0 0 0", "0000000001110"),
    (
        "ip6 host 2001:db8::1 and tcp port 80",
        "28 0 0 2, 15 0 23 57, 20 0 0 c, 15 0 6 20010db8, 20 0 0 10, 15 0 4 0, 20 0 0 14, 15 0 2 0, 20 0 0 18, 15 8 0 1, 20 0 0 1c, 15 0 13 20010db8, 20 0 0 20, 15 0 11 0, 20 0 0 24, 15 0 9 0, 20 0 0 28, 15 0 7 1, 30 0 0 a, 15 0 5 6, 28 0 0 2c, 15 2 0 50, 28 0 0 2e, 15 0 1 50, 6 0 0 ffff, 6 0 0 0",
        "0000000000100",
    ),
    (
        "udp[4:2] % 3 = 0",
        "28 0 0 2, 15 0 9 21, 30 0 0 d, 15 0 7 11, 28 0 0 a, 45 5 0 1fff, b1 0 0 4, 48 0 0 8, 94 0 0 3, 15 0 1 0, 6 0 0 ffff, 6 0 0 0",
        "1110000000000",
    ),
];

fn program(text: &str) -> Vec<Instruction> {
    let instruction = |text: &str| {
        let numbers: Vec<&str> = text.split_whitespace().collect();
        Instruction {
            code: u16::from_str_radix(numbers[0], 16).unwrap(),
            jump_true: numbers[1].parse().unwrap(),
            jump_false: numbers[2].parse().unwrap(),
            k: u32::from_str_radix(numbers[3], 16).unwrap(),
        }
    };
    text.split(',').map(instruction).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn filters_decide_as_libpcap_does() {
    for (text, compiled, expected) in FILTERS {
        let filter = Filter::new(&program(compiled)).unwrap();
        let decide =
            |&(way, protocol, packet): &(Way, u16, &str)| match filter.accepts(prefix(way, protocol), &bytes(packet)) {
                true => '1',
                false => '0',
            };
        assert_eq!(PACKETS.iter().map(decide).collect::<String>(), expected, "{text}");
    }
}
