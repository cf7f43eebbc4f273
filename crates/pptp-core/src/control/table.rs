//! The calls of a connection, and which of them a message is for.
//!
//! The RFC says whose id a message carries, and peers do not keep to it: Call-Disconnect-Notify comes with either
//! end's id (Microsoft's server writes the PNS's), and some peers give every call the id 0. So the id is looked for at
//! both ends, and where it fits several calls, [`Rank`] says which is meant.

use std::collections::BTreeMap;

use crate::wire::{CallId, DisconnectResult, Message, PeerCallId};

use super::call::{Call, Role};

/// Which end gave the id that a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Giver {
    ThisEnd,
    Peer,
    /// By chance, both gave the same.
    Both,
}

/// What a message says of the call that it is for.
struct Sought {
    id: u16,
    /// The end whose id the RFC has in mind.
    right: Giver,
    /// The end whose id this peer has been seen to write.
    likely: Giver,
    /// This end's role in the call.
    role: Role,
    /// A Call-Clear-Request of ours is answered.
    on_request: bool,
}

/// The call that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) call: CallId,
    /// The id in the message, if it is not that of the end which the RFC has in mind.
    pub(super) wrong_id: Option<u16>,
}

/// Whether a call is as one expects of a message's addressee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Good,
    Bad,
}

impl Fit {
    const fn of(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

/// How a call fits a message, what counts most first; the least is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    role: Fit,
    disconnect: Fit,
    id: Fit,
    placed: u64,
}

/// The calls, by our id.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: BTreeMap<u16, Entry>,
    placed: u64,
    /// Whose id the peer wrote into its last Call-Disconnect-Notify.
    notified_by: Option<Giver>,
}

#[derive(Debug)]
struct Entry {
    /// Calls are counted as they come: of two that the peer gave one id, the older is what it forgot.
    placed: u64,
    call: Call,
}

impl Calls {
    pub(super) fn insert(&mut self, id: CallId, call: Call) {
        self.placed = self.placed.saturating_add(1);
        self.calls.insert(id.0, Entry { placed: self.placed, call });
    }

    pub(super) fn remove(&mut self, id: CallId) {
        self.calls.remove(&id.0);
    }

    pub(super) fn find(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.get_mut(&id.0).map(|entry| &mut entry.call)
    }

    pub(super) fn contains(&self, id: CallId) -> bool {
        self.calls.contains_key(&id.0)
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Our ids, in the order of their values.
    pub(super) fn ids(&self) -> Vec<CallId> {
        self.calls.keys().copied().map(CallId).collect()
    }

    /// How many calls the peer asked for.
    pub(super) fn asked_by_peer(&self) -> usize {
        self.calls.values().filter(|entry| entry.call.is_peers()).count()
    }

    /// A call, other than `except`, to which the peer gave this id.
    pub(super) fn with_peer_id(&self, peer_call: PeerCallId, except: Option<CallId>) -> Option<&Call> {
        let same =
            |(id, entry): &(&u16, &Entry)| entry.call.peer_call() == Some(peer_call) && except != Some(CallId(**id));
        self.calls.iter().find(same).map(|(_, entry)| &entry.call)
    }

    /// The call that a message of an existing call is for.
    pub(super) fn addressee(&mut self, message: &Message) -> Result<Found, u16> {
        match message {
            Message::OutgoingCallReply(reply) => self.answered(reply.peer_call_id, message),
            Message::IncomingCallReply(reply) => self.answered(reply.peer_call_id, message),
            Message::IncomingCallConnected(connected) => self.answered(connected.peer_call_id, message),
            Message::WanErrorNotify(notify) => self.best(&sought(notify.peer_call_id.0, Giver::ThisEnd, Role::Pns)),
            Message::SetLinkInfo(info) => self.best(&sought(info.peer_call_id.0, Giver::ThisEnd, Role::Pac)),
            Message::CallClearRequest(request) => self.best(&sought(request.call_id.0, Giver::Peer, Role::Pac)),
            Message::CallDisconnectNotify(notify) => self.disconnected(notify.call_id.0, notify.result),
            _ => Err(0),
        }
    }

    /// The call that was asked for under our id. A peer that writes 0 means the only call that waits for the message.
    fn answered(&self, ours: PeerCallId, message: &Message) -> Result<Found, u16> {
        let call = ours.seen_by_owner();
        if self.contains(call) {
            return Ok(Found { call, wrong_id: None });
        }
        let mut waiting = self.calls.iter().filter(|(_, entry)| ours.0 == 0 && entry.call.awaits(message));
        match (waiting.next(), waiting.next()) {
            (Some((&id, _)), None) => Ok(Found { call: CallId(id), wrong_id: Some(ours.0) }),
            _ => Err(ours.0),
        }
    }

    /// The call that a Call-Disconnect-Notify ends. A peer that has written the wrong end's id will do so again.
    fn disconnected(&mut self, id: u16, result: DisconnectResult) -> Result<Found, u16> {
        let sought = Sought {
            likely: self.notified_by.unwrap_or(Giver::Peer),
            on_request: matches!(result, DisconnectResult::Request | DisconnectResult::Unknown(0)),
            ..sought(id, Giver::Peer, Role::Pns)
        };
        let Ok(found) = self.best(&sought) else {
            return self.cleared_unnamed().ok_or(id);
        };
        let giver = self.calls.get(&found.call.0).and_then(|entry| giver(id, found.call.0, &entry.call));
        self.notified_by = giver.filter(|giver| *giver != Giver::Both).or(self.notified_by);
        Ok(found)
    }

    /// A call that was cleared before the PAC told its id: the notify carries that id all the same (§2.13), and it is
    /// the first that is heard of it. Of several calls the oldest: a PAC answers in order.
    fn cleared_unnamed(&self) -> Option<Found> {
        let unnamed = |(_, entry): &(&u16, &Entry)| entry.call.awaits_disconnect() && entry.call.peer_call().is_none();
        let (&id, _) = self.calls.iter().filter(unnamed).min_by_key(|(_, entry)| entry.placed)?;
        Some(Found { call: CallId(id), wrong_id: None })
    }

    /// Of the calls that have this id at either end, the one that fits best.
    fn best(&self, sought: &Sought) -> Result<Found, u16> {
        let ranks = self.calls.iter().filter_map(|(&ours, entry)| {
            let giver = giver(sought.id, ours, &entry.call)?;
            let rank = Rank {
                role: Fit::of(entry.call.role() == sought.role),
                disconnect: Fit::of(!sought.on_request || entry.call.awaits_disconnect()),
                id: Fit::of(giver == sought.likely || giver == Giver::Both),
                placed: entry.placed,
            };
            Some((rank, ours, giver))
        });
        let (_, ours, giver) = ranks.min_by_key(|(rank, ..)| *rank).ok_or(sought.id)?;
        let wrong = giver != sought.right && giver != Giver::Both;
        Ok(Found { call: CallId(ours), wrong_id: wrong.then_some(sought.id) })
    }
}

/// The call with this id, as the RFC has it.
const fn sought(id: u16, right: Giver, role: Role) -> Sought {
    Sought { id, right, likely: right, role, on_request: false }
}

/// Which end gave this id to the call; `None` if neither did.
fn giver(id: u16, ours: u16, call: &Call) -> Option<Giver> {
    let by_peer = call.peer_call() == Some(PeerCallId(id));
    match (ours == id, by_peer) {
        (true, true) => Some(Giver::Both),
        (true, false) => Some(Giver::ThisEnd),
        (false, true) => Some(Giver::Peer),
        (false, false) => None,
    }
}
