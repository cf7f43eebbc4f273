//! Carrying out what hosts ask, and the ends of units, channels and ports.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pptp_io::epoll::Trigger;
use pptp_io::poller::Interest;
use pptp_io::{seqpacket, tun};
use zeroize::Zeroizing;

use super::Engine;
use super::channel::{self, Channel, Ends};
use super::encryption::Encryption;
use super::host::FIRST;
use super::port::{Party, Port};
use super::source::Source;
use super::unit::Unit;
use crate::codec::{self, Message};
use crate::command::{
    Answer, CallConfig, Channel as ChannelNumber, Command, FilterKind, Framing, Instruction, Link, Port as PortNumber,
    Unit as UnitNumber,
};
use crate::filter::Filter;

/// Why a command is refused: what ioctl(2) gives pppd, and a line for the log.
pub(super) type Refusal = (i32, String);

pub(super) type Outcome = Result<Answer, Refusal>;

impl Engine {
    /// Carries out a host's command, if there is one.
    ///
    /// One at a time: what pppd has closed before it asked for something has to be seen before that is done.
    pub(super) fn read_command(&mut self, host: usize) {
        // There may be a key in it.
        let mut buffer = Zeroizing::new(vec![0; codec::LONGEST_MESSAGE]);
        let heard = match self.hosts.find(host).map(|host| host.hear(&mut buffer)) {
            Some(Ok(heard)) => heard,
            // What is lost concerns one call, and is missed there. The first host has all of them.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData && host == FIRST => {
                return self.log(FIRST, log::Level::Error, String::from("engine: a command has lost its descriptors"));
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => None,
            Some(Err(_)) | None => return,
        };
        let Some((serial, command, descriptors)) = heard else { return self.remove_host(host) };
        let answer = self.carry_out(host, command, descriptors).unwrap_or_else(refused);
        if let Some(host) = self.hosts.find(host) {
            host.tell(&Message::Answer(serial, answer));
        }
    }

    fn carry_out(&mut self, host: usize, command: Command, descriptors: Vec<OwnedFd>) -> Outcome {
        match command {
            Command::NewUnit { unit } => self.add_unit((host, unit), descriptors),
            Command::NewChannel { channel, call, framing, port } => {
                self.add_channel((host, channel), (&call, framing), port, descriptors)
            }
            Command::NewPort { .. } | Command::AddHost { .. } if host != FIRST => {
                Err((libc::EPERM, String::from("only the first host may do that")))
            }
            Command::NewPort { port } => self.add_port(port, descriptors),
            Command::AddHost { port, call } => self.add_host(port, call, descriptors),
            Command::Connect { channel, unit } => self.connect(host, channel, unit),
            Command::Disconnect { channel } => self.disconnect(host, channel),
            Command::DropChannel { channel } => {
                let index = self.channel_index(host, channel)?;
                // Its last words.
                self.read_terminal(index);
                self.remove_channel(index);
                Ok(Answer::Done)
            }
            Command::GetCounters { channel } => self.counters(host, channel),
            Command::GetLastCounters { channel } => self.last_counters(host, channel),
            Command::SetFlags { link, flags } => self.set_flags(host, link, flags),
            Command::SetMru { link, mru } => self.set_mru(host, link, mru),
            Command::SetCompression { link, direction, option, key } => {
                if !self.encryption(host, link)?.prepare(direction, &option, &key) {
                    return Err((libc::EINVAL, String::from("no other compression than MPPE")));
                }
                Ok(Answer::Done)
            }
            Command::GetFlags { link } => Ok(Answer::Flags(self.encryption(host, link)?.flags())),
            command => self.carry_out_for_unit(host, command),
        }
    }

    fn carry_out_for_unit(&mut self, host: usize, command: Command) -> Outcome {
        let now = self.now;
        match command {
            Command::SetNpMode { unit, network, mode } => self.unit(host, unit)?.set_mode(network, mode),
            Command::SetFilter { unit, kind, program } => {
                return self.set_filter(self.unit_index(host, unit)?, kind, &program);
            }
            Command::GetIdle { unit } if self.unit(host, unit)?.is_lost => return Err((libc::ENXIO, lost_text(unit))),
            Command::GetIdle { unit } => return Ok(Answer::Idle(self.unit(host, unit)?.idle(now))),
            Command::GetStatistics { unit } => return Ok(Answer::Statistics(self.unit(host, unit)?.statistics)),
            _ => return Err((libc::ENOTTY, String::from("not a command for a unit"))),
        }
        Ok(Answer::Done)
    }

