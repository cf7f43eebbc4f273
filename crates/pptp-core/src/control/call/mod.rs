//! One call: four state machines (RFC 2637 §3.2), by this end's role and the call's direction.
//!
//! | this end | the PNS asks (outgoing) | the PAC offers (incoming) |
//! |---|---|---|
//! | PNS | [`pns_outgoing`] | [`pns_incoming`] |
//! | PAC | [`pac_outgoing`] | [`pac_incoming`] |
//!
//! A machine gets the messages that [`table`](super::table) found to be for its call, its deadline and the owner's
//! commands; what it does goes to the [`Context`], and its [`Fate`] says whether the call lives on.

mod context;
mod machine;
mod pac;
mod pac_incoming;
mod pac_outgoing;
mod pns;
mod pns_incoming;
mod pns_outgoing;

pub(super) use context::{Context, Fate};
pub(super) use machine::{Call, Role};
pub(super) use pac_incoming::PacIncoming;
pub(super) use pac_outgoing::{PacOutgoing, refusal as pac_refusal};
pub(super) use pns_incoming::{PnsIncoming, refusal as pns_refusal};
pub(super) use pns_outgoing::PnsOutgoing;
