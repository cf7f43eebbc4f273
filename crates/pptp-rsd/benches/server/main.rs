//! The server: what a call costs it, next to Debian's pptpd, and what it costs to serve many: `scripts/bench_server.sh` builds what this
//! needs and runs it.
//!
//! Words choose what is measured (`daemon`, `sessions`; none: both), `rounds=N` how often, `sessions=N` how many there are;
//! `load=`, `stub=` and `plugin=` say where the programs are. Needs root, /dev/net/tun, ip(8), mount(8), nsenter(1) and unshare(1);
//! `daemon` also pptpd. All of it happens in namespaces of its own.
//!
//! Clients, servers and whatever else runs share the machine's processors: only the ratios of figures that are measured in turns say
//! something. Figures are medians, with the lowest and the highest.
#![expect(clippy::print_stdout, reason = "it measures and says so")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a measurement fails")]

mod client_machine;
mod daemon;
mod load;
mod ping;
mod processes;
mod servers;
mod sessions;
#[path = "../../../pptp-datapath/benches/tunnel/table.rs"]
mod table;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use table::Table;

/// Something to measure, by the word that chooses it.
type Part = (&'static str, fn(&Plan, &mut Table));

struct Plan {
    parts: Vec<String>,
    rounds: usize,
    sessions: usize,
    load: PathBuf,
    stub: PathBuf,
    plugin: PathBuf,
}

impl Plan {
    fn new(words: &[&str]) -> Self {
        let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let number = |name: &str, usual: usize| value(name).map_or(usual, |text| text.parse().expect("a number"));
        let path = |name: &str| PathBuf::from(value(name).unwrap_or_default());
        let parts = words.iter().filter(|word| !word.contains('=') && !word.starts_with('-'));
        Self {
            parts: parts.map(|&word| word.to_owned()).collect(),
            rounds: number("rounds=", 3),
            sessions: number("sessions=", 300),
            load: path("load="),
            stub: path("stub="),
            plugin: path("plugin="),
        }
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["inside", rest @ ..] => measure(&Plan::new(rest)),
        ["ping", addresses @ ..] => {
            println!("{}", ping::run(addresses));
            ExitCode::SUCCESS
        }
        _ => go_inside(&words),
    }
}

/// Namespaces of networks, processes and mounts, which all end with this.
fn go_inside(words: &[&str]) -> ExitCode {
    assert!(nix::unistd::geteuid().is_root(), "this makes namespaces and TUN devices: run it as root");
    assert!(std::path::Path::new("/dev/net/tun").exists(), "there is no /dev/net/tun: modprobe tun");
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .arg("inside")
        .args(words)
        .status()
        .expect("unshare is in util-linux");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(plan: &Plan) -> ExitCode {
    sh("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/ppp && ip link set lo up && : > /etc/ppp/options");
    let mut table = Table::default();
    let parts: [Part; 2] = [("daemon", daemon::measure), ("sessions", sessions::measure)];
    for (_, measure) in parts.iter().filter(|(name, _)| plan.has(name)) {
        measure(plan, &mut table);
    }
    table.verdict()
}

/// Runs a command of the shell, which has to succeed.
#[track_caller]
fn sh(line: &str) {
    let status = Command::new("sh").args(["-c", line]).status().unwrap();
    assert!(status.success(), "{line}: {status}");
}
