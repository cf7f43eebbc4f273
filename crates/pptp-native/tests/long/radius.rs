//! pptp-rsd, whose pppds ask a RADIUS server: what it forbids.

use pptp_native::{Daemon, Network, Radius, SOON, Version};

/// The server says that keys have 128 bits. (pppd 2.4.9 does not listen: its set_mppe_enc_types returns at once.)
#[test]
fn key_lengths_that_radius_forbids_are_not_used() {
    for server in ["require-mppe", "pptp_mppe required"] {
        let network = Network::new(Version::V2_5_2);
        network.client.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
        let _radius = Radius::start(&network.server);
        let options = format!("auth require-mschap-v2 name server noipv6 {} {server}", Radius::OPTIONS);
        let daemon = Daemon::start(&network.server, "", &options);
        let mut pppd = network.dial("client", "user alice pptp_mppe required,40 noipv6");
        assert_ne!(pppd.exit_status(SOON), 0);
        assert!(pppd.log().contains("CHAP authentication succeeded"), "{}", pppd.log());
        assert!(!daemon.pppd_log().contains("compression enabled"), "{}", daemon.pppd_log());
    }
}
