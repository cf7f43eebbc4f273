//! pptp-rsd, whose pppds ask a RADIUS server: what it forbids, and ends of it and of ours.

use pptp_native::{AT_ONCE, Daemon, Network, Pppd, Radius, SOON, Version, with_either_pppd};

with_either_pppd! {
    radius_is_told_of_the_end_when_the_server_ends,
    a_radius_server_that_is_silent_holds_up_one_call_alone,
}

const CLIENT: &str = "user alice require-mppe-128 noipv6";

fn network(version: Version) -> Network {
    let network = Network::new(version);
    network.client.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    network
}

fn serve<'a>(network: &'a Network, settings: &str, mppe: &str) -> Daemon<'a> {
    let options = format!("auth require-mschap-v2 name server noipv6 {} {mppe}", Radius::OPTIONS);
    Daemon::start(&network.server, settings, &options)
}

/// The server says that keys have 128 bits. (pppd 2.4.9 does not listen: its set_mppe_enc_types returns at once.)
#[test]
fn key_lengths_that_radius_forbids_are_not_used() {
    for mppe in ["require-mppe", "pptp_mppe required"] {
        let network = network(Version::V2_5_2);
        let _radius = Radius::start(&network.server);
        let daemon = serve(&network, "", mppe);
        let mut pppd = network.dial("client", "user alice pptp_mppe required,40 noipv6");
        assert_ne!(pppd.exit_status(SOON), 0);
        assert!(pppd.log().contains("CHAP authentication succeeded"), "{}", pppd.log());
        assert!(!daemon.pppd_log().contains("compression enabled"), "{}", daemon.pppd_log());
    }
}

fn radius_is_told_of_the_end_when_the_server_ends(version: Version) {
    let network = network(version);
    let radius = Radius::start(&network.server);
    let mut daemon = serve(&network, "", "require-mppe-128");
    let pppd: Pppd<'_> = network.dial("client", CLIENT);
    pppd.wait_for("remote IP address", 1, SOON);
    let begun = radius.account("Start");
    daemon.signal("TERM");
    let ended = radius.account("Stop");
    assert_eq!(ended.get("Acct-Session-Id"), begun.get("Acct-Session-Id"));
    assert_eq!(daemon.exit_status(SOON), 0);
}

/// pppd waits for an answer, and does nothing else: for half a minute, by tests/radius/radiusclient.conf.
fn a_radius_server_that_is_silent_holds_up_one_call_alone(version: Version) {
    let network = network(version);
    let radius = Radius::start(&network.server);
    for process in network.server.processes("freeradius") {
        network.server.signal("KILL", process);
    }
    let mut daemon = serve(&network, "drain-timeout 1", "require-mppe-128");
    let mut pppd = network.dial("client", CLIENT);
    pppd.wait_for("sent [CHAP Response", 1, SOON);
    assert!(daemon.control("sessions").contains("192.0.2.2"));
    daemon.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 16);
    assert_eq!(daemon.exit_status(SOON), 0);
    assert!(!radius.log().contains("Login"), "{}", radius.log());
    network.assert_nothing_left();
}
