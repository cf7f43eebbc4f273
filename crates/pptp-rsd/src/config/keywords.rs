//! All that can be set, in one table: the file's keywords, the command line's options and the help are made from it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::surroundings::Surroundings;
use super::values::{self, Wrong};
use super::{AddressRange, Config, Datapath};

/// One setting.
#[derive(Debug)]
pub(crate) struct Keyword {
    /// In the file as it is, on the command line after `--`.
    pub(crate) name: &'static str,
    /// On the command line after `-`.
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    /// What holds when it is not given, as one could write it, or empty.
    pub(crate) default: &'static str,
    /// For the help.
    pub(crate) about: &'static str,
}

impl Keyword {
    /// With a default, which [`Config::default`] has as well.
    const fn or(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// Whether a server that runs keeps to what it has begun with ([`Config::after`]).
    pub(crate) fn is_read_once(&self) -> bool {
        matches!(self.name, "control-socket" | "fg" | "listen" | "metrics-listen" | "pidfile" | "vrf")
    }
}

/// What a keyword's value is, and what it sets.
#[derive(Debug)]
pub(crate) enum Kind {
    /// There is no value.
    Flag(fn(&mut Config)),
    Number {
        allowed: RangeInclusive<u32>,
        set: fn(&mut Config, u32),
    },
    Seconds {
        allowed: RangeInclusive<u32>,
        set: fn(&mut Config, Duration),
    },
    Path(fn(&mut Config, PathBuf)),
    /// Text without blanks, of at most so many bytes.
    Word {
        most: usize,
        set: fn(&mut Config, String),
    },
    Datapath,
    /// Addresses to listen on: each adds one.
    Listen,
    /// One address and port.
    Socket(fn(&mut Config, SocketAddr)),
    /// Lists of addresses and ranges.
    Addresses(fn(&mut Config, Vec<AddressRange>)),
}

/// What is known where a value is read.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Relative paths are relative to it.
    pub(crate) folder: &'a Path,
    pub(crate) surroundings: &'a dyn Surroundings,
    /// The keyword was there before, in the same file or on the same command line.
    pub(crate) again: bool,
}

impl Kind {
    /// Sets what the value says. A flag takes no notice of it.
    pub(crate) fn set(&self, config: &mut Config, value: &OsStr, context: Context<'_>) -> Result<(), Wrong> {
        match self {
            Self::Flag(set) => set(config),
            Self::Number { allowed, set } => set(config, values::number(value, allowed)?),
            Self::Seconds { allowed, set } => set(config, values::seconds(value, allowed)?),
            Self::Path(set) => set(config, values::path(value, context.folder)?),
            Self::Word { most, set } => set(config, values::word(value, *most)?),
            Self::Datapath => config.datapath = values::datapath(value)?,
            Self::Listen => listen(config, values::listen(value, context.surroundings)?, context.again),
            Self::Socket(set) => set(config, values::socket(value)?),
            Self::Addresses(set) => set(config, values::addresses(value, context.surroundings)?),
        }
        Ok(())
    }

    /// What stands for the value in the help; `None` if there is no value.
    pub(crate) const fn placeholder(&self) -> Option<&'static str> {
        match self {
            Self::Flag(_) => None,
            Self::Number { .. } => Some("n"),
            Self::Seconds { .. } => Some("seconds"),
            Self::Path(_) => Some("file"),
            Self::Word { .. } => Some("name"),
            Self::Datapath => Some("kind"),
            Self::Listen => Some("address"),
            Self::Socket(_) => Some("ip:port"),
            Self::Addresses(_) => Some("list"),
        }
    }

    /// The rest of a message that begins with what is not allowed.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Flag(_) => "no value".into(),
            Self::Number { allowed, .. } => format!("a number from {} to {}", allowed.start(), allowed.end()),
            Self::Seconds { allowed, .. } => format!("seconds from {} to {}", allowed.start(), allowed.end()),
            Self::Path(_) => "a path".into(),
            Self::Word { most, .. } => format!("a name of at most {most} bytes, without blanks"),
            Self::Datapath => Datapath::ALL.map(Datapath::name).join(", "),
            Self::Listen => "ADDRESS, ADDRESS:PORT, [IPV6-ADDRESS]:PORT, or the name of a host".into(),
            Self::Socket(_) => "ADDRESS:PORT or [IPV6-ADDRESS]:PORT".into(),
            Self::Addresses(_) => "addresses, ranges in one of the four numbers (10.0.0.2-99), names of hosts; \
                                   a comma between them and no blank"
                .into(),
        }
    }

    /// Whether several lines add to one another.
    pub(crate) const fn adds(&self) -> bool {
        matches!(self, Self::Listen)
    }
}

fn listen(config: &mut Config, address: SocketAddr, again: bool) {
    if !again {
        config.listen.clear();
    }
    if !config.listen.contains(&address) {
        config.listen.push(address);
    }
}

