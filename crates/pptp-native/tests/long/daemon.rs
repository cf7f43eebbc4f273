//! pptp-rsd for longer, and among strangers.

use std::time::Duration;

use pptp_native::{AT_ONCE, Daemon, Network, Pppd, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    twenty_calls_one_after_the_other_leave_nothing,
    another_daemon_takes_over_from_one_that_was_killed,
    a_client_that_is_cut_off_is_noticed,
    a_client_that_is_killed_is_noticed,
}

const SERVER: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";
const CLIENT: &str = "user alice require-mppe-128 noipv6";

fn network(version: Version) -> Network {
    let network = Network::new(version);
    network.tell_password("secret");
    network
}

fn dial_up<'a>(network: &'a Network, name: &str) -> Pppd<'a> {
    let pppd = network.dial(name, CLIENT);
    pppd.wait_for("remote IP address", 1, SOON);
    pppd
}

fn pings(network: &Network) {
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.0.1") == 1).then_some(()));
}

fn twenty_calls_one_after_the_other_leave_nothing(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", SERVER);
    let idle = daemon.descriptors();
    for cycle in 1..=20 {
        let mut pppd = dial_up(&network, &format!("cycle{cycle}"));
        pings(&network);
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(AT_ONCE), 5);
        daemon.wait_for("has ended after", cycle, SOON);
    }
    // Each had the same address: the one before has given it back.
    assert_eq!(daemon.log().matches("addresses 10.99.0.1:10.99.0.2").count(), 20);
    eventually("no descriptor is left", SOON, || (daemon.descriptors() == idle).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(AT_ONCE), 0);
    network.assert_nothing_left();
}

fn another_daemon_takes_over_from_one_that_was_killed(version: Version) {
    let network = network(version);
    let first = Daemon::start(&network.server, "", SERVER);
    let mut pppd = dial_up(&network, "first");
    pings(&network);
    first.signal("KILL");
    drop(first);
    // At once, while the first one's calls end.
    let mut second = Daemon::start(&network.server, "", SERVER);
    assert_eq!(pppd.exit_status(AT_ONCE), 16);
    eventually("the first one's pppd has ended", SOON, || network.server.processes("pppd").is_empty().then_some(()));
    eventually("its interface is gone", SOON, || network.server.interfaces().is_empty().then_some(()));
    assert_eq!(network.server.read("/run/test/daemon.pid"), format!("{}\n", second.number()));
    assert!(!second.log().contains("will not work"), "{}", second.log());
    let _pppd = dial_up(&network, "second");
    pings(&network);
    second.signal("TERM");
    assert_eq!(second.exit_status(SOON), 0);
    network.assert_nothing_left();
}

/// The server notices that its only client is gone, in time, and what it had is free.
fn is_noticed(network: &Network, daemon: &Daemon<'_>, words: &str, limit: Duration) {
    daemon.wait_for(words, 1, limit);
    daemon.wait_for("has ended after", 1, SOON);
    eventually("no interface is left", SOON, || network.server.interfaces().is_empty().then_some(()));
}

fn a_client_that_is_cut_off_is_noticed(version: Version) {
    let network = network(version);
    let daemon = Daemon::start(&network.server, "echo-interval 2\necho-timeout 2", SERVER);
    let _pppd = dial_up(&network, "client");
    pings(&network);
    network.client.run("ip link set cable down");
    is_noticed(&network, &daemon, "did not answer an echo request in time", SOON);
}

fn a_client_that_is_killed_is_noticed(version: Version) {
    let network = network(version);
    let daemon = Daemon::start(&network.server, "", SERVER);
    let _pppd = dial_up(&network, "client");
    pings(&network);
    for name in ["pppd", "pptp-callmgr"] {
        for process in network.client.processes(name) {
            // One may have died of the other's death.
            let _ = network.client.succeeds(&format!("kill -KILL {process}"));
        }
    }
    is_noticed(&network, &daemon, "call over", AT_ONCE);
}
