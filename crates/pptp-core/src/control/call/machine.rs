//! A call of any of the four kinds.

use crate::control::config::{CallAnswer, CallRefusal, ConnectedLine, IncomingCallAnswer, WanErrorCounters};
use crate::control::error::Misuse;
use crate::wire::{GeneralError, IncomingCallResult, Message, PeerCallId};

use super::context::{Context, Fate};
use super::{PacIncoming, PacOutgoing, PnsIncoming, PnsOutgoing};

/// This end's role in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Role {
    /// PPTP network server: places calls, is offered them.
    Pns,
    /// PPTP access concentrator: has the lines.
    Pac,
}

/// A call in its state.
#[derive(Debug)]
pub(in crate::control) enum Call {
    PnsOutgoing(PnsOutgoing),
    PacOutgoing(PacOutgoing),
    PnsIncoming(PnsIncoming),
    PacIncoming(PacIncoming),
}

impl Call {
    pub(in crate::control) const fn role(&self) -> Role {
        match self {
            Self::PnsOutgoing(_) | Self::PnsIncoming(_) => Role::Pns,
            Self::PacOutgoing(_) | Self::PacIncoming(_) => Role::Pac,
        }
    }

    /// Whether the peer asked for it.
    pub(in crate::control) const fn is_peers(&self) -> bool {
        matches!(self, Self::PacOutgoing(_) | Self::PnsIncoming(_))
    }

    /// The peer's id, once it has told one.
    pub(in crate::control) const fn peer_call(&self) -> Option<PeerCallId> {
        match self {
            Self::PnsOutgoing(call) => call.peer_call(),
            Self::PacOutgoing(call) => Some(call.peer_call()),
            Self::PnsIncoming(call) => call.peer_call(),
            Self::PacIncoming(call) => call.peer_call(),
        }
    }

    /// The control connection is established: says what waited for that.
    pub(in crate::control) fn start(&mut self, serial_number: u16, context: &mut Context<'_>) {
        match self {
            Self::PnsOutgoing(call) => call.start(serial_number, context),
            Self::PacIncoming(call) => call.start(serial_number, context),
            Self::PacOutgoing(_) | Self::PnsIncoming(_) => {}
        }
    }

    /// A message from the peer for this call.
    pub(in crate::control) fn handle(&mut self, message: &Message, context: &mut Context<'_>) -> Fate {
        match self {
            Self::PnsOutgoing(call) => call.handle(message, context),
            Self::PacOutgoing(call) => call.handle(message, context),
            Self::PnsIncoming(call) => call.handle(message, context),
            Self::PacIncoming(call) => call.handle(message, context),
        }
    }

    /// The next step was due.
    pub(in crate::control) fn timeout(&mut self, context: &mut Context<'_>) -> Fate {
        match self {
            Self::PnsOutgoing(call) => call.timeout(context),
            Self::PacOutgoing(call) => call.timeout(context),
            Self::PnsIncoming(call) => call.timeout(context),
            Self::PacIncoming(call) => call.timeout(context),
        }
    }

    pub(in crate::control) fn wan_errors_due(&mut self, context: &mut Context<'_>) {
        match self {
            Self::PacOutgoing(call) => call.wan_errors_due(context),
            Self::PacIncoming(call) => call.wan_errors_due(context),
            Self::PnsOutgoing(_) | Self::PnsIncoming(_) => {}
        }
    }

    pub(in crate::control) fn clear(&mut self, context: &mut Context<'_>) -> Result<Fate, Misuse> {
        match self {
            Self::PnsOutgoing(call) => call.clear(context),
            Self::PacOutgoing(call) => Ok(call.clear(context)),
            Self::PnsIncoming(call) => call.clear(context),
            Self::PacIncoming(call) => Ok(call.clear(context)),
        }
    }

