//! Commands as bytes.

use std::net::Ipv4Addr;

use pptp_io::message::{Reader, Writer};

use super::{COMMAND, OFFER, VERSION};
use crate::command::{
    CallConfig, CallEnds, Channel, Command, Direction, FilterKind, Framing, Instruction, Key, Link, Network, NpMode,
    Port, TransmitWindow, Unit,
};

const NEW_UNIT: u8 = 1;
const NEW_CHANNEL: u8 = 2;
const NEW_PORT: u8 = 3;
const CONNECT: u8 = 4;
const DISCONNECT: u8 = 5;
const DROP_CHANNEL: u8 = 6;
const SET_FLAGS: u8 = 7;
const SET_NP_MODE: u8 = 9;
const SET_MRU: u8 = 10;
const SET_FILTER: u8 = 11;
const SET_COMPRESSION: u8 = 12;
const GET_IDLE: u8 = 13;
const GET_FLAGS: u8 = 16;
const GET_STATISTICS: u8 = 14;
const GET_COUNTERS: u8 = 15;
const ADD_HOST: u8 = 17;
const GET_LAST_COUNTERS: u8 = 18;

const FRAMINGS: [Framing; 3] = [Framing::Datagrams, Framing::Hdlc, Framing::AsyncLine];
const MODES: [NpMode; 4] = [NpMode::Pass, NpMode::Drop, NpMode::Error, NpMode::Queue];
const FILTERS: [FilterKind; 2] = [FilterKind::Pass, FilterKind::Active];
const DIRECTIONS: [Direction; 2] = [Direction::Receive, Direction::Transmit];

/// A command with the serial number that its answer will carry.
pub(crate) fn encode_command(serial: u32, command: &Command) -> Vec<u8> {
    let mut writer = Writer::begin(VERSION, COMMAND);
    writer.u32(serial);
    put_command(&mut writer, command);
    writer.finish()
}

/// A command and its serial number; `None`: not a message of this version.
pub(crate) fn decode_command(message: &[u8]) -> Option<(u32, Command)> {
    let (COMMAND, mut reader) = Reader::open(VERSION, message)? else { return None };
    let serial = reader.u32()?;
    let kind = reader.u8()?;
    let command = take_command(kind, &mut reader)?;
    reader.finish((serial, command))
}

/// Version, kind, addresses, numbers, whether there is a transmit window, time, port.
pub(crate) const LONGEST_OFFER: usize = 2 + 8 + 10 + 1 + 8 + 5;

/// The offer of a call, on a port of an engine if there is one.
pub(crate) fn encode_offer(call: &CallConfig, port: Option<Port>) -> Vec<u8> {
    let mut writer = Writer::begin(VERSION, OFFER);
    put_call(&mut writer, call);
    put_port(&mut writer, port);
    writer.finish()
}

/// The call that is offered, and its port; `None`: not an offer of this version.
pub(crate) fn decode_offer(message: &[u8]) -> Option<(CallConfig, Option<Port>)> {
    let (OFFER, mut reader) = Reader::open(VERSION, message)? else { return None };
    let offer = (call(&mut reader)?, port(&mut reader)?);
    reader.finish(offer)
}

fn put_command(writer: &mut Writer, command: &Command) {
    match command {
        Command::NewUnit { unit } => {
            put_unit(writer, NEW_UNIT, *unit);
        }
        Command::NewChannel { channel, call, framing, port } => {
            put_channel(writer, NEW_CHANNEL, *channel);
            put_call(writer, call);
            writer.choice(framing, &FRAMINGS);
            put_port(writer, *port);
        }
        Command::NewPort { port } => {
            writer.u8(NEW_PORT);
            writer.u32(port.0);
        }
        Command::AddHost { port, call } => {
            writer.u8(ADD_HOST);
            writer.u32(port.0);
            put_ends(writer, call);
        }
        Command::Connect { channel, unit } => {
            put_channel(writer, CONNECT, *channel);
            writer.u32(unit.0);
        }
        Command::Disconnect { channel } => put_channel(writer, DISCONNECT, *channel),
        Command::DropChannel { channel } => put_channel(writer, DROP_CHANNEL, *channel),
        Command::GetCounters { channel } => put_channel(writer, GET_COUNTERS, *channel),
        Command::GetLastCounters { channel } => put_channel(writer, GET_LAST_COUNTERS, *channel),
        Command::SetFlags { .. }
        | Command::SetMru { .. }
        | Command::SetCompression { .. }
        | Command::GetFlags { .. } => put_link_command(writer, command),
        Command::SetNpMode { .. }
        | Command::SetFilter { .. }
        | Command::GetIdle { .. }
        | Command::GetStatistics { .. } => put_unit_command(writer, command),
    }
}

