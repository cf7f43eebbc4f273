//! Calls that operators want placed, until they are connected or are not.

use std::collections::VecDeque;

use log::{info, warn};

use super::session::SessionId;
use crate::control::Order;

/// The number of an order: no two of one run of the server have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

/// An order that is being carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placing {
    pub(super) ticket: Ticket,
    pub(super) order: Order,
}

/// What has come of an order: its session, or why there is none, in one line.
pub(super) type Outcome = Result<SessionId, String>;

/// Outcomes that nobody has heard yet, and what there is to tell before.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    outcomes: VecDeque<(Ticket, Outcome)>,
    progress: VecDeque<(Ticket, String)>,
}

impl Outcomes {
    pub(super) fn push(&mut self, placing: &Placing, outcome: Outcome) {
        let outcome = outcome.map_err(|why| format!("the call to {} was not connected: {why}", placing.order.to));
        if let Err(why) = &outcome {
            warn!("{why}");
        }
        self.outcomes.push_back((placing.ticket, outcome));
    }

    /// How far an order is, for an operator who follows it.
    pub(super) fn tell(&mut self, placing: &Placing, how_far: &str) {
        if placing.order.followed {
            self.progress.push_back((placing.ticket, how_far.to_owned()));
        }
    }

    pub(super) fn poll_progress(&mut self) -> Option<(Ticket, String)> {
        self.progress.pop_front()
    }

    pub(super) fn poll(&mut self) -> Option<(Ticket, Outcome)> {
        self.outcomes.pop_front()
    }
}

impl Placing {
    pub(super) fn new(ticket: Ticket, order: Order) -> Self {
        info!("an operator has a call placed: {order}");
        Self { ticket, order }
    }
}
