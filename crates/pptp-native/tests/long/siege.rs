//! Fifty clients that are served, and strangers that want to keep them from that: no datagram is lost, and nothing stays.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pptp_native::{Daemon, Machine, Network, SOON, Steady, Tried, Version, eventually};

const SERVER: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";
const CLIENT: &str = "user alice require-mppe-128 noipv6 nodefaultroute";

/// Clients that want nothing but to be served.
const GOOD: usize = 50;

/// Addresses that are left for others.
const SPARE: usize = 10;

/// Datagrams a second in each tunnel, both ways.
const RATE: u32 = 20;

/// How long most strangers are at work.
const TIME: Duration = Duration::from_secs(2);

/// What a kernel and a scheduler in trouble may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Siege<'a> {
    daemon: Daemon<'a>,
    strangers: &'a Machine,
    steady: Steady,
    descriptors: usize,
    memory: u64,
    children: BTreeSet<u32>,
    /// A stranger's pppd that hears nothing.
    hung: Option<u32>,
    lines: usize,
    /// When the lines were counted.
    counted: Instant,
}

impl<'a> Siege<'a> {
    /// With all good clients served.
    fn lay(network: &'a Network, strangers: &'a Machine, daemon: Daemon<'a>) -> Self {
        let children = daemon.children();
        assert_eq!(children.len(), GOOD);
        let addresses: Vec<String> = (2..).take(GOOD).map(|last| format!("10.99.0.{last}")).collect();
        let mut steady = Steady::start(&network.server, &network.client, RATE, &addresses);
        // The first datagrams make room in tables.
        std::thread::sleep(Duration::from_secs(1));
        let _ = steady.count();
        let (descriptors, memory, lines) = (daemon.descriptors(), daemon.memory(), daemon.log().lines().count());
        Self { daemon, strangers, steady, descriptors, memory, children, hung: None, lines, counted: Instant::now() }
    }

    /// Strangers of this kind come, and have gone.
    fn endure(&mut self, kind: &str, time: Duration) -> Tried {
        self.endure_from(self.strangers, kind, time)
    }

    fn endure_from(&mut self, machine: &Machine, kind: &str, time: Duration) -> Tried {
        let tried = machine.strangers(kind, time).wait();
        self.assert_unharmed(kind, tried);
        tried
    }

    /// The daemon's children that are not the good clients'.
    fn strange_children(&self) -> BTreeSet<u32> {
        let children = self.daemon.children();
        assert!(children.is_superset(&self.children), "a good client's pppd has ended");
        children.difference(&self.children).copied().filter(|number| Some(*number) != self.hung).collect()
    }

    /// Of the good clients' datagrams none is lost, and what the strangers took is free.
    fn assert_unharmed(&mut self, kind: &str, tried: Tried) {
        eventually("no stranger's pppd is left", PATIENCE, || self.strange_children().is_empty().then_some(()));
        // One leads to a pppd that has not ended.
        let descriptors = self.descriptors + self.hung.iter().len();
        eventually("no descriptor is left", PATIENCE, || (self.daemon.descriptors() <= descriptors).then_some(()));
        let flow = self.steady.count();
        let lines = self.daemon.log().lines().count() - self.lines;
        let (memory, ticks) = (self.daemon.memory(), self.idle_ticks());
        let Tried(one, other) = tried;
        let kind = kind.get(..20).unwrap_or(kind);
        eprintln!("{kind}: {one} {other}; {flow:?}; {memory} KiB (before {}), {lines} lines", self.memory);
        assert_eq!((flow.sent, 0), (flow.answered, flow.twice), "{kind}");
        assert!(flow.sent > 0);
        // Tables that have grown for the strangers; not so much for each of them.
        assert!(memory < self.memory + 2048, "{kind}: {} -> {memory} KiB", self.memory);
        let periods = 2 + self.counted.elapsed().as_secs() / 10;
        assert!(lines as u64 / periods < 400, "{kind}: {lines} lines");
        assert!(ticks < 10, "{kind}: {ticks} ticks in half a second with nothing to do");
        (self.lines, self.counted) = (self.lines + lines, Instant::now());
    }

    /// Hundredths of a second that the daemon works in half a second.
    fn idle_ticks(&self) -> u64 {
        let before = self.daemon.ticks();
        std::thread::sleep(Duration::from_millis(500));
        self.daemon.ticks() - before
    }
}

