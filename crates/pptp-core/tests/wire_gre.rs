//! The enhanced GRE header (RFC 2637 §4.1).
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use pptp_core::wire::{GreHeader, PeerCallId, WireError};
use proptest::collection::vec;
use proptest::prelude::*;

const CALL: PeerCallId = PeerCallId(0xb400);

fn emitted(header: &GreHeader) -> Vec<u8> {
    let mut out = [0xee; 20];
    let rest = header.emit(&mut out).unwrap().len();
    assert!(out[20 - rest..].iter().all(|byte| *byte == 0xee), "what follows the header stays");
    out[..20 - rest].to_vec()
}

fn packet(header: &GreHeader, payload: &[u8]) -> Vec<u8> {
    [&emitted(header)[..], payload].concat()
}

/// A header, its bytes and its payload: parsed, emitted, and cut short at every byte.
fn check(header: GreHeader, bytes: &[u8], payload: &[u8]) {
    assert_eq!(emitted(&header), bytes);
    assert_eq!(header.wire_length(), bytes.len());
    let packet = [bytes, payload].concat();
    assert_eq!(GreHeader::parse(&packet), Ok((header, payload)));
    for end in 0..packet.len() {
        let error = GreHeader::parse(&packet[..end]).unwrap_err();
        assert!(matches!(error, WireError::Truncated { needed, found } if needed > found && found == end), "{error}");
    }
}

#[test]
fn a_data_packet_has_a_sequence_number() {
    let bytes = [0x30, 0x01, 0x88, 0x0b, 0, 3, 0xb4, 0, 1, 2, 3, 4];
    check(GreHeader::data(CALL, 3, 0x0102_0304), &bytes, &[0xff, 0x03, 0xc0]);
}

#[test]
fn a_data_packet_can_acknowledge_too() {
    let bytes = [0x30, 0x81, 0x88, 0x0b, 0, 2, 0xb4, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    check(GreHeader::data(CALL, 2, 0x0102_0304).acknowledging(0x0506_0708), &bytes, &[0xc0, 0x21]);
}

#[test]
fn an_ack_only_packet_has_no_sequence_number_and_no_payload() {
    let bytes = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0xb4, 0, 5, 6, 7, 8];
    check(GreHeader::ack_only(CALL, 0x0506_0708), &bytes, &[]);
}

#[test]
fn a_header_without_numbers_parses() {
    let header = GreHeader { sequence: None, ..GreHeader::data(CALL, 0, 0) };
    check(header, &[0x20, 0x01, 0x88, 0x0b, 0, 0, 0xb4, 0], &[]);
}

#[test]
fn an_empty_payload_with_a_sequence_number_parses() {
    check(GreHeader::data(CALL, 0, 9), &[0x30, 0x01, 0x88, 0x0b, 0, 0, 0xb4, 0, 0, 0, 0, 9], &[]);
}

#[test]
fn every_flag_word_is_either_refused_for_its_reason_or_kept() {
    for bits in 0..=u16::MAX {
        let mut bytes = vec![0; 16];
        bytes[..2].copy_from_slice(&bits.to_be_bytes());
        bytes[2..4].copy_from_slice(&[0x88, 0x0b]);
        let expected = match bits {
            _ if bits & 0x0007 != 1 => Some(WireError::GreVersion(u8::try_from(bits & 7).unwrap())),
            _ if bits & 0x2000 == 0 => Some(WireError::GreKeyAbsent(bits)),
            _ if bits & 0xc800 != 0 => Some(WireError::GreFlags(bits)),
            _ => None,
        };
        let parsed = GreHeader::parse(&bytes);
        assert_eq!(parsed.err(), expected, "0x{bits:04x}");
        let Ok((header, _)) = parsed else {
            continue;
        };
        assert_eq!(header.sequence.is_some(), bits & 0x1000 != 0);
        assert_eq!(header.acknowledgement.is_some(), bits & 0x0080 != 0);
        assert_eq!(u16::from(header.recursion), bits >> 8 & 7);
        assert_eq!(u16::from(header.flags), bits >> 3 & 15);
        assert_eq!(emitted(&header), &bytes[..header.wire_length()]);
    }
}

