//! What the manager does with the core's events.

use log::Level;
use pptp_core::control::{CallEnd, CallParameters, CloseReason, Event};
use pptp_core::time::Instant;
use pptp_core::wire::CallId;

use crate::client::{CallInfo, FailureKind, Progress};
use crate::reporter::Delivery;
use crate::sharing;
use crate::words;

use super::client::Client;
use super::{Manager, Phase};

/// What a server writes that serves a single call on each control connection. pptpd is one: it ends the first call when it
/// is asked for a second. Other values mean nothing: a PNS does not count a PAC's channels (RFC 2637 §2.2).
const ONE_CALL: u16 = 1;

impl Manager {
    pub(super) fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Established(peer) => {
                self.log_to_all(Level::Debug, &format!("control connection to {}: {peer}", self.server));
                if peer.maximum_channels == ONE_CALL {
                    self.stop_sharing();
                }
                self.peer = Some(peer);
                for (_, deadline) in &mut self.candidates {
                    *deadline = sharing::candidates_deadline(now);
                }
                self.dial_waiting(now);
            }
            Event::CallConnected(parameters) => self.connect(&parameters, now),
            Event::CallRefused { call, .. } => {
                if let Some(client) = self.take_client(call) {
                    let text = event.to_string();
                    let reason = text.strip_prefix("call refused: ").unwrap_or(&text);
                    let text = format!("{} refused the call: {reason}", client.server);
                    client.end(FailureKind::Refused, text);
                }
            }
            Event::CallEnded { call, reason } => {
                if let Some(client) = self.take_client(call) {
                    let text = words::about(&client.server, &reason);
                    client.end(end_kind(&reason), text);
                }
            }
            Event::Closed(reason) => self.close(&reason),
            Event::PeerMisbehaved(what) => self.log_oddity(&what.to_string()),
            other => self.log_oddity(&other.to_string()),
        }
    }

    fn dial_waiting(&mut self, now: Instant) {
        for client in std::mem::take(&mut self.clients) {
            self.admit(client, now);
        }
    }

    /// The call is up: the channel is connected before anyone knows, so that nothing that comes early is lost.
    fn connect(&mut self, parameters: &CallParameters, now: Instant) {
        let Some(mut client) = self.take_client(parameters.call) else { return };
        if let Err(failure) = client.connect_channel(parameters.peer_call, self.server) {
            self.clear(&client, now);
            return client.end(failure.kind, failure.text);
        }
        let progress = Progress::Connected(self.describe(parameters, &client));
        match client.connected(parameters.call, &progress) {
            Delivery::Sent => self.clients.push(client),
            Delivery::Failed => self.clear(&client, now),
        }
    }

    fn describe(&self, parameters: &CallParameters, client: &Client) -> CallInfo {
        let peer = self.peer.as_ref();
        CallInfo {
            local: self.local,
            peer: self.server,
            call_id: parameters.call.0,
            peer_call_id: parameters.peer_call.0,
            peer_window: parameters.peer_receive_window,
            connect_speed: parameters.connect_speed,
            outer_mtu: self.outer_mtu(),
            shared: client.shared,
            peer_host: peer.map(|peer| peer.host_name.clone()).unwrap_or_default(),
            peer_vendor: peer.map(|peer| peer.vendor.clone()).unwrap_or_default(),
        }
    }

    /// The client whose call this is, if it has not gone before.
    fn take_client(&mut self, call: CallId) -> Option<Client> {
        let index = self.clients.iter().position(|client| client.call() == Some(call))?;
        Some(self.clients.swap_remove(index))
    }

    /// The control connection is closed: whoever still waits for a call will not get it.
    fn close(&mut self, reason: &CloseReason) {
        let established = self.peer.is_some();
        self.close_with(&describe_close(reason, established), close_kind(reason));
    }

    /// The end of everything, for this reason.
    pub(super) fn close_with(&mut self, reason: &str, kind: FailureKind) {
        self.phase = Phase::Closed;
        self.stop_sharing();
        for client in self.clients.drain(..) {
            let text = words::about(&client.server, &reason);
            client.end(kind, text);
        }
    }

    fn log_oddity(&mut self, text: &str) {
        if self.oddities > 0 {
            self.oddities -= 1;
            self.log_to_all(Level::Debug, &words::about(&self.server.to_string(), &text));
        }
    }
}

/// The core's words, but plainer for what happens most: a server that hangs up instead of answering.
fn describe_close(reason: &CloseReason, established: bool) -> String {
    if *reason == CloseReason::PeerClosed && !established {
        return String::from("the server closed the connection instead of answering the start request");
    }
    reason.to_string()
}

fn end_kind(reason: &CallEnd) -> FailureKind {
    match reason {
        CallEnd::PeerDisconnected { .. } => FailureKind::Refused,
        CallEnd::SetupTimeout => FailureKind::Timeout,
        CallEnd::ConnectionLost(reason) => close_kind(reason),
        _ => FailureKind::Protocol,
    }
}

fn close_kind(reason: &CloseReason) -> FailureKind {
    match reason {
        CloseReason::Refused { .. } | CloseReason::StoppedByPeer(_) => FailureKind::Refused,
        CloseReason::EchoTimeout | CloseReason::SetupTimeout => FailureKind::Timeout,
        _ => FailureKind::Protocol,
    }
}
