//! One direction of a TCP connection: reliable and in order, but with segments of any size at any time.

use core::time::Duration;
use std::collections::VecDeque;

use crate::time::Instant;

use super::random::Random;

/// Where a stream is cut into segments. Real stacks do all of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmentation {
    /// Each write arrives by itself.
    Writes,
    /// What is due at one time arrives as one.
    Merged,
    /// Segments of this many bytes, the last one of a write shorter; 0 counts as 1.
    Bytes(usize),
    /// Segments of 1 to this many bytes.
    Random(u32),
}

/// How a stream treats its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it is cut.
    pub segmentation: Segmentation,
    /// Least time from write to arrival.
    pub delay: Duration,
    /// Additional time, at most this, by chance; order is kept.
    pub jitter: Duration,
}

impl Link {
    /// No delay; each write arrives by itself.
    pub const IDEAL: Self = Self { segmentation: Segmentation::Writes, delay: Duration::ZERO, jitter: Duration::ZERO };
}

/// What comes out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Some bytes, at least one.
    Bytes(Vec<u8>),
    /// The end: the writer closed it, and all bytes have arrived.
    End,
}

/// The stream.
#[derive(Debug)]
pub struct Stream {
    link: Link,
    random: Random,
    in_flight: VecDeque<(Instant, Arrival)>,
    last_due: Instant,
    stalled: bool,
}

impl Stream {
    /// An open, empty stream; `seed` decides about random segments and jitter.
    pub fn new(link: Link, seed: u64) -> Self {
        Self {
            link,
            random: Random::new(seed),
            in_flight: VecDeque::new(),
            last_due: Instant::default(),
            stalled: false,
        }
    }

    /// Writes bytes at the near end.
    pub fn write(&mut self, bytes: &[u8], now: Instant) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = self.segment_length(rest.len());
            let (segment, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.put(Arrival::Bytes(segment.to_vec()), now);
            rest = after;
        }
    }

    /// Closes the near end: [`Arrival::End`] follows the bytes.
    pub fn close(&mut self, now: Instant) {
        self.put(Arrival::End, now);
    }

    /// From here on nothing arrives any more, as when a cable is pulled; not even the end.
    pub fn stall(&mut self) {
        self.stalled = true;
    }

    /// When the next segment arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        let (due, _) = self.in_flight.front().filter(|_| !self.stalled)?;
        Some(*due)
    }

    /// What arrives at the far end by `now`, one segment at a time.
    pub fn read(&mut self, now: Instant) -> Option<Arrival> {
        if self.next_arrival()? > now {
            return None;
        }
        let (due, arrival) = self.in_flight.pop_front()?;
        match arrival {
            Arrival::Bytes(bytes) if self.link.segmentation == Segmentation::Merged => Some(self.merge(due, bytes)),
            other => Some(other),
        }
    }

    fn merge(&mut self, due: Instant, mut bytes: Vec<u8>) -> Arrival {
        while let Some((other, Arrival::Bytes(more))) = self.in_flight.front() {
            if *other != due {
                break;
            }
            bytes.extend_from_slice(more);
            self.in_flight.pop_front();
        }
        Arrival::Bytes(bytes)
    }

    fn put(&mut self, arrival: Arrival, now: Instant) {
        let due = now + self.link.delay + self.jitter();
        self.last_due = self.last_due.max(due);
        self.in_flight.push_back((self.last_due, arrival));
    }

    fn jitter(&mut self) -> Duration {
        let most = u32::try_from(self.link.jitter.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(self.random.below(most.saturating_add(1)).into())
    }

    fn segment_length(&mut self, available: usize) -> usize {
        match self.link.segmentation {
            Segmentation::Writes | Segmentation::Merged => available,
            Segmentation::Bytes(length) => length.max(1),
            Segmentation::Random(longest) => {
                let length = self.random.below(longest).saturating_add(1);
                usize::try_from(length).unwrap_or(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(millis))
    }

    fn link(segmentation: Segmentation) -> Link {
        Link { segmentation, delay: MILLISECOND, jitter: Duration::ZERO }
    }

    fn drain(stream: &mut Stream, now: Instant) -> Vec<Arrival> {
        core::iter::from_fn(|| stream.read(now)).collect()
    }

    #[test]
    fn bytes_arrive_after_the_delay_and_then_the_end() {
        let mut stream = Stream::new(link(Segmentation::Writes), 0);
        stream.write(b"abc", at(5));
        stream.close(at(5));
        assert_eq!(stream.next_arrival(), Some(at(6)));
        assert_eq!(stream.read(at(5)), None);
        assert_eq!(drain(&mut stream, at(6)), [Arrival::Bytes(b"abc".to_vec()), Arrival::End]);
        assert_eq!(stream.next_arrival(), None);
    }

    #[test]
    fn writes_merge_when_they_are_due_together() {
        let mut stream = Stream::new(link(Segmentation::Merged), 0);
        stream.write(b"ab", at(0));
        stream.write(b"c", at(0));
        stream.write(b"d", at(1));
        assert_eq!(drain(&mut stream, at(9)), [Arrival::Bytes(b"abc".to_vec()), Arrival::Bytes(b"d".to_vec())]);
    }

    #[test]
    fn segments_have_the_length_asked_for() {
        let mut stream = Stream::new(link(Segmentation::Bytes(2)), 0);
        stream.write(b"abc", at(0));
        assert_eq!(drain(&mut stream, at(9)), [Arrival::Bytes(b"ab".to_vec()), Arrival::Bytes(b"c".to_vec())]);
    }

    #[test]
    fn jitter_and_random_segments_keep_the_order() {
        let shaky = Link { segmentation: Segmentation::Random(4), delay: MILLISECOND, jitter: MILLISECOND * 20 };
        let mut stream = Stream::new(shaky, 3);
        let bytes: Vec<u8> = (0..200).collect();
        stream.write(&bytes, at(0));
        let mut received = Vec::new();
        let mut last = at(0);
        while let Some(due) = stream.next_arrival() {
            assert!(due >= last);
            last = due;
            let Some(Arrival::Bytes(segment)) = stream.read(due) else { panic!("bytes are due") };
            assert!((1..=4).contains(&segment.len()));
            received.extend(segment);
        }
        assert_eq!(received, bytes);
    }

    #[test]
    fn nothing_comes_out_of_a_stalled_stream() {
        let mut stream = Stream::new(link(Segmentation::Writes), 0);
        stream.write(b"abc", at(0));
        stream.stall();
        assert_eq!((stream.next_arrival(), stream.read(at(9))), (None, None));
    }
}
