//! Where a program's lines go: to standard error, to syslog, or both.
//!
//! A log daemon that is slow or away never stops the program, nor does who reads its standard error: what they do not take is
//! counted, and the count is told with the next line that they take.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use pptp_io::poller::{self, Interest};
use syslog::{Facility, Formatter3164, LogFormat, Severity};

/// Where syslog's daemon listens.
const SOCKET: &str = "/dev/log";

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    StandardError,
    /// The system's log.
    Syslog,
    /// Both.
    Both,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The program's name, in each line.
    pub name: &'static str,
    /// What each text begins with.
    pub prefix: String,
    /// Where lines go.
    pub destination: Destination,
    /// Which lines.
    pub level: LevelFilter,
}

/// From here on lines are logged. For the process that is to log: its number is in each line of syslog. The first of several
/// calls counts.
pub fn begin(journal: Journal) {
    let Journal { name, prefix, destination, level } = journal;
    let standard_error = || StandardError { name, lost: Mutex::default() };
    let places: Vec<Box<dyn Log>> = match destination {
        Destination::StandardError => vec![Box::new(standard_error())],
        Destination::Syslog => vec![Box::new(Syslog::new(name, SOCKET))],
        Destination::Both => vec![Box::new(Syslog::new(name, SOCKET)), Box::new(standard_error())],
    };
    // It fails when there is one already.
    let _ = log::set_boxed_logger(Box::new(Places { prefix, places }));
    set_level(level);
}

/// From here on these lines are logged.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// All of them get each line.
struct Places {
    prefix: String,
    places: Vec<Box<dyn Log>>,
}

impl Log for Places {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (level, prefix) = (record.level(), &self.prefix);
        for place in &self.places {
            place.log(&Record::builder().level(level).args(format_args!("{prefix}{}", record.args())).build());
        }
    }

    fn flush(&self) {}
}

struct StandardError {
    name: &'static str,
    lost: Mutex<u64>,
}

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let name = self.name;
        let kind = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let before = format!("{name}: warning: {lost} lines before this one were lost\n");
        if *lost > 0 && write_error(&before).is_ok() {
            *lost = 0;
        }
        let line = format!("{name}: {kind}{}\n", one_line(&record.args().to_string()));
        if *lost > 0 || write_error(&line).is_err() {
            *lost += 1;
        }
    }

    fn flush(&self) {}
}

/// Writes a line to standard error, if that takes one now. A pipe or a socket that does has room for more than this.
fn write_error(line: &str) -> io::Result<()> {
    let mut stderr = io::stderr();
    let ready = poller::wait(&[(stderr.as_fd(), Interest::Write)], Some(Duration::ZERO))?;
    if !ready.first().is_some_and(|ready| ready.writable()) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    stderr.write_all(line.as_bytes())
}

struct Syslog {
    path: &'static str,
    form: Formatter3164,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    socket: Option<UnixDatagram>,
    lost: u64,
}

impl Syslog {
    fn new(name: &str, path: &'static str) -> Self {
        let form = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: String::from(name),
            pid: std::process::id(),
        };
        Self { path, form, state: Mutex::default() }
    }

    fn line(&self, level: Level, text: &str) -> Vec<u8> {
        let severity = match level {
            Level::Error => Severity::LOG_ERR,
            Level::Warn => Severity::LOG_WARNING,
            Level::Info => Severity::LOG_INFO,
            Level::Debug | Level::Trace => Severity::LOG_DEBUG,
        };
        let mut line = Vec::new();
        // Writing to memory does not fail.
        let _ = self.form.format(&mut line, severity, one_line(text));
        without_time(line)
    }
}

impl State {
    fn send(&mut self, path: &str, line: &[u8]) -> bool {
        // A daemon that was started anew has another socket.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(path).ok();
            }
            match self.socket.as_ref().map(|socket| socket.send(line)) {
                Some(Ok(_)) => return true,
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Some(Err(_)) | None => self.socket = None,
            }
        }
        false
    }
}

impl Log for Syslog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost > 0 {
            let text = format!("{} lines before this one were lost", state.lost);
            if !state.send(self.path, &self.line(Level::Warn, &text)) {
                state.lost += 1;
                return;
            }
            state.lost = 0;
        }
        if !state.send(self.path, &self.line(record.level(), &record.args().to_string())) {
            state.lost += 1;
        }
    }

    fn flush(&self) {}
}

fn connect(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// The time of RFC 3164 has no zone, and the formatter's may be another than the daemon's. Every daemon adds its own where a
/// line has none.
fn without_time(mut line: Vec<u8>) -> Vec<u8> {
    const TIME: usize = "Jan 01 00:00:00 ".len();
    let Some(priority) = line.iter().position(|&byte| byte == b'>') else { return line };
    let begin = priority + 1;
    if line.len() >= begin + TIME {
        line.drain(begin..begin + TIME);
    }
    line
}

/// What a stranger has had a say in cannot look like a line of its own.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { line.extend(letter.escape_default()) } else { line.push(letter) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_line(journal: &Syslog, text: &str) {
        journal.log(&Record::builder().level(Level::Info).args(format_args!("{text}")).build());
    }

    #[test]
    fn a_line_has_priority_name_number_and_text() {
        let journal = Syslog::new("pptp-rsd", "/nowhere");
        let line = String::from_utf8(journal.line(Level::Warn, "session 17: 192.0.2.2: gone")).unwrap();
        assert_eq!(line, format!("<28>pptp-rsd[{}]: session 17: 192.0.2.2: gone", std::process::id()));
    }

    #[test]
    fn nobody_can_begin_a_line_of_their_own() {
        assert_eq!(one_line("a\nb\u{1b}[0mc"), "a\\nb\\u{1b}[0mc");
    }

    #[test]
    fn a_daemon_that_is_away_or_slow_does_not_stop_the_program_and_is_told_what_it_missed() {
        let path: &'static str =
            Box::leak(format!("{}/pptp-rsd-log-{}", std::env::temp_dir().display(), std::process::id()).into());
        let journal = Syslog::new("pptp-rsd", path);
        log_line(&journal, "nobody is there");
        let daemon = UnixDatagram::bind(path).unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 500];
        let mut heard = || {
            let length = daemon.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        log_line(&journal, "first");
        assert!(heard().ends_with(": 1 lines before this one were lost"));
        assert!(heard().ends_with(": first"));
        // More than a socket holds.
        (0..5000).for_each(|_| log_line(&journal, "many"));
        std::fs::remove_file(path).unwrap();
        assert!(journal.state.lock().unwrap().lost > 0);
    }
}
