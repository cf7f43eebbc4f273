//! What is known of the call that this pppd has: how far it is, what was agreed on, what has passed, and why it has ended.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use log::info;
use pptp_core::mppe::{Config, KeyLength, Mode};
use pptp_datapath::command::{Channel, Traffic};
use pptp_datapath::record::encode;
use pptp_datapath::report::{DataPath, Encryption, Gre, Report, Statistics};

use crate::options::{Path, Settings};
use crate::{ccp, channel, engine, ffi, ppp_device, pppd};

/// pppd's `MPPE_OPT_…`.
const MPPE_40: i32 = 0x01;
const MPPE_128: i32 = 0x02;
const MPPE_STATEFUL: i32 = 0x04;
const MPPE_56: i32 = 0x08;

/// pppd's exit status for a link that was not agreed on.
const NEGOTIATION_FAILED: i32 = 10;

/// LCP's states (RFC 1661 §4.2) when this end has ended the link, and when the peer has.
const ENDED_HERE: [i32; 3] = [0, 2, 4];
const ENDED_THERE: [i32; 2] = [3, 5];

/// How far pppd is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// There is no call.
    #[default]
    Waiting,
    /// A call is being made, or nothing of IP is up.
    Connecting,
    /// IP is up, or was.
    Running,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Running => "running",
        }
    }
}

/// Who the two ends are, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// The peer's address.
    pub(crate) peer: Option<Ipv4Addr>,
    /// This end's id for the call and the peer's.
    pub(crate) call_ids: [Option<u16>; 2],
}

/// A call that is up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) ends: Ends,
    pub(crate) begin: Instant,
    /// What had passed through the interface before it.
    before: [Traffic; 2],
}

#[derive(Default)]
struct Session {
    state: State,
    call: Option<Call>,
    /// The engine's, if it carries the call.
    channel: Option<Channel>,
    /// What CCP has agreed on; it is no more when the link ends.
    encryption: Option<Encryption>,
    /// The last that can be known of the call, for the interface goes before it is over.
    last: Option<Report>,
    /// Why it ends.
    reason: Option<String>,
}

thread_local! {
    static SESSION: RefCell<Session> = RefCell::default();
}

fn with<T>(body: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with_borrow_mut(body)
}

/// A call is being made.
pub(crate) fn connecting() {
    SESSION.set(Session { state: State::Connecting, ..Session::default() });
}

/// It is up.
pub(crate) fn connected(ends: Ends) {
    // Only then pppd has an interface that was there before.
    let traffic = if pppd::is_on_demand() { channel::path().and_then(traffic) } else { None };
    let before = traffic.unwrap_or_default();
    with(|session| session.call = Some(Call { ends, begin: Instant::now(), before }));
}

/// There is none.
pub(crate) fn failed() {
    SESSION.set(Session::default());
}

/// The call's frames pass through this channel of the engine's.
pub(crate) fn carries(channel: Channel) {
    with(|session| session.channel = Some(channel));
}

/// IP is up.
pub(crate) fn network_up() {
    let encryption = encryption();
    with(|session| {
        session.state = State::Running;
        session.reason = None;
        session.encryption = keep_stronger(session.encryption, Some(encryption));
    });
}

/// Why the call ends, unless that is known already.
pub(crate) fn blame(reason: &str) {
    with(|session| {
        session.reason.get_or_insert_with(|| String::from(reason));
    });
}

/// IP goes down: why, as far as can be said. The link may come back, if nobody ends it.
pub(crate) fn network_down() -> String {
    let known = with(|session| session.reason.clone()).or_else(reason_of_end);
    match known {
        Some(reason) => {
            blame(&reason);
            reason
        }
        None => String::from("it is negotiated anew"),
    }
}

/// Why the link ends, if it does, by what pppd says.
fn reason_of_end() -> Option<String> {
    let (status, state) = (ffi::status(), ffi::lcp_state());
    if pppd::hung_up() {
        return Some(String::from("hang-up"));
    }
    if ffi::is_terminating() != 0 || (status != NEGOTIATION_FAILED && ENDED_HERE.contains(&state)) {
        return ffi::close_reason().filter(|reason| !reason.is_empty());
    }
    if status == NEGOTIATION_FAILED {
        return Some(String::from("negotiation failed"));
    }
    ENDED_THERE.contains(&state).then(|| String::from("the peer has ended the link"))
}

