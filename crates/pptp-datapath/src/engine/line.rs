//! A channel's line: frames to and from the bytes of a terminal (RFC 1662), and the bytes that wait. The terminal itself is
//! not here.

use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_core::time::Instant;

use super::ppp;
use crate::command::Framing;

/// pppd's `MAXMRU`, with address, control and protocol: the kernel sends nothing longer.
const LONGEST_FRAME: usize = 16384 + 4;

/// A terminal gives no more than its 4096 bytes at a time.
const INPUT_LENGTH: usize = 4096;

/// Room for what waits that is kept when nothing does: some batches. More is given back.
const KEPT_OUTPUT: usize = 1 << 18;

/// LCP's code of an agreement (RFC 1661 §5.2), the length of the header before its options, and the option with the map
/// (RFC 1662 §7.1): type, length, four bytes.
const CONFIGURE_ACK: u8 = 2;
const LCP_HEADER_LENGTH: usize = 4;
const MAP_OPTION: [u8; 2] = [2, 6];

/// Which characters are escaped on the way to who reads the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    /// No more than the framing needs: no character needs an escape on the way between two processes of one machine, and the
    /// reader knows it.
    Framing,
    /// What the reader drops otherwise: all control characters, but of a network's data those in this map alone, which the peer
    /// has agreed to last. The reader's LCP is open by then, so it has set its receiver to the same.
    Negotiated(Accm),
}

/// Both directions of a line. The decoder takes what is escaped and what is not.
#[derive(Debug)]
pub(super) struct Line {
    decoder: Decoder,
    encoder: Encoder,
    escapes: Escapes,
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
    /// That of a new channel with this framing, if it has one.
    pub(super) fn of(framing: Framing) -> Option<Self> {
        match framing {
            Framing::Datagrams => None,
            Framing::Hdlc => Some(Self::new(Escapes::Framing)),
            Framing::AsyncLine => Some(Self::new(Escapes::Negotiated(Accm::ALL))),
        }
    }

    fn new(escapes: Escapes) -> Self {
        let (mut decoder, mut encoder) = (Decoder::new(LONGEST_FRAME), Encoder::new());
        decoder.set_accm(Accm::NONE);
        encoder.set_accm(if escapes == Escapes::Framing { Accm::NONE } else { Accm::ALL });
        Self {
            decoder,
            encoder,
            escapes,
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

    /// Escapes what has to be in the next frame.
    fn prepare(&mut self, frame: &[u8]) {
        let Escapes::Negotiated(map) = self.escapes else { return };
        let Some((protocol, information)) = ppp::parse(frame) else { return };
        if protocol == ppp::LCP && information.first() == Some(&CONFIGURE_ACK) {
            self.escapes = Escapes::Negotiated(agreed_map(information));
        }
        self.encoder.set_accm(if ppp::carries_data(protocol) { map } else { Accm::ALL });
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
        self.prepare(frame);
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

/// What the reader's receiver needs escaped when the peer has agreed to this: what it has asked for, or everything.
fn agreed_map(agreement: &[u8]) -> Accm {
    let mut options = agreement.get(LCP_HEADER_LENGTH..).unwrap_or_default();
    while let Some(length) = options.get(1).map(|&length| usize::from(length)).filter(|&length| length >= 2) {
        let Some((option, rest)) = options.split_at_checked(length) else { break };
        if let Some(map) = option.strip_prefix(&MAP_OPTION).and_then(|map| map.try_into().ok()) {
            return Accm(u32::from_be_bytes(map));
        }
        options = rest;
    }
    Accm::ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Line {
        Line::new(Escapes::Framing)
    }

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
            let (mut near, mut far) = (plain(), plain());
            for frame in &frames {
                assert!(near.push(frame, usize::MAX));
            }
            assert_eq!(frames_of(&mut far, &written(&mut near), piece), frames);
        }
    }

    #[test]
    fn control_characters_are_taken_with_an_escape_and_without() {
        let (mut escaping, mut line) = (Encoder::new(), plain());
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
        let mut line = plain();
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
        let mut line = plain();
        let garbage: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let endless = vec![0x41; 1_000_000];
        assert!(frames_of(&mut line, &garbage, 4096).len() < 3);
        frames_of(&mut line, &endless, 4096);
        assert_eq!(frames_of(&mut line, b"\x7e\x41\x7e\x41\x41\x41\x41\x41\x41\x7e\x41\x7d\x7e", 4096).len(), 0);
        for (name, count) in line.drops() {
            assert!(count > 0, "{name}");
        }
        let mut other = plain();
        other.push(b"\xff\x03\x00\x21whole", 0);
        assert_eq!(frames_of(&mut line, &written(&mut other), 4096), [b"\xff\x03\x00\x21whole"]);
    }

    /// The bytes that a line for whoever negotiates writes for a frame.
    fn bytes_of(line: &mut Line, frame: &[u8]) -> Vec<u8> {
        assert!(line.push(frame, usize::MAX));
        written(line)
    }

    const DATA: &[u8] = b"\xff\x03\x00\x21\x00\x11\x13\x45";
    const CHAP: &[u8] = b"\xff\x03\xc2\x23\x01\x00\x00\x05\x11";

    fn control_characters(bytes: &[u8]) -> usize {
        bytes.iter().filter(|&&byte| byte < 0x20).count()
    }

    #[test]
    fn a_reader_that_negotiates_gets_everything_escaped_until_the_peer_has_agreed_on_a_map() {
        let mut line = Line::of(Framing::AsyncLine).unwrap();
        assert_eq!(control_characters(&bytes_of(&mut line, DATA)), 0);
        // The MRU, then the map; what is no data stays escaped, as its reader may not have set its receiver yet.
        let ack = b"\xff\x03\xc0\x21\x02\x01\x00\x0e\x01\x04\x05\xdc\x02\x06\x00\x02\x00\x00";
        assert_eq!(control_characters(&bytes_of(&mut line, ack)), 0);
        assert_eq!(control_characters(&bytes_of(&mut line, CHAP)), 0);
        let data = bytes_of(&mut line, DATA);
        assert!(data.windows(2).any(|pair| pair == b"\x7d\x31"), "0x11 is in the map");
        assert!(data.contains(&0x13) && data.contains(&0x00));
        let mut far = Line::of(Framing::Hdlc).unwrap();
        assert_eq!(frames_of(&mut far, &data, 4096), [DATA]);
    }

    #[test]
    fn without_a_map_in_what_was_agreed_everything_is_escaped_again() {
        let mut line = Line::of(Framing::AsyncLine).unwrap();
        bytes_of(&mut line, b"\xff\x03\xc0\x21\x02\x01\x00\x0a\x02\x06\x00\x00\x00\x00");
        assert!(control_characters(&bytes_of(&mut line, DATA)) > 0);
        for ack in
            [&b"\xc0\x21\x02\x02\x00\x08\x01\x04\x05\xdc"[..], b"\xc0\x21\x02", b"\xc0\x21\x02\x02\x00\x06\x02\x00"]
        {
            bytes_of(&mut line, ack);
            assert_eq!(control_characters(&bytes_of(&mut line, DATA)), 0, "{ack:?}");
        }
    }
}
