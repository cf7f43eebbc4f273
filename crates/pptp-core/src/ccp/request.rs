//! This end's Configure-Request.

use super::event::Reason;
use super::option::Bits;
use super::policy::{Policy, Presence};

/// What is asked for, and whether the peer has answered.
#[derive(Debug)]
pub(super) struct Request {
    wish: Option<Bits>,
    refused: Option<Reason>,
    /// Configure-Naks since there was a better idea.
    naks: u32,
    /// The one that was given last.
    last_identifier: u8,
    /// Of the request; packets between have others.
    identifier: u8,
    awaited: bool,
}

impl Request {
    pub(super) const fn new(policy: &Policy) -> Self {
        Self {
            wish: Self::first_wish(policy, None),
            refused: None,
            naks: 0,
            last_identifier: 0,
            identifier: 0,
            awaited: false,
        }
    }

    /// On a new link, where everything may be asked for again. Identifiers go on.
    pub(super) const fn forget(&mut self, policy: &Policy) {
        self.refused = None;
        self.begin(policy);
    }

    /// From the beginning. What was refused is not asked for again.
    pub(super) const fn begin(&mut self, policy: &Policy) {
        self.wish = Self::first_wish(policy, self.refused);
        self.naks = 0;
        self.awaited = false;
    }

    const fn first_wish(policy: &Policy, refused: Option<Reason>) -> Option<Bits> {
        match (policy.presence, refused) {
            (Presence::Denied, _) | (_, Some(_)) => None,
            _ => Some(policy.wish()),
        }
    }

    /// MPPE, if it is asked for.
    pub(super) const fn wish(&self) -> Option<Bits> {
        self.wish
    }

    /// Why it is not asked for any more.
    pub(super) const fn refused(&self) -> Option<Reason> {
        self.refused
    }

    /// MPPE is not asked for any more.
    pub(super) const fn refuse(&mut self, reason: Reason) {
        self.wish = None;
        self.refused = Some(reason);
        self.naks = 0;
        self.awaited = false;
    }

    /// A Configure-Nak came; how many did.
    pub(super) const fn count_nak(&mut self) -> u32 {
        self.naks = self.naks.saturating_add(1);
        self.naks
    }

    pub(super) const fn ask_for(&mut self, bits: Bits) {
        self.wish = Some(bits);
    }

    /// The options.
    pub(super) fn data(&self) -> Vec<u8> {
        self.wish.map(Bits::option).into_iter().flatten().collect()
    }

    /// The identifier to send it with: a new one, unless it is repeated.
    pub(super) const fn send(&mut self) -> u8 {
        if !self.awaited {
            self.awaited = true;
            self.identifier = self.next_identifier();
        }
        self.identifier
    }

    /// An identifier that was not used lately.
    pub(super) const fn next_identifier(&mut self) -> u8 {
        self.last_identifier = self.last_identifier.wrapping_add(1);
        self.last_identifier
    }

    /// Whether an answer to it is expected, with this identifier.
    pub(super) const fn awaits(&self, identifier: u8) -> bool {
        self.awaited && self.identifier == identifier
    }

    /// It was answered.
    pub(super) const fn answered(&mut self) {
        self.awaited = false;
    }
}
