//! From the TUN devices and pppd to GRE.

use std::io;
use std::os::fd::AsFd;

use pptp_core::time::Instant;
use pptp_io::tun;

use super::channel::{Channel, Parked};
use super::encryption::Passage;
use super::port::{Addressee, Outgoing, Port};
use super::slab::Slab;
use super::source::Source;
use super::unit::{Fate, Unit};
use super::{Engine, frames, ppp};
use crate::command::Network;
use crate::offload::{Train, VnetHeader};

/// The longest train, with its virtio header.
const LONGEST_TRAIN: usize = VnetHeader::LENGTH + 65535;

/// More packets than this do not wait for a socket that is full: control frames and acknowledgements beyond are dropped
/// before they are numbered. Packets of the network never come to so many.
const MOST_WAITING: usize = 4096;

/// What sending works with.
#[derive(Debug)]
pub(super) struct Uplink {
    train: Box<[u8]>,
    /// Devices and terminals that were read.
    served: Vec<Source>,
    /// For packets that do not leave.
    scratch: Outgoing,
}

impl Uplink {
    pub(super) fn new() -> Self {
        Self { train: vec![0; LONGEST_TRAIN].into(), served: Vec::new(), scratch: Outgoing::default() }
    }
}

/// The way of a frame out of a channel.
struct Lane<'a> {
    channel: &'a mut Channel,
    outgoing: &'a mut Outgoing,
    addressee: Addressee,
}

impl Lane<'_> {
    /// Sends the frame whose information is in the last room given, or keeps it until the window has room.
    fn send(&mut self, protocol: u16, length: usize, now: Instant) {
        let (header, used) = ppp::header(protocol, self.channel.flags);
        let header = header.get(ppp::HEADER_LENGTH - used..).unwrap_or_default();
        self.send_behind(header, length, None, now);
    }

    /// The same for a frame that is to be encrypted.
    fn send_encrypted(&mut self, protocol: u16, length: usize, now: Instant) {
        let (header, used) = ppp::encrypted_header(protocol, self.channel.flags);
        let header = header.get(ppp::ENCRYPTED_LENGTH - used..).unwrap_or_default();
        self.send_behind(header, length, Some(ppp::ENCRYPTED_PART + length), now);
    }

    fn send_behind(&mut self, header: &[u8], length: usize, encrypted: Option<usize>, now: Instant) {
        let payload_length = u16::try_from(header.len() + length).unwrap_or(u16::MAX);
        let stamp = match self.channel.parked.is_empty() {
            true => self.channel.session.stamp(payload_length, now).ok(),
            false => None,
        };
        match stamp {
            Some(stamp) => {
                self.outgoing.commit(length, header, &stamp, self.addressee);
                encrypted.into_iter().for_each(|length| self.outgoing.mark_unencrypted(length));
            }
            None => {
                let bytes = [header, self.outgoing.content(length)].concat();
                self.channel.park(Parked { bytes, encrypted });
            }
        }
    }
}

/// The way of packets out of a unit.
struct Exit<'a> {
    unit: &'a mut Unit,
    lane: Option<Lane<'a>>,
    scratch: &'a mut Outgoing,
    now: Instant,
}

impl Exit<'_> {
    /// Sends the packet that `fill` writes, if the unit lets it.
    fn send(&mut self, network: Network, length: usize, fill: impl Fn(&mut [u8])) {
        let outgoing = self.lane.as_mut().map_or(&mut *self.scratch, |lane| &mut *lane.outgoing);
        fill(outgoing.room(length));
        match self.unit.transmit(network, outgoing.content(length), self.now) {
            Fate::Drop => {}
            Fate::Loop => {
                let packet = outgoing.content(length);
                if frames::send_to_pppd(self.unit.frames.as_fd(), network.ppp(), packet).is_err() {
                    self.unit.statistics.send_errors += 1;
                }
            }
            Fate::Send => {
                let Some(lane) = &mut self.lane else { return };
                match self.unit.encryption.way_out() {
                    Passage::Clear => lane.send(network.ppp(), length, self.now),
                    Passage::Encrypted => lane.send_encrypted(network.ppp(), length, self.now),
                    Passage::Barred => self.unit.statistics.send_errors += 1,
                }
            }
        }
    }
}

/// What reading a device came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Something,
    Nothing,
    Gone,
}

