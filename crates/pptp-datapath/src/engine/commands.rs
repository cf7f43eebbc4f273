//! Carrying out what the plugin asks, and the ends of units, channels and ports.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pptp_io::epoll::Trigger;
use pptp_io::poller::Interest;
use pptp_io::{seqpacket, tun};
use zeroize::Zeroizing;

use super::Engine;
use super::channel::{self, Channel};
use super::encryption::Encryption;
use super::port::Port;
use super::source::Source;
use super::unit::Unit;
use crate::codec::{self, Message};
use crate::command::{
    Answer, CallConfig, Channel as ChannelNumber, Command, FilterKind, Framing, Instruction, Link, Port as PortNumber,
    Unit as UnitNumber,
};
use crate::filter::Filter;

/// Why a command is refused: what ioctl(2) gives pppd, and a line for the log.
type Refusal = (i32, String);

type Outcome = Result<Answer, Refusal>;

impl Engine {
    /// Carries out a command, if there is one. At the plugin's end, or when it does not speak this language, all is over.
    ///
    /// One at a time: what pppd has closed before it asked for something has to be seen before that is done.
    pub(super) fn read_command(&mut self) {
        // There may be a key in it.
        let mut buffer = Zeroizing::new(vec![0; codec::LONGEST_MESSAGE]);
        let received = match seqpacket::receive(self.commands.as_fd(), &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            received => received.ok(),
        };
        let command = received.and_then(|received| {
            let command = codec::decode_command(buffer.get(..received.length)?)?;
            Some((command, received.descriptors))
        });
        let Some(((serial, command), descriptors)) = command else {
            self.is_done = true;
            return;
        };
        let answer = self.carry_out(command, descriptors).unwrap_or_else(refused);
        let answer = codec::encode_message(&Message::Answer(serial, answer));
        let _ = seqpacket::send(self.commands.as_fd(), &answer, &[]);
    }

    fn carry_out(&mut self, command: Command, descriptors: Vec<OwnedFd>) -> Outcome {
        match command {
            Command::NewUnit { unit } => self.add_unit(unit, descriptors),
            Command::NewChannel { channel, call, framing, port } => {
                self.add_channel(channel, (&call, framing), port, descriptors)
            }
            Command::NewPort { port } => self.add_port(port, descriptors),
            Command::Connect { channel, unit } => self.connect(channel, unit),
            Command::Disconnect { channel } => self.disconnect(channel),
            Command::DropChannel { channel } => {
                let index = self.channel_index(channel)?;
                // Its last words.
                self.read_terminal(index);
                self.remove_channel(index);
                Ok(Answer::Done)
            }
            Command::GetCounters { channel } => self.counters(channel),
            Command::SetFlags { link, flags } => self.set_flags(link, flags),
            Command::SetMru { link, mru } => self.set_mru(link, mru),
            Command::SetCompression { link, direction, option, key } => {
                if !self.encryption(link)?.prepare(direction, &option, &key) {
                    return Err((libc::EINVAL, String::from("no other compression than MPPE")));
                }
                Ok(Answer::Done)
            }
            Command::GetFlags { link } => Ok(Answer::Flags(self.encryption(link)?.flags())),
            command => self.carry_out_for_unit(command),
        }
    }

    fn carry_out_for_unit(&mut self, command: Command) -> Outcome {
        let now = self.now;
        match command {
            Command::SetNpMode { unit, network, mode } => self.unit(unit)?.set_mode(network, mode),
            Command::SetFilter { unit, kind, program } => return self.set_filter(unit, kind, &program),
            Command::GetIdle { unit } if self.unit(unit)?.is_lost => return Err((libc::ENXIO, lost_text(unit))),
            Command::GetIdle { unit } => return Ok(Answer::Idle(self.unit(unit)?.idle(now))),
            Command::GetStatistics { unit } => return Ok(Answer::Statistics(self.unit(unit)?.statistics)),
            _ => return Err((libc::ENOTTY, String::from("not a command for a unit"))),
        }
        Ok(Answer::Done)
    }

