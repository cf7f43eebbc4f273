//! A PAC's outgoing call (RFC 2637 §3.2.4.1).

use crate::control::config::{CallAnswer, CallRefusal, WanErrorCounters};
use crate::control::error::Misuse;
use crate::control::event::{CallEnd, CallParameters};
use crate::wire::{
    CallResult, DisconnectResult, GeneralError, Message, OutgoingCallReply, OutgoingCallRequest, PeerCallId,
};

use super::context::{Context, Fate, TOO_LATE};
use super::pac::{self, Session};

/// The machine.
#[derive(Debug)]
pub(in crate::control) struct PacOutgoing {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The owner has to answer.
    WaitCsAns(Asked),
    Established(Session),
}

/// What the PNS told of its end.
#[derive(Clone, Copy, Debug)]
struct Asked {
    peer_call: PeerCallId,
    receive_window: u16,
    processing_delay: u16,
}

impl PacOutgoing {
    pub(in crate::control) fn new(request: &OutgoingCallRequest, context: &mut Context<'_>) -> Self {
        context.expect_within(context.config.setup_timeout);
        Self {
            state: State::WaitCsAns(Asked {
                peer_call: request.call_id.seen_by_peer(),
                receive_window: request.receive_window,
                processing_delay: request.processing_delay,
            }),
        }
    }

    pub(in crate::control) fn handle(&mut self, message: &Message, context: &mut Context<'_>) -> Fate {
        match &self.state {
            State::WaitCsAns(_) => {
                pac::ended_by(message, context).unwrap_or_else(|| context.unexpected(message, "wait_cs_ans"))
            }
            State::Established(session) => session.handle(message, context),
        }
    }

    pub(in crate::control) fn accept(&mut self, answer: &CallAnswer, context: &mut Context<'_>) -> Result<(), Misuse> {
        let State::WaitCsAns(asked) = self.state else {
            return context.misuse("accept_call", self.state_name());
        };
        context.send(OutgoingCallReply {
            call_id: context.call,
            peer_call_id: asked.peer_call,
            result: CallResult::Connected,
            error: GeneralError::None,
            cause: 0,
            connect_speed: answer.connect_speed,
            receive_window: answer.receive_window,
            processing_delay: answer.processing_delay,
            physical_channel_id: answer.physical_channel_id,
        });
        context.connected(CallParameters {
            call: context.call,
            peer_call: asked.peer_call,
            peer_receive_window: asked.receive_window,
            connect_speed: answer.connect_speed,
            peer_processing_delay: asked.processing_delay,
        });
        self.state = State::Established(Session::new(asked.peer_call));
        Ok(())
    }

    pub(in crate::control) fn refuse(&self, why: CallRefusal, context: &mut Context<'_>) -> Result<Fate, Misuse> {
        let State::WaitCsAns(asked) = self.state else {
            return context.misuse("refuse_call", self.state_name());
        };
        if why.result == CallResult::Connected {
            return Err(Misuse::RefusalAccepts);
        }
        reply_refusing(asked, why, context);
        Ok(Fate::Ended(CallEnd::Refused))
    }

    /// The owner did not answer in time. Of the codes, "time-out" says so; it needs no error code beside it, though
    /// §3.2.4.1 wants one ("non-zero Error Code"): §2.8 has error codes for result 2 alone.
    pub(in crate::control) fn timeout(&self, context: &mut Context<'_>) -> Fate {
        let State::WaitCsAns(asked) = self.state else {
            return Fate::Alive;
        };
        reply_refusing(asked, CallResult::TimeOut.into(), context);
        TOO_LATE
    }

    pub(in crate::control) fn clear(&self, context: &mut Context<'_>) -> Fate {
        match self.state {
            State::WaitCsAns(asked) => reply_refusing(asked, CallResult::DoNotAccept.into(), context),
            State::Established(_) => pac::disconnect(DisconnectResult::AdminShutdown, context),
        }
        Fate::Ended(CallEnd::Cleared)
    }

    pub(in crate::control) fn notify_wan_errors(
        &mut self,
        counters: WanErrorCounters,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let State::Established(session) = &mut self.state else {
            return context.misuse("notify_wan_errors", self.state_name());
        };
        session.notify_wan_errors(counters, context);
        Ok(())
    }

    pub(in crate::control) fn wan_errors_due(&mut self, context: &mut Context<'_>) {
        if let State::Established(session) = &mut self.state {
            session.wan_errors_due(context);
        }
    }

    pub(in crate::control) const fn peer_call(&self) -> PeerCallId {
        match &self.state {
            State::WaitCsAns(asked) => asked.peer_call,
            State::Established(session) => session.peer_call,
        }
    }

    pub(in crate::control) const fn awaits_owner(&self) -> bool {
        matches!(self.state, State::WaitCsAns(_))
    }

    pub(in crate::control) const fn state_name(&self) -> &'static str {
        match self.state {
            State::WaitCsAns(_) => "pac outgoing, wait_cs_ans",
            State::Established(_) => "pac outgoing, established",
        }
    }
}

fn reply_refusing(asked: Asked, why: CallRefusal, context: &mut Context<'_>) {
    context.send(OutgoingCallReply { call_id: context.call, ..refusal(asked.peer_call, why) });
}

/// An Outgoing-Call-Reply that does not accept, of a PAC that gave the call no id.
pub(in crate::control) const fn refusal(peer_call: PeerCallId, why: CallRefusal) -> OutgoingCallReply {
    OutgoingCallReply {
        call_id: crate::wire::CallId(0),
        peer_call_id: peer_call,
        result: why.result,
        error: why.error,
        cause: why.cause,
        connect_speed: 0,
        receive_window: 0,
        processing_delay: 0,
        physical_channel_id: 0,
    }
}
