//! MPPE of the engine, negotiated by pppd's own CCP.

use pptp_native::{AT_ONCE, Network, Version, with_either_pppd};

with_either_pppd! {
    encrypted_packets_pass_both_ways,
}

/// Both ends know the password and want to be asked for it.
fn with_secrets(version: Version) -> Network {
    let mut network = Network::new(version);
    for machine in [&network.client, &network.server] {
        machine.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    }
    network.serve_many("auth require-mschap-v2 name server require-mppe-128 noipv6");
    network
}

fn encrypted_packets_pass_both_ways(version: Version) {
    let network = with_secrets(version);
    let mut pppd = network.dial_up("client", 1, "user alice require-mppe-128 noipv6");
    for log in [pppd.log(), network.server_log(1)] {
        assert!(log.contains("MPPE 128-bit stateless compression enabled"), "{log}");
    }
    let Network { client, server, .. } = &network;
    // 4 bytes are MPPE's.
    assert!(client.run("ip link show dev ppp0").contains("mtu 1456 "));
    assert_eq!(client.pings(3, 1428, "10.99.1.1"), 3);
    assert_eq!(server.pings(3, 56, "10.99.1.2"), 3);
    client.send_stream(server, "10.99.1.1", 5_000_000);
    server.send_stream(client, "10.99.1.2", 5_000_000);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}
