//! A host: who has the other end of a command socket, and what it has here.
//!
//! Every host names its units and channels by numbers of its own, and finds nothing by them but its own. A host that does not
//! read loses lines and answers, and nobody waits for it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pptp_io::epoll::Trigger;
use pptp_io::poller::Interest;
use pptp_io::seqpacket;

use super::Engine;
use super::channel::Channel;
use super::commands::{Outcome, Refusal, exactly, failed};
use super::port::Party;
use super::source::Source;
use super::unit::Unit;
use crate::codec::{self, Message};
use crate::command::{
    Answer, CallEnds, Channel as ChannelNumber, Command, LogLine, Port as PortNumber, Unit as UnitNumber,
};

/// The index of the host that has started the engine, which ends with it.
pub(super) const FIRST: usize = 0;

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) socket: OwnedFd,
    /// The only channel that it may have on a port, while it has not had it.
    grant: Option<Grant>,
    /// The indices of what is its own.
    pub(super) units: BTreeMap<UnitNumber, usize>,
    pub(super) channels: BTreeMap<ChannelNumber, usize>,
    /// What the channel that ended last had counted.
    pub(super) account: Option<(ChannelNumber, Vec<(String, u64)>)>,
}

/// One call on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grant {
    /// The port's index.
    port: usize,
    call: CallEnds,
}

impl Host {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, grant: None, units: BTreeMap::new(), channels: BTreeMap::new(), account: None }
    }

    /// Sends it something. What it has no room for is lost.
    pub(super) fn tell(&self, message: &Message) {
        let _ = seqpacket::send(self.socket.as_fd(), &codec::encode_message(message), &[]);
    }

    /// A command with its serial number and descriptors. `None`: the host has ended, or does not speak this language. An error:
    /// there is none (`WouldBlock`), or it did not arrive whole (`InvalidData`), as when this process can have no more
    /// descriptors.
    pub(super) fn hear(&self, buffer: &mut [u8]) -> io::Result<Option<(u32, Command, Vec<OwnedFd>)>> {
        let received = match seqpacket::receive(self.socket.as_fd(), buffer) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData) => {
                return Err(error);
            }
            received => received.ok(),
        };
        Ok(received.and_then(|received| {
            let (serial, command) = codec::decode_command(buffer.get(..received.length)?)?;
            Some((serial, command, received.descriptors))
        }))
    }
}

impl Engine {
    pub(super) fn add_host(&mut self, port: PortNumber, call: CallEnds, descriptors: Vec<OwnedFd>) -> Outcome {
        let [socket] = exactly(descriptors)?;
        let port_index = self.port_index(port)?;
        if self.ports.find(port_index).is_some_and(|port| port.calls.contains_key(&call.call_id)) {
            return Err((libc::EEXIST, format!("call id {} is in use", call.call_id)));
        }
        let mut host = Host::new(socket);
        host.grant = Some(Grant { port: port_index, call });
        let index = self.hosts.insert(host);
        let watched = self.hosts.find(index).map_or(Ok(()), |host| {
            self.events.add(host.socket.as_fd(), Source::Commands(index).token(), Interest::Read, Trigger::Level)
        });
        if let Err(error) = watched {
            self.hosts.remove(index);
            return Err(failed("a new host", &error));
        }
        if let Some(port) = self.ports.find_mut(port_index) {
            port.calls.insert(call.call_id, Party::awaited(call.peer));
        }
        Ok(Answer::Done)
    }

    /// A host has ended: so does all that it has, and with the first one everything.
    pub(super) fn remove_host(&mut self, index: usize) {
        if index == FIRST {
            self.is_done = true;
            return;
        }
        let Some(host) = self.hosts.remove(index) else { return };
        self.forget([&host.socket]);
        host.channels.values().for_each(|&channel| self.remove_channel(channel));
        host.units.values().for_each(|&unit| self.remove_unit(unit));
        if let Some(Grant { port, call }) = host.grant {
            self.ports.find_mut(port).map(|port| port.calls.remove(&call.call_id));
        }
    }

    /// The index of a port on which the host may have this call.
    pub(super) fn port_for(&self, host: usize, number: PortNumber, call: CallEnds) -> Result<usize, Refusal> {
        let port = self.port_index(number)?;
        let grant = self.hosts.find(host).and_then(|host| host.grant);
        if host == FIRST || grant == Some(Grant { port, call }) {
            return Ok(port);
        }
        Err((libc::EPERM, format!("call {} on port {} is not this host's", call.call_id, number.0)))
    }

    /// The host has the channel that it might have.
    pub(super) fn use_grant(&mut self, host: usize) {
        if let Some(host) = self.hosts.find_mut(host) {
            host.grant = None;
        }
    }

    pub(super) fn unit_index(&self, host: usize, number: UnitNumber) -> Result<usize, Refusal> {
        let index = self.hosts.find(host).and_then(|host| host.units.get(&number));
        index.copied().ok_or_else(|| no_unit(number))
    }

    pub(super) fn unit(&mut self, host: usize, number: UnitNumber) -> Result<&mut Unit, Refusal> {
        let index = self.unit_index(host, number)?;
        self.units.find_mut(index).ok_or_else(|| no_unit(number))
    }

    pub(super) fn channel_index(&self, host: usize, number: ChannelNumber) -> Result<usize, Refusal> {
        let index = self.hosts.find(host).and_then(|host| host.channels.get(&number));
        index.copied().ok_or_else(|| no_channel(number))
    }

    pub(super) fn channel(&mut self, host: usize, number: ChannelNumber) -> Result<&mut Channel, Refusal> {
        let index = self.channel_index(host, number)?;
        self.channels.find_mut(index).ok_or_else(|| no_channel(number))
    }

    fn port_index(&self, number: PortNumber) -> Result<usize, Refusal> {
        let found = self.ports.iter().find(|(_, port)| port.number == Some(number));
        found.map(|(index, _)| index).ok_or_else(|| (libc::ENXIO, format!("no port {}", number.0)))
    }

    /// Sends a line for a host's log.
    pub(super) fn log(&self, host: usize, level: log::Level, text: String) {
        self.report(host, [LogLine { level, text }]);
    }

    pub(super) fn report(&self, host: usize, news: impl IntoIterator<Item = LogLine>) {
        let Some(host) = self.hosts.find(host) else { return };
        news.into_iter().for_each(|line| host.tell(&Message::Log(line)));
    }
}

fn no_unit(number: UnitNumber) -> Refusal {
    (libc::ENXIO, format!("no unit {}", number.0))
}

fn no_channel(number: ChannelNumber) -> Refusal {
    (libc::ENXIO, format!("no channel {}", number.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{self, Batching};

    #[test]
    fn a_command_whose_descriptors_do_not_arrive_ends_no_calls() {
        let ((commands, first), (carried, _other)) = (seqpacket::pair().unwrap(), seqpacket::pair().unwrap());
        let mut engine = Engine::new(commands, Batching::Batched).unwrap();
        // As many as do not fit, as when this process can have no more of them.
        let descriptors = [carried.as_fd(); seqpacket::MOST_DESCRIPTORS + 1];
        let command = codec::encode_command(1, &Command::NewPort { port: PortNumber(1) });
        seqpacket::send(first.as_fd(), &command, &descriptors).unwrap();
        engine.read_command(FIRST);
        assert!(!engine.is_done);
        let line = client::Engine::attach(first).next_log().unwrap();
        assert!(line.text.contains("command"), "{}", line.text);
    }
}
