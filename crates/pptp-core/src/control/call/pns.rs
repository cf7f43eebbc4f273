//! What the two PNS machines have in common: an established call, its clearing, and its end.

use crate::control::config::WanErrorCounters;
use crate::control::error::Misbehaviour;
use crate::control::event::CallEnd;
use crate::wire::{
    CallClearRequest, CallDisconnectNotify, DisconnectResult, Message, PeerCallId, SetLinkInfo, WanErrorNotify,
};

use super::context::{Context, Fate};
use super::pac;

/// Call-Clear-Request was sent, and Call-Disconnect-Notify is awaited (state wait_disconnect).
#[derive(Debug)]
pub(super) struct Clearing {
    /// The peer's id, when it has told one.
    pub(super) peer_call: Option<PeerCallId>,
    /// What the owner is told when it is over.
    then: CallEnd,
}

impl Clearing {
    /// Asks the PAC to disconnect the call (§2.12).
    pub(super) fn begin(peer_call: Option<PeerCallId>, then: CallEnd, context: &mut Context<'_>) -> Self {
        context.send(CallClearRequest { call_id: context.call, reserved1: 0 });
        context.expect_within(context.config.stop_timeout);
        Self { peer_call, then }
    }

    /// The PAC has no call any more, or does not say so in time.
    pub(super) fn over(&self) -> Fate {
        Fate::Ended(self.then.clone())
    }

    /// The PAC confirms, or sends what it sent before it saw the Call-Clear-Request.
    pub(super) fn handle(&self, message: &Message, context: &mut Context<'_>) -> Fate {
        match message {
            Message::CallDisconnectNotify(_) => self.over(),
            Message::CallClearRequest(_) => {
                context.wrong_direction(message);
                self.over()
            }
            Message::WanErrorNotify(_) | Message::SetLinkInfo(_) => Fate::Alive,
            _ => context.unexpected(message, "wait_disconnect"),
        }
    }
}

/// What ends a call in any state before wait_disconnect: Call-Disconnect-Notify; and Call-Clear-Request, although
/// only a PNS may send that. `None`: the message is something else.
pub(super) fn ended_by(message: &Message, context: &mut Context<'_>) -> Option<Fate> {
    match message {
        Message::CallDisconnectNotify(notify) => Some(disconnected(notify, context)),
        Message::CallClearRequest(_) => {
            context.wrong_direction(message);
            pac::answer_clear(context);
            Some(Fate::Ended(CallEnd::PeerCleared))
        }
        _ => None,
    }
}

fn disconnected(notify: &CallDisconnectNotify, context: &mut Context<'_>) -> Fate {
    if notify.result == DisconnectResult::Unknown(0) {
        context.outbox.misbehaved(Misbehaviour::CodeZero { message: "Call-Disconnect-Notify" });
    }
    Fate::Ended(CallEnd::PeerDisconnected { result: notify.result, error: notify.error, cause: notify.cause })
}

/// A message for an established call.
pub(super) fn established(message: &Message, context: &mut Context<'_>) -> Fate {
    if let Some(fate) = ended_by(message, context) {
        return fate;
    }
    match message {
        Message::WanErrorNotify(notify) => context.wan_errors(counters(notify)),
        Message::SetLinkInfo(info) => {
            context.wrong_direction(message);
            context.link_info(info.send_accm, info.receive_accm);
        }
        _ => return context.unexpected(message, "established"),
    }
    Fate::Alive
}

/// Sends Set-Link-Info (§2.15).
pub(super) fn send_link_info(peer_call: PeerCallId, accms: (u32, u32), context: &mut Context<'_>) {
    let (send_accm, receive_accm) = accms;
    context.send(SetLinkInfo { peer_call_id: peer_call, reserved1: 0, send_accm, receive_accm });
}

const fn counters(notify: &WanErrorNotify) -> WanErrorCounters {
    WanErrorCounters {
        crc_errors: notify.crc_errors,
        framing_errors: notify.framing_errors,
        hardware_overruns: notify.hardware_overruns,
        buffer_overruns: notify.buffer_overruns,
        timeout_errors: notify.timeout_errors,
        alignment_errors: notify.alignment_errors,
    }
}
