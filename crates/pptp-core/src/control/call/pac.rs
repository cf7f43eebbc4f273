//! What the two PAC machines have in common: an established call and its end.

use crate::control::config::WanErrorCounters;
use crate::control::event::CallEnd;
use crate::control::timers::Timer;
use crate::time::Instant;
use crate::wire::{CallDisconnectNotify, DisconnectResult, GeneralError, Message, PeerCallId, WanErrorNotify};

use super::context::{Context, Fate};

/// An established call: the PAC never speaks of Set-Link-Info (a Fujitsu router's pass-through drops the TCP
/// connection when it does), and reports line errors sparingly.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer_call: PeerCallId,
    reported: Option<Instant>,
    pending: Option<WanErrorCounters>,
}

impl Session {
    pub(super) const fn new(peer_call: PeerCallId) -> Self {
        Self { peer_call, reported: None, pending: None }
    }

    /// A message for the established call.
    pub(super) fn handle(&self, message: &Message, context: &mut Context<'_>) -> Fate {
        if let Some(fate) = ended_by(message, context) {
            return fate;
        }
        let Message::SetLinkInfo(info) = message else {
            return context.unexpected(message, "established");
        };
        context.link_info(info.send_accm, info.receive_accm);
        Fate::Alive
    }

    /// Sends WAN-Error-Notify (§2.14: not more than once in 60 s), or keeps the counters until one is due: they are
    /// cumulative, so that the latest say it all.
    pub(super) fn notify_wan_errors(&mut self, counters: WanErrorCounters, context: &mut Context<'_>) {
        let due = self.reported.map(|reported| reported + context.config.wan_error_interval);
        match due {
            Some(due) if due > context.now => {
                self.pending = Some(counters);
                context.timers.set(Timer::WanErrors(context.call.0), due);
            }
            _ => self.send(counters, context),
        }
    }

    /// The next WAN-Error-Notify is due.
    pub(super) fn wan_errors_due(&mut self, context: &mut Context<'_>) {
        if let Some(counters) = self.pending.take() {
            self.send(counters, context);
        }
    }

    fn send(&mut self, counters: WanErrorCounters, context: &mut Context<'_>) {
        self.reported = Some(context.now);
        context.send(WanErrorNotify {
            peer_call_id: self.peer_call,
            reserved1: 0,
            crc_errors: counters.crc_errors,
            framing_errors: counters.framing_errors,
            hardware_overruns: counters.hardware_overruns,
            buffer_overruns: counters.buffer_overruns,
            timeout_errors: counters.timeout_errors,
            alignment_errors: counters.alignment_errors,
        });
    }
}

/// What ends a call in any state (§2.12): Call-Clear-Request, which is answered; and Call-Disconnect-Notify, although
/// only a PAC may send that. `None`: the message is something else.
pub(super) fn ended_by(message: &Message, context: &mut Context<'_>) -> Option<Fate> {
    match message {
        Message::CallClearRequest(_) => answer_clear(context),
        Message::CallDisconnectNotify(_) => context.wrong_direction(message),
        _ => return None,
    }
    Some(Fate::Ended(CallEnd::PeerCleared))
}

/// Answers Call-Clear-Request (§2.13).
pub(super) fn answer_clear(context: &mut Context<'_>) {
    context.answer(notify(context, DisconnectResult::Request));
}

/// Tells the PNS that the call is over (§2.13).
pub(super) fn disconnect(result: DisconnectResult, context: &mut Context<'_>) {
    context.send(notify(context, result));
}

const fn notify(context: &Context<'_>, result: DisconnectResult) -> CallDisconnectNotify {
    CallDisconnectNotify {
        call_id: context.call,
        result,
        error: GeneralError::None,
        cause: 0,
        reserved1: 0,
        call_statistics: [0; 128],
    }
}