    fn add_unit(&mut self, number: UnitNumber, descriptors: Vec<OwnedFd>) -> Outcome {
        let [tun, frames] = exactly(descriptors)?;
        if self.unit_index(number).is_ok() {
            return Err((libc::EEXIST, format!("unit {} exists", number.0)));
        }
        let offload = tun::set_offload(tun.as_fd(), self.offload).map_err(|error| failed("the TUN device", &error))?;
        let index = self.units.insert(Unit::new(number, (tun, frames), offload, self.now));
        let watched = self.units.find(index).map_or(Ok(()), |unit| {
            self.events.add(unit.tun.as_fd(), Source::Tun(index).token(), Interest::Read, Trigger::Edge)?;
            self.events.add(unit.frames.as_fd(), Source::UnitFrames(index).token(), Interest::Read, Trigger::Level)
        });
        watched.map_err(|error| {
            self.remove_unit(index);
            failed("a new unit", &error)
        })?;
        self.log(log::Level::Debug, format!("engine: unit {}: offload {offload:?}", number.0));
        Ok(Answer::Done)
    }

    fn add_port(&mut self, number: PortNumber, descriptors: Vec<OwnedFd>) -> Outcome {
        let [socket] = exactly(descriptors)?;
        if self.ports.iter().any(|(_, port)| port.number == Some(number)) {
            return Err((libc::EEXIST, format!("port {} exists", number.0)));
        }
        self.insert_port(Some(number), socket).map(|_| Answer::Done)
    }

    fn insert_port(&mut self, number: Option<PortNumber>, socket: OwnedFd) -> Result<usize, Refusal> {
        let index = self.ports.insert(Port::new(number, socket));
        let watched = self.ports.find(index).map_or(Ok(()), |port| {
            self.events.add(port.socket.as_fd(), Source::Port(index).token(), Interest::Read, Trigger::Level)
        });
        watched.map_err(|error| {
            self.ports.remove(index);
            failed("a GRE socket", &error)
        })?;
        Ok(index)
    }

    fn add_channel(
        &mut self,
        number: ChannelNumber,
        call: (&CallConfig, Framing),
        port: Option<PortNumber>,
        descriptors: Vec<OwnedFd>,
    ) -> Outcome {
        if self.channel_index(number).is_ok() {
            return Err((libc::EEXIST, format!("channel {} exists", number.0)));
        }
        let (port_index, ends) = match port {
            None => {
                let [socket, frames, life_line] = exactly(descriptors)?;
                (self.insert_port(None, socket)?, [frames, life_line])
            }
            Some(port) => (self.port_index(port)?, exactly(descriptors)?),
        };
        self.insert_channel(number, call, port_index, ends).inspect_err(|_| self.remove_unused_port(port_index))
    }

    fn insert_channel(
        &mut self,
        number: ChannelNumber,
        (call, framing): (&CallConfig, Framing),
        port: usize,
        ends: [OwnedFd; 2],
    ) -> Outcome {
        let channel = Channel::new(number, (call, framing), port, ends, self.now);
        let index = self.channels.insert(channel);
        let calls = self.ports.find_mut(port).map(|port| &mut port.calls);
        let is_free = calls.is_some_and(|calls| !calls.contains_key(&call.call_id));
        let watched = self.channels.find(index).map_or(Ok(()), |channel| {
            let frames = Source::ChannelFrames(index).token();
            let trigger = if framing == Framing::Hdlc { Trigger::Edge } else { Trigger::Level };
            self.events.add(channel.frames.as_fd(), frames, Interest::Read, trigger)?;
            let life_line = Source::LifeLine(index).token();
            self.events.add(channel.life_line.as_fd(), life_line, Interest::Read, Trigger::Level)
        });
        let refusal = match watched {
            Ok(()) if is_free => None,
            Ok(()) => Some((libc::EEXIST, format!("call id {} is in use", call.call_id))),
            Err(error) => Some(failed("a new channel", &error)),
        };
        if let Some(refusal) = refusal {
            if let Some(channel) = self.channels.remove(index) {
                self.forget([&channel.frames, &channel.life_line]);
            }
            return Err(refusal);
        }
        if let Some(port) = self.ports.find_mut(port) {
            port.calls.insert(call.call_id, index);
        }
        self.touch(index);
        Ok(Answer::Done)
    }

