//! The program: reads what it is told, and serves.
//!
//! It logs to standard error in the foreground, else to syslog. A line about a call begins with `session N: ADDRESS: `, the client's
//! address and a number that no other call of this run of the server has; one about a control connection with
//! `connection N: ADDRESS:PORT: `. Who the user is only pppd knows; its lines and those about the call share pppd's process id.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::{env, fs};

use crate::config::{self, CommandLine, Config, Loaded, Request, ThisMachine};
use crate::server::Server;
use log::LevelFilter;
use pptp_io::service::Service;
use pptp_io::{daemon, words};
use pptp_journal::{self as journal, Destination, Journal};

const NAME: &str = "pptp-rsd";

/// `pptp-rsd`, with the arguments of this process. For a process with one thread.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let service = Service::take();
    let folder = env::current_dir().map_err(|error| format!("this folder has no name: {error}"))?;
    match CommandLine::read(env::args_os().skip(1), folder).map_err(|usage| usage.to_string())? {
        Request::Help => print(&config::help()),
        Request::Version => print(&format!("{}\n", config::version())),
        Request::Serve(command_line) => {
            let machine = ThisMachine::default();
            let loaded = load(&command_line, &machine)?;
            if command_line.only_check() {
                print(&verdict(&command_line, &loaded))
            } else {
                serve((command_line, machine), loaded, service)
            }
        }
    }
}

/// The configuration; warnings are said, errors are given back as lines.
fn load(command_line: &CommandLine, machine: &ThisMachine) -> Result<Loaded, String> {
    let loaded = command_line.load(machine);
    let lines = |reports: &[config::Report]| reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let loaded = loaded.map_err(|reports| lines(&reports))?;
    if !loaded.warnings.is_empty() {
        say(&lines(&loaded.warnings));
    }
    Ok(loaded)
}

/// Serves until the server is told to end.
fn serve(source: (CommandLine, ThisMachine), loaded: Loaded, service: io::Result<Service>) -> Result<(), String> {
    let config = loaded.config;
    let (foreground, debug, pid_file) = (config.foreground, config.debug, config.pid_file.clone());
    // Before it detaches, so that whoever starts it hears what is wrong.
    let service = service.map_err(|error| format!("a socket of the service manager's: {}", words(&error)))?;
    let server = Server::bind(config, service)?;
    if !foreground {
        daemon::detach().map_err(|error| format!("cannot detach: {}", words(&error)))?;
    }
    let destination = if foreground { Destination::StandardError } else { Destination::Syslog };
    let level = level(debug);
    journal::begin(Journal { name: NAME, prefix: String::new(), destination, level });
    let outcome = run_with_pid_file(server, pid_file, source);
    // Nobody else hears of it.
    if let (Err(message), false) = (&outcome, foreground) {
        log::error!("{message}");
    }
    outcome
}

fn run_with_pid_file(
    server: Server,
    pid_file: Option<PathBuf>,
    source: (CommandLine, ThisMachine),
) -> Result<(), String> {
    let _pid_file = pid_file.map(PidFile::write).transpose()?;
    let (command_line, machine) = source;
    machine.serve();
    let outcome = server.run(Box::new(move || load_again(&command_line, &machine)));
    outcome.map_err(|error| format!("cannot go on: {}", words(&error)))
}

/// Which lines are logged: those about single decisions only with `debug`.
const fn level(debug: bool) -> LevelFilter {
    if debug { LevelFilter::Debug } else { LevelFilter::Info }
}

/// The configuration, for a server that runs.
fn load_again(command_line: &CommandLine, machine: &ThisMachine) -> Result<Config, String> {
    let line = |reports: &[config::Report]| reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let loaded = command_line.load(machine).map_err(|reports| line(&reports))?;
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    journal::set_level(level(loaded.config.debug));
    Ok(loaded.config)
}

/// The file with this process's number, while the server runs.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: PathBuf) -> Result<Self, String> {
        let written = fs::write(&path, Self::text());
        written.map_err(|error| format!("cannot write {}: {}", path.display(), words(&error)))?;
        Ok(Self(path))
    }

    fn text() -> String {
        format!("{}\n", process::id())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another server may have written its own there.
        if fs::read_to_string(&self.0).is_ok_and(|text| text == Self::text()) {
            // One that cannot be removed names a process that is no more, as after a crash.
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn verdict(command_line: &CommandLine, loaded: &Loaded) -> String {
    let warnings = match loaded.warnings.len() {
        0 => "no warnings".to_owned(),
        1 => "1 warning".to_owned(),
        several => format!("{several} warnings"),
    };
    format!("{}: no errors, {warnings}\n", command_line.file().display())
}

fn print(text: &str) -> Result<(), String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| format!("cannot write: {error}"))
}

/// To the operator. Where nobody listens there is nothing better to do.
fn say(text: &str) {
    let _ = writeln!(
        io::stderr(),
        "{}",
        text.lines().map(|line| format!("pptp-rsd: {line}")).collect::<Vec<_>>().join("\n")
    );
}
