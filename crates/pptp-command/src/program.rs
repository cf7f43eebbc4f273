//! The program: reads what it is told, and calls.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use log::{LevelFilter, error, warn};
use pptp_io::{daemon, standard, words};
use pptp_journal::{self as journal, Destination, Journal};

use crate::call::{Attempt, Connection, End, Speaker};
use crate::command_line::{self, Pppd, Settings, Task};
use crate::launch;

const NAME: &str = "pptp";

/// `pptp`, with the arguments of this process. For a process with one thread.
pub fn main() -> ExitCode {
    match command_line::read(std::env::args_os().skip(1)) {
        Ok(Task::Help) => print(&command_line::help()),
        Ok(Task::Version) => print(&format!("{}\n", command_line::version())),
        Ok(Task::Call(settings)) => match &settings.pppd {
            Pppd::Running => call(&settings),
            Pppd::Launched(options) => launch::call(&settings, options),
        },
        Err(usage) => {
            // Who reads pppd's log has to see it too.
            let destination = if io::stderr().is_terminal() { Destination::StandardError } else { Destination::Both };
            journal::begin(Journal { name: NAME, prefix: String::new(), destination, level: LevelFilter::Info });
            error!("{usage}; \"pptp --help\" lists all options");
            ExitCode::FAILURE
        }
    }
}

/// Carries the frames of the pppd that has started this program.
fn call(settings: &Settings) -> ExitCode {
    daemon::keep_descriptors();
    let says_all = settings.debug || io::stderr().is_terminal();
    begin_logging(settings, if says_all { Destination::Both } else { Destination::Syslog });
    let line = standard::take_line().map_err(|error| End::Failed(format!("cannot use the line: {}", words(&error))));
    let call = |line| {
        let mut attempt = Attempt::start(settings, line)?;
        let info = attempt.wait_for_call(None)?;
        Ok(attempt.connect(&info, Speaker::Server).map_or_else(|end| end, Connection::run))
    };
    let end = line.and_then(call).map_or_else(|end| (end, Stage::Calling), |end| (end, Stage::Up));
    end.0.log();
    if let (End::Failed(text), false) = (&end.0, says_all) {
        say(text);
    }
    status(&end)
}

/// How far a call has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Calling,
    Up,
}

/// As pptp-linux: a call that was up and is over is nothing wrong, whoever has ended it.
fn status((end, stage): &(End, Stage)) -> ExitCode {
    match (end, stage) {
        (End::Failed(_), _) | (_, Stage::Calling) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// From here on lines are logged, with what the settings want before each.
pub(crate) fn begin_logging(settings: &Settings, destination: Destination) {
    let prefix = settings.log_name.as_ref().map_or_else(String::new, |name| format!("{name}: "));
    journal::begin(Journal { name: NAME, prefix, destination, level: settings.level });
    for option in &settings.ignored {
        warn!("option {option} is ignored");
    }
}

/// To whoever has started this program. Where nobody listens there is nothing better to do.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{NAME}: {text}");
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
