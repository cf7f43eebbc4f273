//! Much of it.

use pptp_native::{Network, Version, with_either_pppd};

with_either_pppd! { a_hundred_megabytes_each_way_arrive_as_they_were_sent }

const STREAM: u32 = 100_000_000;

fn a_hundred_megabytes_each_way_arrive_as_they_were_sent(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let _pppd = network.dial_up("client", 1, "noipv6");
    let Network { client, server, .. } = &network;
    client.send_stream(server, "10.99.1.1", STREAM);
    server.send_stream(client, "10.99.1.2", STREAM);
}

#[test]
fn different_pppd_understand_each_other() {
    let mut network = Network::of([Version::V2_4_9, Version::V2_5_2]);
    network.serve_many("+ipv6");
    let _pppd = network.dial_up("client", 1, "+ipv6 ipv6 ::2,::1");
    assert_eq!(network.client.pings(5, 1400, "10.99.1.1"), 5);
    assert_eq!(network.server.pings(5, 1200, "10.99.1.2"), 5);
}
