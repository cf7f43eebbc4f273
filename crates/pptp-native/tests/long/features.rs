//! Options of pppd's that have to do with the interface.

use pptp_native::{AT_ONCE, Network, SOON, Version, with_either_pppd};

with_either_pppd! {
    the_interface_has_the_name_that_ifname_gives,
    the_default_route_goes_through_the_tunnel,
    the_server_s_name_servers_are_written_down,
    the_server_answers_for_the_client_s_address,
    three_tunnels_are_three_interfaces,
    multilink_is_refused_in_plain_words,
    another_plugin_is_not_disturbed,
}

fn the_interface_has_the_name_that_ifname_gives(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "ifname vpn0 noipv6");
    assert_eq!(network.client.interfaces(), ["vpn0"]);
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    assert!(pppd.count("Using interface") >= 1);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn the_default_route_goes_through_the_tunnel(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "defaultroute noipv6");
    network.server.run("ip addr add 10.50.0.1/32 dev lo");
    let route = || network.client.run("ip route show default");
    assert!(route().contains("dev ppp0"), "{}", route());
    assert_eq!(network.client.pings(3, 56, "10.50.0.1"), 3);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    assert_eq!(route(), "");
}

fn the_server_s_name_servers_are_written_down(version: Version) {
    let network = Network::start_server(version, "noipv6 ms-dns 10.9.9.9 ms-dns 10.9.9.8");
    let _pppd = network.dial_up("client", 1, "usepeerdns noipv6");
    let files = ["/etc/ppp/resolv.conf", "/run/pppd/resolv.conf"].map(|path| network.client.read(path)).concat();
    for server in ["nameserver 10.9.9.9\n", "nameserver 10.9.9.8\n"] {
        assert!(files.contains(server), "{files}");
    }
}

fn the_server_answers_for_the_client_s_address(version: Version) {
    let mut network = Network::new(version);
    network.serve("192.0.2.1:192.0.2.77 proxyarp noipv6");
    let _pppd = network.dial_up("client", 1, "noipv6");
    let log = network.server_log(1);
    assert!(log.contains("found interface cable for proxy arp"), "{log}");
    assert!(network.server.run("ip neigh show proxy").contains("192.0.2.77"));
}

fn three_tunnels_are_three_interfaces(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut all: Vec<_> = (1..=3).map(|call| network.dial_up(&format!("client{call}"), call, "noipv6")).collect();
    assert_eq!(network.client.interfaces(), ["ppp0", "ppp1", "ppp2"]);
    std::thread::scope(|scope| {
        for call in 1..=3 {
            let Network { client, server, .. } = &network;
            scope.spawn(move || client.send_stream(server, &format!("10.99.{call}.1"), 3_000_000));
            scope.spawn(move || server.send_stream(client, &format!("10.99.{call}.2"), 3_000_000));
        }
    });
    for pppd in &mut all {
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(AT_ONCE), 5);
    }
    network.assert_nothing_left();
}

fn multilink_is_refused_in_plain_words(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial("client", "multilink noipv6");
    assert_eq!(pppd.exit_status(SOON), 2);
    let said = network.client.read("/run/test/client.out");
    assert!(said.contains("multilink") && said.lines().count() == 1, "{said}");
    assert!(!network.journal().contains("Outgoing-Call-Request"));
    network.assert_nothing_left();
}

fn another_plugin_is_not_disturbed(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "plugin /run/plugin/connect-time.so noipv6");
    for word in ["connect-time: begin", "connect-time: end"] {
        assert_eq!(pppd.count(word), 1);
    }
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}