impl Engine {
    /// Reads the devices and terminals that have something, a batch of each. Those that could not be read, because the socket
    /// was full of others' packets, are the first the next time.
    pub(super) fn read_devices(&mut self) {
        let (mut busy, mut served) = (std::mem::take(&mut self.busy), std::mem::take(&mut self.up.served));
        busy.retain(|&source| {
            if !self.may_read(source) {
                return true;
            }
            if self.read_source(source) {
                served.push(source);
            }
            self.make_room(source);
            false
        });
        busy.append(&mut served);
        (self.busy, self.up.served) = (busy, served);
    }

    /// Whether it may have more.
    fn read_source(&mut self, source: Source) -> bool {
        match source {
            Source::Tun(unit) => self.read_device(unit),
            Source::ChannelFrames(channel) => self.read_terminal(channel),
            _ => false,
        }
    }

    /// Sends a batch that is full, so that the next device can be read.
    fn make_room(&mut self, source: Source) {
        let channel = match source {
            Source::Tun(unit) => self.units.find(unit).and_then(|unit| unit.channel),
            Source::ChannelFrames(channel) => Some(channel),
            _ => None,
        };
        let Some(channel) = channel.and_then(|channel| self.channels.find(channel)) else { return };
        let index = channel.port;
        let outgoing = self.ports.find(index).map(|port| &port.outgoing);
        if outgoing.is_some_and(|outgoing| outgoing.waiting() >= self.batch && !outgoing.is_blocked()) {
            self.flush(index);
        }
    }

    /// Whether the device may have more.
    fn read_device(&mut self, index: usize) -> bool {
        let has_more = self.read_trains(index);
        self.encrypt(index);
        has_more
    }

    /// Encrypts what the unit has on its way. Nothing of it may be sent before.
    fn encrypt(&mut self, index: usize) {
        let Some(unit) = self.units.find_mut(index) else { return };
        let Some(channel) = unit.channel.and_then(|channel| self.channels.find(channel)) else { return };
        let Some(port) = self.ports.find_mut(channel.port) else { return };
        unit.encryption.encrypt(port.outgoing.take_unencrypted());
    }

    fn read_trains(&mut self, index: usize) -> bool {
        for _ in 0..self.batch {
            if !self.may_read_device(index) {
                break;
            }
            match self.read_train(index) {
                Read::Something => {}
                Read::Nothing => {
                    if let Some(unit) = self.units.find_mut(index) {
                        unit.is_readable = false;
                    }
                    return false;
                }
                Read::Gone => {
                    // With the device the channel goes, and that sends what is on its way.
                    self.encrypt(index);
                    self.lose_device(index);
                    return false;
                }
            }
        }
        self.units.find(index).is_some()
    }

    /// Whether what is read can go on.
    pub(super) fn may_read(&self, source: Source) -> bool {
        match source {
            Source::Tun(unit) => self.may_read_device(unit),
            Source::ChannelFrames(channel) => self.may_read_terminal(channel),
            _ => false,
        }
    }

    fn may_read_device(&self, unit: usize) -> bool {
        let Some(unit) = self.units.find(unit) else { return true };
        let Some(channel) = unit.channel.and_then(|channel| self.channels.find(channel)) else { return true };
        let Some(port) = self.ports.find(channel.port) else { return true };
        channel.parked.is_empty() && !port.outgoing.is_blocked() && port.outgoing.waiting() < self.batch
    }

