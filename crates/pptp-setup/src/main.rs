//! `pptp-rs-setup`: makes, tries and removes profiles by which `pppd call NAME` connects to a PPTP server with the plugin.
//!
//! What is decided (texts of files, what a log means) is decided in functions that do nothing else.

mod account;
mod arguments;
mod connect;
mod files;
mod help;
mod layers;
mod machine;
mod name;
mod password;
mod pppd;
mod probe;
mod profile;
mod profiles;
mod running;
mod secrets;
mod trial;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Start, Wish};

/// Why a command has not done what it should.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The command line; as one line for the user.
    Usage(String),
    /// Anything else; as one line for the user.
    Failed(String),
    /// What there is to say has been said.
    Said,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

fn main() -> ExitCode {
    // What is typed here is nothing for a core dump, nor for who traces this process.
    let _ = nix::sys::prctl::set_dumpable(false);
    let (status, text) = match run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Said) => return ExitCode::from(1),
        Err(Failure::Failed(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, format!("{text}; see pptp-rs-setup --help")),
    };
    // Where nobody listens there is nothing better to do.
    let _ = writeln!(io::stderr(), "pptp-rs-setup: {text}");
    ExitCode::from(status)
}

fn run() -> Result<(), Failure> {
    match arguments::read(std::env::args_os().skip(1)).map_err(Failure::Usage)? {
        Wish::Help => say(&help::help()),
        Wish::Version => say(&format!("{}\n", help::version())),
        Wish::Create(create) => {
            profiles::create(&create)?;
            if create.start == Start::Now { connect::start(&create.profile.name) } else { Ok(()) }
        }
        Wish::List { root } => say(&profiles::list(&root)?),
        Wish::Show { root, name } => say(&profiles::show(&root, &name)?),
        Wish::Delete { root, name } => profiles::delete(&root, &name),
        Wish::Test { name, limit } => trial::test(&name, limit),
        Wish::Start(name) => connect::start(&name),
        Wish::Stop(name) => connect::stop(&name),
    }
}

/// Writes to standard output.
fn say(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Failed(format!("cannot write: {}", pptp_io::words(&error))))
}
