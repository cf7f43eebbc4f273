//! Sessions of enhanced GRE (RFC 2637 §4): by themselves, and two in virtual time with a link that loses, repeats, reorders
//! and delays.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod acknowledging;
mod habits;
mod link;
mod pair;
mod properties;
mod receiving;
mod sending;
mod throughput;
mod wrapping;

use core::time::Duration;

use pptp_core::gre::{Config, Frame, Inbound, Packet, Reordering, Session};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, GreHeader, PeerCallId};

const MILLISECOND: Duration = Duration::from_millis(1);

fn at(millis: u64) -> Instant {
    Instant::from_epoch(Duration::from_millis(millis))
}

/// The session of call 1, whose peer calls it 2.
fn config() -> Config {
    Config::new(CallId(1), PeerCallId(2))
}

/// A packet to the session of [`config`].
fn packet(header: &GreHeader, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; header.wire_length()];
    header.emit(&mut bytes).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

/// A data packet whose payload is its number's low byte.
fn data(sequence: u32) -> Vec<u8> {
    packet(&GreHeader::data(PeerCallId(1), 1, sequence), &[sequence.to_be_bytes()[3]])
}

fn ack(number: u32) -> Vec<u8> {
    packet(&GreHeader::ack_only(PeerCallId(1), number), &[])
}

fn reordering(millis: u32, packets: u16) -> Config {
    Config { reordering: Reordering { time: MILLISECOND * millis, packets }, ..config() }
}

/// A session and what came out of it.
struct End {
    session: Session<Vec<u8>>,
    out: Inbound<Vec<u8>>,
}

impl End {
    fn new(config: &Config) -> Self {
        Self { session: Session::new(config), out: Inbound::default() }
    }

    /// Takes packets at one time; gives the numbers of the frames that come out.
    fn take<I: IntoIterator<Item = Vec<u8>>>(&mut self, packets: I, now: Instant) -> Vec<u32> {
        let packets = packets.into_iter().map(|buffer| {
            let bytes = 0..buffer.len();
            Packet { buffer, bytes }
        });
        self.session.receive(packets, now, &mut self.out);
        self.numbers()
    }

    fn expire(&mut self, now: Instant) -> Vec<u32> {
        self.session.handle_timeout(now, &mut self.out);
        self.numbers()
    }

    fn numbers(&mut self) -> Vec<u32> {
        self.out.frames.drain(..).map(|frame| frame.sequence.value()).collect()
    }

    fn frames(&mut self) -> Vec<Frame<Vec<u8>>> {
        self.out.frames.drain(..).collect()
    }

    /// Sends a data packet of one byte; gives its header.
    fn send(&mut self, now: Instant) -> GreHeader {
        let stamp = self.session.stamp(0, now).unwrap();
        GreHeader::parse(stamp.as_bytes()).unwrap().0
    }

    /// The number of a lone acknowledgement, if one is due.
    fn acknowledge(&mut self, now: Instant) -> Option<u32> {
        let stamp = self.session.poll_ack(now)?;
        let (header, _) = GreHeader::parse(stamp.as_bytes()).unwrap();
        assert_eq!((header.call_id, header.sequence, header.payload_length), (PeerCallId(2), None, 0));
        header.acknowledgement
    }
}
