//! One call and its pppd: how far it is, and what comes next when it is to end.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;

use pptp_core::time::Instant;
use pptp_core::wire::CallId;

use super::lines::{Ends, HangUp};
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
    pub(super) stage: Stage<Process>,
    /// When pppd was started.
    pub(super) begin: Instant,
    /// Line errors that the client has reported, of all kinds.
    pub(super) line_errors: u64,
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
