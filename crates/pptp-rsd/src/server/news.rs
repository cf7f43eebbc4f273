//! What pppds have told of their sessions.

use std::collections::BTreeSet;

use core::time::Duration;
use pptp_core::time::Instant;
use pptp_datapath::command::Traffic;
use pptp_datapath::report::{Gre, Report, Statistics};

use super::session::SessionId;

/// How long whoever asks for news waits for them at most.
const PATIENCE: Duration = Duration::from_millis(200);

/// What was told of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// With everything that was ever told.
    report: Report,
    /// When its statistics were told.
    counted: Option<Instant>,
}

impl News {
    /// Takes a report, and gives what has passed since the one before.
    pub(super) fn take(&mut self, report: Report, now: Instant) -> Statistics {
        let before = &mut self.report;
        let passed = report.statistics.map(|statistics| passed(before.statistics, statistics)).unwrap_or_default();
        if report.statistics.is_some() {
            self.counted = Some(now);
        }
        *before = Report {
            user: report.user.or(before.user.take()),
            interface: report.interface.or(before.interface.take()),
            local: report.local.or(before.local),
            remote: report.remote.or(before.remote),
            path: report.path.or(before.path),
            encryption: report.encryption.or(before.encryption),
            statistics: merged(before.statistics, report.statistics),
            is_cut: before.is_cut || report.is_cut,
        };
        passed
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.report.user.as_deref()
    }

    /// Whether IP was ever up, which it is after the login.
    pub(super) fn is_network_up(&self) -> bool {
        self.report.local.is_some() || self.report.remote.is_some()
    }

    /// How old the statistics are.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        self.counted.map(|counted| now.since(counted))
    }
}

/// An engine that has ended counts no more, but the interface may.
fn merged(before: Option<Statistics>, now: Option<Statistics>) -> Option<Statistics> {
    let gre = now.and_then(|now| now.gre).or(before.and_then(|before| before.gre));
    now.or(before).map(|statistics| Statistics { gre, ..statistics })
}

fn passed(before: Option<Statistics>, now: Statistics) -> Statistics {
    let before = before.unwrap_or_default();
    let traffic = |before: Traffic, now: Traffic| Traffic {
        packets: grown(before.packets, now.packets),
        bytes: grown(before.bytes, now.bytes),
    };
    let gre_before = before.gre.unwrap_or_default();
    let gre = now.gre.map(|now| Gre {
        lost: grown(gre_before.lost, now.lost),
        reordered: grown(gre_before.reordered, now.reordered),
        late: grown(gre_before.late, now.late),
        duplicate: grown(gre_before.duplicate, now.duplicate),
        round_trip: None,
    });
    Statistics { received: traffic(before.received, now.received), sent: traffic(before.sent, now.sent), gre }
}

/// A count that is smaller than it was has begun anew.
fn grown(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// Adds what has passed to what all sessions together have seen.
pub(super) fn add(total: &mut Statistics, passed: &Statistics) {
    let add = |total: &mut u64, passed: u64| *total = total.saturating_add(passed);
    for (total, passed) in [(&mut total.received, passed.received), (&mut total.sent, passed.sent)] {
        add(&mut total.packets, passed.packets);
        add(&mut total.bytes, passed.bytes);
    }
    let (total, passed) = (total.gre.get_or_insert_default(), passed.gre.unwrap_or_default());
    add(&mut total.lost, passed.lost);
    add(&mut total.reordered, passed.reordered);
    add(&mut total.late, passed.late);
    add(&mut total.duplicate, passed.duplicate);
}

/// Sessions that were asked for news and have not answered.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    owing: BTreeSet<SessionId>,
}

impl Inquiry {
    pub(super) fn owes(&self, session: SessionId) -> bool {
        self.owing.contains(&session)
    }

    pub(super) fn asked(&mut self, session: SessionId) {
        self.owing.insert(session);
    }

    pub(super) fn answered(&mut self, session: SessionId) {
        self.owing.remove(&session);
    }

    /// Whether everybody has answered.
    pub(super) fn is_over(&self) -> bool {
        self.owing.is_empty()
    }

    /// Until when to wait for what is asked now.
    pub(super) fn deadline(now: Instant) -> Instant {
        now + PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(bytes: u64, lost: Option<u64>) -> Statistics {
        let traffic = Traffic { packets: bytes / 100, bytes };
        let gre = lost.map(|lost| Gre { lost, round_trip: Some(Duration::from_millis(7)), ..Gre::default() });
        Statistics { received: traffic, sent: Traffic::default(), gre }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_not_told_again_stays_known() {
        let mut news = News::default();
        let first = Report {
            user: Some("alice".into()),
            interface: Some("ppp0".into()),
            statistics: Some(statistics(1000, Some(3))),
            ..Report::default()
        };
        news.take(first, at(1));
        news.take(Report { remote: Some([10, 0, 0, 2].into()), ..Report::default() }, at(5));
        assert_eq!((news.user(), news.report().remote), (Some("alice"), Some([10, 0, 0, 2].into())));
        assert_eq!(news.age(at(6)), Some(Duration::from_secs(5)));
        news.take(Report { statistics: Some(statistics(2000, None)), ..Report::default() }, at(9));
        assert_eq!(news.report().statistics, Some(statistics(2000, Some(3))));
        assert_eq!((news.report().interface.as_deref(), news.age(at(9))), (Some("ppp0"), Some(Duration::ZERO)));
    }

    #[test]
    fn totals_never_go_back() {
        let (mut news, mut total) = (News::default(), Statistics::default());
        for (bytes, lost) in [(1000, Some(1)), (1500, Some(4)), (200, None), (300, None)] {
            let report = Report { statistics: Some(statistics(bytes, lost)), ..Report::default() };
            add(&mut total, &news.take(report, at(1)));
        }
        add(&mut total, &news.take(Report::default(), at(2)));
        assert_eq!(total.received, Traffic { packets: 18, bytes: 1800 });
        assert_eq!(total.gre, Some(Gre { lost: 4, ..Gre::default() }));
    }
}
