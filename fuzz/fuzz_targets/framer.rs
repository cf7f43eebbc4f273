//! The segmentation of a stream changes nothing, memory is bounded, and what came out is what went in.
//!
//! The first eight bytes of the input are the lengths of the segments, over and over; the rest is the stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_core::wire::{Frame, Framer, MAX_MESSAGE_LENGTH, WireError};

/// Messages, an error, bytes of an unfinished message, and bytes that were not taken.
type Outcome = (Vec<Frame>, Option<WireError>, usize, usize);

fn outcome<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut framer = Framer::new();
    let (mut frames, mut error, mut refused) = (Vec::new(), None, 0);
    for mut segment in segments {
        loop {
            match framer.next_frame(&mut segment) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(found) => {
                    assert!(error.is_none_or(|before| before == found));
                    error = Some(found);
                    break;
                }
            }
        }
        assert!(framer.pending() < MAX_MESSAGE_LENGTH);
        assert!(segment.is_empty() || error.is_some());
        refused += segment.len();
    }
    (frames, error, framer.pending(), refused)
}

fn segments<'a>(lengths: &'a [u8; 8], mut stream: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let length = usize::from(*length).clamp(1, stream.len().max(1));
        let (segment, rest) = stream.split_at_checked(length)?;
        stream = rest;
        Some(segment)
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((lengths, stream)) = input.split_first_chunk::<8>() else {
        return;
    };
    let whole = outcome([stream].into_iter());
    assert_eq!(outcome(segments(lengths, stream)), whole);

    let (frames, _, pending, refused) = whole;
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.emit(&mut out));
    assert_eq!(out, stream[..out.len()]);
    assert_eq!(out.len() + pending + refused, stream.len());
});
