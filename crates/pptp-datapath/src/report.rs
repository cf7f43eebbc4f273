//! What the plugin tells the server that has started its pppd, and when: at network up, when it is asked, and at the end.
//!
//! Both talk over a pair of `SOCK_SEQPACKET` sockets, one datagram a message: the one that brought the offer
//! ([`crate::offer`]), or of its own (option `pptp_report`). Nothing here blocks. What one end sends that the other does not
//! read is lost. A server that has nothing more to ask says so ([`say_goodbye`]), and still hears.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use pptp_core::mppe::{Config, KeyLength, Mode};
use pptp_io::message::{Reader, Writer};
use pptp_io::seqpacket;

use crate::command::Traffic;
use crate::record::Record;

/// Changes with every change of the messages.
const VERSION: u8 = 2;

const REQUEST: u8 = 1;
const REPORT: u8 = 2;
const CALL: u8 = 3;

/// The name of a user has at most so many bytes (pppd's `MAXNAMELEN`); it is cut between characters.
pub const LONGEST_USER: usize = 255;

/// The same for an interface.
const LONGEST_INTERFACE: usize = 31;

/// No report is longer.
pub const LONGEST: usize = 512;

/// Messages that are taken at once.
const MOST_AT_ONCE: usize = 32;

const KEY_LENGTHS: [KeyLength; 3] = [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128];
const MODES: [Mode; 2] = [Mode::Stateless, Mode::Stateful];

/// What pppd and the plugin know of a call. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// As the client has authenticated itself; any characters may be in it. `None` also: it did not have to.
    pub user: Option<String>,
    /// The name of the interface.
    pub interface: Option<String>,
    /// This end's address inside the tunnel.
    pub local: Option<Ipv4Addr>,
    /// The client's.
    pub remote: Option<Ipv4Addr>,
    /// What carries the packets.
    pub path: Option<DataPath>,
    /// How they are encrypted.
    pub encryption: Option<Encryption>,
    /// What has passed.
    pub statistics: Option<Statistics>,
    /// The server's engine has ended, and carries it no more.
    pub is_cut: bool,
}

/// The data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPath {
    /// pptp.ko.
    Kernel,
    /// The engine and a TUN device.
    Tun,
    /// The engine and a terminal.
    Pty,
}

impl DataPath {
    const ALL: [Self; 3] = [Self::Kernel, Self::Tun, Self::Pty];

    /// As the option `pptp_datapath` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Tun => "tun",
            Self::Pty => "pty",
        }
    }
}

/// MPPE in each direction; `None`: in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// From the client.
    pub receive: Option<Config>,
    /// To the client.
    pub send: Option<Config>,
}

/// `none`, `MPPE-128 stateless`; from and to the client where they differ: `MPPE-40 stateful / MPPE-128 stateless`.
impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_direction(f, self.receive)?;
        if self.receive == self.send {
            return Ok(());
        }
        f.write_str(" / ")?;
        write_direction(f, self.send)
    }
}

fn write_direction(f: &mut fmt::Formatter<'_>, config: Option<Config>) -> fmt::Result {
    let Some(Config { key_length, mode }) = config else { return f.write_str("none") };
    let bits = match key_length {
        KeyLength::Bits40 => 40,
        KeyLength::Bits56 => 56,
        KeyLength::Bits128 => 128,
    };
    let mode = match mode {
        Mode::Stateless => "stateless",
        Mode::Stateful => "stateful",
    };
    write!(f, "MPPE-{bits} {mode}")
}

/// Counts since the interface exists. The kernel's data path counts nothing but traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// IP packets from the client.
    pub received: Traffic,
    /// IP packets to the client.
    pub sent: Traffic,
    /// What the GRE session counts.
    pub gre: Option<Gre>,
}

impl Statistics {
    /// Adds the counts as fields.
    #[must_use]
    pub fn add_to(&self, record: Record) -> Record {
        let Self { received, sent, gre } = self;
        let record = record
            .with("bytes-received", received.bytes)
            .with("bytes-sent", sent.bytes)
            .with("packets-received", received.packets)
            .with("packets-sent", sent.packets);
        let Some(Gre { lost, reordered, late, duplicate, round_trip }) = gre else { return record };
        record
            .with("lost", lost)
            .with("reordered", reordered)
            .with("late", late)
            .with("duplicate", duplicate)
            .with_known("round-trip-us", round_trip.map(|time| time.as_micros()))
    }
}

/// The client's GRE packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gre {
    /// They never came.
    pub lost: u64,
    /// They came after a later one, and were put in order.
    pub reordered: u64,
    /// They came after a later one was delivered, and were dropped.
    pub late: u64,
    /// They came twice while the first still waited.
    pub duplicate: u64,
    /// From a packet to its acknowledgement, an estimate.
    pub round_trip: Option<Duration>,
}