#[test]
fn fifty_clients_lose_nothing_to_strangers() {
    // Each end has another pppd.
    let network = Network::of([Version::V2_5_2, Version::V2_4_9]);
    network.tell_password("secret");
    let strangers = network.foreign_machine();
    let last = 1 + GOOD + SPARE;
    let settings = format!("stimeout 1\nconnections 200\nremoteip 10.99.0.2-{last}");
    let daemon = Daemon::start(&network.server, &settings, SERVER);
    let idle = daemon.descriptors();
    let begin = Instant::now();
    let mut good: Vec<_> = (0..GOOD).map(|number| network.dial(&format!("good{number}"), CLIENT)).collect();
    for pppd in &good {
        pppd.wait_for("remote IP address", 1, PATIENCE);
    }
    eprintln!("{GOOD} clients are up after {:?}", begin.elapsed());
    let mut siege = Siege::lay(&network, &strangers, daemon);

    let begin = Instant::now();
    hang_a_pppd(&mut siege);
    // Who hangs has an address still.
    assert_eq!(siege.endure("calls 100 60000", TIME).0, SPARE as u64 - 1);
    let opened = siege.endure("silent 2000", 2 * TIME);
    assert_eq!(opened, Tried(2000, 0));
    siege.endure("slow 100", TIME);
    let tried = siege.endure("connect", Duration::from_secs(10));
    assert!(tried.1 > 1000, "{tried:?}");
    let Tried(count, closed) = siege.endure("half", TIME);
    assert_eq!(count, closed);
    let Tried(count, closed) = siege.endure("garbage", TIME);
    assert_eq!(count, closed);
    siege.endure("start", TIME);
    siege.endure("talk", TIME);
    siege.endure("clear", TIME);
    eprintln!("connections and calls: {:?}", begin.elapsed());
    dying_pppds(&mut siege);
    out_of_descriptors(&mut siege);
    packets(&mut siege, &network.client);
    let hung = siege.hung.take().expect("a pppd that hears nothing");
    siege.daemon.wait_for(&format!("pppd {hung} does not end; it is killed"), 1, PATIENCE);
    siege.endure("start", Duration::ZERO);
    eprintln!("endured: {:?}", begin.elapsed());

    let Siege { mut daemon, steady, .. } = siege;
    drop(steady);
    assert_eq!(daemon.log().matches("has ended after").count(), daemon.log().matches("is started").count() - GOOD);
    for pppd in &mut good {
        pppd.signal("TERM");
    }
    for pppd in &mut good {
        assert_eq!(pppd.exit_status(PATIENCE), 5);
    }
    eventually("no descriptor is left", PATIENCE, || (daemon.descriptors() == idle).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}

/// A pppd of a stranger's call that hears nothing and obeys nobody.
fn hang_a_pppd(siege: &mut Siege<'_>) {
    let strangers = siege.strangers.strangers("calls 1 60000", TIME);
    let number = eventually("a call has its pppd", SOON, || siege.strange_children().first().copied());
    siege.daemon.signal_to("STOP", number);
    siege.hung = Some(number);
    let tried = strangers.wait();
    siege.assert_unharmed("hung", tried);
}

fn dying_pppds(siege: &mut Siege<'_>) {
    siege.daemon.change_options("no-such-option");
    let Tried(died, _) = siege.endure("calls 5 60001", 5 * TIME);
    assert!(died > 20, "{died}");
    siege.daemon.change_options(SERVER);
}

fn out_of_descriptors(siege: &mut Siege<'_>) {
    siege.daemon.limit_descriptors(Some(10));
    let silent = siege.strangers.strangers("open 200", TIME);
    siege.daemon.wait_for("cannot accept connections for a moment", 1, SOON);
    let tried = silent.wait();
    siege.assert_unharmed("descriptors", tried);
    siege.daemon.limit_descriptors(None);
}

/// For calls that there are not, from elsewhere and from the good clients' address; and for the good clients' own from
/// elsewhere.
fn packets(siege: &mut Siege<'_>, client: &Machine) {
    siege.endure("gre 50000", TIME);
    siege.endure_from(client, "gre 50000", TIME);
    let log = siege.daemon.log();
    let calls = log.split("started, call id ").skip(1).filter_map(|rest| rest.split(',').next());
    let calls: Vec<&str> = calls.take(GOOD).collect();
    assert_eq!(calls.len(), GOOD);
    siege.endure(&format!("gre 50000 {}", calls.join(" ")), TIME);
    // For one of a stranger, whose pppd is to look at all of them.
    let Tried(_, alive) = siege.endure("own 50000 60002", TIME);
    assert_eq!(alive, 1);
}
