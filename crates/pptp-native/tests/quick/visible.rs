//! What operators of pptp-rsd see of sessions with stock pppds, and whom they end.

use pptp_native::{AT_ONCE, Daemon, Network, Pppd, SOON, Version, eventually, on_one_processor, with_either_pppd};

with_either_pppd! {
    a_session_is_shown_with_what_pppd_knows,
    addresses_that_pppd_chooses_are_known,
    a_user_is_disconnected_and_nobody_else,
    what_is_not_encrypted_is_said_to_be_so,
}

const SERVER: &str = "auth require-mschap-v2 name server noipv6";
const WITH_MPPE: &str = "auth require-mschap-v2 name server require-mppe-128 noipv6";

fn network(version: Version) -> Network {
    let network = Network::new(version);
    for machine in [&network.client, &network.server] {
        machine.run("umask 077; printf 'alice * secret *\\nbob * secret *\\n' > /etc/ppp/chap-secrets");
    }
    network
}

/// Both ends are up: the server has told of it.
fn dial_up<'a>(network: &'a Network, daemon: &Daemon<'_>, session: u32, options: &str) -> Pppd<'a> {
    let pppd = network.dial(&format!("session{session}"), &format!("noipv6 {options}"));
    pppd.wait_for("remote IP address", 1, SOON);
    eventually("the server's end is up", SOON, || daemon.shows(session, "\"mppe\":").then_some(()));
    pppd
}

fn a_session_is_shown_with_what_pppd_knows(version: Version) {
    on_one_processor();
    let network = network(version);
    let daemon = Daemon::start(&network.server, "metrics-listen 127.0.0.1:9000", WITH_MPPE);
    let mut pppd = dial_up(&network, &daemon, 1, "user alice require-mppe-128");
    let Network { client, server, .. } = &network;
    client.send_stream(server, "10.99.0.1", 2_000_000);
    // A pppd of a busy machine may be asked before it answers in time.
    let shown = eventually("the server knows what has passed", SOON, || {
        Some(daemon.control("--json show 1")).filter(|shown| number(shown, "bytes-received") >= 2_000_000)
    });
    for part in [
        r#""user":"alice","client":"192.0.2.2:"#,
        r#""datapath":"tun""#,
        r#""local":"10.99.0.1","remote":"10.99.0.2""#,
        r#""interface":"ppp0","mppe":"MPPE-128 stateless""#,
        r#""lost":0,"reordered":0,"#,
        r#""round-trip-us":"#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let received = number(&shown, "bytes-received");
    assert!((2_000_000..2_200_000).contains(&received), "{shown}");
    assert!(number(&shown, "packets-received") > 1300 && number(&shown, "bytes-sent") > 1000, "{shown}");
    let listed = daemon.control("sessions");
    assert!(listed.contains(" alice ") && listed.contains(" MPPE-128 stateless "), "{listed}");
    let get = "exec 3<>/dev/tcp/127.0.0.1/9000 && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3";
    let metrics = server.run(&format!("bash -c \"{get}\""));
    let who = "id=\"1\",user=\"alice\",client=\"192.0.2.2\"";
    assert!(metrics.contains(&format!("session_received_bytes_total{{{who}}} {received}\n")), "{metrics}");
    let is = "state=\"running\",interface=\"ppp0\",local=\"10.99.0.1\",remote=\"10.99.0.2\",datapath=\"tun\",mppe=\"MPPE-128";
    assert!(metrics.contains(&format!("session_info{{{who},{is} stateless\"}} 1\n")), "{metrics}");
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(AT_ONCE), 5);
    daemon.wait_for(
        "session 1 ended: user=alice client=192.0.2.2 local=10.99.0.1 remote=10.99.0.2 interface=ppp0 ",
        1,
        SOON,
    );
    let stats = daemon.control("--json stats");
    assert!(number(&stats, "bytes-received") >= received, "{stats}");
}

fn number(json: &str, name: &str) -> u64 {
    let rest = json.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn addresses_that_pppd_chooses_are_known(version: Version) {
    let network = network(version);
    let daemon = Daemon::start(&network.server, "delegate", &format!("{WITH_MPPE} 10.98.0.1:10.98.0.2"));
    let mut pppd = dial_up(&network, &daemon, 1, "user alice require-mppe-128");
    assert!(daemon.shows(1, r#""local":"10.98.0.1","remote":"10.98.0.2""#));
    // Nobody has asked since: its last words are what the log has.
    network.client.send_stream(&network.server, "10.98.0.1", 1_000_000);
    assert_eq!(daemon.control("disconnect 10.98.0.2"), "1 session told to end\n");
    assert_eq!(pppd.exit_status(AT_ONCE), 16);
    daemon.wait_for("reason=an operator has ended it", 1, SOON);
    let log = daemon.log();
    let end = log.lines().find(|line| line.contains(" ended: user=alice ")).unwrap_or_default();
    let bytes = end.split_once(" bytes-received=").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(end.contains(" remote=10.98.0.2 ") && bytes.is_some_and(|bytes| bytes > 1_000_000), "{end}");
}

fn a_user_is_disconnected_and_nobody_else(version: Version) {
    let network = network(version);
    let daemon = Daemon::start(&network.server, "", WITH_MPPE);
    let mut all: Vec<_> = ["alice", "bob", "alice"]
        .into_iter()
        .zip(1..)
        .map(|(user, session)| dial_up(&network, &daemon, session, &format!("user {user} require-mppe-128")))
        .collect();
    assert_eq!(daemon.control("disconnect alice"), "2 sessions told to end\n");
    for alice in [2, 0] {
        assert_eq!(all.remove(alice).exit_status(AT_ONCE), 16);
    }
    daemon.wait_for("has ended after", 2, SOON);
    assert_eq!(network.server.pings(3, 56, "10.99.0.3"), 3);
    assert!(all[0].is_running());
    let listed = daemon.control("sessions");
    assert!(listed.lines().count() == 2 && listed.contains(" bob "), "{listed}");
}

fn what_is_not_encrypted_is_said_to_be_so(version: Version) {
    let network = network(version);
    let daemon = Daemon::start(&network.server, "", SERVER);
    let _pppd = dial_up(&network, &daemon, 1, "user bob nomppe");
    assert!(daemon.shows(1, r#""user":"bob""#) && daemon.shows(1, r#""mppe":"none""#), "{}", daemon.control("show 1"));
}
