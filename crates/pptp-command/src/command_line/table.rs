//! All options: the one list for reading them and for the help.

use std::fmt::Write;
use std::time::Duration;

use lexopt::Parser;
use log::LevelFilter;
use pptp_callmgr::client::Quirk;

use super::{Pppd, Settings, Task, Usage};

/// The longest phone number (RFC 2637 §2.7 has room for 64 bytes).
const LONGEST_PHONE: usize = 63;

/// One option.
pub(super) struct Entry {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

enum Kind {
    Flag(fn(&mut Settings)),
    Value {
        /// As the help calls it.
        value: &'static str,
        /// What it may be.
        allowed: &'static str,
        /// `None`: it is not.
        set: fn(&mut Settings, &str) -> Option<()>,
    },
    Shows(Task),
    /// With the reason.
    Refused(&'static str),
}

/// What an option has done.
pub(super) enum Applied {
    Set,
    Shows(Task),
}

const MARKS: &str = "a number from 0 to 4294967295, or from 0x0 to 0xffffffff";

static TABLE: [Entry; 19] = [
    value("phone", "NUMBER", "at most 63 characters", "the number that the server is to dial", |settings, text| {
        let is_number = text.len() <= LONGEST_PHONE && !text.contains(char::is_control);
        is_number.then(|| settings.phone = String::from(text))
    }),
    flag("nolaunchpppd", "start no pppd: its frames are on standard input and output", |settings| {
        settings.pppd = Pppd::Running;
    }),
    value("quirks", "NAME", "BEZEQ_ISRAEL", "what a peculiar server needs: BEZEQ_ISRAEL", |settings, text| {
        settings.quirk = Some(Quirk::from_name(text)?);
        Some(())
    }),
    flag("debug", "log to standard error as well", |settings| settings.debug = true),
    Entry {
        name: "sync",
        kind: Kind::Refused(
            "a pseudo-terminal does not keep frames apart, so under load some are lost; leave out --sync here, and sync among \
             pppd's options",
        ),
        help: "not supported",
    },
    value(
        "timeout",
        "SECONDS",
        "0.01 to 10 seconds",
        "how long to wait for packets that others have overtaken",
        |settings, text| {
            let seconds = text.parse().ok().filter(|seconds| (0.01..=10.0).contains(seconds))?;
            // Zero is --nobuffer's, which goes before.
            if !settings.reorder_time.is_zero() {
                settings.reorder_time = Duration::from_secs_f64(seconds);
            }
            Some(())
        },
    ),
    flag("nobuffer", "do not wait for them at all", |settings| settings.reorder_time = Duration::ZERO),
    value(
        "idle-wait",
        "SECONDS",
        "a number of seconds",
        "silence before an echo request (60; 0: none)",
        |settings, text| {
            settings.echo_interval = Duration::from_secs(number(text)?.into());
            Some(())
        },
    ),
    value(
        "max-echo-wait",
        "SECONDS",
        "a number of seconds",
        "how long a reply to it may take (60)",
        |settings, text| {
            settings.echo_timeout = Duration::from_secs(number(text)?.max(1).into());
            Some(())
        },
    ),
    value("logstring", "NAME", "any text", "what each line in the log begins with", |settings, text| {
        settings.log_name = Some(String::from(text));
        Some(())
    }),
    value("localbind", "ADDRESS", "an IPv4 address of this machine", "call from this address", |settings, text| {
        settings.bind = Some(text.parse().ok()?);
        Some(())
    }),
    value("rtmark", "MARK", MARKS, "the firewall mark of all packets to the server", |settings, text| {
        settings.mark = Some(mark(text)?);
        Some(())
    }),
    flag("nohostroute", "make no route to the server", |settings| settings.holds_route = false),
    value(
        "loglevel",
        "LEVEL",
        "0, 1 or 2",
        "0: what is wrong, 1: calls too (as without), 2: everything",
        |settings, text| {
            settings.level = match number(text)? {
                0 => LevelFilter::Warn,
                1 => LevelFilter::Info,
                _ => LevelFilter::Debug,
            };
            Some(())
        },
    ),
    value(
        "missing-window",
        "PACKETS",
        "a number",
        "ignored: packets are never taken from outside the window",
        |settings, text| {
            settings.ignored.push("--missing-window");
            number(text).map(drop)
        },
    ),
    value("test-type", "TYPE", "a number", "ignored: packets are not damaged", |settings, text| {
        if number(text)? != 0 {
            settings.ignored.push("--test-type");
        }
        Some(())
    }),
    value("test-rate", "PACKETS", "a number", "ignored, as is --test-type", |_, text| number(text).map(drop)),
    Entry { name: "version", kind: Kind::Shows(Task::Version), help: "print the version" },
    Entry { name: "help", kind: Kind::Shows(Task::Help), help: "print this" },
];

const fn flag(name: &'static str, help: &'static str, set: fn(&mut Settings)) -> Entry {
    Entry { name, kind: Kind::Flag(set), help }
}

const fn value(
    name: &'static str,
    value: &'static str,
    allowed: &'static str,
    help: &'static str,
    set: fn(&mut Settings, &str) -> Option<()>,
) -> Entry {
    Entry { name, kind: Kind::Value { value, allowed, set }, help }
}

/// The option with this name, which may be cut.
pub(super) fn find(name: &str) -> Result<&'static Entry, Usage> {
    if let Some(entry) = TABLE.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let candidates: Vec<_> = TABLE.iter().filter(|entry| entry.name.starts_with(name)).collect();
    match candidates.as_slice() {
        [entry] => Ok(entry),
        [] => Err(Usage(format!("--{name} is no option of pptp"))),
        [others @ .., last] => {
            let names: Vec<_> = others.iter().map(|entry| format!("--{}", entry.name)).collect();
            Err(Usage(format!("--{name} may be {} or --{}", names.join(", "), last.name)))
        }
    }
}

impl Entry {
    /// Does what it says, with its value if it has one.
    pub(super) fn apply(&self, settings: &mut Settings, parser: &mut Parser) -> Result<Applied, Usage> {
        let name = self.name;
        match &self.kind {
            Kind::Flag(set) => set(settings),
            Kind::Shows(task) => return Ok(Applied::Shows(task.clone())),
            Kind::Refused(reason) => return Err(Usage(format!("option --{name} is not supported: {reason}"))),
            Kind::Value { allowed, set, .. } => {
                let value = parser.value().map_err(|_| Usage(format!("option --{name} needs a value: {allowed}")))?;
                let value = value.to_string_lossy();
                set(settings, &value).ok_or_else(|| Usage(format!("option --{name} {value}: it may be {allowed}")))?;
            }
        }
        Ok(Applied::Set)
    }
}

/// Digits alone: no sign, no blanks.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn mark(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => number(text),
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let mut text = String::from(
        "usage: pptp HOST [OPTIONS] [[--] PPPD OPTIONS]\n       pppd pty \"pptp HOST --nolaunchpppd [OPTIONS]\" ...\n\n\
         Calls the PPTP server HOST, and starts pppd on the call or carries the frames of the pppd that has started it.\n\n",
    );
    for Entry { name, kind, help } in &TABLE {
        let value = if let Kind::Value { value, .. } = kind { format!(" {value}") } else { String::new() };
        // Writing to memory does not fail.
        let _ = writeln!(text, "  --{:<24}{help}", format!("{name}{value}"));
    }
    text
}

/// What `--version` prints.
pub fn version() -> String {
    format!("pptp (pptp-rs) {}, with the options of pptp-linux 1.10", env!("CARGO_PKG_VERSION"))
}
