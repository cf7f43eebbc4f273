//! The server daemon on a machine.

use std::fs;
use std::process::Child;
use std::time::Duration;

use crate::machine::program;
use crate::{Machine, SOON, eventually};

/// Its program, as ps(1) names it.
const NAME: &str = "native-daemon";

const PPPD: &str = "debug logfile /run/test/pppd.log ipv6 ::1,::2";

const ALWAYS: &str = "\
option /run/test/options
localip 10.99.0.1
remoteip 10.99.0.2-99
datapath tun
plugin /run/plugin/pptp-rs.so
pidfile /run/test/daemon.pid
debug";

/// A pptp-rsd that serves a machine's clients with real pppds.
#[derive(Debug)]
pub struct Daemon<'a> {
    machine: &'a Machine,
    child: Child,
}

impl<'a> Daemon<'a> {
    /// Starts it with these settings, which come before the usual ones, and these options of pppd; clients get addresses from
    /// 10.99.0.2 on.
    ///
    /// # Panics
    /// It does not listen.
    #[must_use]
    pub fn start(machine: &'a Machine, settings: &str, options: &str) -> Self {
        fs::copy(program(NAME), machine.path(&format!("/run/test/{NAME}"))).unwrap();
        fs::write(machine.path("/run/test/options"), format!("{PPPD} {options}\n")).unwrap();
        fs::write(machine.path("/run/test/daemon.conf"), format!("{settings}\n{ALWAYS}\n")).unwrap();
        let line = format!("exec /run/test/{NAME} -f -c /run/test/daemon.conf > /run/test/daemon.log 2>&1");
        let daemon = Self { machine, child: machine.command(&line).spawn().unwrap() };
        daemon.wait_for("listening on", 1, SOON);
        daemon
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.machine.read("/run/test/daemon.log")
    }

    /// What all its pppds have logged.
    #[must_use]
    pub fn pppd_log(&self) -> String {
        self.machine.read("/run/test/pppd.log")
    }

    /// Waits until its log has `count` lines with this text.
    ///
    /// # Panics
    /// It has not within `limit`.
    #[track_caller]
    pub fn wait_for(&self, text: &str, count: usize, limit: Duration) {
        let what = format!("{count} lines of the daemon with \"{text}\"");
        eventually(&what, limit, || {
            (self.log().lines().filter(|line| line.contains(text)).count() >= count).then_some(())
        });
    }

    /// Its number in the machine.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn number(&self) -> u32 {
        let numbers = self.machine.processes(NAME);
        assert_eq!(numbers.len(), 1, "one daemon: {numbers:?}");
        numbers[0]
    }

    /// How many descriptors it has.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.machine.run(&format!("ls /proc/{}/fd | wc -l", self.number())).trim().parse().unwrap_or(0)
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
        let status = eventually("the daemon has ended", limit, || self.child.try_wait().unwrap());
        status.code().unwrap_or_else(|| panic!("the daemon was killed: {status}"))
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // What it stands for ends with the machine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