    fn connect(&mut self, channel: ChannelNumber, unit: UnitNumber) -> Outcome {
        let (channel_index, unit_index) = (self.channel_index(channel)?, self.unit_index(unit)?);
        if self.has_terminal(channel_index) {
            return Err((libc::EINVAL, String::from("a terminal has no unit")));
        }
        if self.unit(unit)?.is_lost {
            return Err((libc::ENXIO, lost_text(unit)));
        }
        let (channel, unit) = (self.channel(channel)?.unit, self.unit(unit)?.channel);
        if channel.is_some() || unit.is_some() {
            return Err((libc::EINVAL, String::from("connected already")));
        }
        if let Some(channel) = self.channels.find_mut(channel_index) {
            channel.unit = Some(unit_index);
        }
        if let Some(unit) = self.units.find_mut(unit_index) {
            unit.channel = Some(channel_index);
            unit.encryption.start_anew();
        }
        Ok(Answer::Done)
    }

    fn disconnect(&mut self, channel: ChannelNumber) -> Outcome {
        let Some(unit) = self.channel(channel)?.unit.take() else {
            return Err((libc::EINVAL, String::from("not connected")));
        };
        if let Some(unit) = self.units.find_mut(unit) {
            unit.channel = None;
        }
        Ok(Answer::Done)
    }

    fn set_filter(&mut self, unit: UnitNumber, kind: FilterKind, program: &[Instruction]) -> Outcome {
        let filter = match program {
            [] => None,
            program => Some(Filter::new(program).map_err(|invalid| (libc::EINVAL, format!("filter: {invalid:?}")))?),
        };
        self.unit(unit)?.set_filter(kind, filter);
        Ok(Answer::Done)
    }

    fn set_flags(&mut self, link: Link, flags: u32) -> Outcome {
        match link {
            Link::Unit(unit) => self.unit(unit)?.set_flags(flags),
            Link::Channel(channel) => self.channel(channel)?.set_flags(flags),
        }
        Ok(Answer::Done)
    }

    fn encryption(&mut self, link: Link) -> Result<&mut Encryption, Refusal> {
        match link {
            Link::Unit(unit) => Ok(&mut self.unit(unit)?.encryption),
            Link::Channel(channel) => match self.channel(channel)? {
                Channel { line: Some(_), encryption, .. } => Ok(encryption),
                _ => Err((libc::EINVAL, String::from("the channel's unit encrypts"))),
            },
        }
    }

    fn set_mru(&mut self, link: Link, mru: u16) -> Outcome {
        match link {
            Link::Unit(unit) => drop(self.unit_index(unit)?),
            Link::Channel(channel) => drop(self.channel_index(channel)?),
        }
        self.down.expect(mru);
        Ok(Answer::Done)
    }

    fn counters(&self, channel: ChannelNumber) -> Outcome {
        let channel = self.channels.find(self.channel_index(channel)?);
        let mut counters = channel.map(|channel| self.counters_of(channel)).unwrap_or_default();
        if let Some(port) = channel.and_then(|channel| self.ports.find(channel.port)) {
            counters.push((String::from("unknown-calls"), port.unknown_calls));
            counters.push((String::from("malformed-packets"), port.malformed));
        }
        Ok(Answer::Counters(counters))
    }

    /// The channel's own, and those of what encrypts its packets.
    fn counters_of(&self, channel: &Channel) -> Vec<(String, u64)> {
        let unit = channel.unit.and_then(|unit| self.units.find(unit));
        let of_unit = unit.map(|unit| &unit.encryption);
        let encryption = channel.line.as_ref().map(|_| &channel.encryption).or(of_unit);
        let mut counters = channel.counters();
        counters.extend(encryption.into_iter().flat_map(Encryption::counters));
        counters
    }

    /// The TUN device is gone: its channel ends, and so does its unit but for its statistics, so that pppd sees a hang-up and
    /// can still say what has passed.
    pub(super) fn lose_device(&mut self, index: usize) {
        let Some(unit) = self.units.find_mut(index).filter(|unit| !unit.is_lost) else { return };
        unit.is_lost = true;
        let channel = unit.channel;
        // To pppd an empty frame is the end. The descriptor stays, since it tells when pppd closes its own.
        let has_heard = seqpacket::send(unit.frames.as_fd(), &[], &[]).is_ok();
        let text = lost_text(unit.number);
        if let Some(unit) = self.units.find(index) {
            self.forget([&unit.tun]);
        }
        self.busy.retain(|&busy| busy != Source::Tun(index));
        self.log(log::Level::Error, text);
        if let Some(channel) = channel {
            self.remove_channel(channel);
        }
        if !has_heard {
            self.remove_unit(index);
        }
    }

