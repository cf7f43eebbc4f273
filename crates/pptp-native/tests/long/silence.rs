//! A server that answers on the control connection, and no GRE packet comes back.

use std::time::Duration;

use pptp_native::{Network, SOON, Version, with_either_pppd};

with_either_pppd! {
    packets_that_vanish_are_named,
    packets_that_are_refused_are_named,
}

/// One line names what is wrong, and has all of `words`.
fn one_line_says(network: &Network, words: [&str; 2]) {
    let mut pppd = network.dial("client", "lcp-max-terminate 1 noipv6");
    let line = pppd.wait_for("GRE (IP protocol 47)", 1, SOON);
    for word in words {
        assert!(line.contains(word), "{line}");
    }
    // Long enough for another, if there were one for each packet of pppd's.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(pppd.count("IP protocol 47"), 1);
    // A Terminate-Request that is not answered ends pppd as a hang-up does.
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 16);
    network.assert_nothing_left();
}

fn packets_that_vanish_are_named(version: Version) {
    let mut network = Network::new(version);
    network.serve_with("");
    // Else the server's kernel says that it does not take GRE.
    network.swallow_gre();
    one_line_says(&network, ["firewall", "nf_conntrack_pptp"]);
}

fn packets_that_are_refused_are_named(version: Version) {
    let mut network = Network::new(version);
    network.serve_with("");
    one_line_says(&network, ["firewall", "ICMP"]);
}