    fn read_train(&mut self, index: usize) -> Read {
        let Some(unit) = self.units.find_mut(index) else { return Read::Nothing };
        let length = match tun::read(unit.tun.as_fd(), &mut self.up.train) {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::EBADFD) => return Read::Gone,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Read::Something,
            Err(_) => return Read::Nothing,
        };
        let bytes = self.up.train.get(..length).unwrap_or_default();
        let train = VnetHeader::parse(bytes).and_then(|(header, packet)| Some((network_of(packet)?, header, packet)));
        let Some((network, header, packet)) = train else {
            unit.statistics.send_errors += 1;
            return Read::Something;
        };
        if !unit.passes(network) {
            return Read::Something;
        }
        let Some(train) = Train::new(header, packet) else {
            unit.statistics.send_errors += 1;
            return Read::Something;
        };
        let channel = unit.channel;
        let lane = lane_of(unit, &mut self.channels, &mut self.ports);
        let mut exit = Exit { unit, lane, scratch: &mut self.up.scratch, now: self.now };
        for number in 0..train.count() {
            exit.send(network, train.length(number), |out| train.write(number, out));
        }
        self.touch_some(channel);
        Read::Something
    }

    /// Sends a packet that pppd has kept.
    pub(super) fn transmit_packet(&mut self, index: usize, network: Network, packet: &[u8]) {
        let Some(unit) = self.units.find_mut(index) else { return };
        unit.end_queue(network);
        let channel = unit.channel;
        let lane = lane_of(unit, &mut self.channels, &mut self.ports);
        let mut exit = Exit { unit, lane, scratch: &mut self.up.scratch, now: self.now };
        exit.send(network, packet.len(), |out| out.copy_from_slice(packet));
        self.encrypt(index);
        self.touch_some(channel);
    }

    /// Sends a control frame.
    pub(super) fn transmit_frame(&mut self, index: usize, protocol: u16, information: &[u8]) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some(port) = self.ports.find_mut(channel.port) else { return };
        if port.outgoing.waiting() >= MOST_WAITING {
            channel.trouble.overflow += 1;
            return;
        }
        let addressee = Addressee { channel: index, to: port.number.map(|_| channel.peer) };
        port.outgoing.room(information.len()).copy_from_slice(information);
        let mut lane = Lane { channel, outgoing: &mut port.outgoing, addressee };
        lane.send(protocol, information.len(), self.now);
        self.touch(index);
    }

    /// Sends what has waited for the window, as far as it has room.
    pub(super) fn send_parked(&mut self, index: usize) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some(port) = self.ports.find_mut(channel.port) else { return };
        let addressee = Addressee { channel: index, to: port.number.map(|_| channel.peer) };
        let unit = channel.unit.and_then(|unit| self.units.find_mut(unit));
        let mut encryption = unit.map(|unit| &mut unit.encryption);
        while let Some(Parked { bytes, encrypted }) = channel.parked.front() {
            let may_pass = encrypted.is_none()
                || encryption.as_mut().is_some_and(|encryption| encryption.way_out() == Passage::Encrypted);
            if may_pass {
                let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
                let Ok(stamp) = channel.session.stamp(length, self.now) else { break };
                port.outgoing.room(bytes.len()).copy_from_slice(bytes);
                port.outgoing.commit(bytes.len(), &[], &stamp, addressee);
                encrypted.iter().for_each(|&length| port.outgoing.mark_unencrypted(length));
            }
            channel.parked.pop_front();
        }
        if let Some(encryption) = encryption {
            encryption.encrypt(port.outgoing.take_unencrypted());
        }
    }

    /// Sends the acknowledgements that are due.
    pub(super) fn acknowledge(&mut self, index: usize) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some(port) = self.ports.find_mut(channel.port) else { return };
        let addressee = Addressee { channel: index, to: port.number.map(|_| channel.peer) };
        while let Some(stamp) = channel.session.poll_ack(self.now) {
            if port.outgoing.waiting() < MOST_WAITING {
                port.outgoing.push_bare(&stamp, addressee);
            }
        }
    }

    /// Counts what sending met.
    pub(super) fn note_troubles(&mut self, port: usize) {
        let Some(port) = self.ports.find_mut(port) else { return };
        let troubles = port.outgoing.take_troubles();
        for channel in troubles.lost {
            if let Some(channel) = self.channels.find_mut(channel) {
                channel.trouble.unsendable += 1;
            }
        }
        for (channel, error) in troubles.errors {
            self.note_error_of(channel, &error);
        }
    }

    fn touch_some(&mut self, channel: Option<usize>) {
        if let Some(channel) = channel {
            self.touch(channel);
        }
    }
}

fn lane_of<'a>(unit: &Unit, channels: &'a mut Slab<Channel>, ports: &'a mut Slab<Port>) -> Option<Lane<'a>> {
    let index = unit.channel?;
    let channel = channels.find_mut(index)?;
    let port = ports.find_mut(channel.port)?;
    let addressee = Addressee { channel: index, to: port.number.map(|_| channel.peer) };
    Some(Lane { channel, outgoing: &mut port.outgoing, addressee })
}

