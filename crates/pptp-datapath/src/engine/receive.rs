//! From GRE to the TUN devices and pppd.

use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::fd::AsFd;

use pptp_core::gre::{Frame, Inbound};
use pptp_core::mppe::Outcome;
use pptp_io::gre_socket::Receiver;
use pptp_io::tun;

use super::channel::{Buffer, Channel};
use super::port::{Awaited, Party};
use super::unit::Unit;
use super::{Engine, ppp};
use crate::command::Network;
use crate::offload::{Coalescer, HEAD_LENGTH, MOST_MEMBERS};

/// Room for an outer IP header, a GRE header and a frame of the usual size, with much to spare.
const USUAL_SLOT: usize = 2048;

/// What an outer IP header, a GRE header and a PPP header need at most, besides the frame.
const SLOT_OVERHEAD: usize = 60 + 16 + 4;

/// Buffers that are kept when nobody needs them: some batches. More are given back.
const MOST_FREE: usize = 256;

/// What receiving works with.
#[derive(Debug)]
pub(super) struct Downlink {
    receiver: Receiver,
    slots: Vec<Buffer>,
    lengths: Vec<Option<usize>>,
    /// Buffers that are free.
    pool: Vec<Buffer>,
    slot_length: usize,
    pub(super) inbound: Inbound<Buffer>,
    /// Channels for whose terminals the batch has brought something.
    pub(super) terminals: Vec<usize>,
    deliveries: Vec<Delivery>,
    /// The channel whose frames the session has put out, and that are to be handed out.
    pending: Option<usize>,
    /// What became of frames that were encrypted; `None`: it was not.
    pub(super) outcomes: Vec<Option<Outcome>>,
    coalescer: Coalescer,
}

/// An IP packet on its way to a unit.
#[derive(Debug)]
struct Delivery {
    unit: usize,
    buffer: Buffer,
    packet: Range<usize>,
}

impl AsRef<[u8]> for Delivery {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(self.packet.clone()).unwrap_or_default()
    }
}

impl Downlink {
    /// For batches of so many packets.
    pub(super) fn new(batch: usize) -> Self {
        Self {
            receiver: Receiver::new(batch),
            slots: (0..batch).map(|_| vec![0; USUAL_SLOT].into()).collect(),
            lengths: Vec::with_capacity(batch),
            pool: Vec::new(),
            slot_length: USUAL_SLOT,
            inbound: Inbound::with_capacity(batch),
            terminals: Vec::new(),
            deliveries: Vec::with_capacity(batch),
            pending: None,
            outcomes: Vec::with_capacity(batch),
            coalescer: Coalescer::default(),
        }
    }

    /// Makes room for frames of `mru` bytes.
    pub(super) fn expect(&mut self, mru: u16) {
        let needed = usize::from(mru) + SLOT_OVERHEAD;
        if needed <= self.slot_length {
            return;
        }
        self.slot_length = needed;
        self.pool.clear();
        for slot in &mut self.slots {
            *slot = vec![0; needed].into();
        }
    }

    fn free_buffer(&mut self) -> Buffer {
        self.pool.pop().unwrap_or_else(|| vec![0; self.slot_length].into())
    }

    /// Bytes of the longest packet that is received.
    pub(super) fn slot_length(&self) -> usize {
        self.slot_length
    }

    pub(super) fn recycle(&mut self, buffer: Buffer) {
        if buffer.len() == self.slot_length && self.pool.len() < MOST_FREE {
            self.pool.push(buffer);
        }
    }

    /// Makes a packet, which fits, a batch.
    fn put(&mut self, packet: &[u8]) {
        self.lengths.clear();
        let slot = self.slots.first_mut().and_then(|slot| slot.get_mut(..packet.len()));
        self.lengths.push(slot.map(|slot| {
            slot.copy_from_slice(packet);
            packet.len()
        }));
    }

    /// Takes a received packet's buffer, and leaves another in its slot.
    fn take_slot(&mut self, index: usize) -> Option<Buffer> {
        let free = self.free_buffer();
        self.slots.get_mut(index).map(|slot| std::mem::replace(slot, free))
    }
}

