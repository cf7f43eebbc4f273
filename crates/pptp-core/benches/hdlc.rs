//! How long framing takes for a frame of 1400 bytes: `cargo bench -p pptp-core --bench hdlc`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures time and says so")]

use std::hint::black_box;
use std::time::Instant;

use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_core::sim::Random;

const FRAME_LENGTH: usize = 1400;
const FRAMES: u32 = 16;
const ROUNDS: u32 = 4000;

/// The least of several measurements, nanoseconds for each frame.
fn time(mut round: impl FnMut()) -> u128 {
    let mut best = u128::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..ROUNDS / 5 {
            round();
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(ROUNDS / 5 * FRAMES));
    }
    best
}

fn main() {
    let mut random = Random::new(1);
    let random_bytes: Vec<u8> = (0..FRAME_LENGTH).map(|_| random.next_u64().to_be_bytes()[0]).collect();
    let text: Vec<u8> = (0..FRAME_LENGTH).map(|_| 0x61).collect();
    for (content, frame) in [("random", random_bytes), ("text", text)] {
        for accm in [Accm::NONE, Accm(0x000a_0000), Accm::ALL] {
            let mut encoder = Encoder::new();
            encoder.set_accm(accm);
            let mut line = Vec::new();
            let encode = time(|| {
                line.clear();
                for _ in 0..FRAMES {
                    encoder.encode(black_box(&frame), &mut line);
                }
            });
            let mut decoder = Decoder::new(1504);
            decoder.set_accm(accm);
            let decode = time(|| {
                let mut input = black_box(&line[..]);
                while let Some(frame) = decoder.decode(&mut input) {
                    black_box(frame);
                }
            });
            assert_eq!(decoder.counters().frames, u64::from(ROUNDS * FRAMES));
            println!("{content:6} {accm:?}: encode {encode} ns, decode {decode} ns per frame");
        }
    }
}
