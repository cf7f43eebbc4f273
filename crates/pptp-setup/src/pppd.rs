//! A pppd that is run, followed by what it says, and ended in time.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use pptp_io::children::{self, Child, Ending};
use pptp_io::poller::{Interest, wait};
use pptp_io::signals::{Notice, Signals};

/// Where it may be. Not by PATH: root runs it.
const PLACES: [&str; 3] = ["/usr/sbin/pppd", "/sbin/pppd", "/usr/local/sbin/pppd"];

/// How long it may take to end when it was asked to.
const ENDING: Duration = Duration::from_secs(10);

/// A line longer than that is cut, bytes.
const LONGEST_LINE: usize = 4096;

/// The program.
pub(crate) fn program() -> Option<&'static Path> {
    PLACES.iter().map(Path::new).find(|path| path.exists())
}

/// Whether more of what it says is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Wanted,
    Enough,
}

/// Why it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// By itself.
    Itself(Ending),
    /// It was enough.
    Enough,
    /// It took too long.
    TooLate,
    /// This program was told to end.
    Interrupted,
}

/// One that runs. When this process ends, however it does, that gets SIGTERM.
struct Run {
    child: Child,
    output: OwnedFd,
    signals: Signals,
    /// What has been said of a line that has no end yet.
    line: Vec<u8>,
    /// Nothing more will be said.
    is_silent: bool,
    /// Why it was asked to end.
    asked: Option<Reason>,
    deadline: Instant,
}

/// Runs pppd with these arguments until it ends, or `listen`, which gets each line that it says, has heard enough, or the time is over;
/// says why. pppd has ended then, but for one that goes on in the background.
///
/// # Errors
/// It cannot be run.
pub(crate) fn run(arguments: &[&str], limit: Duration, mut listen: impl FnMut(&str) -> More) -> io::Result<Reason> {
    let mut run = Run::start(arguments, limit)?;
    loop {
        if run.wait()? && run.hear(&mut listen)? == More::Enough {
            run.ask_to_end(Reason::Enough);
        }
        while let Some(notice) = run.signals.next() {
            if notice != Notice::ChildEnded {
                run.ask_to_end(Reason::Interrupted);
            }
        }
        if let Some((_, ending)) = children::reap() {
            // What it has said last is in the pipe.
            while run.has_output()? {
                run.hear(&mut listen)?;
            }
            return Ok(run.asked.unwrap_or(Reason::Itself(ending)));
        }
        if Instant::now() >= run.deadline {
            run.too_late();
        }
    }
}

impl Run {
    fn start(arguments: &[&str], limit: Duration) -> io::Result<Self> {
        let program = program().ok_or(io::ErrorKind::NotFound)?;
        let signals = Signals::take()?;
        let (output, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let script = OsString::from(shell_script(theirs.as_raw_fd()));
        let words = [OsStr::new("-c"), &script, OsStr::new("sh"), program.as_os_str()];
        let words: Vec<&OsStr> = words.into_iter().chain(arguments.iter().map(OsStr::new)).collect();
        let child = children::start(OsStr::new("/bin/sh"), &words, &[theirs.as_fd()])?;
        let deadline = Instant::now() + limit;
        Ok(Self { child, output, signals, line: Vec::new(), is_silent: false, asked: None, deadline })
    }

    fn ask_to_end(&mut self, reason: Reason) {
        if self.asked.replace(reason).is_none() {
            children::terminate(self.child);
            self.deadline = Instant::now() + ENDING;
        }
    }

    fn too_late(&mut self) {
        if self.asked.is_some() {
            children::kill(self.child);
            self.deadline = Instant::now() + ENDING;
        } else {
            self.ask_to_end(Reason::TooLate);
        }
    }

    /// Waits for news, or until the time is over; whether there is something to hear.
    fn wait(&self) -> io::Result<bool> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let both = [(self.signals.fd(), Interest::Read), (self.output.as_fd(), Interest::Read)];
        let ready = wait(if self.is_silent { both.get(..1).unwrap_or(&both) } else { &both }, Some(left))?;
        Ok(ready.get(1).is_some_and(|ready| ready.readable()))
    }

    fn has_output(&self) -> io::Result<bool> {
        let ready = wait(&[(self.output.as_fd(), Interest::Read)], Some(Duration::ZERO))?;
        Ok(!self.is_silent && ready.first().is_some_and(|ready| ready.readable()))
    }

    /// Hears what there is to be heard at the moment.
    fn hear(&mut self, listen: &mut impl FnMut(&str) -> More) -> io::Result<More> {
        let mut buffer = [0; 4096];
        let length = match nix::unistd::read(&self.output, &mut buffer) {
            Ok(length) => length,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(More::Wanted),
            Err(error) => return Err(error.into()),
        };
        self.is_silent = length == 0;
        let mut more = More::Wanted;
        for &byte in buffer.get(..length).unwrap_or_default() {
            if byte != b'\n' {
                if self.line.len() < LONGEST_LINE {
                    self.line.push(byte);
                }
                continue;
            }
            if listen(&String::from_utf8_lossy(&self.line)) == More::Enough {
                more = More::Enough;
            }
            self.line.clear();
        }
        Ok(more)
    }
}

/// Makes this descriptor of the shell's the standard output of what it becomes, and its standard error, for what is said before there is
/// a log. The descriptor itself goes no further, where the shell can say so.
fn shell_script(descriptor: i32) -> String {
    let close = if descriptor < 10 { format!(" {descriptor}>&-") } else { String::new() };
    format!("exec \"$@\" >/proc/self/fd/{descriptor} 2>&1{close}")
}
