//! Calls from one pptp-rsd to another, with stock pppds on both ends.

use pptp_native::{AT_ONCE, Daemon, Network, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    three_calls_of_one_control_connection_in_both_directions,
    two_clients_with_one_address_and_one_call_id,
}

const AS_PNS: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";
const CLIENT: &str = "plugin /run/plugin/pptp-rs.so pptp_datapath tun noauth user alice require-mppe-128 noipv6 noipdefault debug \
                      logfile /run/test/pac.log";
const AS_PAC: &str = "noauth user alice require-mppe-128 noipv6 noipdefault debug";

fn three_calls_of_one_control_connection_in_both_directions(version: Version) {
    let network = Network::new(version);
    network.tell_password("secret");
    let Network { client: near, server: far, .. } = &network;
    let others = "localip 10.98.0.1\nremoteip 10.98.0.2-9";
    let (mut here, mut there) = (Daemon::start(near, others, AS_PNS), Daemon::start(far, "", AS_PNS));
    let idle = [here.descriptors(), there.descriptors()];
    for machine in [near, far] {
        machine.run(&format!("echo '{AS_PAC} logfile /run/test/pac.log' > /run/test/pac"));
    }
    // Two that one end places, and one that the other does.
    let call = |daemon: &Daemon<'_>, address| daemon.control(&format!("call {address} --option-file /run/test/pac"));
    assert_eq!(call(&here, "192.0.2.1"), "session 1 is connected to 192.0.2.1:1723\n");
    assert_eq!(call(&here, "192.0.2.1"), "session 2 is connected to 192.0.2.1:1723\n");
    assert!(call(&there, "192.0.2.2").starts_with("session 3 is connected to 192.0.2.2:"));
    eventually("all pppds encrypt", SOON, || {
        let enabled = |log: &str| log.matches("MPPE 128-bit stateless compression enabled").count();
        let [near, far] = [near, far]
            .map(|machine| enabled(&machine.read("/run/test/pac.log")) + enabled(&machine.read("/run/test/pppd.log")));
        (near == 3 && far == 3).then_some(())
    });
    let pings = |addresses: &[&str]| {
        for address in addresses {
            let machine = if address.starts_with("10.99") { far } else { near };
            eventually(&format!("{address} answers"), SOON, || (machine.pings(3, 1000, address) == 3).then_some(()));
        }
    };
    pings(&["10.99.0.2", "10.99.0.3", "10.98.0.2"]);
    for daemon in [&here, &there] {
        assert_eq!(daemon.log().matches("control connection established").count(), 1, "{}", daemon.log());
    }
    // One ends, and the others live on.
    here.control("disconnect 1");
    for daemon in [&here, &there] {
        daemon.wait_for("has ended after", 1, SOON);
    }
    pings(&["10.99.0.3", "10.98.0.2"]);
    there.control("disconnect 2");
    here.control("disconnect 3");
    for (daemon, idle) in [&here, &there].into_iter().zip(idle) {
        daemon.wait_for("has ended after", 3, SOON);
        eventually("no descriptor is left", SOON, || (daemon.descriptors() == idle).then_some(()));
    }
    for daemon in [&mut here, &mut there] {
        daemon.signal("TERM");
        assert_eq!(daemon.exit_status(AT_ONCE), 0);
    }
    network.assert_nothing_left();
}

/// Their packets to the server have its own ids; those to them go to one address under one id, from two of the server's.
fn two_clients_with_one_address_and_one_call_id(version: Version) {
    let network = Network::new(version);
    network.tell_password("secret");
    let Network { client, server, .. } = &network;
    server.run("ip addr add 192.0.2.9/24 dev cable");
    let mut daemon = Daemon::start(server, "", AS_PNS);
    let idle = daemon.descriptors();
    let mut callers = ["192.0.2.1", "192.0.2.9"].map(|address| client.caller(address, 77, CLIENT));
    let log = || client.read("/run/test/pac.log");
    eventually("both links are up", SOON, || (log().matches("remote IP address").count() == 2).then_some(()));
    assert_eq!(daemon.log().matches("peer's call id 77, addresses").count(), 2, "{}", daemon.log());
    for address in ["10.99.0.2", "10.99.0.3"] {
        eventually("the client answers", SOON, || (server.pings(3, 1000, address) == 3).then_some(()));
    }
    // One ends, and the other lives on.
    client.signal("TERM", client.processes("pppd")[0]);
    daemon.wait_for("has ended after", 1, SOON);
    let left = eventually("one is left", SOON, || {
        let interfaces = server.run("ip -o -4 addr show");
        let of = |address: &str| interfaces.contains(&format!("peer {address}/32"));
        (of("10.99.0.2") != of("10.99.0.3")).then(|| if of("10.99.0.2") { "10.99.0.2" } else { "10.99.0.3" })
    });
    eventually("the other answers", SOON, || (server.pings(3, 1000, left) == 3).then_some(()));
    let last = eventually("the other's pppd is the only one", SOON, || match client.processes("pppd")[..] {
        [last] => Some(last),
        _ => None,
    });
    client.signal("TERM", last);
    daemon.wait_for("has ended after", 2, SOON);
    eventually("no descriptor is left", SOON, || (daemon.descriptors() == idle).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(AT_ONCE), 0);
    assert!(callers.iter_mut().all(|caller| caller.wait().is_ok_and(|status| status.success())));
    network.assert_nothing_left();
}
