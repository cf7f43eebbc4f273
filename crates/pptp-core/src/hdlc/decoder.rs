//! Bytes to frames.

use super::accm::Accm;
use super::fcs::fcs;
use super::scan::{before_flag, plain};
use super::{ESCAPE, ESCAPED, FLAG};

/// Bytes of the FCS.
const FCS_LENGTH: usize = 2;
/// The shortest frame with its FCS (RFC 1662 §3.1, §4.3).
const SHORTEST: usize = 4;

/// What a decoder counts. Every frame that was begun ends in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that came out.
    pub frames: u64,
    /// Dropped: the FCS is not that of the frame.
    pub bad_fcs: u64,
    /// Dropped: more bytes than the largest frame.
    pub too_long: u64,
    /// Dropped: not even a protocol, a byte and the FCS.
    pub too_short: u64,
    /// Dropped: the sender broke it off with an escape and a flag.
    pub aborted: u64,
    /// Dropped: its beginning was not seen, only bytes before the first flag.
    pub unopened: u64,
}

/// Finds frames in bytes from the line, cut into pieces anywhere. It has room for one frame, and never asks for more.
#[derive(Debug)]
pub struct Decoder {
    accm: Accm,
    frame: Vec<u8>,
    /// Bytes of the largest frame with its FCS.
    longest: usize,
    state: State,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No flag was seen yet, and nothing else.
    Start,
    /// No flag was seen yet, but other bytes.
    Unopened,
    /// Between flags.
    Inside,
    /// After an escape.
    Escaped,
    /// In a frame that was dropped already.
    Dropped,
    /// The frame is complete and was given out.
    Complete,
}

impl Decoder {
    /// A decoder for frames of at most `longest` bytes (address, control, protocol and information, without FCS), on a line on
    /// which nothing was negotiated yet.
    pub fn new(longest: usize) -> Self {
        let longest = longest.saturating_add(FCS_LENGTH);
        Self {
            accm: Accm::ALL,
            frame: Vec::with_capacity(longest),
            longest,
            state: State::Start,
            counters: Counters::default(),
        }
    }

    /// From here on these characters are removed if they come without an escape: something on the way put them there, since
    /// the other end escapes them (§4.2).
    pub const fn set_accm(&mut self, accm: Accm) {
        self.accm = accm;
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next frame that is complete, without its FCS. Takes the bytes up to its end from the front of `input`; without a
    /// frame, takes all of them.
    pub fn decode(&mut self, input: &mut &[u8]) -> Option<&mut [u8]> {
        let length = self.advance(input)?;
        self.frame.get_mut(..length)
    }

    /// The length of the next frame.
    fn advance(&mut self, input: &mut &[u8]) -> Option<usize> {
        if self.state == State::Complete {
            self.begin();
        }
        while !input.is_empty() {
            let run = match self.state {
                State::Inside | State::Complete => self.keep_plain(input),
                State::Escaped => 0,
                State::Start | State::Unopened | State::Dropped => before_flag(input),
            };
            if run > 0 && self.state == State::Start {
                self.state = State::Unopened;
            }
            *input = input.get(run..).unwrap_or_default();
            let (byte, rest) = input.split_first()?;
            *input = rest;
            let length = self.handle_special(*byte);
            if length.is_some() {
                return length;
            }
        }
        None
    }

    fn begin(&mut self) {
        self.frame.clear();
        self.state = State::Inside;
    }

    /// Keeps what is simply data; gives its length.
    fn keep_plain(&mut self, input: &[u8]) -> usize {
        let run = plain(input, self.accm);
        self.keep(input.get(..run).unwrap_or_default());
        run
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.frame.len().saturating_add(bytes.len()) > self.longest {
            self.counters.too_long += 1;
            self.state = State::Dropped;
            return;
        }
        self.frame.extend_from_slice(bytes);
    }

    /// A byte that is not simply data. Gives the length of a frame that it completes.
    fn handle_special(&mut self, byte: u8) -> Option<usize> {
        match byte {
            FLAG => self.end(),
            _ if self.state == State::Dropped => None,
            _ if self.accm.contains(byte) => None,
            _ if self.state == State::Escaped => {
                self.state = State::Inside;
                self.keep(&[byte ^ ESCAPED]);
                None
            }
            ESCAPE => {
                self.state = State::Escaped;
                None
            }
            _ => None,
        }
    }

    /// A flag: the end of a frame, and the beginning of the next.
    fn end(&mut self) -> Option<usize> {
        let length = match self.state {
            State::Inside | State::Complete => self.check(),
            State::Escaped => {
                self.counters.aborted += 1;
                None
            }
            State::Unopened => {
                self.counters.unopened += 1;
                None
            }
            State::Start | State::Dropped => None,
        };
        match length {
            Some(_) => self.state = State::Complete,
            None => self.begin(),
        }
        length
    }

    fn check(&mut self) -> Option<usize> {
        if self.frame.is_empty() {
            return None;
        }
        if self.frame.len() < SHORTEST {
            self.counters.too_short += 1;
            return None;
        }
        let (frame, received) = self.frame.split_last_chunk::<FCS_LENGTH>()?;
        if fcs(frame) != *received {
            self.counters.bad_fcs += 1;
            return None;
        }
        self.counters.frames += 1;
        Some(frame.len())
    }
}
