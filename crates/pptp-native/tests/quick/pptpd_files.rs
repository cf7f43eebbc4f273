//! pptp-rsd with the files that were written for pptpd.

use pptp_native::{Daemon, Network, SOON, Version, eventually, with_either_pppd};

with_either_pppd! {
    debian_s_files_work_as_they_are,
}

const CLIENT: &str = "user alice require-mppe-128 noipv6";

/// What Debian's scripts run for their users.
const RECORD: &str = r#"{ echo "arguments $# [$1] [$4] [$5] [$6]"; env; } > /run/test/recorded.new
mv /run/test/recorded.new /run/test/${0##*/}"#;

fn debian_s_files_work_as_they_are(version: Version) {
    let network = Network::new(version);
    let Network { client, server, .. } = &network;
    client.run("umask 077; echo 'alice * secret *' > /etc/ppp/chap-secrets");
    // "name pptpd" is in pptpd-options.
    server.run("umask 077; echo 'alice pptpd secret *' > /etc/ppp/chap-secrets");
    server.run("mkdir /etc/ppp/ip-up.d /etc/ppp/ip-down.d; ip addr add 192.168.1.200/24 dev cable");
    for file in ["options", "ip-up", "ip-down", "pptpd-options"] {
        let path = format!("/etc/ppp/{file}");
        server.write(&path, &version.distributed(&path));
    }
    server.write("/run/test/pptpd.conf", &version.distributed("/etc/pptpd.conf"));
    server.run("chmod a+x /etc/ppp/ip-up /etc/ppp/ip-down");
    for script in ["ip-up", "ip-down"] {
        server.script(&format!("/etc/ppp/{script}.d/{script}"), RECORD);
    }
    server.run("mount -t tmpfs tmpfs /var/log; : > /var/log/wtmp");
    let mut daemon =
        Daemon::start_with(server, "-c /run/test/pptpd.conf --datapath tun --plugin /run/plugin/pptp-rs.so");
    let mut pppd = network.dial("client", CLIENT);
    // The addresses are pptpd's own defaults.
    pppd.wait_for("local  IP address 192.168.1.1", 1, SOON);
    pppd.wait_for("remote IP address 192.168.0.1", 1, SOON);
    pppd.wait_for("MPPE 128-bit stateless compression enabled", 1, SOON);
    eventually("a ping is answered", SOON, || (client.pings(1, 56, "192.168.0.1") == 1).then_some(()));
    let proxies = || server.run("ip neigh show proxy");
    eventually("others find the client", SOON, || proxies().contains("192.168.1.1 dev cable").then_some(()));
    let recorded = |script: &str| {
        let read = || Some(server.read(&format!("/run/test/{script}"))).filter(|text| !text.is_empty());
        eventually("Debian's script has run", SOON, read)
    };
    let ip_up = recorded("ip-up");
    for line in [
        "arguments 6 [ppp0] [192.168.0.1] [192.168.1.1] [192.0.2.2]",
        "PPP_IPPARAM=192.0.2.2",
        "PEERNAME=alice",
        "IPLOCAL=192.168.0.1",
        "IPREMOTE=192.168.1.1",
    ] {
        assert!(ip_up.lines().any(|found| found == line), "{line}: {ip_up}");
    }
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
    daemon.wait_for("has ended after", 1, SOON);
    let ip_down = recorded("ip-down");
    for name in ["BYTES_SENT=", "BYTES_RCVD=", "CONNECT_TIME=", "PEERNAME=alice"] {
        assert!(ip_down.lines().any(|line| line.starts_with(name)), "{name}: {ip_down}");
    }
    assert_eq!(proxies(), "");
    // Debian's pptpd.conf says logwtmp: a record of the beginning and one of the end.
    let wtmp = server.read("/var/log/wtmp");
    let count = |text: &str| wtmp.matches(text).count();
    assert_eq!((count("ppp0"), count("alice"), count("192.0.2.2")), (2, 1, 1), "{wtmp}");
    daemon.signal("TERM");
    assert_eq!(daemon.exit_status(SOON), 0);
    network.assert_nothing_left();
}