fn put_link_command(writer: &mut Writer, command: &Command) {
    match command {
        Command::SetFlags { link, flags } => {
            put_link(writer, SET_FLAGS, *link);
            writer.u32(*flags);
        }
        Command::SetMru { link, mru } => {
            put_link(writer, SET_MRU, *link);
            writer.u16(*mru);
        }
        Command::SetCompression { link, direction, option, key } => {
            put_link(writer, SET_COMPRESSION, *link);
            writer.choice(direction, &DIRECTIONS);
            writer.bytes(option);
            writer.array(key.0);
        }
        Command::GetFlags { link } => put_link(writer, GET_FLAGS, *link),
        _ => {}
    }
}

fn put_unit_command(writer: &mut Writer, command: &Command) {
    match command {
        Command::SetNpMode { unit, network, mode } => {
            put_unit(writer, SET_NP_MODE, *unit);
            writer.u16(network.ppp());
            writer.choice(mode, &MODES);
        }
        Command::SetFilter { unit, kind, program } => {
            put_unit(writer, SET_FILTER, *unit);
            writer.choice(kind, &FILTERS);
            put_program(writer, program);
        }
        Command::GetIdle { unit } => put_unit(writer, GET_IDLE, *unit),
        Command::GetStatistics { unit } => put_unit(writer, GET_STATISTICS, *unit),
        _ => {}
    }
}

fn take_command(kind: u8, reader: &mut Reader<'_>) -> Option<Command> {
    Some(match kind {
        NEW_UNIT => Command::NewUnit { unit: unit(reader)? },
        NEW_CHANNEL => {
            let (channel, call) = (channel(reader)?, call(reader)?);
            let framing = reader.choice(&FRAMINGS)?;
            Command::NewChannel { channel, call, framing, port: port(reader)? }
        }
        NEW_PORT => Command::NewPort { port: Port(reader.u32()?) },
        ADD_HOST => Command::AddHost { port: Port(reader.u32()?), call: ends(reader)? },
        CONNECT => Command::Connect { channel: channel(reader)?, unit: unit(reader)? },
        DISCONNECT => Command::Disconnect { channel: channel(reader)? },
        DROP_CHANNEL => Command::DropChannel { channel: channel(reader)? },
        GET_COUNTERS => Command::GetCounters { channel: channel(reader)? },
        GET_LAST_COUNTERS => Command::GetLastCounters { channel: channel(reader)? },
        SET_FLAGS => Command::SetFlags { link: link(reader)?, flags: reader.u32()? },
        SET_MRU => Command::SetMru { link: link(reader)?, mru: reader.u16()? },
        SET_COMPRESSION => Command::SetCompression {
            link: link(reader)?,
            direction: reader.choice(&DIRECTIONS)?,
            option: reader.bytes()?.to_vec(),
            key: Key(reader.array()?),
        },
        GET_FLAGS => Command::GetFlags { link: link(reader)? },
        _ => return take_unit_command(kind, reader),
    })
}

fn take_unit_command(kind: u8, reader: &mut Reader<'_>) -> Option<Command> {
    let unit = unit(reader)?;
    Some(match kind {
        SET_NP_MODE => {
            Command::SetNpMode { unit, network: Network::from_ppp(reader.u16()?)?, mode: reader.choice(&MODES)? }
        }
        SET_FILTER => Command::SetFilter { unit, kind: reader.choice(&FILTERS)?, program: program(reader)? },
        GET_IDLE => Command::GetIdle { unit },
        GET_STATISTICS => Command::GetStatistics { unit },
        _ => return None,
    })
}

fn put_unit(writer: &mut Writer, kind: u8, unit: Unit) {
    writer.u8(kind);
    writer.u32(unit.0);
}

fn unit(reader: &mut Reader<'_>) -> Option<Unit> {
    reader.u32().map(Unit)
}

fn put_channel(writer: &mut Writer, kind: u8, channel: Channel) {
    writer.u8(kind);
    writer.u32(channel.0);
}

fn channel(reader: &mut Reader<'_>) -> Option<Channel> {
    reader.u32().map(Channel)
}

fn put_link(writer: &mut Writer, kind: u8, link: Link) {
    let (of_what, number) = match link {
        Link::Unit(unit) => (0, unit.0),
        Link::Channel(channel) => (1, channel.0),
    };
    writer.u8(kind);
    writer.u8(of_what);
    writer.u32(number);
}

fn link(reader: &mut Reader<'_>) -> Option<Link> {
    match reader.u8()? {
        0 => unit(reader).map(Link::Unit),
        1 => channel(reader).map(Link::Channel),
        _ => None,
    }
}

fn put_port(writer: &mut Writer, port: Option<Port>) {
    writer.flag(port.is_some());
    writer.u32(port.map_or(0, |port| port.0));
}

fn port(reader: &mut Reader<'_>) -> Option<Option<Port>> {
    let (is_there, number) = (reader.flag()?, reader.u32()?);
    Some(is_there.then_some(Port(number)))
}

fn put_ends(writer: &mut Writer, ends: &CallEnds) {
    writer.array(ends.local.octets());
    writer.array(ends.peer.octets());
    writer.u16(ends.call_id);
    writer.u16(ends.peer_call_id);
}

