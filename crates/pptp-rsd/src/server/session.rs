//! One call and its pppd: how far it is, and what comes next when it is to end.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use pptp_core::time::Instant;
use pptp_core::wire::CallId;
use pptp_datapath::report::{DataPath, Report};

use super::lines::Ends;
use super::news::News;
use crate::control::{Record, encode};
use crate::pool::Lease;

/// The number of a call for the log: no two calls of one run of the server have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub(super) u64);

/// The number of a control connection, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub(super) u64);

/// How long a pppd may take to notice a hang-up and run its scripts, and to obey SIGTERM: it gives a silent client six seconds and
/// its scripts another five.
const NOTICING: Duration = Duration::from_secs(12);
const OBEYING: Duration = Duration::from_secs(12);

#[derive(Debug)]
pub(super) struct Session<Line, Process> {
    pub(super) name: Name,
    pub(super) client: ClientId,
    pub(super) ends: Ends,
    /// Its addresses inside the tunnel; `None`: pppd chooses.
    pub(super) lease: Option<Lease>,
    pub(super) line: Line,
    pub(super) datapath: &'static str,
    pub(super) stage: Stage<Process>,
    /// When pppd was started.
    pub(super) begin: Instant,
    /// That it ends early is not the client's fault.
    pub(super) excused: bool,
    pub(super) news: News,
    /// Whether its network is an acquaintance by it.
    pub(super) is_acquainted: bool,
    /// Why the call is over, if it is.
    pub(super) over: Option<String>,
    /// Line errors that the client has reported, of all kinds.
    pub(super) line_errors: u64,
    /// What the client has said in Set-Link-Info, of sending and of receiving. Nothing is escaped in GRE, so it is for operators
    /// alone (RFC 2637 §2.15).
    pub(super) accms: Option<[u32; 2]>,
    pub(super) origin: Origin,
}

/// Who wanted the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The client, a PNS (Outgoing-Call-Request).
    Outgoing,
    /// The client, a PAC (Incoming-Call-Request).
    Incoming,
    /// An operator of this end, with an option file for pppd or the one for all calls.
    Placed(Option<PathBuf>),
}

impl Origin {
    pub(super) const fn is_clients(&self) -> bool {
        matches!(self, Self::Outgoing | Self::Incoming)
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
            Self::Placed(_) => "placed",
        }
    }
}

/// How a session is called in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: SessionId,
    pub(super) client: SocketAddr,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: {}", self.id.0, self.client.ip())
    }
}

/// What is to be told of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) name: Name,
    pub(super) state: &'static str,
    /// Our address inside the tunnel, and the client's.
    pub(super) inside: [Option<Ipv4Addr>; 2],
    pub(super) datapath: &'static str,
    pub(super) uptime: Duration,
    pub(super) report: &'a Report,
}

impl<Line, Process> Session<Line, Process> {
    pub(super) fn facts(&self, now: Instant) -> Facts<'_> {
        Facts {
            name: self.name,
            state: self.state(),
            inside: self.inside(),
            datapath: self.datapath(),
            uptime: now.since(self.begin),
            report: self.news.report(),
        }
    }

    fn state(&self) -> &'static str {
        match self.stage {
            Stage::Open => "waiting",
            Stage::Up(_) => "running",
            Stage::Ending(..) => "ending",
        }
    }

    /// Its addresses inside the tunnel, ours first.
    pub(super) fn inside(&self) -> [Option<Ipv4Addr>; 2] {
        let report = self.news.report();
        let pair = self.lease.as_ref().map(Lease::pair);
        [report.local.or(pair.map(|pair| pair.local)), report.remote.or(pair.map(|pair| pair.remote))]
    }

    pub(super) fn datapath(&self) -> &'static str {
        self.news.report().path.map_or(self.datapath, DataPath::name)
    }

    /// The line that is logged at its end, always with the same fields in the same order; what is not known is `-`.
    pub(super) fn epitaph(&self, last_words: &str, now: Instant) -> String {
        fn known(value: Option<impl fmt::Display>) -> String {
            value.map_or_else(|| "-".into(), |value| encode(&value.to_string()))
        }
        let report = self.news.report();
        let [local, remote] = self.inside().map(known);
        let [received, sent] =
            [report.statistics.map(|all| all.received.bytes), report.statistics.map(|all| all.sent.bytes)];
        format!(
            "session {} ended: user={} client={} local={local} remote={remote} interface={} seconds={} bytes-received={} \
             bytes-sent={} reason={}",
            self.name.id.0,
            known(self.news.user()),
            self.name.client.ip(),
            known(report.interface.as_deref()),
            now.since(self.begin).as_secs(),
            known(received),
            known(sent),
            self.over.as_deref().unwrap_or(last_words),
        )
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage<Process> {
    /// The way is open; the client has yet to say that the call is connected.
    Open,
    /// pppd runs.
    Up(Process),
    /// The call is over and pppd has not ended.
    Ending(Process, Push),
}

/// What was last done to end pppd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    HungUp,
    Terminated,
    Killed,
}

impl Push {
    /// What follows when it was in vain.
    pub(super) fn next(self) -> Self {
        match self {
            Self::HungUp => Self::Terminated,
            Self::Terminated | Self::Killed => Self::Killed,
        }
    }

    /// How long it is waited for. Nothing helps against a process that cannot be killed.
    pub(super) fn patience(self) -> Option<Duration> {
        match self {
            Self::HungUp => Some(NOTICING),
            Self::Terminated => Some(OBEYING),
            Self::Killed => None,
        }
    }
}

impl<Line, Process: Copy + fmt::Display> Session<Line, Process> {
    /// What is known of it, for operators.
    pub(super) fn record(&self, now: Instant) -> Record {
        let report = self.news.report();
        let [local, remote] = self.inside();
        let record = Record::default()
            .with("id", self.name.id.0)
            .with("state", self.state())
            .with_known("user", self.news.user())
            .with("client", self.name.client)
            .with("connection", self.client.0)
            .with("call-id", self.ends.call.0)
            .with("peer-call-id", self.ends.peer_call.0)
            .with("uptime", now.since(self.begin).as_secs())
            .with("datapath", self.datapath())
            .with("call", self.origin.name())
            .with("line-errors", self.line_errors)
            .with_known("send-accm", self.accms.map(|[send, _]| format!("{send:08x}")))
            .with_known("receive-accm", self.accms.map(|[_, receive]| format!("{receive:08x}")))
            .with_known("local", local)
            .with_known("remote", remote)
            .with_known("pppd", self.process())
            .with_known("interface", report.interface.as_deref())
            .with_known("mppe", report.encryption);
        let Some(statistics) = report.statistics else { return record };
        let age = self.news.age(now).map(|age| age.as_secs());
        statistics.add_to(record).with_known("counted-seconds-ago", age)
    }

    /// Whether it is of the client with this address, outside or inside the tunnel.
    pub(super) fn is_of(&self, address: IpAddr) -> bool {
        let [_, inside] = self.inside();
        inside.is_some_and(|inside| address == inside) || self.name.client.ip() == address
    }
}

impl<Line, Process: Copy> Session<Line, Process> {
    pub(super) fn process(&self) -> Option<Process> {
        match self.stage {
            Stage::Open => None,
            Stage::Up(process) | Stage::Ending(process, _) => Some(process),
        }
    }

    /// The call of the control connection, while it lasts.
    pub(super) fn call(&self) -> Option<CallId> {
        match self.stage {
            Stage::Open | Stage::Up(_) => Some(self.ends.call),
            Stage::Ending(..) => None,
        }
    }
}
