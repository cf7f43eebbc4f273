//! What pppd tells its scripts about bytes: those of the IP packets, to the byte.

use pptp_native::{AT_ONCE, Machine, Network, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    pings_are_counted_to_the_byte,
    both_ends_count_a_stream_alike,
}

/// Sent and received, as the script has heard.
fn bytes(machine: &Machine) -> [u64; 2] {
    let text =
        eventually("ip-down has run", SOON, || Some(machine.read("/run/test/ip-down")).filter(|text| !text.is_empty()));
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX)).collect();
    numbers.try_into().unwrap_or([u64::MAX; 2])
}

/// What the client and the server have counted while `traffic` passed.
fn counted(version: Version, traffic: impl Fn(&Network)) -> [[u64; 2]; 2] {
    let network = Network::start_server(version, "noipv6");
    let Network { client, server, .. } = &network;
    for machine in [client, server] {
        let words =
            "echo $BYTES_SENT $BYTES_RCVD > /run/test/ip-down.new && mv /run/test/ip-down.new /run/test/ip-down";
        machine.script("/etc/ppp/ip-down", words);
    }
    let mut pppd = network.dial_up("client", 1, "noipv6");
    traffic(&network);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    let both = [bytes(client), bytes(server)];
    for log in [pppd.log(), network.server_log(1)] {
        assert!(!log.contains("Couldn't get PPP statistics"), "{log}");
        assert!(
            log.contains(&format!("Sent {} bytes, received {} bytes", both[0][0], both[0][1]))
                || log.contains(&format!("Sent {} bytes, received {} bytes", both[1][0], both[1][1])),
            "{both:?}"
        );
    }
    both
}

fn pings_are_counted_to_the_byte(version: Version) {
    let both = counted(version, |network| {
        assert_eq!(network.client.pings(10, 100, "10.99.1.1"), 10);
        assert_eq!(network.server.pings(5, 1000, "10.99.1.2"), 5);
    });
    // Data, ICMP's header, IP's header.
    let all = 10 * (100 + 8 + 20) + 5 * (1000 + 8 + 20);
    assert_eq!(both, [[all; 2]; 2]);
}

fn both_ends_count_a_stream_alike(version: Version) {
    const STREAM: u32 = 5_000_000;
    let [client, server] = counted(version, |network| {
        network.client.send_stream(&network.server, "10.99.1.1", STREAM);
    });
    assert_eq!((client[0], client[1]), (server[1], server[0]));
    assert!(client[0] > u64::from(STREAM) && client[0] < u64::from(STREAM) * 21 / 20, "{client:?}");
}
