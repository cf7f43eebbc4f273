//! MPPE of the engine, negotiated by pppd's own CCP.

use pptp_native::{AT_ONCE, Network, SOON, Version, with_either_pppd};

with_either_pppd! {
    encrypted_packets_pass_both_ways,
    it_does_not_matter_whose_mschap_it_is,
    a_library_without_md4_is_no_obstacle,
}

/// Both ends know the password and want to be asked for it.
fn with_secrets(version: Version, options: &str) -> Network {
    let mut network = Network::new(version);
    for machine in [&network.client, &network.server] {
        machine.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    }
    network.serve_many(&format!("auth require-mschap-v2 name server require-mppe-128 noipv6 {options}"));
    network
}

fn encrypted_packets_pass_both_ways(version: Version) {
    let network = with_secrets(version, "");
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

const CLIENT: &str = "user alice require-mppe-128 noipv6";

fn it_does_not_matter_whose_mschap_it_is(version: Version) {
    for (client, server) in [("internal", "pppd"), ("pppd", "internal"), ("internal", "internal")] {
        let network = with_secrets(version, &format!("pptp_mschap {server}"));
        let pppd = network.dial_up("client", 1, &format!("{CLIENT} pptp_mschap {client}"));
        assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3, "{client} {server}");
        assert_eq!(pppd.count("MS-CHAPv2 is the plugin's"), usize::from(client == "internal"));
        // Nobody's password and nobody's key is in a log.
        for log in [pppd.log(), network.server_log(1)] {
            assert!(!log.contains("secret"), "{log}");
        }
    }
}

/// As where a system allows nothing but FIPS: pppd 2.5.2 has no MD4 and no DES of its own.
fn a_library_without_md4_is_no_obstacle(version: Version) {
    const LIBRARY: &str = "openssl_conf = all\n[all]\nalg_section = evp\n[evp]\ndefault_properties = fips=yes\n";
    let network = with_secrets(version, "pptp_mschap pppd");
    network.client.run(&format!("printf '{LIBRARY}' > /run/test/openssl.cnf"));
    network.client.script("/run/test/environment", "export OPENSSL_CONF=/run/test/openssl.cnf");
    let mut alone = network.dial("alone", &format!("{CLIENT} pptp_mschap pppd"));
    if version.number() == "2.5.2" {
        assert_eq!(alone.exit_status(SOON), 19);
    } else {
        alone.wait_for("remote IP address", 1, SOON);
        alone.signal("TERM");
        alone.exit_status(AT_ONCE);
    }
    let pppd = network.dial_up("client", 2, CLIENT);
    assert_eq!(pppd.count("pppd's own gives wrong results"), usize::from(version.number() == "2.5.2"));
    assert_eq!(network.client.pings(3, 56, "10.99.2.1"), 3);
}