    pub(super) fn remove_unit(&mut self, index: usize) {
        let Some(unit) = self.units.remove(index) else { return };
        self.forget([&unit.tun, &unit.frames]);
        if let Some(channel) = unit.channel.and_then(|channel| self.channels.find_mut(channel)) {
            channel.unit = None;
        }
        self.busy.retain(|&busy| busy != Source::Tun(index));
    }

    /// Ends a channel: pppd reads the end.
    pub(super) fn remove_channel(&mut self, index: usize) {
        let Some(channel) = self.channels.remove(index) else { return };
        let account = channel::account(self.counters_of(&channel));
        self.log(log::Level::Debug, format!("engine: call {}: {account}", channel.call_id));
        self.forget([&channel.frames, &channel.life_line]);
        if let Some(unit) = channel.unit.and_then(|unit| self.units.find_mut(unit)) {
            unit.channel = None;
        }
        if let Some(timer) = channel.timer {
            self.timers.remove(&(timer, index));
        }
        self.touched.retain(|&touched| touched != index);
        self.busy.retain(|&busy| busy != Source::ChannelFrames(index));
        self.down.terminals.retain(|&terminal| terminal != index);
        if let Some(port) = self.ports.find_mut(channel.port) {
            port.calls.remove(&channel.call_id);
        }
        // The last words of the call, pppd's LCP Terminate-Ack among them.
        self.flush(channel.port);
        self.remove_unused_port(channel.port);
        if channel.line.is_none() {
            self.end_frames(channel.frames);
        }
    }

    fn remove_unused_port(&mut self, index: usize) {
        if self.ports.find(index).is_some_and(|port| port.number.is_none() && port.calls.is_empty()) {
            let port = self.ports.remove(index);
            self.forget(port.iter().map(|port| &port.socket));
        }
    }

    /// Waits for these no more. Closing them would not do if another process had them too.
    pub(super) fn forget<'a>(&self, descriptors: impl IntoIterator<Item = &'a OwnedFd>) {
        for descriptor in descriptors {
            // One that is not waited for yet is no mistake.
            let _ = self.events.remove(descriptor.as_fd());
        }
    }

    fn unit_index(&self, number: UnitNumber) -> Result<usize, Refusal> {
        let found = self.units.iter().find(|(_, unit)| unit.number == number);
        found.map(|(index, _)| index).ok_or_else(|| (libc::ENXIO, format!("no unit {}", number.0)))
    }

    fn unit(&mut self, number: UnitNumber) -> Result<&mut Unit, Refusal> {
        let index = self.unit_index(number)?;
        self.units.find_mut(index).ok_or_else(|| (libc::ENXIO, format!("no unit {}", number.0)))
    }

    fn channel_index(&self, number: ChannelNumber) -> Result<usize, Refusal> {
        let found = self.channels.iter().find(|(_, channel)| channel.number == number);
        found.map(|(index, _)| index).ok_or_else(|| (libc::ENXIO, format!("no channel {}", number.0)))
    }

    fn channel(&mut self, number: ChannelNumber) -> Result<&mut Channel, Refusal> {
        let index = self.channel_index(number)?;
        self.channels.find_mut(index).ok_or_else(|| (libc::ENXIO, format!("no channel {}", number.0)))
    }

    fn port_index(&self, number: PortNumber) -> Result<usize, Refusal> {
        let found = self.ports.iter().find(|(_, port)| port.number == Some(number));
        found.map(|(index, _)| index).ok_or_else(|| (libc::ENXIO, format!("no port {}", number.0)))
    }
}

fn lost_text(unit: UnitNumber) -> String {
    format!("interface of unit {} was deleted", unit.0)
}

fn refused((errno, text): Refusal) -> Answer {
    Answer::Refused { errno, text }
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    (error.raw_os_error().unwrap_or(libc::EIO), format!("{what}: {}", pptp_io::words(error)))
}

fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], Refusal> {
    let count = descriptors.len();
    descriptors.try_into().map_err(|_| (libc::EBADF, format!("{count} descriptors where {N} belong")))
}
