//! The messages between plugin and call manager: one datagram each ([`pptp_io::message`]).
//!
//! Every message begins with [`VERSION`], because a manager that runs may be older than the plugin that joins it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use pptp_core::control::Quirk;
use pptp_io::message::{Reader, Writer};
use pptp_io::pppox::Admission;

use crate::client::{CallInfo, Failure, FailureKind, Progress, Request};

/// Changes with every change of what is below.
pub(crate) const VERSION: u8 = 3;

/// No message is longer: texts are cut to [`pptp_io::message::LONGEST_TEXT`].
pub(crate) const LONGEST_MESSAGE: usize = 4096;

const LOG: u8 = 1;
const CONNECTED: u8 = 2;
const FAILED: u8 = 3;
const ENDED: u8 = 4;
const JOIN: u8 = 5;
const JOINED: u8 = 6;
const ADMIT: u8 = 7;

const KINDS: [FailureKind; 6] = [
    FailureKind::Resolve,
    FailureKind::Connect,
    FailureKind::Timeout,
    FailureKind::Refused,
    FailureKind::Protocol,
    FailureKind::Local,
];

const ADMISSIONS: [Admission; 3] = [Admission::All, Admission::NotInClear, Admission::Settled];

/// What a manager answers when it has taken a call over.
pub(crate) const JOINED_MESSAGE: [u8; 2] = [VERSION, JOINED];

/// News for a plugin.
pub(crate) fn encode_progress(progress: &Progress) -> Vec<u8> {
    match progress {
        Progress::Log { level, text } => write(LOG, |writer| {
            writer.level(*level);
            writer.text(text);
        }),
        Progress::Connected(info) => write(CONNECTED, |writer| put_call(writer, info)),
        Progress::Failed(failure) => write(FAILED, |writer| {
            writer.choice(&failure.kind, &KINDS);
            writer.text(&failure.text);
        }),
        Progress::Ended { text } => write(ENDED, |writer| writer.text(text)),
    }
}

/// News from a manager; `None`: not a message of this version.
pub(crate) fn decode_progress(message: &[u8]) -> Option<Progress> {
    let (kind, mut reader) = Reader::open(VERSION, message)?;
    let progress = match kind {
        LOG => Progress::Log { level: reader.level()?, text: reader.text()? },
        CONNECTED => Progress::Connected(call(&mut reader)?),
        FAILED => Progress::Failed(Failure { kind: reader.choice(&KINDS)?, text: reader.text()? }),
        ENDED => Progress::Ended { text: reader.text()? },
        _ => return None,
    };
    reader.finish(progress)
}

/// What a plugin wants its PPTP socket to receive.
pub(crate) fn encode_admission(admission: Admission) -> Vec<u8> {
    write(ADMIT, |writer| writer.choice(&admission, &ADMISSIONS))
}

/// The same; `None`: not a message of this version.
pub(crate) fn decode_admission(message: &[u8]) -> Option<Admission> {
    let (ADMIT, mut reader) = Reader::open(VERSION, message)? else { return None };
    let admission = reader.choice(&ADMISSIONS)?;
    reader.finish(admission)
}

/// A request that one process hands to another; two descriptors, the plugin's socket and the channel, go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) request: Request,
    /// How much of the request's `connect_timeout` has passed.
    pub(crate) elapsed: Duration,
}

pub(crate) fn encode_join(join: &Join) -> Vec<u8> {
    write(JOIN, |writer| put_join(writer, join))
}

/// The request in a join message; `None`: not a message of this version.
pub(crate) fn decode_join(message: &[u8]) -> Option<Join> {
    let (JOIN, mut reader) = Reader::open(VERSION, message)? else { return None };
    let server = reader.text()?;
    let phone = reader.text()?;
    let window = reader.u16()?;
    let port = reader.u16()?;
    let bind = address(&mut reader)?;
    let marked = reader.flag()?;
    let mark = reader.u32()?;
    let elapsed = reader.duration()?;
    let connect_timeout = reader.duration()?;
    let echo_interval = reader.duration()?;
    let echo_timeout = reader.duration()?;
    let share = reader.flag()?;
    let quirk = match reader.text()?.as_str() {
        "" => None,
        name => Some(Quirk::from_name(name)?),
    };
    let uid = reader.u32()?;
    let mark = marked.then_some(mark);
    let request = Request {
        server,
        phone,
        window,
        port,
        bind,
        mark,
        connect_timeout,
        echo_interval,
        echo_timeout,
        share,
        quirk,
        uid,
    };
    reader.finish(Join { request, elapsed })
}

fn write(kind: u8, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::begin(VERSION, kind);
    fill(&mut writer);
    writer.finish()
}

fn put_join(writer: &mut Writer, join: &Join) {
    let request = &join.request;
    writer.text(&request.server);
    writer.text(&request.phone);
    writer.u16(request.window);
    writer.u16(request.port);
    put_address(writer, request.bind);
    writer.flag(request.mark.is_some());
    writer.u32(request.mark.unwrap_or(0));
    for time in [join.elapsed, request.connect_timeout, request.echo_interval, request.echo_timeout] {
        writer.duration(time);
    }
    writer.flag(request.share);
    writer.text(request.quirk.map_or("", Quirk::name));
    writer.u32(request.uid);
}