/// Where a packet came from, what call it names, and where its GRE header begins.
fn parse_outer(packet: &[u8]) -> Option<(Ipv4Addr, u16, usize)> {
    let start = usize::from(packet.first()? & 0xf) * 4;
    let source: [u8; 4] = *packet.get(12..)?.first_chunk()?;
    let call: [u8; 2] = *packet.get(start + 6..)?.first_chunk()?;
    Some((source.into(), u16::from_be_bytes(call), start))
}

impl Engine {
    /// Takes a batch of packets from a port.
    pub(super) fn receive_from(&mut self, index: usize) {
        let Some(port) = self.ports.find_mut(index) else { return };
        let Downlink { receiver, slots, lengths, .. } = &mut self.down;
        lengths.clear();
        let received = receiver.receive(port.socket.as_fd(), slots).map(|received| lengths.extend(received));
        if let Err(error) = received {
            return self.note_error(index, &error);
        }
        self.has_backlog |= self.down.lengths.len() == self.batch;
        for slot in 0..self.down.lengths.len() {
            self.take_packet(index, slot);
        }
        self.deliver_pending();
        self.write_deliveries();
    }

    /// Takes what has come for a channel before it was there.
    pub(super) fn receive_kept(&mut self, index: usize, awaited: Awaited) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        channel.trouble.strangers += awaited.strangers;
        let port = channel.port;
        for packet in awaited.packets {
            self.down.put(&packet);
            self.take_packet(port, 0);
        }
        self.deliver_pending();
        self.write_deliveries();
    }

    /// Hands out what the batch has brought to the channel of the packets before.
    fn deliver_pending(&mut self) {
        if let Some(channel) = self.down.pending.take() {
            self.deliver_inbound(channel);
        }
    }

    fn take_packet(&mut self, port: usize, slot: usize) {
        let Some(port) = self.ports.find_mut(port) else { return };
        let length = self.down.lengths.get(slot).copied().flatten().unwrap_or(0);
        let packet = self.down.slots.get(slot).and_then(|buffer| buffer.get(..length)).unwrap_or_default();
        let Some((source, call, start)) = parse_outer(packet) else {
            port.malformed += 1;
            return;
        };
        let index = match port.calls.get_mut(&call) {
            Some(Party::Channel(index)) => *index,
            Some(Party::Awaited(awaited)) => return awaited.keep(source, packet),
            None => {
                port.unknown_calls += 1;
                return;
            }
        };
        let Some(channel) = self.channels.find_mut(index) else { return };
        if source != channel.peer {
            channel.trouble.strangers += 1;
            return;
        }
        channel.end_silence();
        let arrival = channel.session.accept(packet.get(start..).unwrap_or_default(), self.now);
        self.touch(index);
        let Some(arrival) = arrival else { return };
        if self.down.pending.is_some_and(|pending| pending != index) {
            self.deliver_pending();
        }
        let Some(buffer) = self.down.take_slot(slot) else { return };
        let Some(channel) = self.channels.find_mut(index) else { return };
        channel.session.deliver(arrival.in_buffer(buffer, start), self.now, &mut self.down.inbound);
        self.down.pending = Some(index);
    }

    /// Hands out what a session has put out.
    pub(super) fn deliver_inbound(&mut self, channel: usize) {
        let mut frames = std::mem::take(&mut self.down.inbound.frames);
        if self.may_decrypt(channel) {
            self.deliver_encrypted(channel, &mut frames);
        }
        for frame in frames.drain(..) {
            self.deliver_frame(channel, frame);
        }
        self.down.inbound.frames = frames;
        while let Some(buffer) = self.down.inbound.spent.pop() {
            self.down.recycle(buffer);
        }
    }

    pub(super) fn deliver_frame(&mut self, index: usize, frame: Frame<Buffer>) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        if channel.line.is_some() {
            return self.deliver_to_line(index, frame);
        }
        let Some((protocol, information)) = ppp::parse(frame.bytes()) else {
            channel.trouble.malformed_frames += 1;
            return self.down.recycle(frame.buffer);
        };
        let length = information.len();
        let unit = channel.unit.and_then(|unit| self.units.find_mut(unit));
        match (unit, Network::from_ppp(protocol)) {
            (Some(unit), Some(network)) => {
                if unit.encryption.admits_clear() {
                    return self.deliver_packet(index, network, frame, length);
                }
                unit.statistics.receive_errors += 1;
            }
            _ => self.pass_to_pppd(index, protocol, information),
        }
        self.down.recycle(frame.buffer);
    }

    /// An IP packet, the last `length` bytes of a frame, on its way to the channel's unit.
    pub(super) fn deliver_packet(&mut self, index: usize, network: Network, frame: Frame<Buffer>, length: usize) {
        let packet = frame.payload.end - length..frame.payload.end;
        let unit = self.channels.find(index).and_then(|channel| channel.unit);
        let bytes = frame.buffer.get(packet.clone()).unwrap_or_default();
        let mut accepts = |unit: usize| Some(self.units.find_mut(unit)?.receive(network, bytes, self.now));
        match unit.filter(|&unit| accepts(unit).unwrap_or(false)) {
            Some(unit) => self.down.deliveries.push(Delivery { unit, buffer: frame.buffer, packet }),
            None => self.down.recycle(frame.buffer),
        }
    }

    /// Writes the batch's packets to their devices and terminals.
    pub(super) fn write_deliveries(&mut self) {
        self.write_terminals();
        let mut deliveries = std::mem::take(&mut self.down.deliveries);
        if !deliveries.is_sorted_by_key(|delivery| delivery.unit) {
            deliveries.sort_by_key(|delivery| delivery.unit);
        }
        for packets in deliveries.chunk_by(|one, other| one.unit == other.unit) {
            let Some(index) = packets.first().map(|packet| packet.unit) else { continue };
            let Some(unit) = self.units.find_mut(index) else { continue };
            self.down.coalescer.plan(packets, unit.offload);
            if write_groups(&self.down.coalescer, packets, unit) == Device::Gone {
                self.lose_device(index);
            }
        }
        for delivery in deliveries.drain(..) {
            self.down.recycle(delivery.buffer);
        }
        self.down.deliveries = deliveries;
    }

    /// An error that only tells of packets sent before: the network may recover, the call goes on.
    fn note_error(&mut self, port: usize, error: &io::Error) {
        if error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        let Some(port) = self.ports.find(port) else { return };
        let mut calls = port.calls.values();
        if let (Some(&Party::Channel(channel)), None) = (calls.next(), calls.next()) {
            self.note_error_of(channel, error);
        }
    }

    pub(super) fn note_error_of(&mut self, channel: usize, error: &io::Error) {
        let Some(channel) = self.channels.find_mut(channel) else { return };
        channel.trouble.network_errors += 1;
        // Later ones say no more than the counter.
        if channel.trouble.network_errors > 1 || !channel.is_silent() {
            return;
        }
        // This says what silence would say.
        channel.end_silence();
        let (host, text) = (channel.host, error_text(channel, error));
        self.log(host, log::Level::Warn, text);
    }
}

