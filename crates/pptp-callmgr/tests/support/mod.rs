//! A scripted server, a stand-in for pppd, and a look at the processes they leave.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a part of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use pptp_testkit::journal::Journal;
use pptp_testkit::script::Script;
use pptp_testkit::session::{Server as Scripted, Session};

/// Nothing in these tests takes longer, on a busy machine either.
pub const LIMIT: Duration = Duration::from_secs(40);

/// A directory for one test's managers, with everything else that the test needs.
pub struct Scene {
    pub directory: PathBuf,
}

impl Scene {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("pptp-cm-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        Self { directory }
    }

    /// A probe that calls `port`, with more arguments after that.
    pub fn call(&self, port: u16, arguments: &[&str]) -> Probe {
        self.call_by(&mut Command::new(env!("CARGO_BIN_EXE_callmgr-probe")), port, arguments)
    }

    /// The same, started by some other command that runs what follows it.
    pub fn call_by(&self, command: &mut Command, port: u16, arguments: &[&str]) -> Probe {
        command.arg("--dir").arg(&self.directory).args(["--port", &port.to_string()]).args(arguments);
        command.env("PROBE_SCENE", &self.directory);
        Probe::start(command)
    }

    /// The pids of this scene's call managers, known by the environment they inherited: they erase their arguments.
    pub fn managers(&self) -> Vec<i32> {
        let scene = format!("PROBE_SCENE={}", self.directory.display());
        processes(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let ours = environment.split(|&byte| byte == 0).any(|variable| variable == scene.as_bytes());
            ours && comm(pid) == "pptp-callmgr"
        })
    }

    /// The one manager that there is, when candidates that have handed over are gone.
    pub fn manager(&self) -> i32 {
        let mut managers = Vec::new();
        until("a single manager", || {
            managers = self.managers();
            managers.len() == 1
        });
        managers[0]
    }

    #[track_caller]
    pub fn until_gone(&self) {
        until("the managers to go", || self.managers().is_empty());
        assert!(!self.directory.exists(), "the directory is left");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A test that failed leaves what it started to the probes' ends; their managers go with them.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A scripted PPTP server on loopback.
pub struct Server {
    pub port: u16,
    journal: PathBuf,
}

impl Server {
    pub fn start(rules: &[&str]) -> Self {
        Self::start_on("127.0.0.1", 0, rules)
    }

    pub fn start_on(address: &str, port: u16, rules: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let journal = std::env::temp_dir().join(format!("pptp-cm-{}-journal-{number}", std::process::id()));
        let mut script = Script::default();
        for rule in rules {
            script.add(rule).unwrap();
        }
        let server = Arc::new(Scripted {
            script,
            journal: Journal::open(Some(&journal)).unwrap(),
            plan: None,
            calls: AtomicU32::new(0),
        });
        let listener = TcpListener::bind((address, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let session = Session::new(Arc::clone(&server), number, stream.unwrap());
                thread::spawn(move || session.run());
            }
        });
        Self { port, journal }
    }

    pub fn journal(&self) -> String {
        fs::read_to_string(&self.journal).unwrap()
    }

    /// How many lines of the journal contain `text`.
    pub fn count(&self, text: &str) -> usize {
        self.journal().lines().filter(|line| line.contains(text)).count()
    }

    pub fn until_journal_has(&self, text: &str) {
        self.until_count(text, 1);
    }

    /// Waits until so many lines of the journal contain `text`, and not more: the server may write later than others act.
    #[track_caller]
    pub fn until_count(&self, text: &str, count: usize) {
        until(&format!("{count} times {text:?} in the journal"), || self.count(text) >= count);
        assert_eq!(self.count(text), count, "{}", self.journal());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.journal());
        }
        let _ = fs::remove_file(&self.journal);
    }
}

/// A stand-in for pppd.
pub struct Probe {
    pub child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Probe {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, seen: Vec::new() }
    }

    /// Waits for a line that begins with `prefix`.
    #[track_caller]
    pub fn expect(&mut self, prefix: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.starts_with(prefix) {
                        return line;
                    }
                }
                Err(end) => panic!("no {prefix:?} ({end}): {:#?}", self.seen),
            }
        }
    }

    /// A number in a `name=number` of a line.
    #[track_caller]
    pub fn number(line: &str, name: &str) -> u64 {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line:?}"))
    }

    /// Whether nothing is said for `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        match self.lines.recv_timeout(time) {
            Ok(line) => {
                self.seen.push(line);
                false
            }
            Err(end) => end == RecvTimeoutError::Timeout,
        }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Its standard output has ended, which it does when *all* who have it have gone.
    pub fn until_output_ends(&mut self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("output is still open"),
            }
        }
    }

    /// Ends the call as pppd does when it goes.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end and returns its exit status.
    pub fn status(&mut self) -> Option<i32> {
        let mut status = None;
        until("the probe to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(comes_true(condition), "waited in vain for {what}");
}

pub fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

pub fn comm(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// A field of /proc/PID/status.
pub fn status_field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    field.unwrap_or_else(|| panic!("no {name}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn processes(wanted: impl Fn(i32) -> bool) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| wanted(pid)).collect()
}

/// Waits until a process does nothing: it sleeps, and has not been woken for a while.
pub fn until_it_sleeps(pid: i32) {
    let asleep = || {
        let state = status_field(pid, "State");
        state.starts_with('S').then(|| status_field(pid, "voluntary_ctxt_switches"))
    };
    until("it sleeps", || {
        let before = asleep();
        thread::sleep(Duration::from_millis(100));
        before.is_some() && before == asleep()
    });
}

/// A port of 127.0.0.1 on which nobody listens, nor will while this is held.
pub fn closed_port() -> (OwnedFd, u16) {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let port = getsockname::<SockaddrIn>(socket.as_raw_fd()).unwrap().port();
    (socket, port)
}

/// What the process's descriptors are, by number.
pub fn descriptors(pid: i32) -> BTreeSet<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map_while(Result::ok);
    entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Some of these tests look at what only root can do.
#[track_caller]
pub fn needs_root() {
    let root = status_field(i32::try_from(std::process::id()).unwrap(), "Uid").starts_with("0 0 ");
    assert!(root, "this test has to run as root");
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
