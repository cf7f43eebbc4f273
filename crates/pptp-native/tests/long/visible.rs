//! What operators of pptp-rsd see of a network that harms GRE packets.

use std::time::Duration;

use pptp_native::{Daemon, Network, Pace, Version, eventually, with_either_pppd};

with_either_pppd! {
    losses_and_disorder_are_counted,
}

/// Negotiating takes a time-out for each packet of it that is lost.
const PATIENCE: Duration = Duration::from_secs(60);

fn losses_and_disorder_are_counted(version: Version) {
    let network = Network::with_relay(version, "5 0 10 0 0");
    let daemon = Daemon::start(&network.server, "", "noauth noipv6 lcp-restart 1 ipcp-restart 1");
    let pppd = network.dial("client", "noipv6 lcp-restart 1 ipcp-restart 1");
    pppd.wait_for("remote IP address", 1, PATIENCE);
    let Network { client, server, .. } = &network;
    eventually("both ends are up", PATIENCE, || (client.pings(1, 56, "10.99.0.1") == 1).then_some(()));
    let before = count(&daemon, "lost");
    let pace = Pace { count: 2000, rate: 2000, size: 200 };
    // Those that a busy machine's interface had no room for were never on their way.
    let missing = || {
        let dropped = client.dropped("ppp0");
        let seen = client.send_datagrams(server, "10.99.0.1", pace);
        u64::from(pace.count - seen.count).saturating_sub(client.dropped("ppp0") - dropped)
    };
    let is_right = |lost: u64, missing: u64| lost > 50 && lost.abs_diff(missing) <= 40;
    let expected = missing();
    // What is lost at the very end leaves no gap, and what is later than others by too much is as good as lost. A pppd of a busy
    // machine may be asked before it answers in time.
    let before = eventually(&format!("about {expected} are known to be lost"), PATIENCE, || {
        let lost = count(&daemon, "lost");
        is_right(lost - before, expected).then_some(lost)
    });
    // What is overtaken comes too late where a busy machine holds up the relay.
    assert!(count(&daemon, "reordered") + count(&daemon, "late") > 20, "{}", daemon.control("show 1"));
    // What nobody has asked for before the end is not forgotten.
    let expected = missing();
    assert_eq!(daemon.control("disconnect 1"), "1 session told to end\n");
    daemon.wait_for("session 1 ended: ", 1, PATIENCE);
    let stats = daemon.control("stats");
    let lost = stats.lines().find_map(|line| line.strip_prefix("lost")?.trim().parse::<u64>().ok()).unwrap_or(0);
    assert!(is_right(lost - before, expected), "{lost}, {before}, {expected}");
}

fn count(daemon: &Daemon<'_>, name: &str) -> u64 {
    let shown = daemon.control("show 1");
    let value = shown.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    assert!(value.is_some(), "{name} in {shown}");
    value.unwrap_or_default()
}
