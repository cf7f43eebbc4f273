//! What has happened since the server began, for those who watch it.

use core::time::Duration;
use std::collections::BTreeMap;

use pptp_datapath::report::{Gre, Statistics};

use super::refusal::Refusal;
use crate::control::Record;

/// Why the core refuses a call without asking: one connection has as many as one address may.
const CONNECTION_FULL: &str = "connection-full";

/// Counts that only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// TCP connections that were heard.
    pub(super) connections: u64,
    /// TCP connections that were closed unheard.
    pub(super) unheard: u64,
    /// Control connections that were established.
    pub(super) starts: u64,
    /// Start requests that were refused.
    pub(super) refused_starts: u64,
    /// Calls for which pppd was started.
    pub(super) calls: u64,
    /// Calls that operators had placed and that were connected.
    pub(super) placed: u64,
    /// Those that were not.
    pub(super) not_placed: u64,
    /// What has passed through all sessions.
    pub(super) traffic: Statistics,
    /// Calls that were refused, by reason. Each reason has an entry.
    pub(super) refused: BTreeMap<&'static str, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let refused = Refusal::REASONS.into_iter().chain([CONNECTION_FULL]).map(|reason| (reason, 0)).collect();
        Self {
            connections: 0,
            unheard: 0,
            starts: 0,
            refused_starts: 0,
            calls: 0,
            placed: 0,
            not_placed: 0,
            traffic: Statistics { gre: Some(Gre::default()), ..Statistics::default() },
            refused,
        }
    }
}

impl Tally {
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.count(refusal.reason());
    }

    /// The core has refused a call by itself.
    pub(super) fn refuse_beyond_connection(&mut self) {
        self.count(CONNECTION_FULL);
    }

    fn count(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }
}

/// Sessions by what they are at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stages {
    pub(super) waiting: usize,
    pub(super) running: usize,
    pub(super) ending: usize,
}

/// Lines that were not logged, by what they were about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suppressed {
    pub(super) strangers: u64,
    pub(super) refusals: u64,
}

/// Everything that is counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) uptime: Duration,
    pub(super) sessions: Stages,
    /// Connections that have not started yet.
    pub(super) starting: usize,
    /// Control connections.
    pub(super) started: usize,
    pub(super) suppressed: Suppressed,
    pub(super) tally: Tally,
}

impl Figures {
    /// For the control socket.
    pub(super) fn record(&self) -> Record {
        let Stages { waiting, running, ending } = self.sessions;
        let record = Record::default()
            .with("uptime", self.uptime.as_secs())
            .with("sessions-waiting", waiting)
            .with("sessions-running", running)
            .with("sessions-ending", ending)
            .with("connections-starting", self.starting)
            .with("connections-started", self.started)
            .with("connections-accepted", self.tally.connections)
            .with("connections-unheard", self.tally.unheard)
            .with("starts-accepted", self.tally.starts)
            .with("starts-refused", self.tally.refused_starts)
            .with("calls-accepted", self.tally.calls)
            .with("calls-placed", self.tally.placed)
            .with("calls-not-placed", self.tally.not_placed);
        let refused = self.tally.refused.iter();
        let record =
            refused.fold(record, |record, (reason, count)| record.with(&format!("calls-refused-{reason}"), count));
        self.tally
            .traffic
            .add_to(record)
            .with("log-lines-suppressed-strangers", self.suppressed.strangers)
            .with("log-lines-suppressed-refusals", self.suppressed.refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_there_from_the_beginning() {
        let mut tally = Tally::default();
        assert!(tally.refused.values().all(|count| *count == 0));
        let before = tally.refused.len();
        tally.refuse(&Refusal::Machine("x".into()));
        tally.refuse(&Refusal::Machine("y".into()));
        tally.refuse_beyond_connection();
        assert_eq!((tally.refused.len(), tally.refused["machine"], tally.refused["connection-full"]), (before, 2, 1));
    }

    #[test]
    fn the_record_has_all_of_it() {
        let figures = Figures {
            uptime: Duration::from_millis(5900),
            sessions: Stages { waiting: 1, running: 2, ending: 3 },
            starting: 4,
            started: 5,
            suppressed: Suppressed { strangers: 6, refusals: 7 },
            tally: Tally {
                connections: 8,
                unheard: 9,
                starts: 10,
                refused_starts: 11,
                calls: 12,
                placed: 13,
                not_placed: 14,
                ..Tally::default()
            },
        };
        let text = crate::control::Line::Record(figures.record()).to_string();
        assert_eq!(
            text,
            "record uptime=5 sessions-waiting=1 sessions-running=2 sessions-ending=3 connections-starting=4 \
             connections-started=5 connections-accepted=8 connections-unheard=9 starts-accepted=10 starts-refused=11 \
             calls-accepted=12 calls-placed=13 calls-not-placed=14 calls-refused-address-full=0 \
             calls-refused-connection-full=0 calls-refused-full=0 calls-refused-in-vain=0 calls-refused-machine=0 calls-refused-no-address=0 calls-refused-not-ipv4=0 \
             calls-refused-our-id-taken=0 calls-refused-peer-id-taken=0 bytes-received=0 bytes-sent=0 \
             packets-received=0 packets-sent=0 lost=0 reordered=0 late=0 duplicate=0 log-lines-suppressed-strangers=6 \
             log-lines-suppressed-refusals=7"
        );
    }
}
