//! Logins by MS-CHAPv1, the plugin's and pppd's, and the keys that come of them.

use pptp_native::{Network, SOON, Version, with_either_pppd};

with_either_pppd! {
    version_1_of_the_plugin_and_of_pppd_understand_each_other,
    after_version_1_of_pppd_2_5_2_nothing_can_be_decrypted,
    pppd_wants_no_40_bits_after_version_1,
    version_1_of_the_plugin_has_short_keys,
    names_and_passwords_are_taken_as_pppd_takes_them,
    a_wrong_password_is_told,
    version_1_needs_no_library,
}

const CLIENT: &str = "user alice refuse-mschap-v2 require-mppe-128 noipv6";

/// Both ends know the password and want to be asked for it.
fn with_secrets(versions: [Version; 2], options: &str) -> Network {
    with_names("alice * secret *", "alice * secret *", versions, &format!("require-mschap {options}"))
}

/// What is in the client's file of secrets, and what in the server's.
fn with_names(client: &str, server: &str, versions: [Version; 2], options: &str) -> Network {
    let mut network = Network::of(versions);
    for (machine, secret) in [(&network.client, client), (&network.server, server)] {
        machine.run(&format!("umask 077; cat > /etc/ppp/chap-secrets <<'END'\n{secret}\nEND"));
    }
    network.serve_many(&format!("auth name server noipv6 {options}"));
    network
}

/// The other end is a 2.4.9, whose own version 1 is right.
fn version_1_of_the_plugin_and_of_pppd_understand_each_other(version: Version) {
    const OTHER: Version = Version::V2_4_9;
    for (versions, client, server) in [([version, OTHER], "internal", "pppd"), ([OTHER, version], "pppd", "internal")] {
        let network = with_secrets(versions, &format!("require-mppe-128 pptp_mschap {server}"));
        let pppd = network.dial_up("client", 1, &format!("{CLIENT} pptp_mschap {client}"));
        let log = pppd.log();
        assert!(log.contains("<auth chap MS>"), "{log}");
        assert!(log.contains("CHAP authentication succeeded: Access granted"), "{log}");
        for log in [&log, &network.server_log(1)] {
            assert!(log.contains("MPPE 128-bit stateless compression enabled"), "{log}");
            assert!(!log.contains("secret"), "{log}");
        }
        assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3, "{versions:?} {client} {server}");
        assert_eq!(network.server.pings(3, 56, "10.99.1.2"), 3, "{versions:?} {client} {server}");
    }
}

fn pppd_wants_no_40_bits_after_version_1(version: Version) {
    for mschap in ["pppd", "internal"] {
        let network = with_secrets([version; 2], &format!("require-mppe pptp_mschap {mschap}"));
        let options = format!("user alice refuse-mschap-v2 require-mppe-40 nomppe-128 noipv6 pptp_mschap {mschap}");
        let mut pppd = network.dial("client", &options);
        assert_eq!(pppd.exit_status(SOON), 10, "{mschap}");
        pppd.wait_for("MPPE required, but both 40-bit and 128-bit disabled.", 1, SOON);
    }
}

/// Its receive key is zeros, so the plugin's takes its place unless the user wants pppd's.
fn after_version_1_of_pppd_2_5_2_nothing_can_be_decrypted(version: Version) {
    let is_right = version.number() != "2.5.2";
    for (mschap, carries) in [("pppd", is_right), ("auto", true)] {
        let network = with_secrets([version; 2], &format!("require-mppe-128 pptp_mschap {mschap}"));
        let pppd = network.dial_up("client", 1, &format!("{CLIENT} pptp_mschap {mschap}"));
        let (patience, pings) = if carries { (20, 3) } else { (2, 0) };
        let answered = network.client.pings_within(patience, 3, 56, "10.99.1.1");
        assert_eq!(answered, pings, "{mschap}: {}", pppd.log());
        let is_own = mschap == "auto" && !is_right;
        assert_eq!(pppd.count("MS-CHAPv1 is the plugin's, as pppd's own gives wrong results"), usize::from(is_own));
    }
}

/// Made of LAN Manager's hash, which only the plugin's CCP uses.
fn version_1_of_the_plugin_has_short_keys(version: Version) {
    for bits in ["40", "56"] {
        let network = with_secrets([version; 2], "pptp_mppe no128,stateless,stateful");
        let options = format!("user alice refuse-mschap-v2 noipv6 pptp_mppe {bits}");
        let pppd = network.dial_up("client", 1, &options);
        for log in [pppd.log(), network.server_log(1)] {
            assert!(log.contains(&format!("MPPE {bits}-bit stateless compression enabled")), "{log}");
            assert!(log.contains("after MS-CHAPv1, short keys are the same for every session"), "{log}");
        }
        assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    }
}

/// Each between the plugin's and pppd's own.
fn names_and_passwords_are_taken_as_pppd_takes_them(version: Version) {
    let (domain, user) = (r"BIGCO\\alice * pässwörd *", r"BIGCO\\alice");
    for (secret, at_server, user, server, client) in [
        (domain, "alice * pässwörd *", user, "require-mschap-v2 chapms-strip-domain pptp_mschap pppd", "internal"),
        (domain, domain, user, "require-mschap pptp_mschap internal", "pppd"),
        ("alice * '' *", "alice * '' *", "alice", "require-mschap-v2 pptp_mschap pppd", "internal"),
    ] {
        let network = with_names(secret, at_server, [version; 2], server);
        let pppd = network.dial_up("client", 1, &format!("user {user} noipv6 pptp_mschap {client}"));
        assert!(pppd.log().contains(&format!("name = \"{user}\"")), "{}", pppd.log());
    }
}

fn a_wrong_password_is_told(version: Version) {
    let network = with_secrets([version; 2], "require-mppe-128 pptp_mschap internal");
    network.client.run("echo 'alice * secrets *' > /etc/ppp/chap-secrets");
    let mut pppd = network.dial("client", &format!("{CLIENT} pptp_mschap internal"));
    assert_eq!(pppd.exit_status(SOON), 19);
    pppd.wait_for("MS-CHAPv1: login refused: wrong user name or password (691)", 1, SOON);
    network.wait_for_server(1, "Peer alice failed CHAP authentication");
}

/// As where a system allows nothing but FIPS: pppd 2.5.2 has no MD4 and no DES of its own.
fn version_1_needs_no_library(version: Version) {
    const LIBRARY: &str = "openssl_conf = all\n[all]\nalg_section = evp\n[evp]\ndefault_properties = fips=yes\n";
    let network = with_secrets([version, Version::V2_4_9], "require-mppe-128 pptp_mschap pppd");
    network.client.run(&format!("printf '{LIBRARY}' > /run/test/openssl.cnf"));
    network.client.script("/run/test/environment", "export OPENSSL_CONF=/run/test/openssl.cnf");
    let pppd = network.dial_up("client", 1, CLIENT);
    assert_eq!(pppd.count("so is MS-CHAPv1"), usize::from(version.number() == "2.5.2"));
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
}
