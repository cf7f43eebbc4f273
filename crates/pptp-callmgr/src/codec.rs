//! The messages between plugin and call manager: one datagram each, big-endian, texts with their length before them.
//!
//! Every message begins with [`VERSION`], because a manager that runs may be older than the plugin that joins it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use pptp_core::control::Quirk;

use crate::client::{CallInfo, Failure, FailureKind, Progress, Request};

/// Changes with every change of what is below.
pub(crate) const VERSION: u8 = 1;

/// No message is longer: texts are cut to [`LONGEST_TEXT`].
pub(crate) const LONGEST_MESSAGE: usize = 4096;

const LONGEST_TEXT: usize = 1024;

const LOG: u8 = 1;
const CONNECTED: u8 = 2;
const FAILED: u8 = 3;
const ENDED: u8 = 4;
const JOIN: u8 = 5;
const JOINED: u8 = 6;

/// What a manager answers when it has taken a call over.
pub(crate) const JOINED_MESSAGE: [u8; 2] = [VERSION, JOINED];

/// News for a plugin.
pub(crate) fn encode_progress(progress: &Progress) -> Vec<u8> {
    match progress {
        Progress::Log { level, text } => {
            let mut message = begin(LOG);
            message.push(level_code(*level));
            put_text(&mut message, text);
            message
        }
        Progress::Connected(info) => encode_connected(info),
        Progress::Failed(failure) => {
            let mut message = begin(FAILED);
            message.push(kind_code(failure.kind));
            put_text(&mut message, &failure.text);
            message
        }
        Progress::Ended { text } => {
            let mut message = begin(ENDED);
            put_text(&mut message, text);
            message
        }
    }
}

/// News from a manager; `None`: not a message of this version.
pub(crate) fn decode_progress(message: &[u8]) -> Option<Progress> {
    let (kind, mut reader) = Reader::open(message)?;
    let progress = match kind {
        LOG => Progress::Log { level: level(reader.byte()?)?, text: reader.text()? },
        CONNECTED => Progress::Connected(decode_connected(&mut reader)?),
        FAILED => Progress::Failed(Failure { kind: failure_kind(reader.byte()?)?, text: reader.text()? }),
        ENDED => Progress::Ended { text: reader.text()? },
        _ => return None,
    };
    reader.finish(progress)
}

/// A request that one process hands to another; two descriptors, the plugin's socket and the channel, go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) request: Request,
    /// How much of the request's `connect_timeout` has passed.
    pub(crate) elapsed: Duration,
}

pub(crate) fn encode_join(join: &Join) -> Vec<u8> {
    let request = &join.request;
    let mut message = begin(JOIN);
    put_text(&mut message, &request.server);
    put_text(&mut message, &request.phone);
    message.extend(request.window.to_be_bytes());
    message.extend(request.port.to_be_bytes());
    put_address(&mut message, request.bind);
    message.push(u8::from(request.mark.is_some()));
    message.extend(request.mark.unwrap_or(0).to_be_bytes());
    for time in [join.elapsed, request.connect_timeout, request.echo_interval, request.echo_timeout] {
        message.extend(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_be_bytes());
    }
    message.push(u8::from(request.share));
    put_text(&mut message, request.quirk.map_or("", Quirk::name));
    message.extend(request.uid.to_be_bytes());
    message
}

/// The request in a join message; `None`: not a message of this version.
pub(crate) fn decode_join(message: &[u8]) -> Option<Join> {
    let (JOIN, mut reader) = Reader::open(message)? else { return None };
    let server = reader.text()?;
    let phone = reader.text()?;
    let window = reader.u16()?;
    let port = reader.u16()?;
    let bind = reader.address()?;
    let marked = reader.byte()? != 0;
    let mark = reader.u32()?;
    let elapsed = reader.duration()?;
    let connect_timeout = reader.duration()?;
    let echo_interval = reader.duration()?;
    let echo_timeout = reader.duration()?;
    let share = reader.byte()? != 0;
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

fn encode_connected(info: &CallInfo) -> Vec<u8> {
    let mut message = begin(CONNECTED);
    message.extend(info.local.octets());
    message.extend(info.peer.octets());
    for number in [info.call_id, info.peer_call_id, info.peer_window, info.outer_mtu] {
        message.extend(number.to_be_bytes());
    }
    message.extend(info.connect_speed.to_be_bytes());
    message.push(u8::from(info.shared));
    put_text(&mut message, &info.peer_host);
    put_text(&mut message, &info.peer_vendor);
    message
}

fn decode_connected(reader: &mut Reader<'_>) -> Option<CallInfo> {
    let local = Ipv4Addr::from(reader.take()?);
    let peer = Ipv4Addr::from(reader.take()?);
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
        shared: reader.byte()? != 0,
        peer_host: reader.text()?,
        peer_vendor: reader.text()?,
    })
}

fn begin(kind: u8) -> Vec<u8> {
    vec![VERSION, kind]
}

fn put_text(message: &mut Vec<u8>, text: &str) {
    let mut length = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    message.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
    message.extend(text.as_bytes().iter().take(length));
}

fn put_address(message: &mut Vec<u8>, address: Option<IpAddr>) {
    match address {
        None => message.push(0),
        Some(IpAddr::V4(ip)) => {
            message.push(4);
            message.extend(ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            message.push(6);
            message.extend(ip.octets());
        }
    }
}

fn level_code(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 1,
        log::Level::Warn => 2,
        log::Level::Info => 3,
        log::Level::Debug => 4,
        log::Level::Trace => 5,
    }
}

fn level(code: u8) -> Option<log::Level> {
    log::Level::iter().find(|&level| level_code(level) == code)
}

const KINDS: [FailureKind; 6] = [
    FailureKind::Resolve,
    FailureKind::Connect,
    FailureKind::Timeout,
    FailureKind::Refused,
    FailureKind::Protocol,
    FailureKind::Local,
];

fn kind_code(kind: FailureKind) -> u8 {
    (0..).zip(KINDS).find_map(|(code, known)| (known == kind).then_some(code)).unwrap_or(0)
}

fn failure_kind(code: u8) -> Option<FailureKind> {
    KINDS.get(usize::from(code)).copied()
}

/// Takes a message apart.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The message's kind and what follows it.
    fn open(message: &'a [u8]) -> Option<(u8, Self)> {
        let (&[VERSION, kind], rest) = message.split_first_chunk()? else { return None };
        Some((kind, Self { rest }))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn duration(&mut self) -> Option<Duration> {
        self.take().map(u64::from_be_bytes).map(Duration::from_millis)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.u16()?);
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn address(&mut self) -> Option<Option<IpAddr>> {
        Some(match self.byte()? {
            0 => None,
            4 => Some(IpAddr::from(Ipv4Addr::from(self.take::<4>()?))),
            6 => Some(IpAddr::from(Ipv6Addr::from(self.take::<16>()?))),
            _ => return None,
        })
    }

    /// `whole`, if nothing is left.
    fn finish<T>(&self, whole: T) -> Option<T> {
        self.rest.is_empty().then_some(whole)
    }
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
    fn a_long_text_is_cut_between_characters() {
        let text = "ä".repeat(LONGEST_TEXT);
        let message = encode_progress(&Progress::Ended { text });
        assert!(message.len() < LONGEST_MESSAGE);
        let Some(Progress::Ended { text }) = decode_progress(&message) else { panic!("not understood") };
        assert_eq!(text, "ä".repeat(LONGEST_TEXT / 2));
    }
}
