//! Whatever the file and the command line say: the server gets a configuration that it can run with, or errors in lines that
//! are fit for a log.
//!
//! The input is the arguments, a line each, a zero byte, and the file.
#![no_main]

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pptp_rsd::config::{CommandLine, Report, Request, Severity, Surroundings};
use pptp_rsd::pool::{Plan, Pool};

/// More pairs are not taken one by one.
const FEW: usize = 1000;

/// Some names have addresses, some files are there.
struct Somewhere;

impl Surroundings for Somewhere {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        match name.len() % 3 {
            0 => Vec::new(),
            1 => vec![Ipv6Addr::LOCALHOST.into()],
            _ => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        }
    }

    fn is_program(&self, path: &Path) -> bool {
        path.as_os_str().len() % 7 != 0
    }

    fn is_readable(&self, path: &Path) -> bool {
        path.as_os_str().len() % 5 != 0
    }
}

fn check_lines(reports: &[Report]) {
    for report in reports {
        assert!(!report.to_string().contains(char::is_control), "{report:?}");
    }
}

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (arguments, file) = input.split_at(end);
    let arguments = arguments.split(|byte| *byte == b'\n').filter(|argument| !argument.is_empty());
    let arguments = arguments.map(|argument| OsString::from(std::ffi::OsStr::from_bytes(argument)));
    let command_line = match CommandLine::read(arguments, "/here".into()) {
        Ok(Request::Serve(command_line)) => command_line,
        Ok(Request::Help | Request::Version) => return,
        Err(usage) => return assert!(!usage.to_string().contains(char::is_control)),
    };
    match command_line.load_text(file.strip_prefix(b"\0").unwrap_or(file), &Somewhere) {
        Ok(loaded) => {
            check_lines(&loaded.warnings);
            assert!(loaded.warnings.iter().all(|report| report.severity == Severity::Warning));
            assert!(!loaded.config.listen.is_empty());
            let plan = Plan::of(&loaded.config);
            assert!(plan.len() <= loaded.config.most_calls());
            assert_eq!(plan.is_empty(), loaded.config.delegate);
            let mut pool = Pool::new(plan);
            let leases: Vec<_> = std::iter::from_fn(|| pool.take()).take(FEW).collect();
            let different: HashSet<_> = leases.iter().map(|lease| lease.pair().remote).collect();
            assert_eq!(different.len(), leases.len());
        }
        Err(reports) => {
            check_lines(&reports);
            assert!(reports.iter().any(|report| report.severity == Severity::Error));
        }
    }
});