fn error_text(channel: &Channel, error: &io::Error) -> String {
    let peer = channel.peer;
    let what = match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => String::from("ICMP says protocol unreachable"),
        _ => pptp_io::words(error),
    };
    format!(
        "GRE packets do not reach {peer}: {what}. It or a firewall or NAT on the way may not pass GRE (IP protocol 47); one \
         with Linux needs nf_conntrack_pptp"
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Device {
    There,
    Gone,
}

fn write_groups(coalescer: &Coalescer, packets: &[Delivery], unit: &mut Unit) -> Device {
    let mut head = [0; HEAD_LENGTH];
    for group in coalescer.groups() {
        let length = group.head(packets, &mut head);
        let mut parts = [IoSlice::new(&[]); MOST_MEMBERS + 1];
        let bodies = coalescer.members(group).filter_map(|member| {
            let packet = packets.get(member)?.as_ref();
            packet.get(group.body(packet.len()))
        });
        let all = std::iter::once(head.get(..length).unwrap_or_default()).chain(bodies);
        for (part, bytes) in parts.iter_mut().zip(all) {
            *part = IoSlice::new(bytes);
        }
        let used = parts.get(..=group.count()).unwrap_or_default();
        let Err(error) = tun::write(unit.tun.as_fd(), used) else { continue };
        match error.raw_os_error() {
            Some(libc::EBADFD) => return Device::Gone,
            // The interface is down.
            Some(libc::EIO) => {}
            _ => unit.statistics.receive_errors += u64::try_from(group.count()).unwrap_or(0),
        }
    }
    Device::There
}
