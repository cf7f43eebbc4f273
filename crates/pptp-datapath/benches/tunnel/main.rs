//! Two engines back to back, over a cable between two network namespaces: `cargo bench -p pptp-datapath --bench tunnel`.
//!
//! Words after `--` choose what is measured (`tcp`, `mppe`, `udp`, `calls`, `idle`; none: all), `rounds=N` how often,
//! `seconds=N` how long each time; `manager=KIB` is the memory of a call manager, to be added to the engine's. Needs root,
//! /dev/net/tun, ip(8), nsenter(1), unshare(1) and perf(1); `mppe` also cargo and OpenSSL's headers.
//!
//! Both ends of the tunnel and of its traffic share the machine's processors: only the ratios of figures that are measured
//! in turns say something. Figures are medians, with the lowest and the highest.
#![expect(clippy::print_stdout, reason = "it measures and says so")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a measurement fails")]

mod encrypted;
mod flow;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/engine/harness.rs"]
mod harness;
mod meter;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use harness::{End, ends, tunnel};
use meter::{SystemCalls, Usage, private_memory};
use table::{Bar, Table};

/// The kernel's own choice for a TUN device; `pptp_io::tun` makes it longer.
const KERNEL_QUEUE: &str = "link set ppp7 txqueuelen 500";

/// Calls through one socket.
const CALLS: [usize; 3] = [1, 100, 500];

/// What TCP carries in a packet of 1460 bytes: IP's header takes 20 bytes, its own 32.
const FULL_SEGMENT: f64 = 1408.0;

/// How long an engine without traffic is watched, and how long it may take to come to rest before.
const IDLE: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(1);

