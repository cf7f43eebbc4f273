//! Tunnels that take the default route: the way to the server stays outside of them, and all is as before when they are gone.
#![expect(clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use pptp_native::{AT_ONCE, CLIENT, Network, Pppd, SERVER, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    a_tunnel_is_the_default_route_and_does_not_carry_itself,
    a_pppd_that_detaches_keeps_its_route_and_another_ones_stays,
    without_its_route_that_is_warned_of,
    the_route_comes_back_with_the_line,
    with_demand_the_route_comes_before_the_call,
    each_call_has_its_route_and_each_tunnel_its_own,
}

/// The server's address, which is behind its other one: the client reaches it by its default route alone.
const BEHIND: &str = "203.0.113.1";

/// A machine that is reached through the tunnel, and in no other way.
const FAR: &str = "198.18.0.1";

const EVERYTHING: &str = "noipv6 defaultroute replacedefaultroute lcp-echo-interval 5 lcp-echo-failure 8";

/// A client with a default route, and a server behind the router at its end.
fn network(version: Version) -> Network {
    let mut network = Network::new(version);
    network.client.run(&format!("ip route add default via {SERVER}"));
    network.server.run(&format!("ip addr add {BEHIND}/32 dev lo && ip addr add {FAR}/32 dev lo"));
    network.serve_many("noipv6");
    network
}

fn dial<'a>(network: &'a Network, options: &str) -> Pppd<'a> {
    network.dial("client", &format!("pptp_server {BEHIND} {EVERYTHING} {options}"))
}

fn wait_until_up(network: &Network, pppd: &Pppd<'_>) {
    pppd.wait_for("remote IP address", 1, SOON);
    eventually("the default route is the tunnel's", SOON, || {
        network.client.succeeds("ip route show default | grep -q ppp0").then_some(())
    });
    network.wait_for_server(1, "remote IP address");
}

/// By which device the client sends to this address.
fn device(network: &Network, address: &str) -> String {
    let route = network.client.run(&format!("ip -o route get {address}"));
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev");
    words.nth(1).unwrap_or_else(|| panic!("no device: {route}")).to_owned()
}

fn routes(network: &Network) -> String {
    // A cable is noticed to be up a moment after it is.
    network.client.run("ip -4 route show table all").replace("linkdown ", "")
}

fn routes_to_server(network: &Network) -> String {
    network.client.run(&format!("ip route show exact {BEHIND}"))
}

fn end(network: &Network, pppd: &mut Pppd<'_>, before: &str) {
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
    assert_eq!(routes_to_server(network), "");
    assert_as_before(network, before);
}

/// Of an interface that is being removed there are routes until that is done.
fn assert_as_before(network: &Network, before: &str) {
    network.assert_nothing_left();
    eventually("all routes are as before", SOON, || (routes(network) == before).then_some(()));
}

fn a_tunnel_is_the_default_route_and_does_not_carry_itself(version: Version) {
    let network = network(version);
    let before = routes(&network);
    let mut pppd = dial(&network, "");
    wait_until_up(&network, &pppd);
    pppd.wait_for(&format!("a route outside the tunnel: {BEHIND} by way of {SERVER}"), 1, AT_ONCE);
    assert_eq!((device(&network, BEHIND), device(&network, FAR)), ("cable".into(), "ppp0".into()));
    assert_eq!(network.client.pings(20, 1000, FAR), 20);
    assert_eq!(pppd.count("leads into the tunnel"), 0, "{}", pppd.log());
    end(&network, &mut pppd, &before);
}

fn a_pppd_that_detaches_keeps_its_route_and_another_ones_stays(version: Version) {
    let network = network(version);
    network.client.run(&format!("ip route add {BEHIND} via {SERVER}"));
    let before = routes(&network);
    let mut pppd = network.dial_as_is("client", &format!("updetach pptp_server {BEHIND} {EVERYTHING}"));
    assert_eq!(pppd.exit_status(SOON), 0);
    network.wait_for_server(1, "remote IP address");
    assert_eq!(routes_to_server(&network).lines().count(), 2);
    network.client.run(&format!("ip route del {BEHIND} metric 0"));
    assert_eq!(network.client.pings(20, 1000, FAR), 20);
    network.client.run(&format!("ip route add {BEHIND} via {SERVER}"));
    let [process] = network.client.processes("pppd")[..] else { panic!("one pppd") };
    network.client.signal("TERM", process);
    assert_as_before(&network, &before);
}