fn network_of(packet: &[u8]) -> Option<Network> {
    match packet.first()? >> 4 {
        4 => Some(Network::Ipv4),
        6 => Some(Network::Ipv6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use pptp_io::seqpacket;
    use pptp_io::tun::Offload;

    use super::super::channel::Ends;
    use super::super::host::FIRST;
    use crate::client::Batching;
    use crate::command::{CallConfig, Channel as ChannelNumber, Framing, TransmitWindow, Unit as UnitNumber};

    /// A virtio header that says nothing, and an IP packet.
    fn packet() -> Vec<u8> {
        let mut packet = vec![0; VnetHeader::LENGTH + 20];
        packet[VnetHeader::LENGTH] = 0x45;
        packet
    }

    /// Units with a channel each on one socket, each with so many packets to send, and the other end of the socket. `held` are
    /// the other ends of everything else.
    struct Rig {
        engine: Engine,
        far: OwnedFd,
        held: Vec<OwnedFd>,
    }

    impl Rig {
        fn new(units: u16, packets: usize) -> Self {
            let (commands, host) = seqpacket::pair().unwrap();
            let (socket, far) = pair();
            let mut engine = Engine::new(commands, Batching::Batched).unwrap();
            let port = engine.ports.insert(Port::new(None, socket));
            let mut rig = Self { engine, far, held: vec![host] };
            for number in 0..units {
                rig.add_unit(number, port);
                let tun = rig.held.last().unwrap();
                (0..packets).for_each(|_| seqpacket::send(tun.as_fd(), &packet(), &[]).unwrap());
            }
            rig
        }

        /// The last of `held` is the network's side of its device.
        fn add_unit(&mut self, number: u16, port: usize) {
            let mut near = || {
                let (ours, theirs) = pair();
                self.held.push(theirs);
                ours
            };
            let ends = Ends { frames: near(), life_line: near(), outlet: None };
            let (frames, tun) = (near(), near());
            let engine = &mut self.engine;
            let id = |number: u16| (FIRST, u32::from(number));
            let (host, wide) = id(number);
            let channel =
                Channel::new((host, ChannelNumber(wide)), (&call(number), Framing::Datagrams), port, ends, engine.now);
            let channel = engine.channels.insert(channel);
            let mut unit = Unit::new((host, UnitNumber(wide)), (tun, frames), Offload::None, engine.now);
            unit.channel = Some(channel);
            let unit = engine.units.insert(unit);
            engine.note_readable(unit);
        }

        /// How many packets have come from each unit since the last time.
        fn sent(&self, units: usize) -> Vec<usize> {
            let mut counts = vec![0; units];
            let mut buffer = [0; 100];
            while seqpacket::receive(self.far.as_fd(), &mut buffer).is_ok() {
                counts[usize::from(buffer[7])] += 1;
            }
            counts
        }
    }

    /// The first is as a device is: it does not block.
    fn pair() -> (OwnedFd, OwnedFd) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        (ours, theirs)
    }

    fn call(number: u16) -> CallConfig {
        CallConfig {
            local: [192, 0, 2, 1].into(),
            peer: [192, 0, 2, 2].into(),
            call_id: number,
            peer_call_id: number,
            peer_window: 64,
            receive_window: 64,
            transmit_window: TransmitWindow::Off,
            reorder_time: std::time::Duration::ZERO,
            reorder_packets: 0,
        }
    }

    #[test]
    fn every_device_gets_its_turn() {
        let mut rig = Rig::new(3, 200);
        for _ in 0..3 {
            rig.engine.read_devices();
            assert_eq!(rig.sent(3), [64, 64, 64]);
        }
        rig.engine.read_devices();
        rig.engine.flush_ports();
        assert_eq!(rig.sent(3), [8, 8, 8]);
        assert!(rig.engine.busy.is_empty());
    }

    #[test]
    fn who_could_not_be_read_because_of_others_is_read_first() {
        let mut rig = Rig::new(3, 200);
        let mut counts = [0; 3];
        // Nobody reads the socket before it is full.
        for _ in 0..30 {
            rig.engine.read_devices();
            if rig.engine.ports.find(0).unwrap().outgoing.is_blocked() {
                rig.sent(3).iter().zip(&mut counts).for_each(|(sent, count)| *count += sent);
                rig.engine.flush(0);
                let [least, most] = [counts.iter().min().unwrap(), counts.iter().max().unwrap()];
                assert!(most - least <= 128, "{counts:?}");
            }
        }
        rig.engine.flush(0);
        rig.sent(3).iter().zip(&mut counts).for_each(|(sent, count)| *count += sent);
        assert_eq!(counts, [200; 3]);
    }
}
