//! What a good client gets.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Daemon, eventually, port, refusal, who_answers};

#[test]
fn a_call_reaches_its_pppd_which_has_only_what_it_needs() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    let ours = client.dial(7);
    let gre = daemon.gre(7);
    assert_eq!([who_answers(&gre, ours)], daemon.children()[..]);
    let [trace] = &daemon.traces()[..] else { panic!("one stub") };
    let mut lines = trace.lines();
    let arguments = lines.next().unwrap();
    let near = daemon.near;
    for part in [
        format!("plugin pptp-rs.so file {} 10.0.0.1:10.0.0.2 ipparam {near}", daemon.path("options").display()),
        format!("remotenumber {near} nodetach pptp_client {near} pptp_sock "),
        "pptp_datapath tun".into(),
    ] {
        assert!(arguments.contains(&part), "{arguments}");
    }
    // pppd has to hear of SIGTERM, and of the end of its scripts.
    assert_eq!(lines.next(), Some("SigBlk:\t0000000000000000"));
    let descriptors: Vec<_> = lines.collect();
    assert_eq!(descriptors[..3], ["0 /dev/null", "1 /dev/null", "2 /dev/null"]);
    assert!(descriptors.len() == 4 && descriptors[3].contains("socket:"), "{descriptors:?}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.children()[0])).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let own = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().0;
    assert_eq!(files.split_whitespace().nth(3), Some(own.to_string().as_str()));
    client.send("clear", &[("id", 7)]);
    let notify = client.expect("cdn");
    assert_eq!((notify.value("id"), notify.value("result")), (Some(ours.into()), Some(4)));
    daemon.wait_for(" s: the call was hung up (16)", 1);
    client.send("stop", &[]);
    assert_eq!(client.expect("stop-reply").value("result"), Some(1));
    client.expect_end();
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn a_device_that_all_packets_come_by_can_be_named() {
    let daemon = Daemon::start("vrf lo", "");
    let mut client = daemon.join();
    let ours = client.dial(7);
    assert_eq!([who_answers(&daemon.gre(7), ours)], daemon.children()[..]);
    daemon.configure("vrf eth7");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("listen or vrf has changed: that needs a restart", 1);
    client.dial(8);
}

#[test]
fn echo_requests_are_answered() {
    let daemon = Daemon::start("", "");
    let mut client = daemon.join();
    client.send("echo", &[("identifier", 0xdead_beef)]);
    let reply = client.expect("echo-reply");
    assert_eq!((reply.value("identifier"), reply.value("result")), (Some(0xdead_beef), Some(1)));
}

#[test]
fn silence_is_asked_about() {
    let daemon = Daemon::start("echo-interval 1\necho-timeout 1", "");
    let mut client = daemon.join();
    client.dial(5);
    let request = client.expect("echo");
    client.send("echo-reply", &[("identifier", request.value("identifier").unwrap()), ("result", 1)]);
    client.expect("echo");
    client.expect_end();
    daemon.wait_for("call over: the peer did not answer an echo request in time", 1);
    daemon.wait_for("has ended after", 1);
}

#[test]
fn two_clients_behind_one_address_with_the_same_call_id_both_work() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let (mut one, mut other) = (daemon.join(), daemon.join());
    let ours = [one.dial(9), other.dial(9)];
    assert_ne!(ours[0], ours[1]);
    let gre = daemon.gre(9);
    let stubs = ours.map(|call| who_answers(&gre, call));
    assert_ne!(stubs[0], stubs[1]);
    drop(one);
    daemon.wait_for("has ended after", 1);
    assert_eq!(daemon.children(), [stubs[1]]);
    while who_answers(&gre, ours[1]) != stubs[1] {}
}

#[test]
fn three_calls_of_one_connection_have_a_pppd_each() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let mut client = daemon.join();
    // Two that the client asks for, as PNS, and one that it offers, as PAC.
    let outgoing = [1, 2].map(|id| client.dial(id));
    client.send("icrq", &[("id", 3)]);
    let incoming: u16 = client.expect("icrp").value("id").unwrap().try_into().unwrap();
    client.send("iccn", &[("peer", incoming.into()), ("framing", 1)]);
    let ours = [outgoing[0], outgoing[1], incoming];
    let stubs = [1, 2, 3].map(|id| who_answers(&daemon.gre(id), ours[usize::from(id) - 1]));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(stubs[1].try_into().unwrap()), Signal::SIGKILL).unwrap();
    let notify = client.expect("cdn");
    assert_eq!(notify.value("id"), Some(ours[1].into()));
    daemon.wait_for("killed by signal 9", 1);
    assert_eq!(daemon.children().len(), 2);
    for id in [1, 3] {
        assert_eq!(who_answers(&daemon.gre(id), ours[usize::from(id) - 1]), stubs[usize::from(id) - 1]);
    }
    client.send("cdn", &[("id", 3), ("result", 1)]);
    daemon.wait_for("has ended after", 2);
    assert_eq!(who_answers(&daemon.gre(1), ours[0]), stubs[0]);
}

