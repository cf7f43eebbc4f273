//! pppd's packet filters.
#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]

use std::time::{Duration, Instant};

use pptp_native::{Network, SOON, Version, with_either_pppd};

with_either_pppd! {
    what_the_pass_filter_does_not_accept_does_not_pass,
    what_the_active_filter_does_not_accept_is_idleness,
    what_the_active_filter_accepts_ends_idleness,
}

const IDLE: i32 = 12;

fn what_the_pass_filter_does_not_accept_does_not_pass(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let _pppd = network.dial_up("client", 1, "pass-filter 'not icmp' noipv6");
    let Network { client, server, .. } = &network;
    assert_eq!(client.pings_within(2, 3, 56, "10.99.1.1"), 0);
    assert_eq!(server.pings_within(2, 3, 56, "10.99.1.2"), 0);
    client.send_stream(server, "10.99.1.1", 1_000_000);
    server.send_stream(client, "10.99.1.2", 1_000_000);
}

/// Pings without end, until the tunnel ends or `limit` has passed; whether it has ended.
fn ends_under_pings(version: Version, filter: &str, limit: Duration) -> bool {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, &format!("idle 3 active-filter '{filter}' noipv6"));
    let client = &network.client;
    let begin = Instant::now();
    let mut pings = client.command("exec ping -n -i 0.2 10.99.1.1 > /run/test/pings 2>&1").spawn().unwrap();
    while pppd.is_running() && begin.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(20));
    }
    let has_ended = !pppd.is_running();
    client.processes("ping").into_iter().for_each(|ping| client.signal("INT", ping));
    pings.wait().unwrap();
    let answered = client.read("/run/test/pings").lines().filter(|line| line.contains("bytes from")).count();
    assert!(answered > 5, "{answered}");
    if has_ended {
        assert_eq!(pppd.exit_status(SOON), IDLE);
        return true;
    }
    false
}

fn what_the_active_filter_does_not_accept_is_idleness(version: Version) {
    assert!(ends_under_pings(version, "not icmp", SOON));
}

fn what_the_active_filter_accepts_ends_idleness(version: Version) {
    assert!(!ends_under_pings(version, "icmp", Duration::from_secs(10)));
}
