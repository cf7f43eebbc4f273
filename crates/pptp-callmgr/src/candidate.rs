//! The process that a plugin starts: it looks for a manager, and becomes one if there is none.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use log::Level;
use pptp_core::time::Instant;
use pptp_io::{cgroup, clock, confine, process};

use crate::channel::Channel;
use crate::client::{Failure, Request};
use crate::codec::Join;
use crate::manager::{self, Start};
use crate::race::{self, Winner};
use crate::reporter::Reporter;
use crate::resolve;
use crate::sharing::{self, Listening, Meeting, Place};
use crate::words;

/// How long after its deadline a candidate that hangs in a system call is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How often a manager may appear while we connect, and not take the call when it is asked.
const ATTEMPTS: usize = 3;

/// Why a candidate ends without a call.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody wants the call any more.
    PluginGone,
    /// It cannot be made.
    Failed(Failure),
}

impl Stop {
    pub(crate) fn cannot_wait(error: io::Error) -> Self {
        Self::Failed(words::local(format!("the call manager cannot wait: {error}")))
    }
}

struct Candidate<'a> {
    request: &'a Request,
    plugin: Reporter,
    channel: Channel,
    begin: Instant,
    meeting: Meeting,
}

/// What has become of the call.
enum Outcome {
    /// A manager has it.
    HandedOver,
    /// This process is the manager.
    Ours(Winner, Option<Listening>),
}

/// Whose the control connection to a server is.
enum Claim {
    /// This process's, and others find it.
    Shared(Listening),
    /// This process's alone.
    Alone,
    /// Another's, since a moment ago.
    Taken,
}

/// The whole life of the process: `kept` is the plugin's socket and the channel's descriptors.
pub(crate) fn run(directory: &Path, request: &Request, kept: Vec<OwnedFd>) {
    let mut kept = kept.into_iter();
    let Some(plugin) = kept.next() else { return };
    let Some(channel) = Channel::from_descriptors(kept) else { return };
    let (plugin, begin) = (Reporter::new(plugin), clock::now());
    process::set_time_limit(Some(request.connect_timeout.saturating_add(GRACE)));
    let meeting = Meeting::new(directory, confine::service_account());
    let candidate = Candidate { request, plugin, channel, begin, meeting };
    match candidate.place_call() {
        Ok(Outcome::HandedOver) | Err(Stop::PluginGone) => {}
        Ok(Outcome::Ours(winner, listening)) => candidate.become_manager(winner, listening),
        Err(Stop::Failed(failure)) => candidate.plugin.fail(failure),
    }
}

impl Candidate<'_> {
    fn place_call(&self) -> Result<Outcome, Stop> {
        let servers = resolve::resolve(self.request, &self.plugin, self.deadline())?;
        if !servers.iter().any(|address| address.to_string() == self.request.server) {
            self.plugin.log(Level::Debug, format!("{} is {}", self.request.server, words::list(&servers)));
        }
        for _ in 0..ATTEMPTS {
            let joined = |&server: &Ipv4Addr| self.joins_at(&sharing::socket_name(self.request, server), server);
            if self.request.share && servers.iter().any(joined) {
                return Ok(Outcome::HandedOver);
            }
            let winner = race::connect(self.request, servers.clone(), &self.plugin, self.deadline())?;
            match self.claim(&winner) {
                Claim::Alone => return Ok(Outcome::Ours(winner, None)),
                Claim::Shared(listening) => return Ok(Outcome::Ours(winner, Some(listening))),
                // Our own connection is closed before the other's manager is asked: servers like pptpd serve nobody
                // else while somebody is connected and says nothing.
                Claim::Taken => drop(winner),
            }
        }
        let winner = race::connect(self.request, servers, &self.plugin, self.deadline())?;
        Ok(Outcome::Ours(winner, None))
    }

    fn deadline(&self) -> Instant {
        self.begin + self.request.connect_timeout
    }

    /// Whether a manager was there and took the call.
    fn joins_at(&self, name: &str, server: Ipv4Addr) -> bool {
        match self.meeting.find(name) {
            Ok(Some(manager)) => self.hands_over(&manager, server),
            Ok(None) => false,
            Err(error) => {
                self.plugin.log(Level::Debug, format!("cannot look for a shared control connection: {error}"));
                false
            }
        }
    }

    fn hands_over(&self, manager: &OwnedFd, server: Ipv4Addr) -> bool {
        let join = Join { request: self.request.clone(), elapsed: clock::now().since(self.begin) };
        let joined = sharing::hand_over(manager, &join, &self.plugin, &self.channel);
        if !joined {
            self.plugin.log(Level::Debug, format!("the control connection to {server} cannot be shared"));
        }
        joined
    }

    /// Makes the open connection the one that others find, unless there is one.
    fn claim(&self, winner: &Winner) -> Claim {
        if !self.request.share {
            return Claim::Alone;
        }
        match self.meeting.find_or_listen(&sharing::socket_name(self.request, winner.server)) {
            Ok(Place::Ours(listening)) => Claim::Shared(listening),
            Ok(Place::Taken) => Claim::Taken,
            Err(error) => {
                self.plugin.log(Level::Warn, format!("the control connection will not be shared: {error}"));
                Claim::Alone
            }
        }
    }

    fn become_manager(self, winner: Winner, listening: Option<Listening>) {
        process::set_time_limit(None);
        match cgroup::leave() {
            Ok(moved) => self.plugin.log(Level::Debug, format!("call manager: control group: {moved:?}")),
            Err(error) => self.plugin.log(Level::Debug, format!("call manager: stays in its control group: {error}")),
        }
        for lack in confine::confine(self.meeting.account) {
            self.plugin.log(Level::Info, format!("call manager: {lack}"));
        }
        let deadline = self.deadline();
        let (request, plugin, channel) = (self.request.clone(), self.plugin, self.channel);
        manager::run(Start { winner, listening, request, plugin, channel, deadline });
    }
}
