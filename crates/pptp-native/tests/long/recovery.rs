//! What dies under a pppd that goes on, and what others must not notice.

use pptp_native::{AT_ONCE, Network, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    persist_survives_its_engine,
    persist_survives_its_interface,
    a_hang_up_by_signal_is_followed_by_a_new_call,
    demand_ends_with_its_engine_while_it_waits,
    demand_ends_with_its_engine_while_it_carries,
    demand_ends_with_its_interface,
    demand_waits_for_a_server_that_comes_later,
    a_script_s_child_keeps_nothing_alive,
    the_other_tunnel_does_not_notice,
    five_pppd_start_at_the_same_time,
    a_dry_run_leaves_nothing,
    a_device_that_has_the_name_is_left_alone,
    ipv6_alone_is_enough,
    lcp_may_leave_out_every_option,
    a_dead_way_is_noticed,
}

fn persistent(version: Version, harm: impl Fn(&Network)) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "persist holdoff 1 maxfail 0 noipv6");
    harm(&network);
    eventually("the second tunnel carries", SOON, || (network.client.pings(1, 56, "10.99.2.1") == 1).then_some(()));
    assert_eq!(network.client.interfaces(), ["ppp0"]);
    assert_eq!(network.client.processes("pptp-engine").len(), 1);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn kill_engine(network: &Network) {
    let engines = network.client.processes("pptp-engine");
    assert_eq!(engines.len(), 1);
    network.client.signal("KILL", engines[0]);
}

fn persist_survives_its_engine(version: Version) {
    persistent(version, kill_engine);
}

fn persist_survives_its_interface(version: Version) {
    persistent(version, |network| drop(network.client.run("ip link del ppp0")));
}

fn a_hang_up_by_signal_is_followed_by_a_new_call(version: Version) {
    persistent(version, |network| drop(network.client.run("kill -HUP $(cat /run/ppp0.pid)")));
}

/// Between calls pppd waits for its interface, and has to be told that there is none any more.
fn ends_without_interface(version: Version, dialled: bool, harm: impl Fn(&Network)) {
    let mut network = Network::new(version);
    network.serve("10.99.1.1:10.99.1.2 noipv6");
    let mut pppd = network.dial("client", "demand holdoff 15 maxfail 0 10.99.1.2:10.99.1.1 noipv6");
    let client = &network.client;
    eventually("the interface is there", SOON, || {
        client.succeeds("ip addr show dev ppp0 up | grep -q 10.99.1.2").then_some(())
    });
    if dialled {
        assert!(client.succeeds("ping -c 1 -i 1 -w 30 10.99.1.1"));
    }
    harm(&network);
    assert_ne!(pppd.exit_status(2 * SOON), 0);
    assert_eq!(pppd.count("interface is gone"), 1);
    network.assert_nothing_left();
}

fn demand_ends_with_its_engine_while_it_waits(version: Version) {
    ends_without_interface(version, false, kill_engine);
}

fn demand_ends_with_its_engine_while_it_carries(version: Version) {
    ends_without_interface(version, true, kill_engine);
}

fn demand_ends_with_its_interface(version: Version) {
    ends_without_interface(version, false, |network| drop(network.client.run("ip link del ppp0")));
}

fn demand_waits_for_a_server_that_comes_later(version: Version) {
    let mut network = Network::new(version);
    let options = "demand holdoff 1 maxfail 0 10.99.1.2:10.99.1.1 noipv6 logfile /run/test/client.log";
    let line = format!("pppd {} nodetach", network.client_options(options));
    network.client.run(&format!("{line} > /run/test/client.out 2>&1 & echo $! > /run/test/pid"));
    eventually("the interface is there", SOON, || {
        network.client.succeeds("ip addr show dev ppp0 up | grep -q 10.99.1.2").then_some(())
    });
    assert!(!network.client.succeeds("ping -c 3 -W 1 10.99.1.1"));
    network.serve("10.99.1.1:10.99.1.2 noipv6");
    eventually("it carries", SOON, || (network.client.pings(1, 56, "10.99.1.1") == 1).then_some(()));
    network.client.run("kill -TERM $(cat /run/test/pid)");
    network.assert_nothing_left();
}

