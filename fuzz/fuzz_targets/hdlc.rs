//! The segmentation of a line changes nothing, frames are bounded, and a frame that came out comes out again.
//!
//! The first eight bytes of the input are the lengths of the segments, over and over, the next four are the character map;
//! the rest is the line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_core::hdlc::{Accm, Counters, Decoder, Encoder};

const LONGEST: usize = 64;

fn decoder(accm: Accm) -> Decoder {
    let mut decoder = Decoder::new(LONGEST);
    decoder.set_accm(accm);
    decoder
}

fn decode<'a>(accm: Accm, segments: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Counters) {
    let mut decoder = decoder(accm);
    let mut frames = Vec::new();
    for mut segment in segments {
        while let Some(frame) = decoder.decode(&mut segment) {
            assert!((2..=LONGEST).contains(&frame.len()));
            frames.push(frame.to_vec());
        }
        assert!(segment.is_empty());
    }
    assert_eq!(decoder.counters().frames, frames.len() as u64);
    (frames, *decoder.counters())
}

fn segments<'a>(lengths: &'a [u8; 8], mut line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let length = usize::from(*length).clamp(1, line.len().max(1));
        let (segment, rest) = line.split_at_checked(length)?;
        line = rest;
        Some(segment)
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((lengths, rest)) = input.split_first_chunk::<8>() else {
        return;
    };
    let Some((accm, line)) = rest.split_first_chunk::<4>() else {
        return;
    };
    let accm = Accm(u32::from_be_bytes(*accm));
    let whole = decode(accm, [line].into_iter());
    assert_eq!(decode(accm, segments(lengths, line)), whole);

    let (mut frames, _) = whole;
    frames.extend(line.chunks(LONGEST).filter(|chunk| chunk.len() >= 2).map(<[u8]>::to_vec));
    let mut encoder = Encoder::new();
    encoder.set_accm(accm);
    let mut again = Vec::new();
    frames.iter().for_each(|frame| encoder.encode(frame, &mut again));
    assert_eq!(decode(accm, segments(lengths, &again)).0, frames);
});
