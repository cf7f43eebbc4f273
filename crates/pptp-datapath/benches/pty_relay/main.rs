//! What a packet costs on its way between a terminal and GRE, next to pptp-linux:
//! `cargo bench -p pptp-datapath --bench pty_relay`.
//!
//! The engine and pptp(8) have the same task, in turns: frames of 1400 random bytes from the slave of a terminal to a peer
//! on the loopback, then from the peer to the slave, never more on their way than either can hold. Counted is the time of
//! the process that relays, in its own code and in the kernel.
//!
//! Words after `--`: `rounds=N`, `frames=N` (in each direction and round). Needs root, ip(8), setsid(1), unshare(1) and
//! /usr/sbin/pptp. It runs in a network namespace of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a measurement fails")]
#![expect(clippy::print_stdout, reason = "it measures and says so")]

mod control;
#[expect(dead_code, reason = "the other benchmark uses all of it")]
#[path = "../tunnel/meter.rs"]
mod meter;
mod relay;
#[expect(dead_code, reason = "the other benchmark uses all of it")]
#[path = "../tunnel/table.rs"]
mod table;

use std::process::{Command, ExitCode};

use meter::Usage;
use relay::Relay;
use table::{Bar, Table};

/// Marks the process inside the namespace.
const INSIDE: &str = "inside";

/// Address and control, protocol, and an IP packet that is as good as random.
const FRAME_LENGTH: usize = 1400;

/// What the engine may need of pptp-linux's time for a packet.
const BAR: Bar = Bar::AtMost(0.5);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == INSIDE) {
        return run_inside(&words);
    }
    let number = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.parse().ok());
    measure(number("rounds=").unwrap_or(5), number("frames=").unwrap_or(50_000))
}

fn run_inside(words: &[String]) -> ExitCode {
    assert!(nix::unistd::geteuid().is_root(), "this makes a network namespace: run it as root");
    let program = std::env::current_exe().unwrap();
    let status = Command::new("unshare").arg("-n").arg(program).arg(INSIDE).args(words).status();
    if status.expect("unshare is in util-linux").success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("ip is in iproute2").success());
}

fn measure(rounds: usize, frames: usize) -> ExitCode {
    ip("link set lo up");
    // Without an address that is not the loopback's, pptp(8) finds none at all.
    ip("addr add 192.0.2.1/32 dev lo");
    // The engine first: a process with threads may not fork one.
    let mut relays = [Relay::engine(), Relay::pptp_linux()];
    let mut table = Table::default();
    for (direction, run) in [("up", Relay::up as fn(&mut Relay, usize)), ("down", Relay::down)] {
        let mut costs = [Vec::new(), Vec::new()];
        relays.iter_mut().for_each(|relay| run(relay, frames / 10));
        for _ in 0..rounds {
            for (relay, costs) in relays.iter_mut().zip(&mut costs) {
                let before = Usage::of(relay.process);
                run(relay, frames);
                costs.push(Usage::of(relay.process).since(before).nanoseconds / 1000.0 / frames as f64);
            }
        }
        let [ours, theirs] = &costs;
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        table.show(&format!("pty {direction}: engine, microseconds a packet"), ours);
        table.show(&format!("pty {direction}: pptp-linux, microseconds a packet"), theirs);
        table.judge(&format!("pty {direction}: engine / pptp-linux"), &ratios, BAR);
    }
    table.verdict()
}