#[test]
fn an_incoming_call_gets_its_pppd_when_it_is_connected() {
    let daemon = Daemon::start("", "");
    let mut pac = daemon.join();
    pac.send("icrq", &[("id", 4), ("serial", 1)]);
    let reply = pac.expect("icrp");
    assert_eq!((reply.value("result"), reply.value("peer")), (Some(1), Some(4)));
    assert_eq!(daemon.children(), []);
    let ours: u16 = reply.value("id").unwrap().try_into().unwrap();
    pac.send("iccn", &[("peer", ours.into()), ("framing", 1)]);
    let gre = daemon.gre(4);
    assert_eq!([who_answers(&gre, ours)], daemon.children()[..]);
    pac.send("cdn", &[("id", 4), ("result", 1)]);
    daemon.wait_for("has ended after", 1);
}

#[test]
fn link_info_does_no_harm_and_line_errors_are_counted() {
    let daemon = Daemon::start("", "");
    let mut client = daemon.join();
    let ours = client.dial(5);
    client.send("sli", &[("peer", ours.into()), ("sendaccm", u32::MAX), ("receiveaccm", u32::MAX)]);
    // A PAC's message.
    client.send("icrq", &[("id", 6)]);
    let ours = client.expect("icrp").value("id").unwrap();
    client.send("iccn", &[("peer", ours), ("framing", 1)]);
    client.send("wen", &[("peer", ours), ("crc", 3), ("framingerrors", 2)]);
    client.send("echo", &[]);
    client.expect("echo-reply");
    drop(client);
    daemon.wait_for("the client has reported 5 line errors", 1);
    daemon.wait_for("has ended after", 2);
}

#[test]
fn a_client_is_refused_when_every_address_is_in_use_and_not_afterwards() {
    let daemon = Daemon::start("remoteip 10.0.0.2-3", "");
    let mut client = daemon.join();
    client.dial(1);
    client.dial(2);
    assert_eq!(refusal(&client.ask(3)), (Some(2), Some(4)));
    daemon.wait_for("call refused: every address for clients is in use (remoteip)", 1);
    client.send("clear", &[("id", 1)]);
    client.expect("cdn");
    daemon.wait_for("has ended after", 1);
    client.dial(4);
}

#[test]
fn a_pppd_that_cannot_be_started_is_a_refusal() {
    let pppd = std::env::temp_dir().join(format!("pppd-{}", std::process::id()));
    std::fs::copy("/bin/true", &pppd).unwrap();
    let daemon = Daemon::start(&format!("ppp {}", pppd.display()), "");
    std::fs::remove_file(&pppd).unwrap();
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    assert_eq!(refusal(&client.ask(1)), (Some(2), Some(4)));
    daemon.wait_for(&format!("call refused: cannot start {}: no such file or directory", pppd.display()), 1);
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn ipv6_clients_are_heard_and_told_that_calls_need_ipv4() {
    let address = format!("[::1]:{}", port());
    let daemon = Daemon::start(&format!("listen {address}"), "");
    let mut client = daemon.connect();
    client.stream = std::net::TcpStream::connect(address).unwrap();
    client.stream.set_read_timeout(Some(crate::harness::SOON)).unwrap();
    client.start();
    assert_eq!(refusal(&client.ask(1)), (Some(7), Some(0)));
    daemon.wait_for("call refused: the client has come over IPv6, and calls are possible over IPv4 alone", 1);
    daemon.join().dial(1);
}

#[test]
fn a_reload_changes_what_new_calls_get_and_no_call_that_is_up() {
    let daemon = Daemon::start("remoteip 10.0.0.2", "");
    let mut client = daemon.join();
    let ours = client.dial(1);
    assert_eq!(refusal(&client.ask(2)), (Some(2), Some(4)));
    daemon.configure("remoteip 10.0.0.2-3");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("the configuration is read again", 1);
    client.dial(3);
    let gre = daemon.gre(1);
    eventually("the first is up", || daemon.children().contains(&who_answers(&gre, ours)).then_some(()));
    assert_eq!(refusal(&client.ask(4)), (Some(2), Some(4)));
    daemon.configure("remoteip 10.0.0.2-");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("the configuration is not read again", 1);
    assert_eq!(daemon.children().len(), 2);
    // A resolver that does not answer would hold everybody up.
    daemon.configure("remoteip localhost");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("no address of 'localhost' is known (names are looked up at the start)", 1);
}

#[test]
fn a_call_that_comes_with_the_end_of_its_engine_gets_another_one() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let (mut old, mut new) = (daemon.join(), daemon.join());
    old.dial(1);
    daemon.wait_for("is started", 1);
    let engines = daemon.engines();
    assert_eq!(engines.len(), std::thread::available_parallelism().unwrap().get().min(16));
    // The server hears of the call first.
    daemon.signal(Signal::SIGSTOP);
    new.send("ocrq", &[("id", 2)]);
    for engine in engines {
        kill(Pid::from_raw(engine.try_into().unwrap()), Signal::SIGKILL).unwrap();
    }
    eventually("the engines have ended", || daemon.engines().is_empty().then_some(()));
    daemon.signal(Signal::SIGCONT);
    assert_eq!(new.expect("ocrp").value("result"), Some(1));
    old.expect("cdn");
    daemon.wait_for("ended: user=- ", 1);
    assert_eq!(daemon.count("call over: the engine that carried it has ended"), 1, "{}", daemon.log());
}
