//! CCP (RFC 1962) that negotiates MPPE (RFC 3078 §2) and nothing else, without I/O.
//!
//! A [`Ccp`] is one end. It sees and makes CCP packets from their code on, without the PPP protocol number (0x80fd):
//!
//! ```text
//!  handle_open, _close, _up, _down, _packet, _protocol_reject, _timeout  (then drain)
//!      -> poll_preparation: keys to set before these packets go out
//!      -> poll_transmit: packets to send
//!      -> poll_event: Opened, Unencrypted, Failed, ...
//!      -> poll_timeout: when to call handle_timeout
//! ```
//!
//! **Each direction has an option of its own.** "Configuration Options indicate algorithms that the receiver is willing or
//! able to use to decompress" (RFC 1962 §4): what this end requested and the peer acknowledged is how the peer encrypts;
//! what the peer requested and this end acknowledged is how this end does. Both ends ask for all that they allow; each
//! answers with a Configure-Nak that has the strongest key length of both (RFC 3078 §2.1). So both directions usually end up
//! with the same, but nothing here depends on it.
//!
//! **Encryption is all or nothing.** A link that would be encrypted in one direction only is not. A link that was encrypted
//! once is never used in clear: what ends its encryption, ends the link ([`Event::Failed`]).
//!
//! **Departures from RFC 1661's automaton**, which MPPE makes necessary: keys are derived once, from the authentication, so
//! a negotiation that begins anew would encrypt with the same keystream again. What the automaton takes for a new beginning,
//! and more often is a packet that was lost or doubled, is not taken for one: in the Opened state an old request that comes
//! again is acknowledged again, and Configure-Ack, -Nak, -Reject and Terminate-Ack are ignored. A Terminate-Request is an
//! answer: the peer does not want to negotiate. And a Configure-Ack does not begin the count of repetitions anew, nor are
//! Configure-Rejects without number: no peer can keep a negotiation open, and what waits for it.

mod answer;
mod event;
mod machine;
mod negotiation;
mod option;
mod outbox;
mod packet;
mod packets;
mod policy;
mod request;
#[cfg(test)]
mod tests;

pub use event::{Event, Preparation, Reason};
pub use machine::{Ccp, RESET_INTERVAL, Settings};
pub use option::{KeyLengths, mppe_option};
pub use outbox::Counters;
pub use policy::{Modes, Policy, PolicyError, Presence};

/// The PPP protocol number of CCP (RFC 1962 §2).
pub const PROTOCOL: u16 = 0x80fd;