    fn add_unit(&mut self, (host, number): (usize, UnitNumber), descriptors: Vec<OwnedFd>) -> Outcome {
        let [tun, frames] = exactly(descriptors)?;
        if self.unit_index(host, number).is_ok() {
            return Err((libc::EEXIST, format!("unit {} exists", number.0)));
        }
        let offload = tun::set_offload(tun.as_fd(), self.offload).map_err(|error| failed("the TUN device", &error))?;
        let index = self.units.insert(Unit::new((host, number), (tun, frames), offload, self.now));
        let watched = self.units.find(index).map_or(Ok(()), |unit| {
            self.events.add(unit.tun.as_fd(), Source::Tun(index).token(), Interest::Read, Trigger::Edge)?;
            self.events.add(unit.frames.as_fd(), Source::UnitFrames(index).token(), Interest::Read, Trigger::Level)
        });
        watched.map_err(|error| {
            self.remove_unit(index);
            failed("a new unit", &error)
        })?;
        self.hosts.find_mut(host).map(|host| host.units.insert(number, index));
        self.log(host, log::Level::Debug, format!("engine: unit {}: offload {offload:?}", number.0));
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
        (host, number): (usize, ChannelNumber),
        call: (&CallConfig, Framing),
        port: Option<PortNumber>,
        mut descriptors: Vec<OwnedFd>,
    ) -> Outcome {
        if self.channel_index(host, number).is_ok() {
            return Err((libc::EEXIST, format!("channel {} exists", number.0)));
        }
        let outlet = if call.1 == Framing::AsyncLine { descriptors.pop() } else { None };
        let (port_index, [frames, life_line]) = match port {
            None => {
                let [socket, frames, life_line] = exactly(descriptors)?;
                (self.insert_port(None, socket)?, [frames, life_line])
            }
            Some(port) => (self.port_for(host, port, call.0.ends())?, exactly(descriptors)?),
        };
        let ends = Ends { frames, life_line, outlet };
        self.insert_channel((host, number), call, port_index, ends).inspect_err(|_| self.remove_unused_port(port_index))
    }

    fn insert_channel(
        &mut self,
        (host, number): (usize, ChannelNumber),
        (call, framing): (&CallConfig, Framing),
        port: usize,
        ends: Ends,
    ) -> Outcome {
        let channel = Channel::new((host, number), (call, framing), port, ends, self.now);
        let index = self.channels.insert(channel);
        if let Err(error) = self.watch_channel(index) {
            self.drop_new_channel(index);
            return Err(failed("a new channel", &error));
        }
        let Some(calls) = self.ports.find_mut(port).map(|port| &mut port.calls) else { return Ok(Answer::Done) };
        let is_free = match calls.get(&call.call_id) {
            None => true,
            // It has been looked at whether that is this one.
            Some(Party::Awaited(_)) => host != FIRST,
            Some(Party::Channel(_)) => false,
        };
        if !is_free {
            self.drop_new_channel(index);
            return Err((libc::EEXIST, format!("call id {} is in use", call.call_id)));
        }
        let before = calls.insert(call.call_id, Party::Channel(index));
        self.hosts.find_mut(host).map(|host| host.channels.insert(number, index));
        self.touch(index);
        if let Some(Party::Awaited(awaited)) = before {
            self.use_grant(host);
            self.receive_kept(index, *awaited);
        }
        Ok(Answer::Done)
    }

    fn watch_channel(&self, index: usize) -> io::Result<()> {
        let Some(channel) = self.channels.find(index) else { return Ok(()) };
        let trigger = if channel.line.is_some() { Trigger::Edge } else { Trigger::Level };
        let frames = Source::ChannelFrames(index).token();
        self.events.add(channel.frames.as_fd(), frames, Interest::Read, trigger)?;
        if let Some(outlet) = &channel.outlet {
            self.events.add(outlet.as_fd(), frames, Interest::Write, trigger)?;
        }
        let life_line = Source::LifeLine(index).token();
        self.events.add(channel.life_line.as_fd(), life_line, Interest::Read, Trigger::Level)
    }

    /// It has never had a call.
    fn drop_new_channel(&mut self, index: usize) {
        let channel = self.channels.remove(index);
        self.forget(channel.iter().flat_map(Channel::descriptors));
    }

