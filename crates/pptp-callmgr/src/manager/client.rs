//! One plugin and its call, as the manager sees them.

use std::io;
use std::net::Ipv4Addr;

use log::Level;
use pptp_core::control::{Connection, OutgoingCall};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, PeerCallId};

use pptp_io::pppox::Admission;

use crate::channel::Channel;
use crate::client::{Failure, FailureKind, Progress, Request};
use crate::reporter::{Delivery, Reporter};
use crate::words;

/// How many call ids may be another program's before we give up.
const MOST_TAKEN_IDS: usize = 16;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The control connection is not established.
    Waiting,
    /// The server was asked for the call.
    Dialling(CallId),
    /// The call is up.
    Up(CallId),
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) plugin: Reporter,
    /// What pppd's hang-up hangs on: closed when the call ends.
    channel: Channel,
    pub(crate) request: Request,
    /// The server, for the user.
    pub(crate) server: String,
    /// When a call that is not up has failed.
    pub(crate) deadline: Instant,
    pub(crate) stage: Stage,
    /// Whether the control connection was there before.
    pub(crate) shared: bool,
}

impl Client {
    pub(crate) fn new(
        plugin: Reporter,
        channel: Channel,
        request: Request,
        server: Ipv4Addr,
        deadline: Instant,
    ) -> Self {
        let server = words::server_name(&request.server, server);
        Self { plugin, channel, request, server, deadline, stage: Stage::Waiting, shared: false }
    }

    pub(crate) fn call(&self) -> Option<CallId> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Dialling(call) | Stage::Up(call) => Some(call),
        }
    }

    /// When to look at it again: it has this long to come up.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        (!matches!(self.stage, Stage::Up(_))).then_some(self.deadline)
    }

    /// Asks the server for the call. The channel is bound before, so that not even the first packet is lost.
    pub(crate) fn dial(&mut self, connection: &mut Connection, local: Ipv4Addr, now: Instant) -> Result<(), Failure> {
        let id = self.bind_channel(connection, local)?;
        let call = OutgoingCall {
            phone_number: self.request.phone.clone(),
            receive_window: self.request.window,
            ..OutgoingCall::default()
        };
        if let Err(misuse) = connection.place_call(id, call, now) {
            connection.release_call_id(id);
            return Err(words::local(format!("cannot call {}: {misuse}", self.server)));
        }
        self.stage = Stage::Dialling(id);
        Ok(())
    }

    fn bind_channel(&self, connection: &mut Connection, local: Ipv4Addr) -> Result<CallId, Failure> {
        let mut taken = Vec::new();
        let result = loop {
            let id = match connection.reserve_call_id() {
                Ok(id) => id,
                Err(misuse) => break Err(words::local(format!("cannot call {}: {misuse}", self.server))),
            };
            match self.channel.bind(id, local) {
                Ok(()) => break Ok(id),
                // Another program's. It stays reserved meanwhile, so that another is tried.
                Err(error) if is_taken(&error) && taken.len() < MOST_TAKEN_IDS => taken.push(id),
                Err(error) => {
                    taken.push(id);
                    let reason = pptp_io::words(&error);
                    let name = self.channel.name();
                    break Err(words::local(format!("cannot bind {name} to {local}: {reason}")));
                }
            }
        };
        for id in taken {
            connection.release_call_id(id);
        }
        result
    }

    /// Opens the channel to the server's end of the call.
    pub(crate) fn connect_channel(&mut self, peer_call: PeerCallId, server: Ipv4Addr) -> Result<(), Failure> {
        self.channel.connect(peer_call, server).map_err(|error| {
            if error.raw_os_error() == Some(libc::EALREADY) {
                let text = format!("{} gave call id {}, which another call here has", self.server, peer_call.0);
                return Failure { kind: FailureKind::Protocol, text };
            }
            let (name, reason) = (self.channel.name(), pptp_io::words(&error));
            words::local(format!("cannot connect {name} to {server}: {reason}"))
        })
    }

    /// Lets the kernel's PPP receive only what the plugin says.
    pub(crate) fn admit(&self, admission: Admission) {
        if let Err(error) = self.channel.admit(admission) {
            let reason = pptp_io::words(&error);
            let name = self.channel.name();
            self.plugin.log(Level::Warn, format!("cannot keep packets in clear from {name}: {reason}"));
        }
    }

    /// Tells the plugin that there is no call (any more) and why, then hangs up.
    pub(crate) fn end(self, kind: FailureKind, text: String) {
        // What it says must be there to be read when pppd notices the hang-up.
        let last = match self.stage {
            Stage::Up(_) => Progress::Ended { text },
            Stage::Waiting | Stage::Dialling(_) => Progress::Failed(Failure { kind, text }),
        };
        self.plugin.tell(&last);
        drop(self.channel);
    }

    /// Tells the plugin that the call is up.
    pub(crate) fn connected(&mut self, call: CallId, progress: &Progress) -> Delivery {
        self.stage = Stage::Up(call);
        self.plugin.tell(progress)
    }
}

/// The id, or the pair of ids, is in use.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EADDRINUSE))
}
