mod addresses;
mod command_line;
mod file;
mod keywords;
#[cfg(feature = "namespaces")]
mod pptpd;
mod sample;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::*;

/// A machine with a pppd, an option file and few names.
#[derive(Debug)]
struct Fake {
    names: BTreeMap<&'static str, Vec<IpAddr>>,
    files: Vec<&'static str>,
}

impl Default for Fake {
    fn default() -> Self {
        let ip = |text: &str| text.parse().unwrap();
        let names = BTreeMap::from([
            ("vpn.example", vec![ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2")]),
            ("gw-1", vec![ip("192.0.2.9")]),
            ("six.example", vec![ip("2001:db8::6")]),
        ]);
        Self {
            names,
            files: vec![
                "/usr/sbin/pppd",
                "/etc/ppp/pptpd-options",
                "/etc/ppp/pptp-rsd-options",
                "/opt/pppd",
                "/here/options",
            ],
        }
    }
}

impl Surroundings for Fake {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.names.get(name).cloned().unwrap_or_default()
    }

    fn is_program(&self, path: &Path) -> bool {
        self.files.iter().any(|file| Path::new(file) == path)
    }

    fn is_readable(&self, path: &Path) -> bool {
        self.is_program(path)
    }
}

fn request(arguments: &[&str]) -> Result<Request, Usage> {
    CommandLine::read(arguments.iter().map(OsString::from), PathBuf::from("/here"))
}

/// The command line of a server with the file /f.
fn command_line(arguments: &[&str]) -> CommandLine {
    let all: Vec<_> = ["-c", "/f"].iter().chain(arguments).copied().collect();
    match request(&all) {
        Ok(Request::Serve(command_line)) => command_line,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn load_bytes(text: &[u8], arguments: &[&str]) -> Result<Loaded, Vec<Report>> {
    command_line(arguments).load_text(text, &Fake::default())
}

fn load(text: &str, arguments: &[&str]) -> Result<Loaded, Vec<Report>> {
    load_bytes(text.as_bytes(), arguments)
}

/// The configuration of a file without errors, its warnings apart.
#[track_caller]
fn config(text: &str, arguments: &[&str]) -> Config {
    load(text, arguments).unwrap_or_else(|reports| panic!("{text}: {reports:?}")).config
}

/// All reports as lines, whether the server could run or not.
fn reports(text: &str, arguments: &[&str]) -> Vec<String> {
    let reports = load(text, arguments).map_or_else(|errors| errors, |loaded| loaded.warnings);
    reports.iter().map(ToString::to_string).collect()
}

/// A file about which there is nothing to say, to add lines to.
const QUIET: &str = "remoteip 10.0.1.1-100\n";
