//! The messages between hosts and engine, and the offer of a call ([`crate::offer`]): one datagram each
//! ([`pptp_io::message`]).
//!
//! [`VERSION`] guards against a plugin file that was replaced meanwhile, and against a server of another version.

mod command;

use pptp_io::message::{Reader, Writer};

use crate::command::{Answer, Idle, LogLine, Statistics, Traffic};

pub(crate) use command::{LONGEST_OFFER, decode_command, decode_offer, encode_command, encode_offer};

/// Changes with every change of the messages.
const VERSION: u8 = 6;

/// No message is longer: a filter has at most 4096 instructions of 8 bytes.
pub(crate) const LONGEST_MESSAGE: usize = 40 * 1024;

const COMMAND: u8 = 1;
const ANSWER: u8 = 2;
const LOG: u8 = 3;
const OFFER: u8 = 4;

const DONE: u8 = 1;
const REFUSED: u8 = 2;
const IDLE: u8 = 3;
const STATISTICS: u8 = 4;
const COUNTERS: u8 = 5;
const FLAGS: u8 = 6;

/// What the engine sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The answer to the command with this serial number.
    Answer(u32, Answer),
    /// A line that nobody asked for.
    Log(LogLine),
}

pub(crate) fn encode_message(message: &Message) -> Vec<u8> {
    match message {
        Message::Answer(serial, answer) => {
            let mut writer = Writer::begin(VERSION, ANSWER);
            writer.u32(*serial);
            put_answer(&mut writer, answer);
            writer.finish()
        }
        Message::Log(line) => {
            let mut writer = Writer::begin(VERSION, LOG);
            writer.level(line.level);
            writer.text(&line.text);
            writer.finish()
        }
    }
}

/// A message of the engine; `None`: not one of this version.
pub(crate) fn decode_message(bytes: &[u8]) -> Option<Message> {
    let (kind, mut reader) = Reader::open(VERSION, bytes)?;
    let message = match kind {
        ANSWER => Message::Answer(reader.u32()?, answer(&mut reader)?),
        LOG => Message::Log(LogLine { level: reader.level()?, text: reader.text()? }),
        _ => return None,
    };
    reader.finish(message)
}

fn put_answer(writer: &mut Writer, answer: &Answer) {
    match answer {
        Answer::Done => writer.u8(DONE),
        Answer::Refused { errno, text } => {
            writer.u8(REFUSED);
            writer.u32(errno.unsigned_abs());
            writer.text(text);
        }
        Answer::Flags(flags) => {
            writer.u8(FLAGS);
            writer.u32(*flags);
        }
        Answer::Idle(idle) => {
            writer.u8(IDLE);
            writer.duration(idle.transmit);
            writer.duration(idle.receive);
        }
        Answer::Statistics(statistics) => {
            writer.u8(STATISTICS);
            put_statistics(writer, statistics);
        }
        Answer::Counters(counters) => {
            writer.u8(COUNTERS);
            writer.u16(u16::try_from(counters.len()).unwrap_or(u16::MAX));
            for (name, value) in counters.iter().take(usize::from(u16::MAX)) {
                writer.text(name);
                writer.u64(*value);
            }
        }
    }
}

fn answer(reader: &mut Reader<'_>) -> Option<Answer> {
    Some(match reader.u8()? {
        DONE => Answer::Done,
        REFUSED => Answer::Refused { errno: i32::try_from(reader.u32()?).ok()?, text: reader.text()? },
        FLAGS => Answer::Flags(reader.u32()?),
        IDLE => Answer::Idle(Idle { transmit: reader.duration()?, receive: reader.duration()? }),
        STATISTICS => Answer::Statistics(statistics(reader)?),
        COUNTERS => {
            let count = reader.u16()?;
            Answer::Counters((0..count).map(|_| Some((reader.text()?, reader.u64()?))).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn put_statistics(writer: &mut Writer, statistics: &Statistics) {
    let Statistics { received, sent, control_received, control_sent, receive_errors, send_errors } = *statistics;
    for traffic in [received, sent, control_received, control_sent] {
        writer.u64(traffic.packets);
        writer.u64(traffic.bytes);
    }
    writer.u64(receive_errors);
    writer.u64(send_errors);
}

fn statistics(reader: &mut Reader<'_>) -> Option<Statistics> {
    Some(Statistics {
        received: traffic(reader)?,
        sent: traffic(reader)?,
        control_received: traffic(reader)?,
        control_sent: traffic(reader)?,
        receive_errors: reader.u64()?,
        send_errors: reader.u64()?,
    })
}

fn traffic(reader: &mut Reader<'_>) -> Option<Traffic> {
    Some(Traffic { packets: reader.u64()?, bytes: reader.u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn messages() -> Vec<Message> {
        let traffic = |packets| Traffic { packets, bytes: packets * 1000 };
        let statistics = Statistics {
            received: traffic(1),
            sent: traffic(2),
            control_received: traffic(3),
            control_sent: traffic(4),
            receive_errors: 5,
            send_errors: u64::MAX,
        };
        vec![
            Message::Answer(7, Answer::Done),
            Message::Answer(8, Answer::Refused { errno: 22, text: String::from("no such unit") }),
            Message::Answer(
                9,
                Answer::Idle(Idle { transmit: Duration::from_millis(1500), receive: Duration::from_secs(9) }),
            ),
            Message::Answer(12, Answer::Flags(0x0080_0000)),
            Message::Answer(10, Answer::Statistics(statistics)),
            Message::Answer(11, Answer::Counters(vec![(String::from("duplicate"), 3), (String::new(), 0)])),
            Message::Log(LogLine { level: log::Level::Warn, text: String::from("größer") }),
        ]
    }

    #[test]
    fn every_message_comes_back_as_it_was_sent() {
        for message in messages() {
            assert_eq!(decode_message(&encode_message(&message)), Some(message));
        }
    }

    #[test]
    fn a_truncated_or_longer_message_is_none() {
        for message in messages() {
            let mut bytes = encode_message(&message);
            for length in 0..bytes.len() {
                assert_eq!(decode_message(&bytes[..length]), None);
            }
            bytes.push(0);
            assert_eq!(decode_message(&bytes), None);
        }
    }

    #[test]
    fn another_version_is_none() {
        let mut bytes = encode_message(&Message::Answer(1, Answer::Done));
        bytes[0] += 1;
        assert_eq!(decode_message(&bytes), None);
    }
}
