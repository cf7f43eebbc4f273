//! pppd started by this program, on a terminal of its own.
//!
//! As with pptp-linux this process becomes pppd when the call is up, so whoever has started it has pppd: its process id, its standard
//! input, its exit status. What is left of the command is another process, which has the terminal's other end and waits for
//! the end of the call or of pppd.

use std::convert::Infallible;
use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use pptp_io::poller::{self, Interest};
use pptp_io::standard::Line;
use pptp_io::{daemon, process, pty, seqpacket, words};
use pptp_journal::Destination;

use crate::call::{Attempt, Connection, End, Speaker};
use crate::command_line::Settings;
use crate::program::{begin_logging, say};

const PPPD: &str = "/usr/sbin/pppd";

/// A terminal has a speed, whatever it is worth.
const SPEED: &str = "38400";

const PROCESS_NAME: &CStr = c"pptp";

/// What the other process says, with a line of text if it is bad.
const UP: u8 = 0;
const FAILED: u8 = 1;

/// The longest line.
const LONGEST: usize = 2048;

/// Calls, and becomes pppd with these options.
pub(crate) fn call(settings: &Settings, options: &[OsString]) -> ExitCode {
    daemon::keep_descriptors();
    let Err(text) = connect(settings).and_then(|terminal| become_pppd(&terminal, options));
    say(&text);
    ExitCode::FAILURE
}

/// The terminal on which pppd is to run.
struct Terminal {
    slave: OwnedFd,
    path: String,
}

/// Starts the other process, and waits until it has a call.
fn connect(settings: &Settings) -> Result<Terminal, String> {
    let no_terminal = |error: io::Error| format!("cannot make a pseudo-terminal: {}", words(&error));
    let no_process = |error: io::Error| format!("cannot start a process: {}", words(&error));
    let (master, slave) = pty::open().map_err(no_terminal)?;
    let path = pty::path(master.as_fd()).map_err(no_terminal)?;
    let (ours, theirs) = seqpacket::pair().map_err(no_process)?;
    let new = process::Detached { name: PROCESS_NAME, keep: &[theirs.as_fd(), master.as_fd()], wipe: || {} };
    process::detach(new, |kept| keep(settings, kept)).map_err(no_process)?;
    drop((theirs, master));
    wait_for_call(&ours)?;
    Ok(Terminal { slave, path })
}

fn wait_for_call(news: &OwnedFd) -> Result<(), String> {
    let lost = || String::from("the process that makes the call ended unexpectedly");
    let mut buffer = vec![0; LONGEST];
    let received = loop {
        poller::wait(&[(news.as_fd(), Interest::Read)], None).map_err(|error| words(&error))?;
        match seqpacket::receive(news.as_fd(), &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => break received.map_err(|_| lost())?,
        }
    };
    match buffer.get(..received.length).and_then(<[u8]>::split_first) {
        Some((&UP, _)) => Ok(()),
        Some((_, text)) => Err(String::from_utf8_lossy(text).into_owned()),
        None => Err(lost()),
    }
}

fn become_pppd(terminal: &Terminal, options: &[OsString]) -> Result<Infallible, String> {
    // The terminal must not be without a slave before pppd has opened it.
    daemon::pass_on(terminal.slave.as_fd()).map_err(|error| words(&error))?;
    let error = Command::new(PPPD).arg(&terminal.path).arg(SPEED).args(options).exec();
    Err(format!("cannot start {PPPD}: {}", words(&error)))
}

/// The whole life of the other process: `kept` is its line to the first, and the terminal's master.
fn keep(settings: &Settings, kept: Vec<OwnedFd>) {
    begin_logging(settings, Destination::Syslog);
    let mut kept = kept.into_iter();
    let (Some(wisher), Some(input)) = (kept.next(), kept.next()) else { return };
    let end = start(settings, input, wisher).map_or_else(|end| end, Connection::run);
    end.log();
}

/// Makes the call, tells the first process, and waits for pppd.
fn start(settings: &Settings, input: OwnedFd, wisher: OwnedFd) -> Result<Connection, End> {
    let tell = |code: u8, text: &str| {
        let message: Vec<u8> = std::iter::once(code).chain(text.bytes().take(LONGEST - 1)).collect();
        // Who does not hear it has gone.
        let _ = seqpacket::send(wisher.as_fd(), &message, &[]);
    };
    let call = || {
        let output = input.try_clone().map_err(|error| End::Failed(words(&error)))?;
        let mut attempt = Attempt::start(settings, Line { input, output })?;
        let info = attempt.wait_for_call(Some(wisher.as_fd()))?;
        Ok((attempt, info))
    };
    let (attempt, info) = call().inspect_err(|end| match end {
        End::Failed(text) | End::HungUp(text) => tell(FAILED, text),
        End::LineGone | End::Told => tell(FAILED, "interrupted"),
    })?;
    tell(UP, "");
    drop(wisher);
    attempt.connect(&info, Speaker::Pppd)
}
