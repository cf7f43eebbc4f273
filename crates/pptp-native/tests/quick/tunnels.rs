//! What a client's machine gets to know of its tunnels: `pptp-rsctl tunnels`, the variables of pppd's scripts, and the line at
//! the end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::time::{Duration, Instant};

use pptp_native::{AT_ONCE, Network, Pppd, SERVER, SOON, Version, eventually, on_one_processor, with_either_pppd};

with_either_pppd! {
    tunnels_are_listed_while_they_are_up,
    a_tunnel_goes_on_being_told_of_after_pppd_has_detached,
    one_that_is_stopped_or_was_killed_hinders_no_other,
    what_a_killed_pppd_has_left_the_next_one_removes,
    a_tunnel_is_told_of_before_it_is_up_and_between_calls,
    scripts_get_to_know_the_call,
}

/// What pptp-rsctl says.
#[track_caller]
fn tunnels_at_once(network: &Network, which: &str) -> String {
    network.client.run(&format!("/run/bin/pptp-rsctl tunnels {which}"))
}

/// The same, when every pppd has answered: on a busy machine one may take longer than pptp-rsctl waits.
#[track_caller]
fn tunnels(network: &Network, which: &str) -> String {
    let said = || Some(tunnels_at_once(network, which)).filter(|said| !said.contains("does not answer"));
    eventually("every pppd answers", SOON, said)
}

fn number(json: &str, name: &str) -> u64 {
    let rest = json.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Words like these, in this order.
#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} in {text}")).1;
    }
}

/// The only line of the log with this text.
#[track_caller]
fn line(pppd: &Pppd<'_>, text: &str) -> String {
    assert_eq!(pppd.count(text), 1, "{}", pppd.log());
    pppd.wait_for(text, 1, AT_ONCE)
}

fn tunnels_are_listed_while_they_are_up(version: Version) {
    const MPPE: &str = "user alice noipv6 require-mppe-128";
    on_one_processor();
    let mut network = Network::new(version);
    assert_eq!(tunnels(&network, ""), "no tunnels\n");
    assert_eq!(tunnels(&network, "--json"), "[]\n");
    network.serve_with_password("secret", "require-mppe-128");
    let mut first = network.dial_up("first", 1, &format!("{MPPE} linkname office"));
    let mut second = network.dial_up("second", 2, MPPE);
    network.client.send_stream(&network.server, "10.99.1.1", 1_000_000);
    let json = tunnels(&network, "--json");
    assert_eq!(json.matches("\"state\":\"running\"").count(), 2, "{json}");
    let json = tunnels(&network, "office --json");
    assert_in_order(
        &json,
        &[
            r#"[{"interface":"ppp0","state":"running","server":"192.0.2.1","address":"192.0.2.1","port":1723,"#,
            r#""datapath":"tun","choice":"data path tun"#,
            r#","call-id":"#,
            r#","peer-call-id":"#,
            r#","mppe":"MPPE-128 stateless","uptime":"#,
            r#","local":"10.99.1.2","remote":"10.99.1.1","bytes-received":"#,
            r#","lost":0,"reordered":0,"late":0,"duplicate":0,"round-trip-us":"#,
            &format!(r#","pppd":{},"linkname":"office"}}]"#, first.number()),
        ],
    );
    let sent = number(&json, "bytes-sent");
    assert!((1_000_000..1_200_000).contains(&sent) && number(&json, "packets-sent") > 700, "{json}");
    assert!(number(&json, "call-id") > 0 && number(&json, "round-trip-us") > 0, "{json}");
    let table = tunnels(&network, "");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_in_order(
        &table,
        &["INTERFACE", "RTT", "PPPD\n", "ppp0 ", " running ", SERVER, " tun ", "MPPE-128 stateless"],
    );
    let one = tunnels(&network, &second.number().to_string());
    assert!(one.contains("interface         ppp1\n") && one.contains("\nchoice            data path tun"), "{one}");
    assert!(!network.client.succeeds("/run/bin/pptp-rsctl tunnels nobody"));
    for pppd in [&mut first, &mut second] {
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(AT_ONCE), 5);
    }
    let end = line(&first, "session ended: ");
    assert_in_order(
        &end,
        &[
            "session ended: server=192.0.2.1 address=192.0.2.1 interface=ppp0 datapath=tun local=10.99.1.2 remote=10.99.1.1 seconds=",
            " bytes-received=",
            " packets-received=",
            " packets-sent=",
            " lost=0 reordered=0 reason=User request",
        ],
    );
    let bytes = end.split_once(" bytes-sent=").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(bytes.is_some_and(|bytes| bytes >= sent && bytes < sent + 1000), "{end}");
    // Who has made the offer tells of its end.
    assert!(!network.server_log(1).contains("session ended"), "{}", network.server_log(1));
    assert_eq!(tunnels(&network, ""), "no tunnels\n");
    network.assert_nothing_left();
}

