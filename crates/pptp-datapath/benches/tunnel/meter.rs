//! What the kernel has counted of a process.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a process has used so far, or between two times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Nanoseconds on a processor, system calls included: by hundredths of a second where the kernel does not count better.
    pub(crate) nanoseconds: f64,
    /// Of hundredths of a second, how many in the process's own code …
    pub(crate) user: f64,
    /// … and how many in the kernel.
    pub(crate) system: f64,
    /// How often it went to sleep.
    pub(crate) sleeps: f64,
}

impl Usage {
    pub(crate) fn of(process: i32) -> Self {
        let file = |name| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap();
        let schedule = fs::read_to_string(format!("/proc/{process}/schedstat"));
        let stat = file("stat");
        // The name, field 2, may contain anything; the last bracket ends it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let status = file("status");
        let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let number = |text: &str| text.trim().parse::<f64>().unwrap();
        let (user, system) = (number(fields[11]), number(fields[12]));
        let nanoseconds = schedule.map(|text| number(text.split_whitespace().next().unwrap()));
        Self {
            nanoseconds: nanoseconds.unwrap_or((user + system) * 1e7),
            user,
            system,
            sleeps: number(sleeps.unwrap()),
        }
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds - before.nanoseconds,
            user: self.user - before.user,
            system: self.system - before.system,
            sleeps: self.sleeps - before.sleeps,
        }
    }
}

/// Private resident memory of a process, KiB.
pub(crate) fn private_memory(process: i32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let private = rollup.lines().filter(|line| line.starts_with("Private_"));
    private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()).sum()
}

/// Counts system calls, exactly, while it lives.
pub(crate) struct SystemCalls(Child);

/// How long perf(1) may take to begin.
const PERF_START: Duration = Duration::from_millis(500);

impl SystemCalls {
    pub(crate) fn of(process: i32) -> Self {
        let perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &process.to_string()])
            .stderr(Stdio::piped())
            .spawn();
        let perf = Self(perf.expect("perf(1) counts system calls: install linux-perf"));
        std::thread::sleep(PERF_START);
        perf
    }

    /// How many there were.
    pub(crate) fn end(self) -> f64 {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        let count = text.split(',').next().and_then(|word| word.trim().parse().ok());
        count.unwrap_or_else(|| panic!("perf(1) cannot count system calls: is tracefs there? {text}"))
    }
}
