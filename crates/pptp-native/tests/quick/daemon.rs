//! pptp-rsd with stock pppds on both ends.

use pptp_native::{AT_ONCE, Daemon, Network, Pppd, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    two_clients_are_served_and_leave_nothing,
    calls_share_the_engines_and_end_with_them,
    a_busy_daemon_still_tells_that_the_engine_has_ended,
    a_daemon_that_is_told_to_end_hangs_up_and_leaves_nothing,
    a_client_that_does_not_know_the_password_is_hung_up_on,
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

/// As many pppds of the server have ended as it has started.
fn wait_until_idle(daemon: &Daemon<'_>, network: &Network, sessions: usize) {
    daemon.wait_for("has ended after", sessions, SOON);
    eventually("no pppd runs", SOON, || network.server.processes("pppd").is_empty().then_some(()));
}

fn two_clients_are_served_and_leave_nothing(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", SERVER);
    let idle = daemon.descriptors();
    let (mut first, mut second) = (dial_up(&network, "first"), dial_up(&network, "second"));
    let Network { client, server, .. } = &network;
    eventually("both ends are up", SOON, || {
        (daemon.pppd_log().matches("MPPE 128-bit stateless compression enabled").count() == 2).then_some(())
    });
    // Both clients have the same address on the far end; each its own on this one.
    for address in ["10.99.0.2", "10.99.0.3"] {
        eventually("the server reaches the client", SOON, || (server.pings(3, 1000, address) == 3).then_some(()));
        server.send_stream(client, address, 2_000_000);
    }
    assert_eq!(client.pings(3, 1428, "10.99.0.1"), 3);
    client.send_stream(server, "10.99.0.1", 2_000_000);
    first.signal("TERM");
    assert_eq!(first.exit_status(AT_ONCE), 5);
    daemon.wait_for("has ended after", 1, SOON);
    assert_eq!(server.pings(3, 56, "10.99.0.3"), 3);
    second.signal("TERM");
    assert_eq!(second.exit_status(AT_ONCE), 5);
    wait_until_idle(&daemon, &network, 2);
    eventually("no descriptor is left", SOON, || (daemon.descriptors() == idle).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(AT_ONCE), 0);
    network.assert_nothing_left();
    assert!(!daemon.log().contains("secret"));
}

fn a_daemon_that_is_told_to_end_hangs_up_and_leaves_nothing(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", SERVER);
    let mut pppd = dial_up(&network, "client");
    daemon.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 16);
    assert_eq!(daemon.exit_status(SOON), 0);
    assert!(pppd.log().contains("shutting down (3)"), "{}", pppd.log());
    network.assert_nothing_left();
}

fn a_client_that_does_not_know_the_password_is_hung_up_on(version: Version) {
    let network = network(version);
    network.client.run("echo 'alice * wrong *' > /etc/ppp/chap-secrets");
    let daemon = Daemon::start(&network.server, "", SERVER);
    let mut pppd = network.dial("client", CLIENT);
    assert_eq!(pppd.exit_status(SOON), 19);
    wait_until_idle(&daemon, &network, 1);
    assert!(daemon.log().contains("did not authenticate itself"), "{}", daemon.log());
}

fn a_busy_daemon_still_tells_that_the_engine_has_ended(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", SERVER);
    let _clients = [dial_up(&network, "first"), dial_up(&network, "second")];
    // The ends of the engines and of the pppds are both there when the daemon comes to look.
    daemon.while_stopped(|| {
        for engine in engines(&network) {
            network.server.signal("KILL", engine);
        }
        eventually("no pppd runs", SOON, || network.server.processes("pppd").is_empty().then_some(()));
    });
    daemon.wait_for("call over: the engine that carried it has ended", 2, SOON);
    wait_until_idle(&daemon, &network, 2);
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
}

/// The engines of the server's daemon, of which there is one for each processor.
fn engines(network: &Network) -> Vec<u32> {
    let engines = network.server.processes("pptp-engine");
    assert_eq!(engines.len(), std::thread::available_parallelism().map_or(1, usize::from).min(16));
    engines
}

fn calls_share_the_engines_and_end_with_them(version: Version) {
    let network = network(version);
    let mut daemon = Daemon::start(&network.server, "", SERVER);
    let before = engines(&network);
    let mut clients: Vec<_> = (0..16).map(|number| network.dial(&format!("client{number}"), CLIENT)).collect();
    for pppd in &clients {
        pppd.wait_for("remote IP address", 1, SOON);
    }
    assert_eq!(engines(&network), before);
    for engine in before {
        network.server.signal("KILL", engine);
    }
    for pppd in &mut clients {
        assert_eq!(pppd.exit_status(SOON), 16);
    }
    daemon.wait_for("call over: the engine that carried it has ended", 16, SOON);
    wait_until_idle(&daemon, &network, 16);
    assert_eq!(daemon.pppd_log().matches("the engine (process pptp-engine) has ended").count(), 16);
    // The next call finds another.
    let mut pppd = dial_up(&network, "next");
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.0.1") == 1).then_some(()));
    assert_eq!(network.server.processes("pptp-engine").len(), 1);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}
