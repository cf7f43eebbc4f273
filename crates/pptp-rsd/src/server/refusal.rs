//! Why a call is not taken, for the log and for the client.

use core::fmt;

use pptp_core::control::CallRefusal;
use pptp_core::wire::{CallResult, GeneralError, IncomingCallResult};

/// The reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As many calls as allowed are there.
    Full(usize),
    /// As many calls as allowed from one address are there.
    FullForAddress(usize),
    /// Too many calls from the address have ended as soon as they began.
    InVain,
    /// Every address for clients is in use.
    NoAddress,
    /// Enhanced GRE goes over IPv4 alone here.
    NotIpv4,
    /// Our id for the call is another's.
    OurIdTaken,
    /// The kernel's data path has a call of this client address with the same id.
    PeerIdTaken,
    /// Something on this machine went wrong.
    Machine(String),
}

impl Refusal {
    /// All of [`Self::reason`].
    pub(super) const REASONS: [&'static str; 8] =
        ["full", "address-full", "in-vain", "no-address", "not-ipv4", "our-id-taken", "peer-id-taken", "machine"];

    /// A word for it, for counts.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::FullForAddress(_) => "address-full",
            Self::InVain => "in-vain",
            Self::NoAddress => "no-address",
            Self::NotIpv4 => "not-ipv4",
            Self::OurIdTaken => "our-id-taken",
            Self::PeerIdTaken => "peer-id-taken",
            Self::Machine(_) => "machine",
        }
    }

    /// The answer to an Outgoing-Call-Request (RFC 2637 §2.8).
    pub(super) fn of_outgoing(&self) -> CallRefusal {
        if *self == Self::InVain {
            return CallRefusal::from(CallResult::Busy);
        }
        match self.error() {
            Some(error) => CallRefusal { result: CallResult::GeneralError, error, cause: 0 },
            None => CallRefusal::from(CallResult::DoNotAccept),
        }
    }

    /// The answer to an Incoming-Call-Request (RFC 2637 §2.10).
    pub(super) fn of_incoming(&self) -> (IncomingCallResult, GeneralError) {
        match self.error() {
            Some(error) => (IncomingCallResult::GeneralError, error),
            None => (IncomingCallResult::DoNotAccept, GeneralError::None),
        }
    }

    fn error(&self) -> Option<GeneralError> {
        match self {
            Self::NotIpv4 => None,
            Self::PeerIdTaken => Some(GeneralError::BadCallId),
            Self::Full(_)
            | Self::FullForAddress(_)
            | Self::InVain
            | Self::NoAddress
            | Self::OurIdTaken
            | Self::Machine(_) => Some(GeneralError::NoResource),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(most) => write!(f, "there are {most} calls, which is the limit (max-sessions, or connections)"),
            Self::FullForAddress(most) => {
                write!(f, "there are {most} calls from this address, which is the limit (max-per-address)")
            }
            Self::InVain => write!(f, "too many calls from this address have ended as soon as they began"),
            Self::NoAddress => write!(f, "every address for clients is in use (remoteip)"),
            Self::NotIpv4 => write!(f, "the client has come over IPv6, and calls are possible over IPv4 alone"),
            Self::OurIdTaken => write!(f, "every call id is in use"),
            Self::PeerIdTaken => {
                write!(f, "another call from this address has the same call id, and the kernel cannot tell them apart")
            }
            Self::Machine(what) => write!(f, "{what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word() {
        let machine = Refusal::Machine(String::new());
        let all = [
            Refusal::Full(1),
            Refusal::FullForAddress(1),
            Refusal::InVain,
            Refusal::NoAddress,
            Refusal::NotIpv4,
            Refusal::OurIdTaken,
            Refusal::PeerIdTaken,
            machine,
        ];
        assert_eq!(all.map(|refusal| refusal.reason()), Refusal::REASONS);
    }

    #[test]
    fn the_client_is_told_what_the_rfc_has_a_code_for() {
        assert_eq!(Refusal::NotIpv4.of_outgoing(), CallRefusal::from(CallResult::DoNotAccept));
        assert_eq!(Refusal::NotIpv4.of_incoming(), (IncomingCallResult::DoNotAccept, GeneralError::None));
        for full in [Refusal::Full(1), Refusal::NoAddress, Refusal::Machine(String::new())] {
            let refusal = full.of_outgoing();
            assert_eq!((refusal.result, refusal.error), (CallResult::GeneralError, GeneralError::NoResource));
        }
        assert_eq!(Refusal::InVain.of_outgoing(), CallRefusal::from(CallResult::Busy));
        assert_eq!(Refusal::PeerIdTaken.of_incoming(), (IncomingCallResult::GeneralError, GeneralError::BadCallId));
    }
}