/// Something to measure, by the word that chooses it.
type Part = (&'static str, fn(&Plan, &mut Table));

struct Plan {
    parts: Vec<String>,
    rounds: u32,
    time: Duration,
    /// Private memory of a call manager, KiB, measured by whoever started this.
    manager: Option<f64>,
}

impl Plan {
    fn new(words: &[&str]) -> Self {
        let number = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.parse::<u32>().ok());
        let parts = words.iter().filter(|word| !word.contains('=') && !word.starts_with('-'));
        Self {
            parts: parts.map(|&word| word.to_owned()).collect(),
            rounds: number("rounds=").unwrap_or(5),
            time: Duration::from_secs(number("seconds=").unwrap_or(3).into()),
            manager: number("manager=").map(f64::from),
        }
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["flow", rest @ ..] = &words[..] {
        flow::run(rest).unwrap();
        return ExitCode::SUCCESS;
    }
    check_machine();
    let plan = Plan::new(&words);
    let mut table = Table::default();
    let parts: [Part; 5] = [("tcp", tcp), ("mppe", encrypted::measure), ("udp", udp), ("calls", calls), ("idle", idle)];
    for (_, measure) in parts.iter().filter(|(name, _)| plan.has(name)) {
        measure(&plan, &mut table);
    }
    table.verdict()
}

fn check_machine() {
    assert!(nix::unistd::geteuid().is_root(), "this makes network namespaces and TUN devices: run it as root");
    assert!(std::path::Path::new("/dev/net/tun").exists(), "there is no /dev/net/tun: modprobe tun");
    for (program, package) in [("ip", "iproute2"), ("nsenter", "util-linux"), ("perf", "linux-perf")] {
        let found = std::process::Command::new(program).arg("--version").output();
        assert!(found.is_ok(), "{program} is missing: install {package}");
    }
}

/// What one transfer came to, for the sending and the receiving engine.
struct Transfer {
    rate: f64,
    packets: f64,
    usage: [Usage; 2],
    resent: f64,
}

impl Transfer {
    fn run([one, two]: &mut [End; 2], run: impl Fn(&End, &End) -> f64) -> Self {
        let processes = [&*one, &*two].map(|end| end.engine().unwrap());
        let (before, resent) = (processes.map(Usage::of), resent(one));
        let sent = one.statistics()[0];
        let rate = run(one, two);
        let packets = one.statistics()[0] - sent;
        let usage = [0, 1].map(|end| Usage::of(processes[end]).since(before[end]));
        Self { rate, packets: packets as f64, usage, resent: self::resent(one) - resent }
    }

    fn tcp(ends: &mut [End; 2], time: Duration) -> Self {
        Self::run(ends, |one, two| flow::tcp(one, (two, &two.inner), time).rate)
    }

    /// Microseconds of an engine's time for a packet.
    fn cost(&self, end: usize) -> f64 {
        self.usage[end].nanoseconds / 1000.0 / self.packets
    }

    /// The part of an engine's time that its own code took, per cent.
    fn user_share(&self, end: usize) -> f64 {
        let usage = self.usage[end];
        100.0 * usage.user / (usage.user + usage.system)
    }
}

/// Segments that TCP has sent again in an end's namespace.
fn resent(end: &End) -> f64 {
    let text = end.run("cat", "/proc/net/snmp");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: ")).map(str::split_whitespace);
    let (mut names, mut values) = (lines.next().unwrap(), lines.next().unwrap());
    let place = names.position(|name| name == "RetransSegs").unwrap();
    values.nth(place).unwrap().parse().unwrap()
}

fn gigabits(transfers: &[Transfer]) -> Vec<f64> {
    transfers.iter().map(|transfer| transfer.rate / 1e9).collect()
}

/// One TCP flow, in turns through engines of each kind.
fn tcp(plan: &Plan, table: &mut Table) {
    let mut kinds = [("batched", false), ("single", false), ("single", true)].map(|(batching, is_short)| {
        let mut ends = tunnel(batching, "");
        if is_short {
            ends.iter().for_each(|end| end.ip(KERNEL_QUEUE));
        }
        Transfer::tcp(&mut ends, plan.time / 6);
        (ends, Vec::new())
    });
    for _ in 0..plan.rounds {
        for (ends, transfers) in &mut kinds {
            transfers.push(Transfer::tcp(ends, plan.time));
        }
    }
    let [(ends, batched), (single_ends, single), (_, plain)] = &mut kinds;
    let ratios = |others: &[Transfer]| -> Vec<f64> {
        batched.iter().zip(others).map(|(one, other)| one.rate / other.rate).collect()
    };
    table.show("TCP, one flow: batched, Gbit/s", &gigabits(batched));
    table.show("TCP: one packet a call, queue of the kernel's 500, Gbit/s", &gigabits(plain));
    table.show("TCP: one packet a call, our queue of 1000, Gbit/s", &gigabits(single));
    table.judge("TCP: batched / one packet a call, queue 500", &ratios(plain), Bar::AtLeast(2.8));
    table.show("TCP: batched / one packet a call, queue 1000", &ratios(single));
    for (end, (side, cost)) in [("sending", 3.6), ("receiving", 2.3)].into_iter().enumerate() {
        let of = |measure: fn(&Transfer, usize) -> f64, transfers: &[Transfer]| -> Vec<f64> {
            transfers.iter().map(|transfer| measure(transfer, end)).collect()
        };
        table.judge(&format!("{side}: us/packet"), &of(Transfer::cost, batched), Bar::AtMost(cost));
        table.show(&format!("{side}: us/packet, one packet a call, queue 1000"), &of(Transfer::cost, single));
        table.judge(&format!("{side}: own code's part, %"), &of(Transfer::user_share, batched), Bar::AtMost(10.0));
    }
    let resent = |transfers: &[Transfer]| -> Vec<f64> { transfers.iter().map(|transfer| transfer.resent).collect() };
    table.judge("TCP: segments sent again", &resent(batched), Bar::AtMost(0.0));
    table.show("TCP: segments sent again, one packet a call, queue 500", &resent(plain));
    for (figures, (side, most)) in system_calls(plan, ends).iter().zip([("sending", 0.15), ("receiving", 0.65)]) {
        table.judge(&format!("{side}: system calls/packet"), figures, Bar::AtMost(most));
    }
    for (figures, side) in system_calls(plan, single_ends).iter().zip(["sending", "receiving"]) {
        table.show(&format!("{side}: system calls/packet, one packet a call"), figures);
    }
}

/// System calls for each packet of a TCP flow, of the sending and of the receiving engine. In runs of their own: counting takes
/// time too.
fn system_calls(plan: &Plan, ends: &mut [End; 2]) -> [Vec<f64>; 2] {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        let counters = ends.each_ref().map(|end| SystemCalls::of(end.engine().unwrap()));
        let transfer = Transfer::tcp(ends, plan.time);
        for (figures, counter) in figures.iter_mut().zip(counters) {
            figures.push(counter.end() / transfer.packets);
        }
    }
    figures
}

fn udp(plan: &Plan, table: &mut Table) {
    let mut ends = tunnel("batched", "");
    let mut lost = Vec::new();
    let transfers: Vec<Transfer> = (0..plan.rounds)
        .map(|_| {
            let counts = std::cell::Cell::new([0; 2]);
            let transfer = Transfer::run(&mut ends, |one, two| {
                counts.set(flow::udp(one, (two, std::slice::from_ref(&two.inner)), plan.time));
                counts.get()[0] as f64 / plan.time.as_secs_f64()
            });
            lost.push((counts.get()[0] - counts.get()[1]) as f64);
            transfer
        })
        .collect();
    let rates: Vec<f64> = transfers.iter().map(|transfer| transfer.rate / 1000.0).collect();
    table.judge("UDP, 64 bytes: thousand packets/s", &rates, Bar::AtLeast(39.5));
    table.judge("UDP, 64 bytes: lost", &lost, Bar::AtMost(0.0));
}