    pub(in crate::control) fn accept(&mut self, answer: &CallAnswer, context: &mut Context<'_>) -> Result<(), Misuse> {
        let Self::PacOutgoing(call) = self else {
            return context.misuse("accept_call", self.state_name());
        };
        call.accept(answer, context)
    }

    pub(in crate::control) fn refuse(&self, why: CallRefusal, context: &mut Context<'_>) -> Result<Fate, Misuse> {
        let Self::PacOutgoing(call) = self else {
            return context.misuse("refuse_call", self.state_name());
        };
        call.refuse(why, context)
    }

    pub(in crate::control) fn accept_incoming(
        &mut self,
        answer: &IncomingCallAnswer,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let Self::PnsIncoming(call) = self else {
            return context.misuse("accept_incoming_call", self.state_name());
        };
        call.accept(answer, context)
    }

    pub(in crate::control) fn refuse_incoming(
        &mut self,
        result: IncomingCallResult,
        error: GeneralError,
        context: &mut Context<'_>,
    ) -> Result<Fate, Misuse> {
        let Self::PnsIncoming(call) = self else {
            return context.misuse("refuse_incoming_call", self.state_name());
        };
        call.refuse(result, error, context)
    }

    pub(in crate::control) fn connect_incoming(
        &mut self,
        line: &ConnectedLine,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        let Self::PacIncoming(call) = self else {
            return context.misuse("connect_incoming_call", self.state_name());
        };
        call.connect(line, context)
    }

    pub(in crate::control) fn set_link_info(&self, accms: (u32, u32), context: &mut Context<'_>) -> Result<(), Misuse> {
        match self {
            Self::PnsOutgoing(call) => call.set_link_info(accms, context),
            Self::PnsIncoming(call) => call.set_link_info(accms, context),
            Self::PacOutgoing(_) | Self::PacIncoming(_) => context.misuse("set_link_info", self.state_name()),
        }
    }

    pub(in crate::control) fn notify_wan_errors(
        &mut self,
        counters: WanErrorCounters,
        context: &mut Context<'_>,
    ) -> Result<(), Misuse> {
        match self {
            Self::PacOutgoing(call) => call.notify_wan_errors(counters, context),
            Self::PacIncoming(call) => call.notify_wan_errors(counters, context),
            Self::PnsOutgoing(_) | Self::PnsIncoming(_) => context.misuse("notify_wan_errors", self.state_name()),
        }
    }

    /// The peer asked for it, and the owner has not answered.
    pub(in crate::control) const fn awaits_owner(&self) -> bool {
        match self {
            Self::PacOutgoing(call) => call.awaits_owner(),
            Self::PnsIncoming(call) => call.awaits_owner(),
            Self::PnsOutgoing(_) | Self::PacIncoming(_) => false,
        }
    }

    /// Whether the message is what the call waits for in its set-up.
    pub(in crate::control) const fn awaits(&self, message: &Message) -> bool {
        match (self, message) {
            (Self::PnsOutgoing(call), Message::OutgoingCallReply(_)) => call.awaits_reply(),
            (Self::PacIncoming(call), Message::IncomingCallReply(_)) => call.awaits_reply(),
            (Self::PnsIncoming(call), Message::IncomingCallConnected(_)) => call.awaits_reply(),
            _ => false,
        }
    }

    /// The peer owes a Call-Disconnect-Notify.
    pub(in crate::control) const fn awaits_disconnect(&self) -> bool {
        match self {
            Self::PnsOutgoing(call) => call.awaits_disconnect(),
            Self::PnsIncoming(call) => call.awaits_disconnect(),
            Self::PacOutgoing(_) | Self::PacIncoming(_) => false,
        }
    }

    /// Role, direction and state, as the RFC names them.
    pub(in crate::control) const fn state_name(&self) -> &'static str {
        match self {
            Self::PnsOutgoing(call) => call.state_name(),
            Self::PacOutgoing(call) => call.state_name(),
            Self::PnsIncoming(call) => call.state_name(),
            Self::PacIncoming(call) => call.state_name(),
        }
    }
}
