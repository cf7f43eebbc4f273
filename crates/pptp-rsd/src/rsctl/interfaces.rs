//! Which interface a pppd has, and its bytes.
//!
//! pppd writes its number to /run/INTERFACE.pid when the interface is there; one that was built so, to
//! /run/pppd/INTERFACE.pid. A number that is in the files of two interfaces says nothing.

use std::collections::HashMap;
use std::fs;

use crate::control::Record;

const FOLDERS: [&str; 2] = ["/run", "/run/pppd"];

/// Interfaces by pppd's number, and their counters.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    of: HashMap<u32, Vec<String>>,
    counters: HashMap<String, Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bytes {
    received: u64,
    sent: u64,
}

impl Interfaces {
    /// Those that there are. What cannot be read is not known.
    pub(super) fn of_this_machine() -> Self {
        let mut interfaces =
            Self { of: HashMap::new(), counters: counters(&fs::read_to_string("/proc/net/dev").unwrap_or_default()) };
        for entry in FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let interface = name.strip_suffix(".pid").filter(|name| interfaces.counters.contains_key(*name));
            if let Some(interface) = interface {
                interfaces.note(interface, &fs::read_to_string(entry.path()).unwrap_or_default());
            }
        }
        interfaces
    }

    /// What is in a file with an interface's name.
    fn note(&mut self, interface: &str, text: &str) {
        if let Some(number) = text.lines().next().and_then(|line| line.trim().parse().ok()) {
            let known = self.of.entry(number).or_default();
            if !known.iter().any(|other| other == interface) {
                known.push(interface.to_owned());
            }
        }
    }

    /// Adds what is known of a session's interface.
    pub(super) fn add_to(&self, record: &mut Record) {
        let number = record.value("pppd").and_then(|number| number.parse().ok());
        let Some([interface]) = number.and_then(|number: u32| self.of.get(&number)).map(Vec::as_slice) else { return };
        let Some(Bytes { received, sent }) = self.counters.get(interface) else { return };
        *record = std::mem::take(record)
            .with("interface", interface)
            .with("bytes-received", received)
            .with("bytes-sent", sent);
    }
}

/// The counters in /proc/net/dev.
fn counters(text: &str) -> HashMap<String, Bytes> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_ascii_whitespace();
        let bytes = Bytes { received: numbers.next()?.parse().ok()?, sent: numbers.nth(7)?.parse().ok()? };
        Some((name.trim().to_owned(), bytes))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 5158648    2020    0    0    0     0          0         0  5158648    2020    0    0    0     0       0          0
  ppp0:    1000      10    0    0    0     0          0         0     2000      20    0    0    0     0       0          0
";

    #[test]
    fn a_number_that_stands_for_one_interface_names_it() {
        let mut interfaces = Interfaces { of: HashMap::new(), counters: counters(DEV) };
        interfaces.note("ppp0", "4711\n");
        interfaces.note("lo", "5");
        interfaces.note("ppp0", "5\n");
        interfaces.note("ppp0", "no number");
        let with = |pppd: u32| {
            let mut record = Record::default().with("pppd", pppd);
            interfaces.add_to(&mut record);
            record
        };
        let fields = Record::default().with("pppd", 4711).with("interface", "ppp0");
        assert_eq!(with(4711), fields.with("bytes-received", 1000).with("bytes-sent", 2000));
        for unknown in [5, 6] {
            assert_eq!(with(unknown), Record::default().with("pppd", unknown));
        }
    }

    #[test]
    fn only_interfaces_have_counters() {
        let mut names: Vec<_> = counters(DEV).into_keys().collect();
        names.sort();
        assert_eq!(names, ["lo", "ppp0"]);
        assert_eq!(counters("").len(), 0);
    }
}
