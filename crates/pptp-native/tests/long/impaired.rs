//! Networks that harm GRE packets: the tunnel stays, and what must arrive arrives.

use std::time::{Duration, Instant};

use pptp_native::{AT_ONCE, Network, Pppd, Version, eventually, with_either_pppd};

with_either_pppd! {
    a_tunnel_survives_loss,
    a_tunnel_survives_duplicates,
    a_tunnel_survives_disorder,
    a_tunnel_survives_a_long_and_unsteady_way,
    a_tunnel_survives_everything_together,
}

/// Negotiating takes a time-out for each packet of it that is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// One end asks for echoes as soon as its LCP is up, and the other answers when its own is: the packets that are lost in
/// between must be repeated before these seconds are over, on a busy machine too.
const DEAD_PEERS_ARE_NOTICED: &str = "noipv6 lcp-echo-interval 1 lcp-echo-failure 10 lcp-restart 1 ipcp-restart 1";

/// How long the tunnel has to survive.
const A_WHILE: Duration = Duration::from_secs(15);

/// Packets that are later than this are as good as lost.
const UNSTEADY: &str = "pptp_reorder_ms 120";

/// Per cent lost, doubled, overtaken; milliseconds of delay, and how many more or less.
fn survives(version: Version, harm: &str, options: &str) {
    let mut network = Network::with_relay(version, harm);
    network.serve_many(&format!("{DEAD_PEERS_ARE_NOTICED} {options}"));
    let mut pppd = network.dial("client", &format!("{DEAD_PEERS_ARE_NOTICED} {options}"));
    pppd.wait_for("remote IP address", 1, PATIENCE);
    let Network { client, server, .. } = &network;
    // When the answer to the last request of IPCP is lost, one end takes its interface down once more.
    eventually("both ends are up", PATIENCE, || (client.pings(1, 56, "10.99.1.1") == 1).then_some(()));
    let begin = Instant::now();
    client.send_stream(server, "10.99.1.1", 200_000);
    server.send_stream(client, "10.99.1.2", 200_000);
    std::thread::sleep(A_WHILE.saturating_sub(begin.elapsed()));
    assert!(client.pings_within(2, 20, 500, "10.99.1.1") >= 10);
    assert!(pppd.is_running());
    assert_eq!(pppd.count("Connection terminated"), 0);
    finish(&mut pppd, &network);
}

/// The Terminate-Request may get lost, too, and then pppd ends as by a hang-up.
fn finish(pppd: &mut Pppd<'_>, network: &Network) {
    pppd.signal("TERM");
    let status = pppd.exit_status(AT_ONCE);
    assert!([5, 16].contains(&status), "{status}");
    network.assert_nothing_left();
}

fn a_tunnel_survives_loss(version: Version) {
    survives(version, "10 0 0 0 0", "");
}

fn a_tunnel_survives_duplicates(version: Version) {
    survives(version, "0 5 0 0 0", "");
}

fn a_tunnel_survives_disorder(version: Version) {
    survives(version, "0 0 25 0 0", "");
}

fn a_tunnel_survives_a_long_and_unsteady_way(version: Version) {
    survives(version, "0 0 0 100 50", UNSTEADY);
}

fn a_tunnel_survives_everything_together(version: Version) {
    survives(version, "10 5 25 100 50", UNSTEADY);
}
