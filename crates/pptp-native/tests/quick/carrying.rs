//! Packets of every kind, both ways.

use pptp_native::{AT_ONCE, Network, Pace, SOON, Version, with_either_pppd};

with_either_pppd! {
    ipv4_and_ipv6_pass_both_ways,
    two_calls_are_two_tunnels,
    small_packet_sizes_are_kept_to,
}

fn ipv4_and_ipv6_pass_both_ways(version: Version) {
    let network = Network::start_server(version, "+ipv6");
    let mut pppd = network.dial_up("client", 1, "+ipv6 ipv6 ::2,::1");
    let Network { client, server, .. } = &network;
    assert_eq!(client.pings(5, 56, "10.99.1.1"), 5);
    assert_eq!(server.pings(5, 1400, "10.99.1.2"), 5);
    pppd.wait_for("remote LL address", 1, SOON);
    network.wait_for_server(1, "remote LL address");
    assert_eq!(client.pings(5, 56, "fe80::1%ppp0"), 5);
    assert_eq!(server.pings(5, 1200, "fe80::2%ppp0"), 5);
    client.send_stream(server, "10.99.1.1", 10_000_000);
    server.send_stream(client, "10.99.1.2", 10_000_000);
    let pace = Pace { count: 1000, rate: 1000, size: 1000 };
    let (up, down) = std::thread::scope(|scope| {
        let up = scope.spawn(|| client.send_datagrams(server, "10.99.1.1", pace));
        let down = scope.spawn(|| server.send_datagrams(client, "10.99.1.2", pace));
        (up.join(), down.join())
    });
    for (seen, from) in [(up, client), (down, server)] {
        // A busy machine may leave its interface alone until it is full.
        let seen = seen.ok().map(|seen| (u64::from(seen.count) + from.dropped("ppp0"), seen.twice, seen.broken));
        assert_eq!(seen, Some((pace.count.into(), 0, 0)));
    }
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
    // The plugin never asks for it: nobody here could undo it.
    for log in [pppd.log(), network.server_log(1)] {
        let agreed = log.lines().filter(|line| line.contains("IPCP ConfAck")).find(|line| line.contains("compress VJ"));
        assert_eq!(agreed, None);
    }
}

fn two_calls_are_two_tunnels(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut first = network.dial_up("first", 1, "noipv6");
    let mut second = network.dial_up("second", 2, "noipv6");
    assert_eq!(network.client.interfaces(), ["ppp0", "ppp1"]);
    for address in ["10.99.1.1", "10.99.2.1"] {
        assert_eq!(network.client.pings(3, 1000, address), 3, "{address}");
    }
    first.signal("TERM");
    assert_eq!(first.exit_status(AT_ONCE), 5);
    assert_eq!(network.client.pings(3, 1000, "10.99.2.1"), 3);
    second.signal("TERM");
    assert_eq!(second.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn small_packet_sizes_are_kept_to(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let _pppd = network.dial_up("client", 1, "mtu 1300 mru 1400 noipv6");
    let Network { client, server, .. } = &network;
    assert!(client.run("ip link show ppp0").contains("mtu 1300"));
    assert!(server.run("ip link show ppp0").contains("mtu 1400"));
    // The answers come in two pieces.
    assert_eq!(server.pings(3, 1372, "10.99.1.2"), 3);
    client.send_stream(server, "10.99.1.1", 1_000_000);
    server.send_stream(client, "10.99.1.2", 1_000_000);
}