fn ends(reader: &mut Reader<'_>) -> Option<CallEnds> {
    let (local, peer) = (Ipv4Addr::from(reader.array()?), Ipv4Addr::from(reader.array()?));
    Some(CallEnds { local, peer, call_id: reader.u16()?, peer_call_id: reader.u16()? })
}

fn put_call(writer: &mut Writer, call: &CallConfig) {
    put_ends(writer, &call.ends());
    for number in [call.peer_window, call.receive_window, call.reorder_packets] {
        writer.u16(number);
    }
    writer.flag(call.transmit_window == TransmitWindow::On);
    writer.duration(call.reorder_time);
}

fn call(reader: &mut Reader<'_>) -> Option<CallConfig> {
    let CallEnds { local, peer, call_id, peer_call_id } = ends(reader)?;
    let (peer_window, receive_window, reorder_packets) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let transmit_window = if reader.flag()? { TransmitWindow::On } else { TransmitWindow::Off };
    let reorder_time = reader.duration()?;
    Some(CallConfig {
        local,
        peer,
        call_id,
        peer_call_id,
        peer_window,
        receive_window,
        transmit_window,
        reorder_time,
        reorder_packets,
    })
}

fn put_program(writer: &mut Writer, program: &[Instruction]) {
    writer.u16(u16::try_from(program.len()).unwrap_or(u16::MAX));
    for instruction in program.iter().take(usize::from(u16::MAX)) {
        writer.u16(instruction.code);
        writer.u8(instruction.jump_true);
        writer.u8(instruction.jump_false);
        writer.u32(instruction.k);
    }
}

fn program(reader: &mut Reader<'_>) -> Option<Vec<Instruction>> {
    let count = reader.u16()?;
    (0..count).map(|_| instruction(reader)).collect()
}

fn instruction(reader: &mut Reader<'_>) -> Option<Instruction> {
    Some(Instruction { code: reader.u16()?, jump_true: reader.u8()?, jump_false: reader.u8()?, k: reader.u32()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn commands() -> Vec<Command> {
        let (unit, channel) = (Unit(3), Channel(0x0102_0304));
        let call = CallConfig {
            local: Ipv4Addr::new(192, 0, 2, 1),
            peer: Ipv4Addr::new(192, 0, 2, 2),
            call_id: 1,
            peer_call_id: 65535,
            peer_window: 64,
            receive_window: 50,
            transmit_window: TransmitWindow::On,
            reorder_time: Duration::from_millis(30),
            reorder_packets: 100,
        };
        let program = vec![Instruction { code: 6, jump_true: 1, jump_false: 2, k: u32::MAX }; 4096];
        vec![
            Command::NewUnit { unit },
            Command::NewChannel { channel, call, framing: Framing::Datagrams, port: None },
            Command::NewChannel {
                channel,
                call: CallConfig { transmit_window: TransmitWindow::Off, ..call },
                framing: Framing::Hdlc,
                port: Some(Port(9)),
            },
            Command::NewPort { port: Port(9) },
            Command::AddHost { port: Port(9), call: call.ends() },
            Command::Connect { channel, unit },
            Command::Disconnect { channel },
            Command::DropChannel { channel },
            Command::SetFlags { link: Link::Unit(unit), flags: 0x8000_0001 },
            Command::SetFlags { link: Link::Channel(channel), flags: 3 },
            Command::SetNpMode { unit, network: Network::Ipv4, mode: NpMode::Queue },
            Command::SetNpMode { unit, network: Network::Ipv6, mode: NpMode::Error },
            Command::SetMru { link: Link::Unit(unit), mru: 1500 },
            Command::SetMru { link: Link::Channel(channel), mru: 1400 },
            Command::SetFilter { unit, kind: FilterKind::Pass, program: Vec::new() },
            Command::SetFilter { unit, kind: FilterKind::Active, program },
            Command::SetCompression {
                link: Link::Unit(unit),
                direction: Direction::Transmit,
                option: vec![18, 6, 1, 0, 0, 0x40],
                key: Key([7; 16]),
            },
            Command::GetFlags { link: Link::Channel(channel) },
            Command::GetIdle { unit },
            Command::GetStatistics { unit },
            Command::GetCounters { channel },
            Command::GetLastCounters { channel },
        ]
    }

    #[test]
    fn every_command_comes_back_as_it_was_sent() {
        for command in commands() {
            let bytes = encode_command(77, &command);
            assert!(bytes.len() <= super::super::LONGEST_MESSAGE);
            assert_eq!(decode_command(&bytes), Some((77, command)));
        }
    }

    #[test]
    fn a_truncated_or_longer_command_is_none() {
        for command in commands() {
            let mut bytes = encode_command(77, &command);
            for length in (0..bytes.len()).filter(|length| length % 97 == 0 || *length < 64) {
                assert_eq!(decode_command(&bytes[..length]), None);
            }
            bytes.push(0);
            assert_eq!(decode_command(&bytes), None);
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key([7; 16])), "[redacted]");
    }
}
