//! What a server that has started this pppd gets to know of the call (`pptp_datapath::report`): at network up, when it asks,
//! and when the link ends.

use std::cell::RefCell;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use log::debug;
use pptp_core::mppe::{Config, KeyLength, Mode};
use pptp_datapath::command::{Channel, Traffic};
use pptp_datapath::report::{self, DataPath, Encryption, Gre, Report, Statistics};
use pptp_io::words;

use crate::options::Path;
use crate::{ccp, channel, engine, ffi, ppp_device, waiting};

/// pppd's `MPPE_OPT_…`.
const MPPE_40: i32 = 0x01;
const MPPE_128: i32 = 0x02;
const MPPE_STATEFUL: i32 = 0x04;
const MPPE_56: i32 = 0x08;

/// The server's ear.
struct Reporter {
    socket: OwnedFd,
    /// IP is up, or was.
    had_network: bool,
    /// What CCP has agreed on; it is no more when the link ends.
    encryption: Option<Encryption>,
}

thread_local! {
    static REPORTER: RefCell<Option<Reporter>> = const { RefCell::new(None) };
    /// The engine's, if it carries the call.
    static CHANNEL: RefCell<Option<Channel>> = const { RefCell::new(None) };
}

/// A call has come whose server may ask on this socket.
pub(crate) fn begin(socket: BorrowedFd<'_>) {
    // A copy has a low number, as select(2) wants it: who starts pppd may have thousands of descriptors.
    match socket.try_clone_to_owned() {
        Ok(socket) => {
            waiting::wait_for(socket.as_raw_fd(), answer);
            REPORTER.set(Some(Reporter { socket, had_network: false, encryption: None }));
        }
        Err(error) => debug!("the server cannot ask about the call: {}", words(&error)),
    }
}

/// The call's frames pass through this channel of the engine's.
pub(crate) fn carries(channel: Channel) {
    CHANNEL.set(Some(channel));
}

/// IP is up.
pub(crate) fn network_up() {
    REPORTER.with_borrow_mut(|reporter| {
        if let Some(reporter) = reporter {
            reporter.had_network = true;
        }
    });
    tell();
}

/// The link is about to end: what has passed through it will not be more.
pub(crate) fn finish() {
    if REPORTER.with_borrow(|reporter| reporter.as_ref().is_some_and(|reporter| reporter.had_network)) {
        tell();
    }
}

/// The server has said something.
fn answer() {
    let asked =
        REPORTER.with_borrow(|reporter| reporter.as_ref().map(|reporter| report::is_asked(reporter.socket.as_fd())));
    match asked {
        Some(Ok(true)) => tell(),
        Some(Ok(false)) => {}
        // Nobody asks any more.
        Some(Err(_)) | None => {
            waiting::wait_for_nothing();
            REPORTER.set(None);
        }
    }
}

fn tell() {
    let Some(had_network) = REPORTER.with_borrow(|reporter| reporter.as_ref().map(|reporter| reporter.had_network))
    else {
        return;
    };
    let mut report = make(had_network);
    REPORTER.with_borrow_mut(|reporter| {
        let Some(reporter) = reporter else { return };
        if had_network {
            reporter.encryption = keep_stronger(reporter.encryption, report.encryption);
            report.encryption = reporter.encryption;
        }
        // A server that does not read, or is gone, misses it.
        let _ = report::send(reporter.socket.as_fd(), &report);
    });
}

/// CCP goes down before the link does.
fn keep_stronger(before: Option<Encryption>, now: Option<Encryption>) -> Option<Encryption> {
    now.filter(|now| *now != Encryption::default()).or(before).or(now)
}

fn make(had_network: bool) -> Report {
    let [local, remote] = ffi::inside_addresses().map(|address| Some(address).filter(|_| had_network));
    let is_one = |address: &Ipv4Addr| !address.is_unspecified();
    let path = channel::path();
    let interface = some(ffi::interface());
    Report {
        user: some(ffi::peer_name()),
        local: local.filter(is_one),
        remote: remote.filter(is_one),
        path: path.map(data_path),
        encryption: had_network.then(encryption),
        statistics: path.and_then(|path| statistics(path, interface.as_deref())),
        interface,
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

const fn data_path(path: Path) -> DataPath {
    match path {
        Path::Kernel => DataPath::Kernel,
        Path::Tun => DataPath::Tun,
        Path::Pty => DataPath::Pty,
    }
}

fn encryption() -> Encryption {
    ccp::encryption().unwrap_or_else(|| match ffi::ccp_is_up() {
        0 => Encryption::default(),
        _ => Encryption { receive: config(ffi::receive_mppe()), send: config(ffi::send_mppe()) },
    })
}

/// What pppd's CCP has agreed on.
fn config(options: i32) -> Option<Config> {
    let lengths = [(MPPE_128, KeyLength::Bits128), (MPPE_56, KeyLength::Bits56), (MPPE_40, KeyLength::Bits40)];
    let key_length = lengths.into_iter().find_map(|(bit, length)| (options & bit != 0).then_some(length))?;
    let mode = if options & MPPE_STATEFUL == 0 { Mode::Stateless } else { Mode::Stateful };
    Some(Config { key_length, mode })
}

fn statistics(path: Path, interface: Option<&str>) -> Option<Statistics> {
    let [received, sent] = match path {
        Path::Tun => ppp_device::unit_statistics().map(|statistics| [statistics.received, statistics.sent])?,
        Path::Kernel | Path::Pty => kernel_traffic(interface?)?,
    };
    Some(Statistics { received, sent, gre: gre() })
}

/// What the kernel has counted: received and sent.
fn kernel_traffic(interface: &str) -> Option<[Traffic; 2]> {
    let count = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/sys/class/net/{interface}/statistics/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Some([
        Traffic { packets: count("rx_packets")?, bytes: count("rx_bytes")? },
        Traffic { packets: count("tx_packets")?, bytes: count("tx_bytes")? },
    ])
}

/// What the engine has counted of the call, if it carries it or has carried it until now.
fn gre() -> Option<Gre> {
    let channel = CHANNEL.with_borrow(|channel| *channel)?;
    let counted = engine::ask(|engine| engine.counters(channel).or_else(|_| engine.last_counters(channel)));
    let counters = counted.ok()?;
    let count = |name: &str| counters.iter().find(|(other, _)| other == name).map(|(_, count)| *count);
    Some(Gre {
        lost: count("missing")?,
        reordered: count("reordered")?,
        late: count("stale")?,
        duplicate: count("duplicate")?,
        round_trip: count("round-trip-us").filter(|time| *time != 0).map(Duration::from_micros),
    })
}