fn a_tunnel_goes_on_being_told_of_after_pppd_has_detached(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let mut pppd = network.dial_as_is("client", "updetach noipv6");
    assert_eq!(pppd.exit_status(SOON), 0);
    let [process] = network.client.processes("pppd")[..] else { panic!("one pppd") };
    assert_ne!(process, pppd.number());
    let json = tunnels(&network, &format!("{process} --json"));
    assert!(json.contains(r#""interface":"ppp0","state":"running""#), "{json}");
    let sockets = network.client.run("find /run/pptp-rs -name 'tunnel-*'");
    assert_eq!(sockets, format!("/run/pptp-rs/tunnel-{process}\n"));
    network.client.signal("TERM", process);
    network.assert_nothing_left();
}

fn one_that_is_stopped_or_was_killed_hinders_no_other(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let options = "updetach noipv6 linkname";
    for (name, call) in [("stopped", 1), ("killed", 2), ("well", 3)] {
        let mut pppd = network.dial_as_is(name, &format!("{options} {name}"));
        assert_eq!(pppd.exit_status(SOON), 0);
        network.wait_for_server(call, "remote IP address");
    }
    let process = |name: &str| number(&tunnels(&network, &format!("{name} --json")), "pppd").try_into().unwrap();
    let [stopped, killed, well]: [u32; 3] = ["stopped", "killed", "well"].map(process);
    network.client.signal("STOP", stopped);
    network.client.signal("KILL", killed);
    eventually("it is dead", SOON, || (!network.client.processes("pppd").contains(&killed)).then_some(()));
    // Whoever is well may be slow on a busy machine, too.
    let json = eventually("the one that is well is told of in time", SOON, || {
        let begin = Instant::now();
        let json = tunnels_at_once(&network, "--json");
        (json.contains("\"linkname\":\"well\"") && begin.elapsed() < Duration::from_secs(6)).then_some(json)
    });
    assert!(json.contains(&format!("{{\"state\":\"does not answer\",\"pppd\":{stopped}}}")), "{json}");
    assert!(!json.contains("killed"), "{json}");
    assert!(!network.client.path(&format!("/run/pptp-rs/tunnel-{killed}")).exists());
    network.client.signal("CONT", stopped);
    assert!(tunnels(&network, "stopped").contains("running"));
    for process in [stopped, well] {
        network.client.signal("TERM", process);
    }
    network.assert_nothing_left();
}

fn what_a_killed_pppd_has_left_the_next_one_removes(version: Version) {
    let network = Network::start_server(version, "noipv6");
    let sockets = || network.client.run("find /run/pptp-rs -name '*tunnel-*' | sort");
    let first = network.dial_up("first", 1, "noipv6");
    let killed = first.number();
    first.signal("KILL");
    eventually("it is dead", SOON, || network.client.processes("pppd").is_empty().then_some(()));
    assert_eq!(sockets(), format!("/run/pptp-rs/tunnel-{killed}\n"));
    let mut second = network.dial_up("second", 2, "noipv6");
    assert_eq!(sockets(), format!("/run/pptp-rs/tunnel-{}\n", second.number()));
    second.signal("TERM");
    assert_eq!(second.exit_status(SOON), 5);
    network.assert_nothing_left();
}

fn a_tunnel_is_told_of_before_it_is_up_and_between_calls(version: Version) {
    let mut network = Network::new(version);
    network.serve_with("--on ocrq=nothing");
    let state = |state: &str| {
        let wanted = format!("\"state\":\"{state}\",\"server\":\"{SERVER}\"");
        eventually(&wanted, SOON, || tunnels(&network, "--json").contains(&wanted).then_some(()));
    };
    let mut pppd = network.dial("client", "persist maxfail 0 holdoff 5 pptp_connect_timeout 4 pptp_share off");
    state("connecting");
    state("waiting");
    state("connecting");
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
    assert_eq!(tunnels(&network, ""), "no tunnels\n");
    // No call, no line.
    assert_eq!(pppd.count("session ended"), 0);
}

fn scripts_get_to_know_the_call(version: Version) {
    const MPPE: &str = "require-mppe-128";
    let mut network = Network::new(version);
    for (machine, name) in [&network.client, &network.server].into_iter().zip(["client", "server"]) {
        for script in ["ip-pre-up", "ip-up", "ip-down"] {
            let file = format!("/run/test/{script}.{name}");
            // As one: others may look at it meanwhile.
            machine.script(
                &format!("/etc/ppp/{script}"),
                &format!("env | grep ^PPTP_ | sort > {file}.new; cat {file}.new >> {file}; echo end >> {file}"),
            );
        }
    }
    network.serve_with_password("secret", MPPE);
    let mut pppd = network.dial_up("client", 1, &format!("user alice noipv6 persist holdoff 1 maxfail 0 {MPPE}"));
    let written = |script: &str, name: &str, count: usize| {
        let machine = if name == "client" { &network.client } else { &network.server };
        eventually(&format!("{count} times {script}"), SOON, || {
            let text = machine.read(&format!("/run/test/{script}.{name}"));
            (text.matches("end\n").count() == count).then_some(text)
        })
    };
    let up = written("ip-up", "client", 1);
    assert_in_order(
        &up,
        &[
            "PPTP_DATAPATH=tun\nPPTP_LOCAL_CALL_ID=",
            "\nPPTP_MPPE=128 stateless\nPPTP_PEER_CALL_ID=",
            "\nPPTP_PORT=1723\nPPTP_ROLE=client\nPPTP_SERVER=192.0.2.1\nPPTP_SERVER_ADDRESS=192.0.2.1\nend\n",
        ],
    );
    assert_eq!(written("ip-pre-up", "client", 1), up);
    let [local, peer] = ["PPTP_LOCAL_CALL_ID=", "PPTP_PEER_CALL_ID="]
        .map(|name| up.lines().find_map(|line| line.strip_prefix(name)).map(String::from).unwrap_or_default());
    let connected = line(&pppd, "is up: call id ");
    assert!(connected.contains(&format!("call id {local}, peer's {peer},")), "{connected}");
    let server = written("ip-up", "server", 1);
    assert!(server.contains("PPTP_CLIENT=192.0.2.2\n") && server.contains("PPTP_ROLE=server\n"), "{server}");
    assert!(!server.contains("PPTP_SERVER"), "{server}");
    // The next call is another one.
    network.client.signal("HUP", pppd.number());
    let down = written("ip-down", "client", 1);
    assert!(down.contains("PPTP_REASON=User request\n") && down.contains("PPTP_MPPE=128 stateless\n"), "{down}");
    let ups = written("ip-up", "client", 2);
    assert!(ups.contains(&up) && !ups.contains("PPTP_REASON"), "{ups}");
    assert_ne!(
        ups.rsplit("PPTP_LOCAL_CALL_ID=").next().map(|rest| rest.lines().next().unwrap_or_default()),
        Some(&*local)
    );
    network.kill_server();
    let downs = written("ip-down", "client", 2);
    let reason = downs.rsplit("PPTP_REASON=").next().and_then(|rest| rest.lines().next()).unwrap_or_default();
    assert!(reason.len() > 10 && reason != "User request", "{downs}");
    pppd.wait_for(&format!("reason={reason}"), 1, SOON);
    pppd.signal("TERM");
    assert_eq!(pppd.exit_status(SOON), 5);
}
