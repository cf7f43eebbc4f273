//! PPP in HDLC-like framing (RFC 1662).

use pptp_core::hdlc::{Accm, Counters, Decoder, Encoder};
use proptest::collection::vec;
use proptest::prelude::*;

const LONGEST: usize = 1504;

/// An LCP Configure-Request with a magic number.
const LCP: [u8; 14] = [0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 10, 5, 6, 0x12, 0x34, 0x56, 0x78];

/// The same on the line.
const LCP_ON_THE_LINE: [u8; 27] = [
    0x7e, 0xff, 0x7d, 0x23, 0xc0, 0x21, 0x7d, 0x21, 0x7d, 0x21, 0x7d, 0x20, 0x7d, 0x2a, 0x7d, 0x25, 0x7d, 0x26, 0x7d,
    0x32, 0x34, 0x56, 0x78, 0x79, 0x7d, 0x20, 0x7e,
];

fn encoder(accm: Accm) -> Encoder {
    let mut encoder = Encoder::new();
    encoder.set_accm(accm);
    encoder
}

fn encoded(frame: &[u8], accm: Accm) -> Vec<u8> {
    let mut out = Vec::new();
    encoder(accm).encode(frame, &mut out);
    out
}

fn decoder(accm: Accm) -> Decoder {
    let mut decoder = Decoder::new(LONGEST);
    decoder.set_accm(accm);
    decoder
}

fn decode(decoder: &mut Decoder, mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut input) {
        frames.push(frame.to_vec());
    }
    assert!(input.is_empty(), "all is taken");
    frames
}

/// The counters after these bytes, of which no frame comes out.
fn dropped(input: &[u8]) -> Counters {
    let mut decoder = decoder(Accm::NONE);
    assert_eq!(decode(&mut decoder, input), Vec::<Vec<u8>>::new());
    *decoder.counters()
}

#[test]
fn a_frame_is_encoded_as_the_rfc_says() {
    assert_eq!(encoded(&LCP, Accm::ALL), LCP_ON_THE_LINE);
    assert_eq!(
        encoded(&[0x21, 0x7e, 0x7d, 0x5e, 0x11], Accm::NONE)[..8],
        [0x7e, 0x21, 0x7d, 0x5e, 0x7d, 0x5d, 0x5e, 0x11]
    );
}

#[test]
fn a_frame_is_decoded_as_the_rfc_says() {
    for accm in [Accm::ALL, Accm::NONE] {
        assert_eq!(decode(&mut decoder(accm), &LCP_ON_THE_LINE), [LCP]);
    }
}

#[test]
fn every_truncation_gives_no_frame() {
    for end in 0..LCP_ON_THE_LINE.len() {
        let counters = dropped(&LCP_ON_THE_LINE[..end]);
        assert_eq!(counters, Counters::default(), "its end may still come");
    }
}

#[test]
fn a_frame_that_was_cut_and_closed_is_dropped_and_counted_once() {
    for end in 2..LCP_ON_THE_LINE.len() - 1 {
        let counters = dropped(&[&LCP_ON_THE_LINE[..end], &[0x7e]].concat());
        let total = counters.bad_fcs + counters.too_short + counters.aborted;
        assert_eq!((total, counters.frames), (1, 0), "{counters:?}");
    }
}

#[test]
fn frames_share_the_flag_between_them() {
    let mut line = Vec::new();
    for _ in 0..3 {
        encoder(Accm::ALL).encode(&LCP, &mut line);
    }
    assert_eq!(line.len(), 3 * (LCP_ON_THE_LINE.len() - 1) + 1);
    assert_eq!(decode(&mut decoder(Accm::ALL), &line), [LCP; 3]);
}

#[test]
fn flags_between_frames_are_nothing() {
    let line = [&[0x7e; 5][..], &LCP_ON_THE_LINE, &[0x7e; 5], &LCP_ON_THE_LINE[1..]].concat();
    let mut decoder = decoder(Accm::ALL);
    assert_eq!(decode(&mut decoder, &line), [LCP; 2]);
    assert_eq!(*decoder.counters(), Counters { frames: 2, ..Counters::default() });
}

#[test]
fn lcp_is_escaped_completely_whatever_was_negotiated() {
    let compressed = &LCP[2..];
    assert_eq!(encoded(&LCP, Accm::NONE), LCP_ON_THE_LINE);
    assert_eq!(encoded(compressed, Accm::NONE), encoded(compressed, Accm::ALL));
    let ipcp = [0x80, 0x21, 1, 2, 3, 4];
    assert_ne!(encoded(&ipcp, Accm::NONE), encoded(&ipcp, Accm::ALL));
}

#[test]
fn only_the_characters_of_the_map_are_escaped() {
    let xon_xoff = Accm(1 << 0x11 | 1 << 0x13);
    assert!(
        encoded(&[0x21, 0x10, 0x11, 0x12, 0x13], xon_xoff)
            .starts_with(&[0x7e, 0x21, 0x10, 0x7d, 0x31, 0x12, 0x7d, 0x33])
    );
}

#[test]
fn characters_of_the_map_are_removed_when_they_come_without_an_escape() {
    let xon_xoff = Accm(1 << 0x11 | 1 << 0x13);
    let frame: Vec<u8> = (0..=255).collect();
    let mut line = Vec::new();
    for byte in encoded(&frame, xon_xoff) {
        line.extend([0x11, byte, 0x13]);
    }
    let mut decoder = decoder(xon_xoff);
    assert_eq!(decode(&mut decoder, &line), [frame]);
}

