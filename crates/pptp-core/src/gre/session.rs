//! One call's session: both halves together.

use core::time::Duration;

use crate::time::Instant;
use crate::wire::{CallId, GreHeader, PeerCallId};

use super::config::Config;
use super::counters::Counters;
use super::frame::{Arrival, Frame, Inbound, Packet, Stamp, WindowClosed};
use super::receiver::Receiver;
use super::reorder::Exit;
use super::seq::SeqNum;
use super::transmitter::Transmitter;

/// The tunnel of one call (RFC 2637 §4), for packets in buffers of type `B`.
///
/// After a batch of packets was handled, in either direction, the owner sends what [`Session::poll_ack`] gives and arms
/// [`Session::poll_timeout`]. The session owns buffers only while their frames wait for others, at most
/// [`Reordering::packets`](super::Reordering::packets) of them; after [`Session::new`] it allocates nothing, and the vectors
/// of an [`Inbound`] keep their room.
#[derive(Debug)]
pub struct Session<B> {
    call_id: CallId,
    peer_call_id: PeerCallId,
    receiver: Receiver<B>,
    transmitter: Transmitter,
    counters: Counters,
}

impl<B> Session<B> {
    /// A session in which nothing was sent or received yet.
    pub fn new(config: &Config) -> Self {
        Self {
            call_id: config.call_id,
            peer_call_id: config.peer_call_id,
            receiver: Receiver::new(config),
            transmitter: Transmitter::new(config),
            counters: Counters::default(),
        }
    }

    /// Looks at a packet (without the outer IP header): takes its acknowledgement, and accepts it if it carries a frame
    /// whose turn has not passed. Otherwise the packet is counted, and its buffer remains the caller's.
    ///
    /// This is half of [`Session::receive`]: between it and [`Session::deliver`] a caller can decrypt frames in the order in
    /// which they came. One that is accepted and cannot be used is best delivered with an empty payload; one that is never
    /// delivered counts as lost on the way, and others wait for it.
    pub fn accept(&mut self, packet: &[u8], now: Instant) -> Option<Arrival> {
        self.counters.received += 1;
        let Ok((header, payload)) = GreHeader::parse(packet) else {
            self.counters.malformed += 1;
            return None;
        };
        if header.call_id.0 != self.call_id.0 {
            self.counters.wrong_call += 1;
            return None;
        }
        self.handle_acknowledgement(&header, now);
        let Some(number) = header.sequence else {
            self.count_unnumbered(&header);
            return None;
        };
        let sequence = SeqNum::new(number);
        if !self.receiver.admit(sequence, now, &mut self.counters) {
            return None;
        }
        let start = header.wire_length();
        Some(Arrival { sequence, payload: start..start.saturating_add(payload.len()) })
    }

    /// Takes a frame that was accepted, and puts out whatever is in order with it.
    pub fn deliver(&mut self, frame: Frame<B>, now: Instant, out: &mut Inbound<B>) {
        let mut exit = Exit { out, counters: &mut self.counters };
        self.receiver.queue.insert(frame, now, &mut exit);
    }

    /// How many packets may be sent at the moment: [`u32::MAX`] without a transmit window. To be asked before anything is
    /// done to a frame that cannot be undone (encryption).
    pub fn room(&self) -> u32 {
        self.transmitter.room()
    }

    /// The header of the next data packet, which has to be sent now, before any that is stamped later.
    ///
    /// # Errors
    /// There is no room in the transmit window.
    pub fn stamp(&mut self, payload_length: u16, now: Instant) -> Result<Stamp, WindowClosed> {
        let sequence = self.transmitter.number(now)?;
        self.counters.sent += 1;
        let header = GreHeader::data(self.peer_call_id, payload_length, sequence.value());
        let header = match self.receiver.acks.take() {
            Some(number) => header.acknowledging(number.value()),
            None => header,
        };
        Ok(Stamp::new(&header))
    }

    /// A packet to be sent now that only acknowledges, if no data packet has done that in time. To be asked after a batch,
    /// when there is nothing else to send, and when [`Session::poll_timeout`] has come.
    pub fn poll_ack(&mut self, now: Instant) -> Option<Stamp> {
        let number = self.receiver.acks.take_due(now)?;
        self.counters.acks_sent += 1;
        Some(Stamp::new(&GreHeader::ack_only(self.peer_call_id, number.value())))
    }

    /// When [`Session::handle_timeout`] and [`Session::poll_ack`] have to be called at the latest. An idle session has no
    /// such time.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.receiver.queue.deadline(), self.receiver.acks.deadline(), self.transmitter.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due: delivers frames that have waited long enough, and opens a transmit window that was closed for
    /// too long.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Inbound<B>) {
        self.transmitter.handle_timeout(now, &mut self.counters);
        let mut exit = Exit { out, counters: &mut self.counters };
        self.receiver.queue.expire(now, &mut exit);
    }

    /// The call has ended: gives back the buffers of frames that wait.
    pub fn abandon(&mut self, out: &mut Inbound<B>) {
        let mut exit = Exit { out, counters: &mut self.counters };
        self.receiver.queue.abandon(&mut exit);
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Frames that wait in the reorder queue.
    pub const fn waiting(&self) -> usize {
        self.receiver.queue.waiting()
    }

    /// The estimated time from a packet to its acknowledgement (§4.4.1), once one was acknowledged. It includes what the peer
    /// held the acknowledgement back.
    pub fn round_trip(&self) -> Option<Duration> {
        self.transmitter.timeout().round_trip()
    }

    /// The adaptive time-out (§4.4.1): the longest that a closed transmit window stays closed.
    pub fn adaptive_timeout(&self) -> Duration {
        self.transmitter.timeout().current()
    }

    fn handle_acknowledgement(&mut self, header: &GreHeader, now: Instant) {
        let Some(number) = header.acknowledgement else {
            return;
        };
        if header.sequence.is_none() {
            self.transmitter.handle_lone_acknowledgement();
        }
        self.transmitter.handle_acknowledgement(SeqNum::new(number), now, &mut self.counters);
    }

    const fn count_unnumbered(&mut self, header: &GreHeader) {
        if header.acknowledgement.is_some() && header.payload_length == 0 {
            self.counters.ack_only += 1;
        } else {
            self.counters.unnumbered += 1;
        }
    }
}

impl<B: AsRef<[u8]>> Session<B> {
    /// Takes a batch of packets, and puts out the frames whose turn it is and the buffers that are free again. Packets of
    /// which the range is not inside the buffer are malformed.
    pub fn receive<I>(&mut self, packets: I, now: Instant, out: &mut Inbound<B>)
    where
        I: IntoIterator<Item = Packet<B>>,
    {
        for Packet { buffer, bytes } in packets {
            let start = bytes.start;
            let packet = buffer.as_ref().get(bytes).unwrap_or_default();
            match self.accept(packet, now) {
                Some(arrival) => self.deliver(arrival.in_buffer(buffer, start), now, out),
                None => out.spent.push(buffer),
            }
        }
    }
}
