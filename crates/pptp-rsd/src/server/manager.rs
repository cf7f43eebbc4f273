//! What the service manager hears: that the server is ready, reads its configuration, ends, how many calls it has, and that
//! it is alive.
//!
//! Nothing waits for a manager that does not read. What it has to hear is told again later.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;

use pptp_core::time::Instant;
use pptp_io::service::Notifier;

/// Between two lines about the number of calls, and between two attempts.
const PACE: Duration = Duration::from_secs(1);

/// Between two signs of life, whatever it asks for.
const SHORTEST: Duration = Duration::from_millis(10);

pub(super) struct Manager {
    notifier: Notifier,
    /// How often it is told that the server is alive, and when next.
    sign_of_life: Option<(Duration, Instant)>,
    /// What it has to hear and has not.
    untold: VecDeque<String>,
    retry: Option<Instant>,
    calls: Option<usize>,
    /// When it may hear of another number of calls.
    next_count: Instant,
}

impl Manager {
    /// `watchdog`: it takes the server for dead when it has heard nothing for so long.
    pub(super) fn new(notifier: Notifier, watchdog: Option<Duration>, now: Instant) -> Self {
        Self {
            notifier,
            sign_of_life: watchdog.map(|longest| ((longest / 2).max(SHORTEST), now)),
            untold: VecDeque::new(),
            retry: None,
            calls: None,
            next_count: now,
        }
    }

    /// The server serves, after its start or again.
    pub(super) fn ready(&mut self, now: Instant) {
        self.tell("READY=1\n".into(), now);
    }

    /// The configuration is read again.
    pub(super) fn reloading(&mut self, now: Instant) {
        // Of the clock that the manager looks at.
        let since_boot = now.since(Instant::from_epoch(Duration::ZERO)).as_micros();
        self.tell(format!("RELOADING=1\nMONOTONIC_USEC={since_boot}\n"), now);
    }

    /// The server ends.
    pub(super) fn stopping(&mut self, now: Instant) {
        self.tell("STOPPING=1\n".into(), now);
    }

    /// There are so many calls now.
    pub(super) fn count(&mut self, calls: usize, now: Instant) {
        if self.calls == Some(calls) || self.next_count > now {
            return;
        }
        // The next number is as good as one that is lost.
        if self.untold.is_empty() && self.notifier.tell(&format!("STATUS={}\n", in_words(calls))).is_ok() {
            self.calls = Some(calls);
        }
        self.next_count = now + PACE;
    }

    /// When [`Manager::handle_timeout`] is to be called, and [`Manager::count`] if there are other than so many calls now.
    pub(super) fn next_timeout(&self, calls: usize) -> Option<Instant> {
        let count = (self.calls != Some(calls)).then_some(self.next_count);
        [self.sign_of_life.map(|(_, next)| next), self.retry, count].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
            self.tell_untold(now);
        }
        if let Some((interval, _)) = self.sign_of_life.filter(|(_, next)| *next <= now) {
            self.sign_of_life = Some((interval, now + interval));
            // One that finds no room is as good as read: the manager is the one that is late.
            let _ = self.notifier.tell("WATCHDOG=1\n");
        }
    }

    /// Tells this after what is untold.
    fn tell(&mut self, state: String, now: Instant) {
        self.untold.push_back(state);
        self.tell_untold(now);
    }

    fn tell_untold(&mut self, now: Instant) {
        while let Some(state) = self.untold.front() {
            if self.notifier.tell(state).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                self.retry = Some(now + PACE);
                return;
            }
            self.untold.pop_front();
        }
    }
}

fn in_words(calls: usize) -> String {
    match calls {
        0 => "no calls".into(),
        1 => "1 call".into(),
        several => format!("{several} calls"),
    }
}
