//! One call and its pppd: how far it is, and what comes next when it is to end.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use pptp_core::time::Instant;
use pptp_core::wire::CallId;

use super::lines::{Ends, HangUp};
use crate::control::Record;
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
    /// Line errors that the client has reported, of all kinds.
    pub(super) line_errors: u64,
    pub(super) origin: Origin,
}

/// Who wanted the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The client.
    Client,
    /// An operator, with an option file for pppd or the one for all calls.
    Operator(Option<PathBuf>),
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
    /// What a hang-up is, for a pppd that notices it or does not.
    pub(super) fn first(hang_up: HangUp) -> Self {
        match hang_up {
            HangUp::Noticed => Self::HungUp,
            HangUp::Unnoticed => Self::Terminated,
        }
    }

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
    /// What is known of it, for operators. Users and interfaces are pppd's to know.
    pub(super) fn record(&self, now: Instant) -> Record {
        let state = match self.stage {
            Stage::Open => "waiting",
            Stage::Up(_) => "running",
            Stage::Ending(..) => "ending",
        };
        let mut record = Record::default()
            .with("id", self.name.id.0)
            .with("state", state)
            .with("client", self.name.client)
            .with("connection", self.client.0)
            .with("call-id", self.ends.call.0)
            .with("peer-call-id", self.ends.peer_call.0)
            .with("uptime", now.since(self.begin).as_secs())
            .with("datapath", self.datapath)
            .with("line-errors", self.line_errors);
        if let Some(pair) = self.lease.as_ref().map(Lease::pair) {
            record = record.with("local", pair.local).with("remote", pair.remote);
        }
        match self.process() {
            Some(process) => record.with("pppd", process),
            None => record,
        }
    }

    /// Whether it is of the client with this address, outside or inside the tunnel.
    pub(super) fn is_of(&self, address: IpAddr) -> bool {
        let inside = self.lease.as_ref().is_some_and(|lease| address == lease.pair().remote);
        inside || self.name.client.ip() == address
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
