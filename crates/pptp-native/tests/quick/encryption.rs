//! MPPE of the engine, negotiated by pppd's own CCP and by the plugin's.

use pptp_native::ppp::{Frame, protocol};
use pptp_native::{AT_ONCE, Machine, Network, SOON, Version, Way, with_either_pppd};

with_either_pppd! {
    encrypted_packets_pass_both_ways,
    it_does_not_matter_whose_mschap_it_is,
    a_library_without_md4_is_no_obstacle,
    nor_is_it_for_a_server,
    nothing_invented_on_the_way_is_delivered,
    the_plugin_negotiates_what_pppd_cannot,
    wishes_that_contradict_each_other_are_refused,
}

/// Both ends know the password and want to be asked for it.
fn with_secrets(version: Version, options: &str) -> Network {
    let mut network = Network::new(version);
    network.serve_with_password("secret", &format!("require-mppe-128 {options}"));
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
fn allow_nothing_but_fips(machine: &Machine) {
    const LIBRARY: &str = "openssl_conf = all\n[all]\nalg_section = evp\n[evp]\ndefault_properties = fips=yes\n";
    machine.run(&format!("printf '{LIBRARY}' > /run/test/openssl.cnf"));
    machine.script("/run/test/environment", "export OPENSSL_CONF=/run/test/openssl.cnf");
}

fn is_without_md4(version: Version) -> bool {
    version.number() == "2.5.2"
}

fn a_library_without_md4_is_no_obstacle(version: Version) {
    let network = with_secrets(version, "pptp_mschap pppd");
    allow_nothing_but_fips(&network.client);
    let mut alone = network.dial("alone", &format!("{CLIENT} pptp_mschap pppd"));
    if is_without_md4(version) {
        assert_eq!(alone.exit_status(SOON), 19);
    } else {
        alone.wait_for("remote IP address", 1, SOON);
        alone.signal("TERM");
        alone.exit_status(AT_ONCE);
    }
    let pppd = network.dial_up("client", 2, CLIENT);
    assert_eq!(pppd.count("pppd's own gives wrong results"), usize::from(is_without_md4(version)));
    assert_eq!(network.client.pings(3, 56, "10.99.2.1"), 3);
}

fn nor_is_it_for_a_server(version: Version) {
    for mschap in ["auto", "pppd"] {
        let mut network = Network::new(version);
        allow_nothing_but_fips(&network.server);
        network.serve_with_password("secret", &format!("require-mppe-128 pptp_mschap {mschap}"));
        let mut pppd = network.dial("client", CLIENT);
        if mschap == "pppd" && is_without_md4(version) {
            assert_eq!(pppd.exit_status(SOON), 19);
            assert_eq!(network.client.pings(1, 56, "10.99.1.1"), 0);
        } else {
            pppd.wait_for("remote IP address", 1, SOON);
            network.wait_for_server(1, "remote IP address");
            assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3, "{mschap}");
            let is_own = network.server_log(1).contains("pppd's own gives wrong results");
            assert_eq!(is_own, is_without_md4(version), "{mschap}");
        }
    }
}

/// Packets in clear in every form, packets that were there before, and such as nobody has encrypted.
fn nothing_invented_on_the_way_is_delivered(version: Version) {
    let (mut network, middle) = Network::with_middle(version);
    network.serve_with_password("secret", "require-mppe-128");
    let mut pppd = network.dial_up("client", 1, CLIENT);
    let Network { client, server, .. } = &network;
    assert_eq!(client.pings(20, 56, "10.99.1.1"), 20);
    let delivered = || [client, server].map(|machine| machine.delivered("ppp0"));
    let before = delivered();
    for way in Way::BOTH {
        let old = middle.seen_of(way, protocol::MPPE);
        let clear = [(protocol::IP, 0x45), (protocol::IPV6, 0x60)].map(|(protocol, first)| {
            let mut packet = vec![0; 40];
            (packet[0], packet[3], packet[9]) = (first, 40, 17);
            Frame::new(protocol, packet)
        });
        let short = (0..8).map(|length| Frame::new(protocol::MPPE, [0x90, 0x30, 9, 9, 9, 9, 9, 9][..length].to_vec()));
        // As if bit D were clear.
        let not_encrypted = Frame::new(protocol::MPPE, [&[0x80, 0x31, 0, 0x21][..], &clear[0].information].concat());
        for frame in clear.iter().cloned().chain(old).chain(short).chain([not_encrypted]) {
            middle.inject(way, &frame);
        }
    }
    assert_eq!(client.pings(3, 56, "10.99.1.1"), 3);
    assert_eq!(delivered(), before.map(|count| count + 3));
    let in_clear = |(_, frame): &(Way, Frame)| frame.is(protocol::IP) || frame.is(protocol::IPV6);
    assert_eq!(middle.seen().into_iter().find(in_clear), None);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
    for log in [pppd.log(), network.server_log(1)] {
        let counters = log.lines().find(|line| line.contains("counters: ")).unwrap_or_default();
        for counter in ["mppe-clear-received=2", "mppe-not-encrypted=1", "mppe-malformed=", "mppe-replayed="] {
            assert!(counters.contains(counter), "{counter}: {counters}");
        }
    }
}

fn the_plugin_negotiates_what_pppd_cannot(version: Version) {
    const OURS: &str = "pptp_mppe optional,56,stateful";
    let mut network = Network::new(version);
    network.serve_with_password("secret", OURS);
    let mut pppd = network.dial_up("client", 1, &format!("user alice noipv6 {OURS}"));
    for log in [pppd.log(), network.server_log(1)] {
        assert!(log.contains("MPPE 56-bit stateful compression enabled"), "{log}");
    }
    let Network { client, server, .. } = &network;
    assert_eq!(client.pings(3, 1428, "10.99.1.1"), 3);
    client.send_stream(server, "10.99.1.1", 2_000_000);
    server.send_stream(client, "10.99.1.2", 2_000_000);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();

    let mut network = Network::new(version);
    network.serve_with_password("secret", "nomppe");
    let pppd = network.dial_up("client", 1, "user alice noipv6 allow-mppe-128");
    assert_eq!(pppd.count("MPPE is not used: the peer rejects mppe"), 1);
    assert_eq!(network.client.pings(3, 1428, "10.99.1.1"), 3);
}

fn wishes_that_contradict_each_other_are_refused(version: Version) {
    let network = Network::new(version);
    for (options, words) in [
        ("pptp_mppe required require-mppe-128", "require-mppe exclude each other"),
        ("allow-mppe-128 require-mppe-40", "require-mppe exclude each other"),
        ("pptp_mppe required noccp", "noccp"),
        ("pptp_mppe required,deny", "'required,deny'"),
        ("mppe required,no40,no56,no128", "'required,no40,no56,no128'"),
        ("pptp_mppe always", "required, optional, deny, stateless, stateful, 40, 56, 128, no40, no56 and no128"),
    ] {
        let mut pppd = network.dial("client", options);
        assert_eq!(pppd.exit_status(SOON), 2, "{options}");
        let said = network.client.read("/run/test/client.out");
        assert!(said.contains(words) && said.lines().count() == 1, "{options}: {said}");
    }
    network.assert_nothing_left();
}