    fn connect(&mut self, host: usize, channel: ChannelNumber, unit: UnitNumber) -> Outcome {
        let (channel_index, unit_index) = (self.channel_index(host, channel)?, self.unit_index(host, unit)?);
        if self.has_terminal(channel_index) {
            return Err((libc::EINVAL, String::from("a terminal has no unit")));
        }
        if self.unit(host, unit)?.is_lost {
            return Err((libc::ENXIO, lost_text(unit)));
        }
        let (channel, unit) = (self.channel(host, channel)?.unit, self.unit(host, unit)?.channel);
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

    fn disconnect(&mut self, host: usize, channel: ChannelNumber) -> Outcome {
        let Some(unit) = self.channel(host, channel)?.unit.take() else {
            return Err((libc::EINVAL, String::from("not connected")));
        };
        if let Some(unit) = self.units.find_mut(unit) {
            unit.channel = None;
        }
        Ok(Answer::Done)
    }

    fn set_filter(&mut self, unit: usize, kind: FilterKind, program: &[Instruction]) -> Outcome {
        let filter = match program {
            [] => None,
            program => Some(Filter::new(program).map_err(|invalid| (libc::EINVAL, format!("filter: {invalid:?}")))?),
        };
        if let Some(unit) = self.units.find_mut(unit) {
            unit.set_filter(kind, filter);
        }
        Ok(Answer::Done)
    }

    fn set_flags(&mut self, host: usize, link: Link, flags: u32) -> Outcome {
        match link {
            Link::Unit(unit) => self.unit(host, unit)?.set_flags(flags),
            Link::Channel(channel) => self.channel(host, channel)?.set_flags(flags),
        }
        Ok(Answer::Done)
    }

    fn encryption(&mut self, host: usize, link: Link) -> Result<&mut Encryption, Refusal> {
        match link {
            Link::Unit(unit) => Ok(&mut self.unit(host, unit)?.encryption),
            Link::Channel(channel) => match self.channel(host, channel)? {
                Channel { line: Some(_), encryption, .. } => Ok(encryption),
                _ => Err((libc::EINVAL, String::from("the channel's unit encrypts"))),
            },
        }
    }

    fn set_mru(&mut self, host: usize, link: Link, mru: u16) -> Outcome {
        match link {
            Link::Unit(unit) => drop(self.unit_index(host, unit)?),
            Link::Channel(channel) => drop(self.channel_index(host, channel)?),
        }
        self.down.expect(mru);
        Ok(Answer::Done)
    }

    fn last_counters(&self, host: usize, channel: ChannelNumber) -> Outcome {
        let account = self.hosts.find(host).and_then(|host| host.account.as_ref());
        let of_this_one = account.filter(|(number, _)| *number == channel);
        let none = || (libc::ENXIO, format!("channel {} is not the last that has ended", channel.0));
        of_this_one.map(|(_, counters)| Answer::Counters(counters.clone())).ok_or_else(none)
    }

    fn counters(&self, host: usize, channel: ChannelNumber) -> Outcome {
        let channel = self.channels.find(self.channel_index(host, channel)?);
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
        let (host, channel) = (unit.host, unit.channel);
        // To pppd an empty frame is the end. The descriptor stays, since it tells when pppd closes its own.
        let has_heard = seqpacket::send(unit.frames.as_fd(), &[], &[]).is_ok();
        let text = lost_text(unit.number);
        if let Some(unit) = self.units.find(index) {
            self.forget([&unit.tun]);
        }
        self.busy.retain(|&busy| busy != Source::Tun(index));
        self.log(host, log::Level::Error, text);
        if let Some(channel) = channel {
            self.remove_channel(channel);
        }
        if !has_heard {
            self.remove_unit(index);
        }
    }

    pub(super) fn remove_unit(&mut self, index: usize) {
        let Some(unit) = self.units.remove(index) else { return };
        self.hosts.find_mut(unit.host).map(|host| host.units.remove(&unit.number));
        self.forget([&unit.tun, &unit.frames]);
        if let Some(channel) = unit.channel.and_then(|channel| self.channels.find_mut(channel)) {
            channel.unit = None;
        }
        self.busy.retain(|&busy| busy != Source::Tun(index));
    }

    /// Ends a channel: pppd reads the end.
    pub(super) fn remove_channel(&mut self, index: usize) {
        let Some(channel) = self.channels.remove(index) else { return };
        let counters = self.counters_of(&channel);
        let account = channel::account(&counters);
        self.log(channel.host, log::Level::Debug, format!("engine: call {}: {account}", channel.call_id));
        if let Some(host) = self.hosts.find_mut(channel.host) {
            host.channels.remove(&channel.number);
            host.account = Some((channel.number, counters));
        }
        self.forget(channel.descriptors());
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
        if let Some(port) = self.ports.find_mut(channel.port) {
            port.outgoing.disown(index);
        }
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
}

fn lost_text(unit: UnitNumber) -> String {
    format!("interface of unit {} was deleted", unit.0)
}

fn refused((errno, text): Refusal) -> Answer {
    Answer::Refused { errno, text }
}

pub(super) fn failed(what: &str, error: &io::Error) -> Refusal {
    (error.raw_os_error().unwrap_or(libc::EIO), format!("{what}: {}", pptp_io::words(error)))
}

pub(super) fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], Refusal> {
    let count = descriptors.len();
    descriptors.try_into().map_err(|_| (libc::EBADF, format!("{count} descriptors where {N} belong")))
}
