//! What dies, and what is left.

use pptp_native::{AT_ONCE, Network, Pppd, Version, with_either_pppd};

with_either_pppd! {
    an_engine_that_dies_is_a_hang_up,
    a_pppd_that_is_killed_leaves_nothing,
    a_server_s_pppd_that_is_killed_is_a_hang_up,
    a_server_that_is_gone_is_a_hang_up,
    an_interface_that_is_deleted_is_a_hang_up,
}

const HUNG_UP: i32 = 16;

fn network(version: Version) -> Network {
    Network::start_server(version, "noipv6")
}

fn dial_up(network: &Network) -> Pppd<'_> {
    let pppd = network.dial_up("client", 1, "noipv6");
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    pppd
}

fn an_engine_that_dies_is_a_hang_up(version: Version) {
    let network = network(version);
    let mut pppd = dial_up(&network);
    let engines = network.client.processes("pptp-engine");
    assert_eq!(engines.len(), 1);
    network.client.signal("KILL", engines[0]);
    assert_eq!(pppd.exit_status(AT_ONCE), HUNG_UP);
    network.assert_nothing_left();
}

fn a_pppd_that_is_killed_leaves_nothing(version: Version) {
    let network = network(version);
    let pppd = dial_up(&network);
    pppd.signal("KILL");
    network.assert_nothing_left();
}

fn a_server_s_pppd_that_is_killed_is_a_hang_up(version: Version) {
    let network = network(version);
    let mut pppd = dial_up(&network);
    let processes = network.server.processes("pppd");
    assert_eq!(processes.len(), 1);
    network.server.signal("KILL", processes[0]);
    assert_eq!(pppd.exit_status(AT_ONCE), HUNG_UP);
    network.assert_nothing_left();
}

fn a_server_that_is_gone_is_a_hang_up(version: Version) {
    let network = network(version);
    let mut pppd = dial_up(&network);
    network.kill_server();
    assert_eq!(pppd.exit_status(AT_ONCE), HUNG_UP);
    network.assert_nothing_left();
}

fn an_interface_that_is_deleted_is_a_hang_up(version: Version) {
    let network = network(version);
    let mut pppd = dial_up(&network);
    network.client.run("ip link del ppp0");
    assert_eq!(pppd.exit_status(AT_ONCE), HUNG_UP);
    network.assert_nothing_left();
}
