//! What operators are answered, part by part: an answer that is long is never in memory as a whole.

use core::time::Duration;

use pptp_core::time::Instant;

use super::exchange::Exchange;
use super::lines::Lines;
use super::news::Inquiry;
use super::orders::{Outcome, Ticket};
use super::session::SessionId;
use super::tally::Figures;
use crate::config::printable;
use crate::control::{Code, LONGEST_PART, Line, Request, Target};

/// A part ends when it is this long, bytes; what makes it longer is one record.
const PART: usize = LONGEST_PART / 2;

/// The rest of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All sessions from this one on, after so many.
    Sessions(SessionId, u64),
    /// Lines that have been made.
    Lines(Vec<Line>),
    /// What is asked for here is answered when sessions have told their news, or then.
    Soon(Request, Instant),
    /// What comes of this order, later.
    Later(Ticket),
}

/// Does what a message of an operator's asks for.
pub(super) fn answer<L: Lines>(exchange: &mut Exchange<L>, message: &[u8], uptime: Duration, now: Instant) -> Answer {
    match Request::from_message(message) {
        Ok(request @ (Request::Sessions | Request::Show(_) | Request::Stats)) => {
            exchange.inquire(if let Request::Show(id) = request { Some(SessionId(id)) } else { None });
            Answer::Soon(request, Inquiry::deadline(now)).settled(exchange, uptime, now)
        }
        Ok(Request::Disconnect(target)) => match exchange.disconnect(&target, now) {
            0 => Answer::Lines(vec![not_found(&target)]),
            count => Answer::Lines(vec![Line::End(u64::try_from(count).unwrap_or(u64::MAX))]),
        },
        Ok(Request::Call(order)) => Answer::Later(exchange.place(order, now)),
        Err(wrong) => Answer::Lines(vec![Line::Error(Code::Wrong, wrong)]),
    }
}

fn show<L: Lines>(exchange: &Exchange<L>, id: u64, now: Instant) -> Vec<Line> {
    let session = exchange.calls().session_from(SessionId(id)).filter(|session| session.name.id == SessionId(id));
    let record = session.map(|session| vec![Line::Record(session.record(now)), Line::End(1)]);
    record.unwrap_or_else(|| vec![not_found(&Target::Session(id))])
}

/// The answer of an order that waited for this.
pub(super) fn of_outcome<L: Lines>(exchange: &Exchange<L>, outcome: Outcome, now: Instant) -> Answer {
    match outcome {
        Ok(SessionId(id)) => Answer::Lines(show(exchange, id, now)),
        Err(why) => Answer::Lines(vec![Line::Error(Code::Failed, why)]),
    }
}

fn not_found(target: &Target) -> Line {
    let text = match target {
        Target::Session(id) => format!("there is no session {id}"),
        Target::Address(address) => format!("there is no session of {address}"),
        Target::User(name) => format!("there is no session of the user '{}'", printable(name)),
    };
    Line::Error(Code::NotFound, text)
}

impl Answer {
    /// The answer to what was to be answered soon, if it is time.
    pub(super) fn settled<L: Lines>(self, exchange: &Exchange<L>, uptime: Duration, now: Instant) -> Self {
        let Self::Soon(request, until) = &self else { return self };
        if *until > now && !exchange.has_news() {
            return self;
        }
        match request {
            Request::Show(id) => Self::Lines(show(exchange, *id, now)),
            Request::Stats => {
                let figures = Figures { uptime, ..exchange.figures() };
                Self::Lines(vec![Line::Record(figures.record()), Line::End(1)])
            }
            _ => Self::Sessions(SessionId(0), 0),
        }
    }

    /// Whether there is nothing to be told yet.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Soon(..) | Self::Later(_))
    }

    /// Its next part, and what is left then.
    pub(super) fn part<L: Lines>(&self, exchange: &Exchange<L>, now: Instant) -> (String, Option<Self>) {
        match self {
            Self::Lines(lines) => (lines.iter().map(|line| format!("{line}\n")).collect(), None),
            Self::Soon(..) | Self::Later(_) => (String::new(), None),
            Self::Sessions(first, told) => sessions(exchange, *first, *told, now),
        }
    }
}

fn sessions<L: Lines>(
    exchange: &Exchange<L>,
    mut next: SessionId,
    mut told: u64,
    now: Instant,
) -> (String, Option<Answer>) {
    let mut text = String::new();
    while let Some(session) = exchange.calls().session_from(next) {
        text += &format!("{}\n", Line::Record(session.record(now)));
        (next, told) = (SessionId(session.name.id.0 + 1), told + 1);
        if text.len() >= PART {
            return (text, Some(Answer::Sessions(next, told)));
        }
    }
    (text + &format!("{}\n", Line::End(told)), None)
}
