//! A channel's line: frames to and from the bytes of a terminal (RFC 1662), and the bytes that wait. The terminal itself is
//! not here.

use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_core::time::Instant;

/// pppd's `MAXMRU`, with address, control and protocol: the kernel sends nothing longer.
const LONGEST_FRAME: usize = 16384 + 4;

/// A terminal gives no more than its 4096 bytes at a time.
const INPUT_LENGTH: usize = 4096;

/// Room for what waits that is kept when nothing does: some batches. More is given back.
const KEPT_OUTPUT: usize = 1 << 18;

/// Both directions of a line. No character needs an escape on the way between two processes of one machine; the decoder
/// takes what the kernel escapes all the same.
#[derive(Debug)]
pub(super) struct Line {
    decoder: Decoder,
    encoder: Encoder,
    input: Box<[u8]>,
    /// `input` from here to `filled` was read and not looked at.
    taken: usize,
    filled: usize,
    output: Vec<u8>,
    /// Bytes at the front of `output` that were written.
    written: usize,
    /// Whether the terminal may have something to read.
    pub(super) is_readable: bool,
    /// When to try again, if the terminal took less than there was.
    pub(super) retry: Option<Instant>,
}

impl Line {
    pub(super) fn new() -> Self {
        let (mut decoder, mut encoder) = (Decoder::new(LONGEST_FRAME), Encoder::new());
        decoder.set_accm(Accm::NONE);
        encoder.set_accm(Accm::NONE);
        Self {
            decoder,
            encoder,
            input: vec![0; INPUT_LENGTH].into(),
            taken: 0,
            filled: 0,
            output: Vec::new(),
            written: 0,
            is_readable: false,
            retry: None,
        }
    }

    /// Takes bytes from the line: `read` puts them into the room that it is given, and says how many, as does this. What was
    /// there must have been taken by [`Line::next_frame`].
    pub(super) fn fill<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let length = read(&mut self.input)?;
        (self.taken, self.filled) = (0, length);
        Ok(length)
    }

    /// The next frame in what was read; `None`: all of it was taken.
    pub(super) fn next_frame(&mut self) -> Option<&[u8]> {
        let mut rest = self.input.get(self.taken..self.filled).unwrap_or_default();
        let frame = self.decoder.decode(&mut rest);
        self.taken = self.filled - rest.len();
        frame.map(|frame| &*frame)
    }

    /// Adds a frame to what has to be written, if no more than `limit` bytes wait. Whether it was.
    pub(super) fn push(&mut self, frame: &[u8], limit: usize) -> bool {
        if self.waiting().len() > limit {
            return false;
        }
        // Each byte is moved once at most.
        if self.written > self.output.len() / 2 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        self.encoder.encode(frame, &mut self.output);
        true
    }

    /// What has to be written.
    pub(super) fn waiting(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// So many bytes were written.
    pub(super) fn consume(&mut self, length: usize) {
        self.written += length;
        if self.waiting().is_empty() {
            self.discard();
        }
    }

    /// Nobody will read what waits.
    pub(super) fn discard(&mut self) {
        self.output.clear();
        self.output.shrink_to(KEPT_OUTPUT);
        self.written = 0;
    }

    /// Whether the terminal was full the last time.
    pub(super) const fn is_full(&self) -> bool {
        self.retry.is_some()
    }

    /// Every way in which a frame from the line can die, by name.
    pub(super) const fn drops(&self) -> [(&'static str, u64); 5] {
        let counters = self.decoder.counters();
        [
            ("line-bad-fcs", counters.bad_fcs),
            ("line-too-long", counters.too_long),
            ("line-too-short", counters.too_short),
            ("line-aborted", counters.aborted),
            ("line-unopened", counters.unopened),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the line bytes as a terminal does, in pieces.
    fn frames_of(line: &mut Line, bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for bytes in bytes.chunks(piece) {
            let read = |room: &mut [u8]| {
                room[..bytes.len()].copy_from_slice(bytes);
                Ok::<_, ()>(bytes.len())
            };
            line.fill(read).unwrap();
            while let Some(frame) = line.next_frame() {
                frames.push(frame.to_vec());
            }
        }
        frames
    }

    fn written(line: &mut Line) -> Vec<u8> {
        let bytes = line.waiting().to_vec();
        line.consume(bytes.len());
        bytes
    }

    #[test]
    fn what_one_line_writes_the_other_reads_however_it_is_cut() {
        let frames: Vec<Vec<u8>> = (4..400).step_by(7).map(|length| (0..length).map(|n| n as u8).collect()).collect();
        for piece in [1, 7, 100, 4096] {
            let (mut near, mut far) = (Line::new(), Line::new());
            for frame in &frames {
                assert!(near.push(frame, usize::MAX));
            }
            assert_eq!(frames_of(&mut far, &written(&mut near), piece), frames);
        }
    }

    #[test]
    fn control_characters_are_taken_with_an_escape_and_without() {
        let (mut escaping, mut line) = (Encoder::new(), Line::new());
        let frame: Vec<u8> = (0..=255).collect();
        let mut bytes = Vec::new();
        escaping.set_accm(Accm::ALL);
        escaping.encode(&frame, &mut bytes);
        escaping.set_accm(Accm::NONE);
        escaping.encode(&frame, &mut bytes);
        assert_eq!(frames_of(&mut line, &bytes, 4096), [frame.clone(), frame.clone()]);
        line.push(&frame, 0);
        // Only flag and escape have to be escaped, and perhaps a byte or two of the FCS.
        assert!(line.waiting().len() <= frame.len() + 2 + 2 + 4);
    }

    #[test]
    fn what_waits_is_bounded_and_its_memory_used_again() {
        let mut line = Line::new();
        let frame = [0x55; 1400];
        let most = |line: &Line| line.output.capacity();
        for _ in 0..100 {
            line.push(&frame, 50_000);
        }
        assert!((50_000..52_000).contains(&line.waiting().len()));
        let capacity = most(&line);
        for _ in 0..10_000 {
            line.consume(1000);
            line.push(&frame, 50_000);
            assert!(line.waiting().len() < 52_000);
        }
        assert!(most(&line) <= 4 * capacity);
        let kept = most(&line);
        line.consume(line.waiting().len());
        assert_eq!(most(&line), kept);
        while line.push(&frame, 2_000_000) {}
        assert!(most(&line) > 2_000_000);
        line.consume(line.waiting().len());
        assert!(most(&line) <= KEPT_OUTPUT);
    }

    #[test]
    fn garbage_is_counted_and_memory_stays_as_it_was() {
        let mut line = Line::new();
        let garbage: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let endless = vec![0x41; 1_000_000];
        assert!(frames_of(&mut line, &garbage, 4096).len() < 3);
        frames_of(&mut line, &endless, 4096);
        assert_eq!(frames_of(&mut line, b"\x7e\x41\x7e\x41\x41\x41\x41\x41\x41\x7e\x41\x7d\x7e", 4096).len(), 0);
        for (name, count) in line.drops() {
            assert!(count > 0, "{name}");
        }
        let mut other = Line::new();
        other.push(b"\xff\x03\x00\x21whole", 0);
        assert_eq!(frames_of(&mut line, &written(&mut other), 4096), [b"\xff\x03\x00\x21whole"]);
    }
}
