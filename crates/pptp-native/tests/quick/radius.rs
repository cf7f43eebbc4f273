//! pptp-rsd, whose pppds ask a RADIUS server about their clients.

use pptp_native::{AT_ONCE, Daemon, Network, Pppd, Radius, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    radius_lets_a_client_in_whose_link_is_encrypted_and_counted,
    radius_s_keys_are_for_the_plugin_s_ccp_and_ms_chap_too,
    radius_refuses_a_client_that_does_not_know_the_password,
}

const CLIENT: &str = "user alice require-mppe-128 noipv6";

/// Only the client knows a password.
fn network(version: Version, password: &str) -> Network {
    let network = Network::new(version);
    network.client.run(&format!("umask 077; echo 'alice * {password} *' > /etc/ppp/chap-secrets"));
    network
}

fn serve<'a>(network: &'a Network, settings: &str, options: &str) -> Daemon<'a> {
    let options = format!("auth require-mschap-v2 name server noipv6 {} {options}", Radius::OPTIONS);
    Daemon::start(&network.server, settings, &options)
}

fn dial_up<'a>(network: &'a Network, options: &str) -> Pppd<'a> {
    let pppd = network.dial("client", options);
    pppd.wait_for("remote IP address", 1, SOON);
    pppd
}

fn number(text: Option<&String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn radius_lets_a_client_in_whose_link_is_encrypted_and_counted(version: Version) {
    let network = network(version, "secret");
    let Network { client, server, .. } = &network;
    let radius = Radius::start(server);
    let mut daemon = serve(&network, "", "require-mppe-128");
    let mut pppd = dial_up(&network, CLIENT);
    pppd.wait_for("local  IP address 192.168.77.77", 1, AT_ONCE);
    pppd.wait_for("MPPE 128-bit stateless compression enabled", 1, AT_ONCE);
    eventually("the server reaches the client", SOON, || (server.pings(3, 1000, "192.168.77.77") == 3).then_some(()));
    server.send_stream(client, "192.168.77.77", 2_000_000);
    client.send_stream(server, "10.99.0.1", 1_000_000);
    eventually("the server's operator sees who it is", SOON, || {
        let sessions = daemon.control("sessions");
        (sessions.contains("alice") && sessions.contains("192.168.77.77")).then_some(())
    });
    let attributes = server.read("/run/radattr.ppp0");
    assert!(attributes.contains("Framed-IP-Address 192.168.77.77\n"), "{attributes}");
    let begun = radius.account("Start");
    for (name, value) in [
        ("User-Name", "alice"),
        ("Calling-Station-Id", "192.0.2.2"),
        ("Framed-IP-Address", "192.168.77.77"),
        ("NAS-Port", "0"),
    ] {
        assert_eq!(begun.get(name).map(String::as_str), Some(value), "{name}: {begun:?}");
    }
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
    let ended = radius.account("Stop");
    assert_eq!(ended.get("Acct-Session-Id"), begun.get("Acct-Session-Id"));
    let [output, input] = ["Acct-Output-Octets", "Acct-Input-Octets"].map(|name| number(ended.get(name)));
    assert!((2_000_000..3_000_000).contains(&output) && (1_000_000..2_000_000).contains(&input), "{ended:?}");
    daemon.wait_for("has ended after", 1, SOON);
    assert!(!server.path("/run/radattr.ppp0").exists());
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}

/// The digest that makes the challenge is not the one that verifies the response; and the address is not the daemon's.
fn radius_s_keys_are_for_the_plugin_s_ccp_and_ms_chap_too(version: Version) {
    let network = network(version, "secret");
    let Network { client, server, .. } = &network;
    let _radius = Radius::start(server);
    let daemon = serve(&network, "delegate", "10.99.0.1: pptp_mppe required,128 pptp_mschap internal");
    let pppd = dial_up(&network, CLIENT);
    pppd.wait_for("local  IP address 192.168.77.77", 1, AT_ONCE);
    eventually("the server reaches the client", SOON, || (server.pings(3, 1000, "192.168.77.77") == 3).then_some(()));
    server.send_stream(client, "192.168.77.77", 500_000);
    client.send_stream(server, "10.99.0.1", 500_000);
    let log = daemon.pppd_log();
    for words in ["MS-CHAPv2 is the plugin's", "MPPE 128-bit stateless compression enabled"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

fn radius_refuses_a_client_that_does_not_know_the_password(version: Version) {
    let network = network(version, "wrong");
    let radius = Radius::start(&network.server);
    let daemon = serve(&network, "", "require-mppe-128");
    let mut pppd = network.dial("client", CLIENT);
    assert_eq!(pppd.exit_status(SOON), 19);
    radius.wait_for("Login incorrect");
    daemon.wait_for("did not authenticate itself", 1, SOON);
    daemon.wait_for("has ended after", 1, SOON);
    assert_eq!(network.server.read("/run/test/accounting"), "");
}