/// One of an end's addresses.
fn inner(end: usize, number: usize) -> String {
    format!("10.{}.{}.{}", 60 + end, number / 250, number % 250 + 1)
}

/// Two ends with so many calls between them, through one socket each, and as many addresses as there are calls at most, spread over them.
fn many(count: usize) -> [End; 2] {
    let mut both = ends("batched");
    for end in 0..2 {
        let (local, peer) = (both[end].outer.clone(), both[1 - end].outer.clone());
        both[end].tell(&format!("many {count} {local} {peer}"));
        let up = (0..count).map(|device| format!("link set many{device} mtu 1460 up\n"));
        let addresses = (0..most_calls()).map(|number| {
            let (ours, theirs) = (inner(end, number), inner(1 - end, number));
            format!("addr add {ours} peer {theirs} dev many{}\n", number % count)
        });
        both[end].batch_of_ip(&up.chain(addresses).collect::<String>());
    }
    both
}

fn most_calls() -> usize {
    CALLS.into_iter().max().unwrap_or(1)
}

/// What an engine with many calls costs for each packet, next to one with a single call and the same traffic, and what memory.
fn calls(plan: &Plan, table: &mut Table) {
    let addresses: Vec<String> = (0..most_calls()).map(|number| inner(1, number)).collect();
    let mut kinds = CALLS.map(|count| (many(count), Vec::new(), Vec::new()));
    for _ in 0..plan.rounds {
        for (ends, tcp, udp) in &mut kinds {
            tcp.push(cost(ends, |one, two| {
                flow::tcp(one, (two, &addresses[addresses.len() / 2]), plan.time).bytes / FULL_SEGMENT
            }));
            udp.push(cost(ends, |one, two| flow::udp(one, (two, &addresses), plan.time)[0] as f64));
        }
    }
    let [(_, tcp, udp), others @ ..] = &kinds;
    for (end, side) in ["sending", "receiving"].into_iter().enumerate() {
        for (what, one, several) in [
            ("TCP in one of them", tcp, others.each_ref().map(|(_, tcp, _)| tcp)),
            ("UDP to all in turn", udp, others.each_ref().map(|(_, _, udp)| udp)),
        ] {
            let costs: Vec<f64> = one.iter().map(|cost| cost[end]).collect();
            table.show(&format!("{side}, 1 call: us/packet, {what}"), &costs);
            for (count, many) in CALLS[1..].iter().zip(several) {
                let ratios: Vec<f64> = many.iter().zip(one).map(|(cost, other)| cost[end] / other[end]).collect();
                // Every packet of UDP is another device's.
                table.judge(&format!("{side}: {count} calls / 1 call, {what}"), &ratios, Bar::AtMost(1.5));
            }
        }
    }
    for (count, (ends, ..)) in CALLS.iter().zip(&kinds) {
        let memory = ends.each_ref().map(|end| private_memory(end.engine().unwrap()));
        table.show(&format!("{count} calls: private memory of an engine, KiB"), &memory);
    }
}

/// Microseconds for a packet, of the sending and of the receiving engine.
fn cost(ends: &[End; 2], run: impl Fn(&End, &End) -> f64) -> [f64; 2] {
    let processes = ends.each_ref().map(|end| end.engine().unwrap());
    let before = processes.map(Usage::of);
    let packets = run(&ends[0], &ends[1]);
    [0, 1].map(|end| Usage::of(processes[end]).since(before[end]).nanoseconds / 1000.0 / packets)
}

fn idle(plan: &Plan, table: &mut Table) {
    let mut ends = tunnel("batched", "");
    Transfer::tcp(&mut ends, REST);
    std::thread::sleep(REST);
    let engine = ends[0].engine().unwrap();
    let before = Usage::of(engine);
    std::thread::sleep(IDLE);
    table.judge("idle: wake-ups in 10 s", &[Usage::of(engine).since(before).sleeps], Bar::AtMost(0.0));
    let memory = private_memory(engine);
    table.show("one call: private memory of the engine, KiB", &[memory]);
    if let Some(manager) = plan.manager {
        table.show("one call: private memory of the call manager, KiB", &[manager]);
        table.judge("one call: both, KiB", &[memory + manager], Bar::AtMost(3072.0));
    }
}
