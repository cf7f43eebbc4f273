//! The table.

use std::time::Duration;

use pptp_core::ccp::{KeyLengths, Modes, Policy, Presence};
use pptp_core::mppe::KeyLength;
use pptp_core::wire::message::Text64;

use super::{Datapath, HostRoute, Kind, MsChap, OptionSpec, Path, Right, Settings, Shape, TextShape};

use Right::{Everyone, Privileged};

/// A host name has at most 253 characters (RFC 1035 §2.3.4), and a final dot.
const LONGEST_HOST: usize = 254;

const LONGEST_TIMEOUT: u32 = 3600;

/// What waits longer is lost to who waits for it: TCP has sent it again.
const LONGEST_REORDERING: u32 = 1000;

const MOST_REORDERED: u32 = 1024;

const HIGHEST_DESCRIPTOR: u32 = 1_048_575;

/// All options, in the order in which they are documented.
pub(crate) fn table() -> &'static [OptionSpec] {
    TABLE
}

/// Whether a word that is no option's name is the speed of a terminal line.
pub(crate) fn is_speed(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

const fn option(name: &'static str, kind: Kind, default: &'static str, right: Right, help: &'static str) -> OptionSpec {
    OptionSpec { name, kind, default, right, help }
}

const fn number(lowest: u32, highest: u32, set: fn(&mut Settings, u32)) -> Kind {
    Kind::Number { lowest, highest, set }
}

const fn host(set: fn(&mut Settings, String)) -> Kind {
    Kind::Text { shape: TextShape::Host, longest: LONGEST_HOST, set }
}

const fn mppe(name: &'static str, help: &'static str) -> OptionSpec {
    option(name, Kind::Mppe(|s, v| s.mppe = Some(v)), "", Everyone, help)
}

fn allow_mppe_128(settings: &mut Settings) {
    let key_lengths = KeyLengths::only(KeyLength::Bits128);
    settings.mppe = Some(Policy { presence: Presence::Optional, key_lengths, modes: Modes::Stateless });
}

const fn ignored(name: &'static str, shape: Shape) -> OptionSpec {
    let help = match shape {
        Shape::LineFlag | Shape::LineValue | Shape::LineSpeed => "Ignored (terminal lines have it)",
        Shape::ForkValue => "Ignored (other PPTP plugins have it)",
    };
    OptionSpec { name, kind: Kind::Ignored(shape), default: "", right: Everyone, help }
}

/// Every number in the table fits into 16 bits where it goes into 16 bits; the limits see to that.
fn narrow(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn seconds(value: u32) -> Duration {
    Duration::from_secs(u64::from(value))
}

static TABLE: &[OptionSpec] = &[
    option("pptp_server", host(|s, v| s.server = Some(v)), "", Everyone, "Server to call"),
    option("pptp_client", host(|s, v| s.client = Some(v)), "", Privileged, "Client that called (server side)"),
    option(
        "pptp_sock",
        number(0, HIGHEST_DESCRIPTOR, |s, v| s.socket = i32::try_from(v).ok()),
        "",
        Privileged,
        "Descriptor of the client's connected PPTP socket (server side)",
    ),
    option(
        "pptp_report",
        number(0, HIGHEST_DESCRIPTOR, |s, v| s.report = i32::try_from(v).ok()),
        "",
        Privileged,
        "Descriptor of a server that asks about the call (server side)",
    ),
    option(
        "pptp_logwtmp",
        Kind::Flag(|s| s.wtmp = true),
        "",
        Privileged,
        "Record the client's login in wtmp (server side)",
    ),
    option(
        "pptp_phone",
        Kind::Text { shape: TextShape::Phone, longest: Text64::LONGEST, set: |s, v| s.phone = v },
        "",
        Everyone,
        "Phone number to dial",
    ),
    option("pptp_window", number(1, 65535, |s, v| s.window = narrow(v)), "50", Everyone, "Receive window, packets"),
    option(
        "pptp_datapath",
        Kind::Choice {
            allowed: &["auto", "kernel", "tun", "pty"],
            set: |s, v| {
                let path = Path::ALL.into_iter().find(|path| path.name() == v);
                s.datapath = path.map_or(Datapath::Auto, Datapath::Only);
            },
        },
        "auto",
        Everyone,
        "What carries the packets",
    ),
    option("pptp_port", number(1, 65535, |s, v| s.port = narrow(v)), "1723", Everyone, "TCP port of the server"),
    option("pptp_bind", Kind::Address(|s, v| s.bind = Some(v)), "", Privileged, "Local address to call from"),
    option("pptp_mark", Kind::Mark(|s, v| s.mark = Some(v)), "", Privileged, "Firewall mark of the tunnel's packets"),
    option(
        "pptp_host_route",
        Kind::Choice {
            allowed: &["auto", "on", "off"],
            set: |s, v| {
                s.host_route = match v {
                    "on" => HostRoute::On,
                    "off" => HostRoute::Off,
                    _ => HostRoute::Auto,
                };
            },
        },
        "auto",
        Privileged,
        "Whether to make a route to the server outside the tunnel; auto: with defaultroute",
    ),
    option(
        "pptp_connect_timeout",
        number(1, LONGEST_TIMEOUT, |s, v| s.connect_timeout = seconds(v)),
        "30",
        Everyone,
        "Seconds until the call must be up",
    ),
    option(
        "pptp_echo_interval",
        number(0, LONGEST_TIMEOUT, |s, v| s.echo_interval = seconds(v)),
        "60",
        Everyone,
        "Seconds of silence before the server is asked for a sign of life; 0: never",
    ),
    option(
        "pptp_echo_timeout",
        number(1, LONGEST_TIMEOUT, |s, v| s.echo_timeout = seconds(v)),
        "60",
        Everyone,
        "Seconds that sign of life may take",
    ),
    option(
        "pptp_share",
        Kind::Choice { allowed: &["on", "off"], set: |s, v| s.share = v == "on" },
        "on",
        Everyone,
        "Whether calls to one server share a control connection",
    ),
    option("pptp_mtu", Kind::Mtu(|s, v| s.mtu = v), "auto", Everyone, "MTU and MRU, unless mtu or mru is given"),
    option(
        "pptp_reorder_ms",
        number(0, LONGEST_REORDERING, |s, v| s.reorder_time = Duration::from_millis(v.into())),
        "10",
        Everyone,
        "Milliseconds that a packet waits for earlier ones (tun, pty)",
    ),
    option(
        "pptp_reorder_packets",
        number(0, MOST_REORDERED, |s, v| s.reorder_packets = narrow(v)),
        "64",
        Everyone,
        "Packets that may wait for earlier ones (tun, pty)",
    ),
    option(
        "pptp_tx_window",
        Kind::Choice { allowed: &["off", "on"], set: |s, v| s.transmit_window = v == "on" },
        "off",
        Everyone,
        "Whether to send no more than the server's window (tun, pty)",
    ),
    option(
        "pptp_mschap",
        Kind::Choice {
            allowed: &["auto", "pppd", "internal"],
            set: |s, v| {
                s.mschap = match v {
                    "pppd" => MsChap::Pppd,
                    "internal" => MsChap::Internal,
                    _ => MsChap::Auto,
                };
            },
        },
        "auto",
        Everyone,
        "Whose MS-CHAP; auto: pppd's where it works",
    ),
    mppe("pptp_mppe", "What the plugin negotiates about MPPE, in place of pppd (require-mppe)"),
    mppe("mppe", "The same as pptp_mppe"),
    option("allow-mppe-128", Kind::Flag(allow_mppe_128), "", Everyone, "The same as pptp_mppe optional,128"),
    option(
        "pptp_quirks",
        Kind::Quirk(|s, v| s.quirk = Some(v)),
        "",
        Privileged,
        "Peculiarity of the server to allow for",
    ),
    ignored("pptp_timeout", Shape::ForkValue),
    ignored("pptp_server_ip", Shape::ForkValue),
    ignored("loglevel", Shape::ForkValue),
    ignored("vpnc", Shape::ForkValue),
    ignored("lock", Shape::LineFlag),
    ignored("nolock", Shape::LineFlag),
    ignored("local", Shape::LineFlag),
    ignored("modem", Shape::LineFlag),
    ignored("crtscts", Shape::LineFlag),
    ignored("nocrtscts", Shape::LineFlag),
    ignored("-crtscts", Shape::LineFlag),
    ignored("cdtrcts", Shape::LineFlag),
    ignored("xonxoff", Shape::LineFlag),
    ignored("notty", Shape::LineFlag),
    ignored("sync", Shape::LineFlag),
    ignored("escape", Shape::LineValue),
    // No word is its name: pppd asks about each word that it does not know.
    ignored("speed", Shape::LineSpeed),
];