fn put_call(writer: &mut Writer, info: &CallInfo) {
    writer.array(info.local.octets());
    writer.array(info.peer.octets());
    for number in [info.call_id, info.peer_call_id, info.peer_window, info.outer_mtu] {
        writer.u16(number);
    }
    writer.u32(info.connect_speed);
    writer.flag(info.shared);
    writer.text(&info.peer_host);
    writer.text(&info.peer_vendor);
}

fn call(reader: &mut Reader<'_>) -> Option<CallInfo> {
    let local = Ipv4Addr::from(reader.array()?);
    let peer = Ipv4Addr::from(reader.array()?);
    let call_id = reader.u16()?;
    let peer_call_id = reader.u16()?;
    let peer_window = reader.u16()?;
    let outer_mtu = reader.u16()?;
    Some(CallInfo {
        local,
        peer,
        call_id,
        peer_call_id,
        peer_window,
        outer_mtu,
        connect_speed: reader.u32()?,
        shared: reader.flag()?,
        peer_host: reader.text()?,
        peer_vendor: reader.text()?,
    })
}

fn put_address(writer: &mut Writer, address: Option<IpAddr>) {
    match address {
        None => writer.u8(0),
        Some(IpAddr::V4(ip)) => {
            writer.u8(4);
            writer.array(ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            writer.u8(6);
            writer.array(ip.octets());
        }
    }
}

fn address(reader: &mut Reader<'_>) -> Option<Option<IpAddr>> {
    Some(match reader.u8()? {
        0 => None,
        4 => Some(IpAddr::from(Ipv4Addr::from(reader.array()?))),
        6 => Some(IpAddr::from(Ipv6Addr::from(reader.array()?))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            server: String::from("vpn.example"),
            phone: String::from("123"),
            window: 50,
            port: 1723,
            bind: Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 7))),
            mark: Some(0),
            connect_timeout: Duration::from_secs(30),
            echo_interval: Duration::ZERO,
            echo_timeout: Duration::from_millis(1500),
            share: true,
            quirk: Some(Quirk::Orckit),
            uid: 1000,
        }
    }

    fn join(request: Request) -> Join {
        Join { request, elapsed: Duration::from_millis(20) }
    }

    fn news() -> Vec<Progress> {
        vec![
            Progress::Log { level: log::Level::Debug, text: String::from("möglich") },
            Progress::Connected(CallInfo {
                local: Ipv4Addr::new(192, 0, 2, 7),
                peer: Ipv4Addr::new(192, 0, 2, 1),
                call_id: 1,
                peer_call_id: 2,
                peer_window: 64,
                connect_speed: 10_000_000,
                outer_mtu: 1500,
                shared: true,
                peer_host: String::from("gate"),
                peer_vendor: String::from("Linux"),
            }),
            Progress::Failed(Failure { kind: FailureKind::Refused, text: String::from("busy (4)") }),
            Progress::Ended { text: String::new() },
        ]
    }

    #[test]
    fn a_request_survives_the_way_to_another_manager() {
        let plain = Request { bind: None, mark: None, quirk: None, share: false, ..request() };
        let v6 = Request { bind: Some(IpAddr::from(Ipv6Addr::LOCALHOST)), ..request() };
        for request in [request(), plain, v6] {
            let join = join(request);
            assert_eq!(decode_join(&encode_join(&join)), Some(join));
        }
    }

    #[test]
    fn news_survive_the_way_to_the_plugin() {
        for progress in news() {
            assert_eq!(decode_progress(&encode_progress(&progress)), Some(progress));
        }
    }

    #[test]
    fn wishes_survive_the_way_to_the_manager() {
        for admission in ADMISSIONS {
            let message = encode_admission(admission);
            assert_eq!(decode_admission(&message), Some(admission));
            for wrong in [&message[..2], &[&message[..], &[0]].concat(), &[VERSION, ADMIT, 3], &[VERSION, LOG, 0]] {
                assert_eq!(decode_admission(wrong), None);
            }
        }
    }

    #[test]
    fn every_truncation_and_every_trailing_byte_is_refused() {
        let joins = std::iter::once(encode_join(&join(request())));
        for message in joins.chain(news().iter().map(encode_progress)) {
            for length in 0..message.len() {
                let cut = &message[..length];
                assert_eq!((decode_join(cut), decode_progress(cut)), (None, None), "{length} bytes of {message:?}");
            }
            let longer = [&message[..], &[0]].concat();
            assert_eq!((decode_join(&longer), decode_progress(&longer)), (None, None));
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut join = encode_join(&join(request()));
        join[0] = VERSION + 1;
        assert_eq!(decode_join(&join), None);
    }

    #[test]
    fn the_longest_text_fits() {
        let text = "x".repeat(2 * LONGEST_MESSAGE);
        assert!(encode_progress(&Progress::Ended { text }).len() < LONGEST_MESSAGE);
    }
}