#[test]
fn a_wrong_bit_is_found() {
    let frame = [0x21, 0x45, 0x55, 0x66, 0x41];
    let line = encoded(&frame, Accm::NONE);
    for place in 1..line.len() - 1 {
        for bit in 0..8 {
            let mut wrong = line.clone();
            wrong[place] ^= 1 << bit;
            if wrong[place] == 0x7e || wrong[place] == 0x7d {
                continue;
            }
            assert_eq!(dropped(&wrong), Counters { bad_fcs: 1, ..Counters::default() });
        }
    }
}

#[test]
fn a_frame_that_is_too_long_is_dropped_and_the_next_one_is_not() {
    for (length, accepted) in [(LONGEST, true), (LONGEST + 1, false), (LONGEST + 2, false), (100_000, false)] {
        for byte in [0x55, 0x7e] {
            let line = [encoded(&vec![byte; length], Accm::NONE), LCP_ON_THE_LINE.to_vec()].concat();
            let mut decoder = decoder(Accm::NONE);
            assert_eq!(decode(&mut decoder, &line).len(), if accepted { 2 } else { 1 }, "{length}");
            assert_eq!(decoder.counters().too_long, u64::from(!accepted));
        }
    }
}

#[test]
fn a_frame_that_is_too_long_is_counted_once_whatever_follows_in_it() {
    let line = [&[0x7e][..], &[0x55; LONGEST + 3], &[0x7d, 0x31, 0x55, 0x7d, 0x7e], &LCP_ON_THE_LINE].concat();
    let mut decoder = decoder(Accm::NONE);
    assert_eq!(decode(&mut decoder, &line), [LCP]);
    assert_eq!(*decoder.counters(), Counters { frames: 1, too_long: 1, ..Counters::default() });
}

#[test]
fn a_frame_that_is_too_short_is_counted() {
    for line in [&[0x7e, 1, 0x7e][..], &[0x7e, 1, 2, 0x7e], &[0x7e, 1, 2, 3, 0x7e]] {
        assert_eq!(dropped(line), Counters { too_short: 1, ..Counters::default() });
    }
    assert_eq!(dropped(&[0x7e, 1, 2, 3, 4, 0x7e]), Counters { bad_fcs: 1, ..Counters::default() });
}

#[test]
fn an_aborted_frame_is_counted_and_the_next_one_comes() {
    let line = [&LCP_ON_THE_LINE[..8], &[0x7d, 0x7e], &LCP_ON_THE_LINE[1..]].concat();
    let mut decoder = decoder(Accm::ALL);
    assert_eq!(decode(&mut decoder, &line), [LCP]);
    assert_eq!(*decoder.counters(), Counters { frames: 1, aborted: 1, ..Counters::default() });
}

#[test]
fn bytes_before_the_first_flag_are_no_frame() {
    let mut decoder = decoder(Accm::ALL);
    assert_eq!(decode(&mut decoder, b"login: "), Vec::<Vec<u8>>::new());
    assert_eq!(decode(&mut decoder, &[b"\x7d\n", &LCP_ON_THE_LINE[..]].concat()), [LCP]);
    assert_eq!(*decoder.counters(), Counters { frames: 1, unopened: 1, ..Counters::default() });
}

#[test]
fn a_frame_can_be_changed_in_place() {
    let mut decoder = decoder(Accm::ALL);
    let mut input = &LCP_ON_THE_LINE[..];
    let frame = decoder.decode(&mut input).unwrap();
    frame.reverse();
    assert_eq!(frame[0], 0x78);
    assert_eq!(decode(&mut decoder, &LCP_ON_THE_LINE), [LCP]);
}

#[test]
fn encoding_needs_no_more_room_than_it_says() {
    for length in [0, 1, 100, LONGEST] {
        for byte in [0x7e, 0x55, 0] {
            let mut out = Vec::with_capacity(Encoder::longest(length));
            let capacity = out.capacity();
            Encoder::new().encode(&vec![byte; length], &mut out);
            assert_eq!(out.capacity(), capacity);
        }
    }
}

fn any_accm() -> impl Strategy<Value = Accm> {
    prop_oneof![Just(Accm::ALL), Just(Accm::NONE), any::<u32>().prop_map(Accm)]
}

/// Bytes of which many are special.
fn any_bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0x7e), Just(0x7d), 0..0x20_u8, any::<u8>(), any::<u8>()], 2..longest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_encoded_is_decoded_whatever_the_pieces(
        frames in vec(any_bytes(200), 1..8),
        accm in any_accm(),
        pieces in vec(1..60_usize, 1..20),
    ) {
        let mut line = Vec::new();
        for frame in &frames {
            encoder(accm).encode(frame, &mut line);
        }
        let mut decoder = decoder(accm);
        let mut received = Vec::new();
        let mut rest = &line[..];
        for length in pieces.iter().cycle() {
            let (piece, after) = rest.split_at((*length).min(rest.len()));
            received.extend(decode(&mut decoder, piece));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&received, &frames);
        prop_assert_eq!(decoder.counters().frames, u64::try_from(frames.len()).unwrap());
    }

    #[test]
    fn no_character_of_the_map_and_no_flag_is_on_the_line(frame in any_bytes(300), accm in any_accm()) {
        let line = encoded(&frame, accm);
        prop_assert!(line[1..line.len() - 1].iter().all(|byte| *byte != 0x7e && !accm.contains(*byte)));
    }

    #[test]
    fn any_bytes_are_survived_and_the_next_frame_comes(noise in any_bytes(600), accm in any_accm()) {
        let mut decoder = decoder(accm);
        for frame in decode(&mut decoder, &noise) {
            prop_assert!(frame.len() <= LONGEST);
        }
        decode(&mut decoder, &[0x7e]);
        prop_assert_eq!(decode(&mut decoder, &encoded(&LCP, accm)), [LCP]);
    }
}
