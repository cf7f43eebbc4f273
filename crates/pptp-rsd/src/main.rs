//! `pptp-rsd`: reads what it is told, and serves.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use pptp_rsd::config::{self, CommandLine, Loaded, Request, ThisMachine};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let folder = env::current_dir().map_err(|error| format!("this folder has no name: {error}"))?;
    match CommandLine::read(env::args_os().skip(1), folder).map_err(|usage| usage.to_string())? {
        Request::Help => print(&config::help()),
        Request::Version => print(&format!("{}\n", config::version())),
        Request::Serve(command_line) => {
            let loaded = load(&command_line)?;
            if command_line.only_check() { print(&verdict(&command_line, &loaded)) } else { Ok(()) }
        }
    }
}

/// The configuration; warnings are said, errors are given back as lines.
fn load(command_line: &CommandLine) -> Result<Loaded, String> {
    let loaded = command_line.load(&ThisMachine);
    let lines = |reports: &[config::Report]| reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let loaded = loaded.map_err(|reports| lines(&reports))?;
    if !loaded.warnings.is_empty() {
        say(&lines(&loaded.warnings));
    }
    Ok(loaded)
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
