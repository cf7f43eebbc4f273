//! What the kernel knows of processes.

use std::fs;

/// A process that runs, not a zombie.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    number: i32,
    name: String,
    /// Its network namespace, as the kernel names it.
    network: String,
}

/// All of them.
fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    entries.filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// This process's network.
pub(crate) fn own_network() -> String {
    network("self").unwrap()
}

fn network(process: &str) -> Option<String> {
    Some(fs::read_link(format!("/proc/{process}/ns/net")).ok()?.display().to_string())
}

impl Process {
    fn of(number: i32) -> Option<Self> {
        let name = fs::read_to_string(format!("/proc/{number}/comm")).ok()?.trim().to_owned();
        // A zombie has none.
        let network = network(&number.to_string())?;
        Some(Self { number, name, network })
    }
}

/// Private resident memory (`Private_Clean` and `Private_Dirty` of smaps_rollup), KiB: what would be free without them. 0 of those that
/// have ended.
pub(crate) fn private_memory(processes: &[Process]) -> f64 {
    processes.iter().map(|process| rollup(process.number, "Private_")).sum()
}

/// Resident memory (`Pss` of smaps_rollup), KiB, of which what several processes share is divided among them.
pub(crate) fn proportional_memory(processes: &[Process]) -> f64 {
    processes.iter().map(|process| rollup(process.number, "Pss:")).sum()
}

/// The sum of the lines that begin like this.
fn rollup(process: i32, begin: &str) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let lines = rollup.lines().filter(|line| line.starts_with(begin));
    lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()).sum()
}

/// Nanoseconds that they have been on a processor, system calls included.
pub(crate) fn time(processes: &[Process]) -> f64 {
    processes.iter().map(|process| time_of(process.number)).sum()
}

fn time_of(process: i32) -> f64 {
    let schedule = fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap_or_default();
    schedule.split_whitespace().next().map_or(0.0, |text| text.parse().unwrap())
}

/// Of those that there are, the ones with this name and network.
pub(crate) fn named(name: &str, network: &str) -> Vec<Process> {
    all().into_iter().filter(|process| process.name == name && process.network == network).collect()
}