/// The keyword of this name.
pub(crate) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// More than 10 000 calls are several machines' work; a million is more than any has addresses for.
const COUNT: RangeInclusive<u32> = 1..=1_000_000;
const DAY: u32 = 86_400;

const fn plain(name: &'static str, kind: Kind, about: &'static str) -> Keyword {
    Keyword { name, short: None, kind, default: "", about }
}

const fn short(short: char, name: &'static str, kind: Kind, about: &'static str) -> Keyword {
    Keyword { name, short: Some(short), kind, default: "", about }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// First pptpd's, in the order of its help, then the rest.
pub(crate) static KEYWORDS: &[Keyword] = &[
    short(
        'b',
        "bcrelay",
        Kind::Word { most: INTERFACE, set: |c, v| c.bcrelay = Some(v) },
        "broadcasts of this interface are not relayed: a warning says so",
    ),
    short('d', "debug", Kind::Flag(|c| c.debug = true), "log each decision"),
    short('e', "ppp", Kind::Path(|c, v| c.pppd = v), "the pppd to start for each call").or("/usr/sbin/pppd"),
    short('f', "fg", Kind::Flag(|c| c.foreground = true), "stay in the foreground"),
    short(
        'i',
        "noipparam",
        Kind::Flag(|c| c.no_ipparam = true),
        "do not give the client's address to ip-up as ipparam",
    ),
    short('l', "listen", Kind::Listen, "accept control connections here; may be repeated").or("0.0.0.0"),
    short('o', "option", Kind::Path(|c, v| c.option_file = Some(v)), "pppd's options, in place of /etc/ppp/options"),
    short('p', "pidfile", Kind::Path(|c, v| c.pid_file = Some(v)), "where the process id is written")
        .or("/run/pptpd.pid"),
    short(
        's',
        "speed",
        Kind::Number { allowed: 1..=u32::MAX, set: |c, v| c.speed = v },
        "a line speed in bit/s; it makes no difference",
    )
    .or("115200"),
    short(
        't',
        "stimeout",
        Kind::Seconds { allowed: 1..=DAY, set: |c, v| c.stimeout = v },
        "how long a client may take to start its connection",
    )
    .or("10"),
    short('w', "logwtmp", Kind::Flag(|c| c.logwtmp = true), "record calls in wtmp"),
    short(
        'C',
        "connections",
        Kind::Number { allowed: COUNT, set: |c, v| c.connections = count(v) },
        "most clients at a time",
    )
    .or("100"),
    short('D', "delegate", Kind::Flag(|c| c.delegate = true), "pppd chooses the addresses"),
    short(
        'V',
        "vrf",
        Kind::Word { most: INTERFACE, set: |c, v| c.vrf = Some(v) },
        "the VRF device that clients are reached by",
    ),
    plain("localip", Kind::Addresses(|c, v| c.local = v), "this end's addresses of calls; one is enough")
        .or("192.168.0.1-100"),
    plain("remoteip", Kind::Addresses(|c, v| c.remote = v), "the clients' addresses, one for each call")
        .or("192.168.1.1-100"),
    plain(
        "max-per-address",
        Kind::Number { allowed: COUNT, set: |c, v| c.max_per_address = count(v) },
        "most control connections, and calls, of one client address",
    )
    .or("50"),
    plain(
        "max-starting",
        Kind::Number { allowed: COUNT, set: |c, v| c.max_starting = count(v) },
        "most connections that have not started; the oldest gives way",
    )
    .or("256"),
    plain(
        "max-sessions",
        Kind::Number { allowed: COUNT, set: |c, v| c.max_sessions = Some(count(v)) },
        "most calls at a time; as many as connections if it is not set",
    ),
    plain(
        "echo-interval",
        Kind::Seconds { allowed: 0..=DAY, set: |c, v| c.echo_interval = v },
        "silence before an Echo-Request; 0: none is sent",
    )
    .or("60"),
    plain(
        "echo-timeout",
        Kind::Seconds { allowed: 1..=DAY, set: |c, v| c.echo_timeout = v },
        "how long an Echo-Reply may take",
    )
    .or("60"),
    plain("datapath", Kind::Datapath, "what carries the packets: auto, kernel, tun or pty").or("auto"),
    plain(
        "drain-timeout",
        Kind::Seconds { allowed: 0..=DAY, set: |c, v| c.drain_timeout = v },
        "how long calls may take to end after SIGTERM",
    )
    .or("10"),
    plain(
        "plugin",
        Kind::Word { most: 4095, set: |c, v| c.plugin = v },
        "the plugin as pppd is given it, a path or a name",
    )
    .or("pptp-rs.so"),
    plain(
        "metrics-listen",
        Kind::Socket(|c, v| c.metrics_listen = Some(v)),
        "serve metrics here; not served if it is not set",
    ),
    plain("control-socket", Kind::Path(|c, v| c.control_socket = v), "pptp-rsctl's socket").or("/run/pptp-rsd.sock"),
];

/// Longest name of an interface: the kernel's IFNAMSIZ without the byte that ends it.
const INTERFACE: usize = 15;