/// Tells the peer's id of the call before pppd is started, where nothing else does, for the kernel's socket does not: the server's
/// end. A plugin that does not know this message reads over it.
///
/// # Errors
/// Out of memory.
pub fn tell_peer_call_id(socket: BorrowedFd<'_>, id: u16) -> io::Result<()> {
    let mut writer = Writer::begin(VERSION, CALL);
    writer.u16(id);
    seqpacket::send(socket, &writer.finish(), &[])
}

/// The peer's id of the call, if that is the first that the server has said: the plugin's end.
///
/// # Errors
/// `WouldBlock`: the server has said nothing. `UnexpectedEof`: it is gone. `InvalidData`: it was something else.
pub fn take_peer_call_id(socket: BorrowedFd<'_>) -> io::Result<u16> {
    let mut buffer = [0; 8];
    let length = seqpacket::receive(socket, &mut buffer)?.length;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.get(..length).and_then(decode_call).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn decode_call(message: &[u8]) -> Option<u16> {
    let (CALL, mut reader) = Reader::open(VERSION, message)? else { return None };
    let id = reader.u16()?;
    reader.finish(id)
}

/// Asks for a report: the server's end.
///
/// # Errors
/// `WouldBlock`: the plugin has not read what it was asked before. `BrokenPipe`: it is gone.
pub fn ask(socket: BorrowedFd<'_>) -> io::Result<()> {
    seqpacket::send(socket, &Writer::begin(VERSION, REQUEST).finish(), &[])
}

/// Nothing will be asked any more, for the call is over; what the plugin tells is still heard: the server's end.
pub fn say_goodbye(socket: BorrowedFd<'_>) {
    seqpacket::shut_down_sending(socket);
}

/// The next report that has come: the server's end.
///
/// # Errors
/// `WouldBlock`: there is none. `UnexpectedEof`: the plugin is gone. `InvalidData`: it was no report of this version.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<Report> {
    let mut buffer = [0; LONGEST];
    let length = seqpacket::receive(socket, &mut buffer)?.length;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.get(..length).and_then(decode).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Sends a report: the plugin's end.
///
/// # Errors
/// `WouldBlock`: the server has not read the ones before. `BrokenPipe`: it is gone.
pub fn send(socket: BorrowedFd<'_>, report: &Report) -> io::Result<()> {
    seqpacket::send(socket, &encode(report), &[])
}

/// Takes what the server has said, and tells whether it has asked for a report: the plugin's end.
///
/// # Errors
/// `UnexpectedEof`: the server is gone, or has said goodbye.
pub fn is_asked(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut is_asked = false;
    for _ in 0..MOST_AT_ONCE {
        let mut buffer = [0; 8];
        match seqpacket::receive(socket, &mut buffer) {
            Ok(received) if received.length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(received) => is_asked |= buffer.get(..received.length).is_some_and(is_request),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(is_asked)
}

fn is_request(message: &[u8]) -> bool {
    Reader::open(VERSION, message).is_some_and(|(kind, reader)| kind == REQUEST && reader.finish(()).is_some())
}

/// A report as a message.
pub fn encode(report: &Report) -> Vec<u8> {
    let Report { user, interface, local, remote, path, encryption, statistics, is_cut } = report;
    let mut writer = Writer::begin(VERSION, REPORT);
    put(&mut writer, user.as_deref(), |writer, user| put_text(writer, user, LONGEST_USER));
    put(&mut writer, interface.as_deref(), |writer, name| put_text(writer, name, LONGEST_INTERFACE));
    for address in [local, remote] {
        put(&mut writer, *address, |writer, address| writer.array(address.octets()));
    }
    put(&mut writer, *path, |writer, path| writer.choice(&path, &DataPath::ALL));
    put(&mut writer, *encryption, |writer, Encryption { receive, send }| {
        put(writer, receive, put_config);
        put(writer, send, put_config);
    });
    put(&mut writer, *statistics, put_statistics);
    writer.flag(*is_cut);
    writer.finish()
}

/// A message as a report; `None`: it is none of this version.
pub fn decode(message: &[u8]) -> Option<Report> {
    let (REPORT, mut reader) = Reader::open(VERSION, message)? else { return None };
    let address = |reader: &mut Reader<'_>| reader.array().map(|octets: [u8; 4]| Ipv4Addr::from(octets));
    let report = Report {
        user: option(&mut reader, |reader| text(reader, LONGEST_USER))?,
        interface: option(&mut reader, |reader| text(reader, LONGEST_INTERFACE))?,
        local: option(&mut reader, address)?,
        remote: option(&mut reader, address)?,
        path: option(&mut reader, |reader| reader.choice(&DataPath::ALL))?,
        encryption: option(&mut reader, |reader| {
            Some(Encryption { receive: option(reader, config)?, send: option(reader, config)? })
        })?,
        statistics: option(&mut reader, statistics)?,
        is_cut: reader.flag()?,
    };
    reader.finish(report)
}

/// A flag, and what it stands for.
fn put<T>(writer: &mut Writer, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
    writer.flag(value.is_some());
    if let Some(value) = value {
        put(writer, value);
    }
}

fn option<'a, T>(reader: &mut Reader<'a>, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<Option<T>> {
    match reader.u8()? {
        0 => Some(None),
        1 => read(reader).map(Some),
        _ => None,
    }
}

fn put_text(writer: &mut Writer, text: &str, longest: usize) {
    let mut length = text.len().min(longest);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    writer.text(text.get(..length).unwrap_or_default());
}

fn text(reader: &mut Reader<'_>, longest: usize) -> Option<String> {
    reader.text().filter(|text| text.len() <= longest)
}

fn put_config(writer: &mut Writer, config: Config) {
    writer.choice(&config.key_length, &KEY_LENGTHS);
    writer.choice(&config.mode, &MODES);
}

fn config(reader: &mut Reader<'_>) -> Option<Config> {
    Some(Config { key_length: reader.choice(&KEY_LENGTHS)?, mode: reader.choice(&MODES)? })
}

fn put_statistics(writer: &mut Writer, Statistics { received, sent, gre }: Statistics) {
    for traffic in [received, sent] {
        writer.u64(traffic.packets);
        writer.u64(traffic.bytes);
    }
    put(writer, gre, |writer, Gre { lost, reordered, late, duplicate, round_trip }| {
        for count in [lost, reordered, late, duplicate] {
            writer.u64(count);
        }
        put(writer, round_trip, Writer::duration);
    });
}

fn statistics(reader: &mut Reader<'_>) -> Option<Statistics> {
    let traffic = |reader: &mut Reader<'_>| Some(Traffic { packets: reader.u64()?, bytes: reader.u64()? });
    Some(Statistics { received: traffic(reader)?, sent: traffic(reader)?, gre: option(reader, gre)? })
}

fn gre(reader: &mut Reader<'_>) -> Option<Gre> {
    Some(Gre {
        lost: reader.u64()?,
        reordered: reader.u64()?,
        late: reader.u64()?,
        duplicate: reader.u64()?,
        round_trip: option(reader, Reader::duration)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::AsFd;

    fn full() -> Report {
        let traffic = |packets| Traffic { packets, bytes: packets * 1000 };
        let stateless = |key_length| Some(Config { key_length, mode: Mode::Stateless });
        Report {
            user: Some("DOMAIN\\al ice\n\u{1b}é".into()),
            interface: Some("ppp0".into()),
            local: Some([10, 0, 0, 1].into()),
            remote: Some([10, 0, 0, 2].into()),
            path: Some(DataPath::Tun),
            encryption: Some(Encryption {
                receive: stateless(KeyLength::Bits128),
                send: Some(Config { key_length: KeyLength::Bits40, mode: Mode::Stateful }),
            }),
            statistics: Some(Statistics {
                received: traffic(1),
                sent: traffic(u64::MAX / 1000),
                gre: Some(Gre {
                    lost: 1,
                    reordered: 2,
                    late: 3,
                    duplicate: u64::MAX,
                    round_trip: Some(Duration::from_micros(1500)),
                }),
            }),
            is_cut: true,
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was_sent() {
        for report in [Report::default(), full()] {
            assert_eq!(decode(&encode(&report)), Some(report));
        }
        let kernel = Statistics { gre: None, ..full().statistics.unwrap() };
        let report = Report { statistics: Some(kernel), path: Some(DataPath::Kernel), ..full() };
        assert_eq!(decode(&encode(&report)), Some(report));
    }

    #[test]
    fn a_truncated_a_longer_and_another_versions_report_is_none() {
        let mut bytes = encode(&full());
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        bytes.push(0);
        assert_eq!(decode(&bytes), None);
        bytes.pop();
        bytes[0] += 1;
        assert_eq!(decode(&bytes), None);
        assert_eq!(decode(&Writer::begin(VERSION, REQUEST).finish()), None);
    }

    #[test]
    fn names_are_cut_between_characters_and_no_report_is_longer_than_the_longest() {
        let user = format!("x{}", "é".repeat(2000));
        let report = Report { user: Some(user.clone()), interface: Some("i".repeat(2000)), ..full() };
        let bytes = encode(&report);
        assert!(bytes.len() <= LONGEST, "{}", bytes.len());
        let decoded = decode(&bytes).unwrap();
        assert_eq!(decoded.user.as_deref(), Some(&user[..LONGEST_USER]));
        assert_eq!(decoded.interface.unwrap().len(), LONGEST_INTERFACE);
    }

    #[test]
    fn a_name_that_is_too_long_is_no_name() {
        let mut writer = Writer::begin(VERSION, REPORT);
        writer.flag(true);
        writer.text(&"x".repeat(LONGEST_USER + 1));
        (0..7).for_each(|_| writer.flag(false));
        assert_eq!(decode(&writer.finish()), None);
    }

    #[test]
    fn encryption_is_told_in_words() {
        let words = |receive, send| Encryption { receive, send }.to_string();
        let strong = Some(Config { key_length: KeyLength::Bits128, mode: Mode::Stateless });
        let weak = Some(Config { key_length: KeyLength::Bits40, mode: Mode::Stateful });
        assert_eq!(words(None, None), "none");
        assert_eq!(words(strong, strong), "MPPE-128 stateless");
        assert_eq!(words(weak, strong), "MPPE-40 stateful / MPPE-128 stateless");
        assert_eq!(words(None, weak), "none / MPPE-40 stateful");
    }

    #[test]
    fn the_two_ends_understand_each_other() {
        let (servers, plugins) = seqpacket::pair().unwrap();
        assert!(!is_asked(plugins.as_fd()).unwrap());
        ask(servers.as_fd()).unwrap();
        ask(servers.as_fd()).unwrap();
        assert!(is_asked(plugins.as_fd()).unwrap());
        assert!(!is_asked(plugins.as_fd()).unwrap());
        assert_eq!(receive(servers.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(plugins.as_fd(), &full()).unwrap();
        assert_eq!(receive(servers.as_fd()).unwrap(), full());
        drop(plugins);
        assert_eq!(receive(servers.as_fd()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(ask(servers.as_fd()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_peers_id_of_the_call_is_told_first_and_asks_for_nothing() {
        let (servers, plugins) = seqpacket::pair().unwrap();
        let kind = || take_peer_call_id(plugins.as_fd()).unwrap_err().kind();
        assert_eq!(kind(), io::ErrorKind::WouldBlock);
        tell_peer_call_id(servers.as_fd(), 0x1234).unwrap();
        ask(servers.as_fd()).unwrap();
        assert_eq!(take_peer_call_id(plugins.as_fd()).unwrap(), 0x1234);
        assert!(is_asked(plugins.as_fd()).unwrap());
        // A plugin that does not know it.
        tell_peer_call_id(servers.as_fd(), 5).unwrap();
        assert!(!is_asked(plugins.as_fd()).unwrap());
        for junk in [&[VERSION, CALL, 0][..], &[VERSION, CALL, 0, 0, 0], &[VERSION, REQUEST], &[7; 2000]] {
            seqpacket::send(servers.as_fd(), junk, &[]).unwrap();
            assert_eq!(kind(), io::ErrorKind::InvalidData);
        }
        drop(servers);
        assert_eq!(kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_server_that_has_said_goodbye_still_hears() {
        let (servers, plugins) = seqpacket::pair().unwrap();
        say_goodbye(servers.as_fd());
        assert_eq!(is_asked(plugins.as_fd()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        send(plugins.as_fd(), &full()).unwrap();
        assert_eq!(receive(servers.as_fd()).unwrap(), full());
    }

    #[test]
    fn what_is_no_message_asks_for_nothing_and_is_no_report() {
        let (servers, plugins) = seqpacket::pair().unwrap();
        for junk in [&[0][..], &[VERSION + 1, REQUEST], &[VERSION, REPORT], &[VERSION, REQUEST, 0], &[7; 2000]] {
            seqpacket::send(servers.as_fd(), junk, &[]).unwrap();
            assert!(!is_asked(plugins.as_fd()).unwrap());
            seqpacket::send(plugins.as_fd(), junk, &[]).unwrap();
            assert_eq!(receive(servers.as_fd()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        drop(servers);
        assert_eq!(is_asked(plugins.as_fd()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_that_is_written_the_same_or_none(
            bytes in proptest::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..LONGEST),
        ) {
            let message = [&[VERSION, REPORT], &bytes[..]].concat();
            if let Some(report) = decode(&message) {
                prop_assert_eq!(encode(&report), message);
            }
            let _ = decode(&bytes);
        }

        #[test]
        fn any_change_of_one_byte_is_read_or_refused(place: prop::sample::Index, byte: u8) {
            let mut message = encode(&full());
            let place = place.index(message.len());
            message[place] = byte;
            if let Some(report) = decode(&message) {
                prop_assert_eq!(encode(&report), message);
            }
        }
    }
}
