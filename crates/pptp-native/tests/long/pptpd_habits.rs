//! What those who run pptpd have pppd do for its clients, under pptp-rsd.

use pptp_native::{Daemon, Network, Pppd, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    a_user_has_the_address_of_chap_secrets,
    a_user_may_call_from_one_place_only,
    clients_are_told_of_name_servers,
    scripts_get_the_client_s_address_unless_that_is_unwanted,
}

const SERVER: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";
const CLIENT: &str = "user alice require-mppe-128 noipv6";

/// The server knows her by this line of chap-secrets.
fn network(version: Version, secret: &str) -> Network {
    let network = Network::new(version);
    network.client.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    network.server.run(&format!("umask 077; echo '{secret}' > /etc/ppp/chap-secrets"));
    network
}

fn dial_up<'a>(network: &'a Network, name: &str, options: &str) -> Pppd<'a> {
    let pppd = network.dial(name, &format!("{CLIENT} {options}"));
    pppd.wait_for("remote IP address", 1, SOON);
    pppd
}

/// Whether pppd is to choose, or has got another address from the server.
fn a_user_has_the_address_of_chap_secrets(version: Version) {
    for [settings, options] in [["", ""], ["delegate", "10.99.0.1:"]] {
        let network = network(version, "alice server secret 10.99.0.44");
        let _daemon = Daemon::start(&network.server, settings, &format!("{SERVER} {options}"));
        let pppd = dial_up(&network, "client", "");
        pppd.wait_for("local  IP address 10.99.0.44", 1, SOON);
        let answered = || (network.client.pings(1, 56, "10.99.0.1") == 1).then_some(());
        eventually("a ping is answered", SOON, answered);
    }
}

/// By the client's address outside, which pppd knows as its number.
fn a_user_may_call_from_one_place_only(version: Version) {
    let network = network(version, "alice server secret *");
    let daemon = Daemon::start(&network.server, "", &format!("{SERVER} allow-number 192.0.2.99"));
    let mut pppd = network.dial("client", CLIENT);
    daemon.wait_for("the client may not call from its address", 1, SOON);
    assert_ne!(pppd.exit_status(SOON), 0);
}

fn clients_are_told_of_name_servers(version: Version) {
    let network = network(version, "alice server secret *");
    let options = format!("{SERVER} ms-dns 10.99.9.1 ms-dns 10.99.9.2 ms-wins 10.99.9.3");
    let _daemon = Daemon::start(&network.server, "", &options);
    let pppd = dial_up(&network, "client", "usepeerdns");
    pppd.wait_for("primary   DNS address 10.99.9.1", 1, SOON);
    pppd.wait_for("secondary DNS address 10.99.9.2", 1, SOON);
}

fn scripts_get_the_client_s_address_unless_that_is_unwanted(version: Version) {
    for (settings, wanted) in [("", "192.0.2.2"), ("noipparam", "")] {
        let network = network(version, "alice server secret *");
        network.server.script("/etc/ppp/ip-up", r#"echo "[$6]" > /run/test/new; mv /run/test/new /run/test/ip-up"#);
        let _daemon = Daemon::start(&network.server, settings, SERVER);
        let _pppd = dial_up(&network, "client", "");
        let read = || Some(network.server.read("/run/test/ip-up")).filter(|text| !text.is_empty());
        assert_eq!(eventually("ip-up has run", SOON, read).trim(), format!("[{wanted}]"));
    }
}
