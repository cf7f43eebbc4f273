//! The server daemon on a machine.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use crate::machine::program;
use crate::{Machine, SOON, eventually};

/// Its program, as ps(1) names it.
const NAME: &str = "native-daemon";

/// What operators ask it with.
const CONTROL: &str = "native-rsctl";

const PPPD: &str = "debug logfile /run/test/pppd.log ipv6 ::1,::2 lcp-max-terminate 10";

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
    number: u32,
}

impl<'a> Daemon<'a> {
    /// Starts it with these settings, which come before the usual ones, and these options of pppd; clients get addresses from
    /// 10.99.0.2 on.
    ///
    /// # Panics
    /// It does not listen.
    #[must_use]
    pub fn start(machine: &'a Machine, settings: &str, options: &str) -> Self {
        fs::write(machine.path("/run/test/options"), format!("{PPPD} {options}\n")).unwrap();
        fs::write(machine.path("/run/test/daemon.conf"), format!("{settings}\n{ALWAYS}\n")).unwrap();
        Self::start_with(machine, "-c /run/test/daemon.conf")
    }

    /// Starts it with these options of its command line, in the foreground.
    ///
    /// # Panics
    /// It does not listen.
    #[must_use]
    pub fn start_with(machine: &'a Machine, options: &str) -> Self {
        // What another has left, which may run still.
        for name in [NAME, CONTROL, "daemon.log"] {
            let _ = fs::remove_file(machine.path(&format!("/run/test/{name}")));
        }
        // Not by this process: a child that inherits what it writes would keep it from being run.
        let copied = Command::new("cp").args([NAME, CONTROL].map(program)).arg(machine.path("/run/test")).status();
        assert!(copied.unwrap().success());
        let line = format!("exec /run/test/{NAME} -f {options} > /run/test/daemon.log 2>&1");
        let mut daemon = Self { machine, child: machine.command(&line).spawn().unwrap(), number: 0 };
        daemon.wait_for("listening on", 1, SOON);
        // Later it may be there twice for a moment, before a child is pppd.
        let numbers = machine.processes(NAME);
        assert_eq!(numbers.len(), 1, "one daemon: {numbers:?}");
        daemon.number = numbers[0];
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

    /// What pptp-rsctl says, with success.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn control(&self, line: &str) -> String {
        self.machine.run(&format!("/run/test/{CONTROL} {line}"))
    }

    /// Whether a session is shown with this text in it, as JSON.
    ///
    /// # Panics
    /// There is no pptp-rsctl.
    #[must_use]
    pub fn shows(&self, session: u32, text: &str) -> bool {
        let output = self.machine.command(&format!("/run/test/{CONTROL} --json show {session}")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(text)
    }

    /// Its number in the machine.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many descriptors it has.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.machine.run(&format!("ls /proc/{}/fd | wc -l", self.number())).trim().parse().unwrap_or(0)
    }

    /// Its children, by their numbers in the machine; the dead included, if it has not noticed.
    #[must_use]
    pub fn children(&self) -> BTreeSet<u32> {
        let number = self.number();
        let text = self.machine.read(&format!("/proc/{number}/task/{number}/children"));
        text.split_whitespace().map_while(|word| word.parse().ok()).collect()
    }

    /// The memory that is its own, KiB.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let text = self.machine.read(&format!("/proc/{}/smaps_rollup", self.number()));
        let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// The time that it has had the processor, in hundredths of a second.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        let stat = self.machine.read(&format!("/proc/{}/stat", self.number()));
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        // The 14th and the 15th number of all, the first being before the name.
        rest.split_whitespace().skip(11).take(2).map_while(|word| word.parse::<u64>().ok()).sum()
    }

    /// Allows it so many descriptors more than it has; `None`: as many as before.
    ///
    /// # Panics
    /// That is not possible.
    pub fn limit_descriptors(&self, more: Option<usize>) {
        let most = more.map(|more| self.descriptors() + more);
        let most = most.map_or(String::from("4096"), |most| most.to_string());
        // prlimit(1) is this machine's; nsenter(1), which stands for the daemon, is its parent.
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let number = fs::read_to_string(children).unwrap();
        let limits = format!("--nofile={most}:");
        let status = Command::new("prlimit").args(["--pid", number.trim(), &limits]).status().unwrap();
        assert!(status.success(), "prlimit {limits}");
    }

    /// Other options for pppds that are started from here on.
    pub fn change_options(&self, options: &str) {
        fs::write(self.machine.path("/run/test/options"), format!("{PPPD} {options}\n")).unwrap();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        self.machine.signal(signal, self.number());
    }

    /// Sends a signal to one of its children.
    pub fn signal_to(&self, signal: &str, child: u32) {
        self.machine.signal(signal, child);
    }

    /// Keeps it from running until this is done, as a machine does that is busy with something else.
    pub fn while_stopped(&self, what: impl FnOnce()) {
        struct Continue<'a>(&'a Daemon<'a>);
        impl Drop for Continue<'_> {
            fn drop(&mut self) {
                // nsenter(1) has stopped itself, and continues what it stands for.
                let _ = Command::new("kill").args(["-CONT", &self.0.child.id().to_string()]).status();
            }
        }
        self.signal("STOP");
        let stat = format!("/proc/{}/stat", self.child.id());
        eventually("nsenter has stopped", SOON, || fs::read_to_string(&stat).ok()?.contains(") T ").then_some(()));
        let _continue = Continue(self);
        what();
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
