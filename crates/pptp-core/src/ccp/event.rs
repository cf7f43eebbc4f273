//! What the owner is told.

use core::fmt;

use crate::mppe::Config;

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both directions are encrypted from here on, from the start keys on. No packet may be sent or taken in clear any more,
    /// but control protocols.
    Opened {
        /// How this end encrypts.
        send: Config,
        /// How the peer does.
        receive: Config,
    },
    /// There is no encryption, and the policy allows that: data may pass in clear. [`Event::Opened`] may still follow, when
    /// the peer begins late.
    Unencrypted(Reason),
    /// A packet came that might be a new beginning or an end, but was taken for neither: a request that was acknowledged
    /// again, a Terminate-Ack, something malformed. What was agreed on stands. But Linux' `ppp_generic` watches CCP's packets
    /// too, and for it this one has ended the encryption: who encrypts there has to close the link.
    Disregarded,
    /// The policy cannot be kept: the link has to be closed. Nothing follows until the lower layer was down.
    Failed(Reason),
    /// The peer lost synchronization: the next packet that is sent has to be flushed (RFC 3078 §8.2). The Reset-Ack that RFC
    /// 1962 §3.1 wants is queued.
    ResetRequested,
    /// The peer has answered the Reset-Request. Only RFC 1962 knows this answer; with MPPE a flushed packet is one too.
    ResetAcknowledged,
    /// What `handle_close` began is finished.
    Closed,
}

/// What has to be in place before a packet goes out: who watches the packets, as Linux' `ppp_generic` does, begins with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Before a Configure-Ack: how this end will encrypt, from its start key on.
    Send(Config),
    /// Before a Configure-Request with one key length: how the peer will encrypt, if it agrees.
    Receive(Config),
}

impl Preparation {
    /// Whether this is for one and the same direction.
    pub(super) const fn is_for_the_same(self, other: Self) -> bool {
        matches!((self, other), (Self::Send(_), Self::Send(_)) | (Self::Receive(_), Self::Receive(_)))
    }
}

/// Why there is no encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The owner's policy.
    Denied,
    /// The peer rejects the option.
    Rejected,
    /// The peer does not ask for it.
    NotOffered,
    /// The peer wants other key lengths or another mode than the policy allows.
    NotAllowed,
    /// The peer does not answer.
    NoAnswer,
    /// The peer has no CCP: it sent an LCP Protocol-Reject.
    ProtocolRejected,
    /// The peer's CCP does not know this code.
    CodeRejected(u8),
    /// The peer sent a Terminate-Request.
    Terminated,
    /// One direction would be encrypted and the other not.
    OneWay,
    /// The peer negotiates anew, but the keys are used up.
    Renegotiated,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "mppe is denied here",
            Self::Rejected => "the peer rejects mppe",
            Self::NotOffered => "the peer does not ask for mppe",
            Self::NotAllowed => "the peer wants key lengths or a mode of mppe that are not allowed here",
            Self::NoAnswer => "the peer does not answer ccp",
            Self::ProtocolRejected => "the peer has no ccp (protocol-reject)",
            Self::CodeRejected(code) => return write!(f, "the peer's ccp does not know a code (code-reject {code})"),
            Self::Terminated => "the peer has ended ccp (terminate-request)",
            Self::OneWay => "the peer wants mppe in one direction only",
            Self::Renegotiated => "the peer negotiates mppe anew, but its keys are used up",
        })
    }
}
