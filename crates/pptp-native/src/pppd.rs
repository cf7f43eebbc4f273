//! A pppd that a test has started.

use std::process::Child;
use std::time::Duration;

use crate::{Machine, eventually};

/// Makes the shell read /run/test/environment, if there is one.
pub(crate) const ENVIRONMENT: &str = "[ ! -e /run/test/environment ] || . /run/test/environment;";

/// A pppd and its log.
#[derive(Debug)]
pub struct Pppd<'a> {
    machine: &'a Machine,
    name: String,
    /// nsenter(1), which ends as pppd ends; with a pppd that detaches, as the process does that was started.
    child: Child,
}

impl<'a> Pppd<'a> {
    /// Starts pppd with these options, a log file /run/test/NAME.log, and the environment of the shell script
    /// /run/test/environment, if there is one.
    ///
    /// # Panics
    /// No process can be started.
    #[must_use]
    pub fn start(machine: &'a Machine, name: &str, options: &str) -> Self {
        let line = format!(
            "echo $$ > /run/test/{name}.pid; {ENVIRONMENT} exec pppd logfile /run/test/{name}.log {options} > /run/test/{name}.out 2>&1"
        );
        let child = machine.command(&line).spawn().unwrap();
        Self { machine, name: String::from(name), child }
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.machine.read(&format!("/run/test/{}.log", self.name))
    }

    /// Waits until its log has `count` lines with this text, and gives the last.
    ///
    /// # Panics
    /// It has not within `limit`.
    #[track_caller]
    pub fn wait_for(&self, text: &str, count: usize, limit: Duration) -> String {
        let what = format!("{}: {count} lines with \"{text}\"", self.name);
        eventually(&what, limit, || {
            self.log().lines().filter(|line| line.contains(text)).nth(count - 1).map(String::from)
        })
    }

    /// How many lines of its log have this text.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Its number in the machine.
    ///
    /// # Panics
    /// It has not started.
    #[must_use]
    pub fn number(&self) -> u32 {
        let file = format!("/run/test/{}.pid", self.name);
        eventually("pppd has started", crate::SOON, || self.machine.read(&file).trim().parse().ok())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        self.machine.signal(signal, self.number());
    }

    /// Its exit status.
    ///
    /// # Panics
    /// It does not end within `limit`, or was killed.
    #[track_caller]
    pub fn exit_status(&mut self, limit: Duration) -> i32 {
        let what = format!("{} has ended", self.name);
        let status = eventually(&what, limit, || self.child.try_wait().unwrap());
        status.code().unwrap_or_else(|| panic!("{} was killed: {status}", self.name))
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}
