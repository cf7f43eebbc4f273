//! When pppd dials, and where it runs meanwhile.

use pptp_native::{AT_ONCE, Network, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    demand_dials_for_a_packet_which_arrives,
    persist_dials_again_and_keeps_the_unit,
    updetach_returns_to_the_shell_when_the_tunnel_is_up,
    pppd_detaches_by_itself,
}

const IDLE: i32 = 12;

fn demand_dials_for_a_packet_which_arrives(version: Version) {
    let mut network = Network::new(version);
    network.serve("10.99.1.1:10.99.1.2 noipv6");
    let mut pppd = network.dial("client", "demand idle 2 holdoff 1 10.99.1.2:10.99.1.1 noipv6");
    let client = &network.client;
    eventually("the interface is there", SOON, || {
        client.succeeds("ip addr show dev ppp0 up | grep -q 10.99.1.2").then_some(())
    });
    assert!(!network.journal().contains("accepted"));
    // The ping that dials is itself carried, once there is a tunnel; the server drops it if its pppd is not ready by then.
    for call in 1..=2 {
        assert!(client.succeeds("ping -c 1 -i 1 -w 30 10.99.1.1"));
        pppd.wait_for("due to lack of activity", call, SOON);
        pppd.wait_for("Connection terminated", call, SOON);
        assert_eq!(client.interfaces(), ["ppp0"]);
        // Dialling waits for the time that holdoff asks for.
        std::thread::sleep(std::time::Duration::from_millis(1500));
    }
    pppd.signal("TERM");
    let status = pppd.exit_status(AT_ONCE);
    assert!([IDLE, 5].contains(&status), "{status}");
    network.assert_nothing_left();
}

fn persist_dials_again_and_keeps_the_unit(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_up("client", 1, "persist unit 7 holdoff 1 maxfail 0 noipv6");
    for call in 2..=3 {
        assert_eq!(network.client.interfaces(), ["ppp7"]);
        let processes = network.server.processes("pppd");
        network.server.signal("KILL", processes[0]);
        pppd.wait_for("remote IP address", call, SOON);
        let address = format!("10.99.{call}.1");
        eventually("the tunnel is up again", SOON, || (network.client.pings(1, 56, &address) == 1).then_some(()));
    }
    assert_eq!(network.client.processes("pptp-engine").len(), 1);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    network.assert_nothing_left();
}

/// Ends the pppd that has the interface ppp0, wherever it runs.
fn terminate(network: &Network) {
    network.client.run("kill -TERM $(cat /run/ppp0.pid)");
    network.assert_nothing_left();
}

fn command_line(network: &Network, options: &str) -> String {
    format!("pppd logfile /run/test/client.log {}", network.client_options(options))
}

fn updetach_returns_to_the_shell_when_the_tunnel_is_up(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let line = command_line(&network, "updetach noipv6");
    // A process that kept the pipe would keep the shell.
    let said = network.client.run(&format!("out=$({line}); echo \"status $?\"; ip addr show dev ppp0; echo \"$out\""));
    assert!(said.starts_with("status 0\n") && said.contains("10.99.1.2"), "{said}");
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.1.1") == 1).then_some(()));
    terminate(&network);
}

fn pppd_detaches_by_itself(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_as_is("client", "noipv6");
    assert_eq!(pppd.exit_status(SOON), 0);
    pppd.wait_for("remote IP address", 1, SOON);
    eventually("a ping is answered", SOON, || (network.client.pings(1, 56, "10.99.1.1") == 1).then_some(()));
    terminate(&network);
}