#[test]
fn a_field_that_does_not_fit_its_bits_reaches_no_other() {
    let header = GreHeader { recursion: 0xff, flags: 0xff, ..GreHeader::ack_only(CALL, 1) };
    assert_eq!(emitted(&header)[..2], [0x27, 0xf9]);
}

#[test]
fn another_protocol_type_is_refused() {
    for protocol in [0x0800_u16, 0x880a, 0x0b88, 0] {
        let [high, low] = protocol.to_be_bytes();
        let packet = [0x30, 0x01, high, low, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(GreHeader::parse(&packet), Err(WireError::GreProtocol(protocol)));
    }
}

#[test]
fn a_payload_shorter_than_declared_is_truncated() {
    let packet = packet(&GreHeader::data(CALL, 100, 1), &[0; 99]);
    assert_eq!(GreHeader::parse(&packet), Err(WireError::Truncated { needed: 112, found: 111 }));
}

#[test]
fn bytes_after_the_declared_payload_are_left_out() {
    let header = GreHeader::data(CALL, 2, 1);
    assert_eq!(GreHeader::parse(&packet(&header, &[1, 2, 3, 4])), Ok((header, &[1, 2][..])));
}

#[test]
fn a_buffer_that_is_too_small_gets_no_header() {
    let header = GreHeader::data(CALL, 0, 1).acknowledging(1);
    for length in 0..GreHeader::MAX_LENGTH {
        assert!(header.emit(&mut vec![0; length]).is_none());
    }
    assert_eq!(header.emit(&mut [0; GreHeader::MAX_LENGTH]).map(|rest| rest.len()), Some(0));
}

#[test]
fn errors_say_what_was_found() {
    assert_eq!(WireError::GreVersion(0).to_string(), "gre version 0 instead of 1");
    assert_eq!(WireError::GreProtocol(0x800).to_string(), "gre protocol type 0x0800 instead of 0x880b");
    assert_eq!(WireError::GreKeyAbsent(1).to_string(), "gre header without a key (0x0001)");
    assert_eq!(WireError::GreFlags(0xa001).to_string(), "gre header with checksum or routing (0xa001)");
}

prop_compose! {
    fn any_packet()(
        call_id: u16,
        sequence: Option<u32>,
        acknowledgement: Option<u32>,
        recursion in 0..8_u8,
        flags in 0..16_u8,
        payload in vec(any::<u8>(), 0..64),
    ) -> (GreHeader, Vec<u8>) {
        let payload_length = u16::try_from(payload.len()).unwrap();
        let call_id = PeerCallId(call_id);
        (GreHeader { call_id, payload_length, sequence, acknowledgement, recursion, flags }, payload)
    }
}

proptest! {
    #[test]
    fn what_is_emitted_parses((header, payload) in any_packet(), padding in vec(any::<u8>(), 0..8)) {
        let packet = [packet(&header, &payload), padding].concat();
        prop_assert_eq!(GreHeader::parse(&packet), Ok((header, &payload[..])));
    }

    #[test]
    fn what_parses_is_emitted_as_the_same_bytes(numbers in 0..4_u8, length in 0..64_u8, rest in vec(any::<u8>(), 2..80)) {
        let start = [0x20 | (numbers & 1) << 4, (numbers & 2) << 6 | 1, 0x88, 0x0b, 0, length];
        let bytes = [&start[..], &rest].concat();
        if let Ok((header, payload)) = GreHeader::parse(&bytes) {
            prop_assert_eq!(packet(&header, payload), &bytes[..header.wire_length() + payload.len()]);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..40)) {
        if let Ok((header, payload)) = GreHeader::parse(&bytes) {
            prop_assert_eq!(usize::from(header.payload_length), payload.len());
        }
    }
}