fn without_its_route_that_is_warned_of(version: Version) {
    let network = network(version);
    let before = routes(&network);
    let mut pppd = dial(&network, "pptp_host_route off");
    wait_until_up(&network, &pppd);
    pppd.wait_for(&format!("the way to {BEHIND} leads into the tunnel itself"), 1, SOON);
    assert_eq!(pppd.count("outside the tunnel: "), 0);
    end(&network, &mut pppd, &before);
    // What does not take the default route needs none.
    let mut pppd = network.dial("plain", &format!("pptp_server {BEHIND} noipv6"));
    pppd.wait_for("remote IP address", 1, SOON);
    assert_eq!(routes_to_server(&network), "");
    end(&network, &mut pppd, &before);
}

fn the_route_comes_back_with_the_line(version: Version) {
    let network = network(version);
    let before = routes(&network);
    let mut pppd = dial(&network, "");
    wait_until_up(&network, &pppd);
    // As a lease that has run out, and comes again.
    network.client.run(&format!("ip addr del {CLIENT}/24 dev cable"));
    pppd.wait_for(&format!("the route outside the tunnel to {BEHIND} has gone"), 1, SOON);
    network.client.run(&format!("ip addr add {CLIENT}/24 dev cable"));
    pppd.wait_for("had gone, and is there again", 1, SOON);
    eventually("the tunnel carries", SOON, || (network.client.pings(1, 100, FAR) == 1).then_some(()));
    assert_eq!(device(&network, BEHIND), "cable");
    end(&network, &mut pppd, &before);
}

fn with_demand_the_route_comes_before_the_call(version: Version) {
    let network = network(version);
    let before = routes(&network);
    let mut pppd = dial(&network, "demand 10.99.1.2:10.99.1.1 persist holdoff 1");
    eventually("the default route is the tunnel's", SOON, || {
        network.client.succeeds("ip route show default | grep -q ppp0").then_some(())
    });
    assert_eq!((device(&network, BEHIND), pppd.count("is up: call id")), ("cable".into(), 0));
    eventually("a packet has made the call", SOON, || (network.client.pings(1, 100, FAR) == 1).then_some(()));
    // Between the calls, too.
    pppd.signal("HUP");
    eventually("the call is over", SOON, || (pppd.count("session ended") == 1).then_some(()));
    assert_eq!(device(&network, BEHIND), "cable");
    assert_eq!(pppd.count("a route outside the tunnel: "), 1);
    end(&network, &mut pppd, &before);
}

fn each_call_has_its_route_and_each_tunnel_its_own(version: Version) {
    let network = network(version);
    let before = routes(&network);
    let count = |count: usize| {
        eventually(&format!("{count} routes to the server"), SOON, || {
            (routes_to_server(&network).lines().count() == count).then_some(())
        });
    };
    let mut first = dial(&network, "persist holdoff 1 maxfail 0");
    wait_until_up(&network, &first);
    let second = network.dial_up("second", 2, &format!("pptp_server {BEHIND} noipv6 pptp_host_route on"));
    count(2);
    first.signal("HUP");
    first.wait_for("is up: call id", 2, SOON);
    first.wait_for("a route outside the tunnel", 2, SOON);
    first.wait_for("remote IP address", 2, SOON);
    count(2);
    first.signal("TERM");
    assert_eq!(first.exit_status(SOON), 5);
    count(1);
    // What a killed pppd leaves hinders nobody.
    second.signal("KILL");
    let mut third = dial(&network, "logfile /run/test/third.log");
    eventually("the third is up", SOON, || {
        network.client.read("/run/test/third.log").contains("remote IP address").then_some(())
    });
    network.wait_for_server(4, "remote IP address");
    assert_eq!(network.client.pings(20, 1000, FAR), 20);
    count(2);
    network.client.run(&format!("ip route del {BEHIND} metric 2"));
    end(&network, &mut third, &before);
}