fn a_script_s_child_keeps_nothing_alive(version: Version) {
    let network = Network::start_server(version, "noipv6");
    // pppd 2.5 keeps a socket of the kind netlink, which its scripts inherit.
    let list = "for fd in /proc/self/fd/*; do readlink $fd; done > /run/test/all
        for one in $(cat /run/test/all); do inode=${one#socket:[}; inode=${inode%]}
            grep -q \" $inode *\\$\" /proc/net/netlink || echo $one; done > /run/test/descriptors.new
        echo end >> /run/test/descriptors.new; mv /run/test/descriptors.new /run/test/descriptors";
    network.client.script("/etc/ppp/ip-up", &format!("{list}\nsetsid sleep 300 &"));
    let pppd = network.dial_up("client", 1, "noipv6");
    let text = eventually("ip-up has run", SOON, || {
        Some(network.client.read("/run/test/descriptors")).filter(|text| !text.is_empty())
    });
    assert!(!text.contains("socket:") && !text.contains("net/tun"), "{text}");
    pppd.signal("KILL");
    eventually("the engine has ended", AT_ONCE, || network.client.processes("pptp-engine").is_empty().then_some(()));
    eventually("the call is released", AT_ONCE, || network.journal().contains("got Call-Clear-Request").then_some(()));
    assert_eq!(network.client.interfaces(), [""; 0]);
}

fn the_other_tunnel_does_not_notice(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let first = network.dial_up("first", 1, "noipv6");
    let mut second = network.dial_up("second", 2, "noipv6");
    first.signal("KILL");
    eventually("the first interface is gone", AT_ONCE, || (network.client.interfaces() == ["ppp1"]).then_some(()));
    network.client.send_stream(&network.server, "10.99.2.1", 1_000_000);
    second.signal("TERM");
    assert_eq!(second.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn five_pppd_start_at_the_same_time(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut all: Vec<_> = (1..=5).map(|number| network.dial(&format!("client{number}"), "noipv6")).collect();
    for pppd in &all {
        pppd.wait_for("remote IP address", 1, SOON);
    }
    let mut interfaces = network.client.interfaces();
    interfaces.sort();
    assert_eq!(interfaces, ["ppp0", "ppp1", "ppp2", "ppp3", "ppp4"]);
    for call in 1..=5 {
        let address = format!("10.99.{call}.1");
        eventually("it carries", SOON, || (network.client.pings(1, 56, &address) == 1).then_some(()));
    }
    for pppd in &mut all {
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(AT_ONCE), 5);
    }
    network.assert_nothing_left();
}

fn a_dry_run_leaves_nothing(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial("client", "dump dryrun noipv6");
    assert_eq!(pppd.exit_status(SOON), 0);
    assert!(!network.journal().contains("accepted"));
    network.assert_nothing_left();
}

fn a_device_that_has_the_name_is_left_alone(version: Version) {
    let network = Network::start_server(version, "noipv6");
    network.client.run("ip tuntap add mode tun name ppp0");
    let mut pppd = network.dial_up("client", 1, "noipv6");
    assert_eq!(network.client.interfaces(), ["ppp0", "ppp1"]);
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    assert_eq!(network.client.interfaces(), ["ppp0"]);
}

fn ipv6_alone_is_enough(version: Version) {
    let network = Network::start_server(version, "noip +ipv6");
    let mut pppd = network.dial("client", "noip +ipv6 ipv6 ::2,::1");
    pppd.wait_for("remote LL address", 1, SOON);
    eventually("it carries", SOON, || (network.client.pings(1, 56, "fe80::1%ppp0") == 1).then_some(()));
    assert_eq!(network.client.pings(3, 1000, "fe80::1%ppp0"), 3);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn lcp_may_leave_out_every_option(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd =
        network.dial_up("client", 1, "nopcomp noaccomp nomagic default-asyncmap default-mru kdebug 7 noipv6");
    assert_eq!(network.client.pings(3, 1400, "10.99.1.1"), 3);
    network.client.send_stream(&network.server, "10.99.1.1", 1_000_000);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

fn a_dead_way_is_noticed(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "lcp-echo-interval 1 lcp-echo-failure 3 lcp-max-terminate 1 noipv6");
    network.server.run("ip link set cable down");
    // Status 15, until the Terminate-Request that nobody answers makes it a hang-up.
    assert_eq!(pppd.exit_status(SOON), 16);
    assert_eq!(pppd.count("No response to 3 echo-requests"), 1);
    eventually("the client has nothing left", 2 * SOON, || network.client.leftovers().is_empty().then_some(()));
}