/// The interface is about to go.
pub(crate) fn note_last() {
    let last = call().map(|_| report());
    with(|session| session.last = last);
}

/// The call is over.
pub(crate) fn end() {
    let Some(call) = call() else { return };
    let report = with(|session| session.last.take()).unwrap_or_else(report);
    let reason = with(|session| session.reason.take()).or_else(reason_of_end);
    failed();
    let (settings, _) = channel::choices();
    // Such a server has a line of its own.
    if !crate::report::is_heard() {
        info!("{}", epitaph(&settings, &call, &report, reason.as_deref().unwrap_or("pppd has ended it")));
    }
}

/// The line for a call's end, always with the same fields in the same order; what is not known is `-`.
fn epitaph(settings: &Settings, call: &Call, report: &Report, reason: &str) -> String {
    fn known(value: Option<impl fmt::Display>) -> String {
        value.map_or_else(|| String::from("-"), |value| encode(&value.to_string()))
    }
    let (role, peer) = match &settings.client {
        Some(client) => ("client", Some(client)),
        None => ("server", settings.server.as_ref()),
    };
    let traffic = report.statistics.map(|all| [all.received, all.sent]);
    let [bytes_received, bytes_sent] = traffic.map_or([None; 2], |all| all.map(|one| Some(one.bytes))).map(known);
    let [packets_received, packets_sent] = traffic.map_or([None; 2], |all| all.map(|one| Some(one.packets))).map(known);
    let gre = report.statistics.and_then(|all| all.gre);
    format!(
        "session ended: {role}={} address={} interface={} datapath={} local={} remote={} seconds={} \
         bytes-received={bytes_received} bytes-sent={bytes_sent} packets-received={packets_received} \
         packets-sent={packets_sent} lost={} reordered={} reason={reason}",
        known(peer),
        known(call.ends.peer),
        known(report.interface.as_deref()),
        known(report.path.map(DataPath::name)),
        known(report.local),
        known(report.remote),
        call.begin.elapsed().as_secs(),
        known(gre.map(|gre| gre.lost)),
        known(gre.map(|gre| gre.reordered)),
    )
}

pub(crate) fn state() -> State {
    with(|session| session.state)
}

/// The call that is up.
pub(crate) fn call() -> Option<Call> {
    with(|session| session.call)
}

/// All that can be told of it.
pub(crate) fn report() -> Report {
    let has_network = state() == State::Running;
    let [local, remote] = ffi::inside_addresses().map(|address| Some(address).filter(|_| has_network));
    let is_one = |address: &Ipv4Addr| !address.is_unspecified();
    let path = channel::path();
    Report {
        user: some(ffi::peer_name()),
        interface: some(ffi::interface()),
        local: local.filter(is_one),
        remote: remote.filter(is_one),
        path: path.map(data_path),
        encryption: has_network.then(strongest_encryption).flatten(),
        statistics: path.and_then(statistics),
        is_cut: engine::is_gone(),
    }
}

fn strongest_encryption() -> Option<Encryption> {
    let now = encryption();
    with(|session| {
        session.encryption = keep_stronger(session.encryption, Some(now));
        session.encryption
    })
}

/// CCP goes down before the link does.
fn keep_stronger(before: Option<Encryption>, now: Option<Encryption>) -> Option<Encryption> {
    now.filter(|now| *now != Encryption::default()).or(before).or(now)
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

/// What CCP has agreed on now.
pub(crate) fn encryption() -> Encryption {
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

/// What has passed in this call.
fn statistics(path: Path) -> Option<Statistics> {
    let before = call().map(|call| call.before).unwrap_or_default();
    let [received, sent] = traffic(path)?;
    let since = |now: Traffic, before: Traffic| Traffic {
        packets: now.packets.saturating_sub(before.packets),
        bytes: now.bytes.saturating_sub(before.bytes),
    };
    let [received_before, sent_before] = before;
    Some(Statistics { received: since(received, received_before), sent: since(sent, sent_before), gre: gre() })
}

/// What has passed through the interface: received and sent.
fn traffic(path: Path) -> Option<[Traffic; 2]> {
    match path {
        Path::Tun => ppp_device::unit_statistics().map(|statistics| [statistics.received, statistics.sent]),
        Path::Kernel | Path::Pty => kernel_traffic(&some(ffi::interface())?),
    }
}

/// What the kernel has counted.
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
    let channel = with(|session| session.channel)?;
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
