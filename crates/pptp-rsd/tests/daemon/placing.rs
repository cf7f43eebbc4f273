//! Calls that the daemon places, as PAC, at another daemon or at a PNS that says what it likes.
#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use pptp_io::seqpacket;

use crate::harness::{Client, Daemon, eventually};
use crate::operators::{complaint, operator, shown};

/// In most of them both connections are on their way at the same time.
const ROUNDS: usize = 20;

/// A PNS at the address next to the daemon's client's; it takes one connection.
fn listen(daemon: &Daemon) -> (Ipv4Addr, TcpListener) {
    let [a, b, c, _] = daemon.near.octets();
    let address = Ipv4Addr::new(a, b, c, 3);
    (address, TcpListener::bind((address, 1723)).unwrap())
}

/// The start of the connection is answered.
fn take(listener: &TcpListener) -> Client {
    let mut peer = Client::new(listener.accept().unwrap().0);
    peer.expect("sccrq");
    peer.send("sccrp", &[("result", 1)]);
    peer
}

/// A PNS that accepts the connection, and does this with it.
fn pns(daemon: &Daemon, what: impl FnOnce(Client) + Send + 'static) -> (Ipv4Addr, JoinHandle<()>) {
    let (address, listener) = listen(daemon);
    (address, std::thread::spawn(move || what(take(&listener))))
}

/// An operator who wants a call, and a PNS that was asked for it and does this then.
fn offered(daemon: &Daemon, what: impl FnOnce(Client) + Send + 'static) -> (OwnedFd, JoinHandle<()>) {
    let (offered, is_offered) = std::sync::mpsc::channel();
    let (address, peer) = pns(daemon, move |mut peer| {
        peer.expect("icrq");
        offered.send(()).unwrap();
        what(peer);
    });
    let asker = operator(daemon);
    seqpacket::send(asker.as_fd(), format!("call {address}").as_bytes(), &[]).unwrap();
    is_offered.recv().unwrap();
    (asker, peer)
}

#[test]
fn what_one_daemon_places_the_other_takes() {
    let (pac, pns) = (Daemon::start("", ""), Daemon::start("remoteip 10.0.0.2-9", ""));
    let idle = [pac.descriptors(), pns.descriptors()];
    let options = pac.path("other");
    std::fs::copy(pac.path("options"), &options).unwrap();
    let line = format!("call {} --number 555 --option-file {}", pns.address, options.display());
    assert_eq!(shown(&pac, &line), format!("session 1 is connected to {}:1723\n", pns.address));
    pns.wait_for("pppd", 1);
    // Over the same connection.
    let json = shown(&pac, &format!("--json call {}", pns.address));
    assert!(json.starts_with(r#"{"id":2,"state":"running","#), "{json}");
    eventually("both ends have two pppds", || {
        [&pac, &pns].iter().all(|daemon| daemon.children().len() == 2 && daemon.traces().len() == 2).then_some(())
    });
    let traces = pac.traces();
    let with =
        |path: &std::path::Path| traces.iter().filter(|trace| trace.contains(&path.display().to_string())).count();
    assert_eq!([with(&options), with(&pac.path("options"))], [1, 1]);
    assert!(traces.iter().all(|trace| !trace.contains("10.0.0.1:")), "{traces:?}");
    assert!(pns.traces().iter().any(|trace| trace.contains(" 10.0.0.1:10.0.0.2 ")), "{:?}", pns.traces());
    // Either end may end a call.
    assert_eq!(shown(&pac, "disconnect 1"), "1 session told to end\n");
    pns.wait_for("has ended after", 1);
    assert_eq!(shown(&pns, "disconnect 2"), "1 session told to end\n");
    pac.wait_for("has ended after", 2);
    pns.wait_for("has ended after", 2);
    pac.wait_until_idle(idle[0]);
    pns.wait_until_idle(idle[1]);
}

#[test]
fn a_daemon_may_call_itself() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let line = format!("call {}", daemon.address);
    for ids in [[1, 2], [3, 4]] {
        assert_eq!(shown(&daemon, &line), format!("session {} is connected to {}:1723\n", ids[1], daemon.address));
    }
    assert_eq!(shown(&daemon, &format!("disconnect {}", daemon.address)), "4 sessions told to end\n");
    daemon.wait_for("has ended after", 4);
}

#[test]
fn two_daemons_that_call_each_other_at_once_agree_on_one_connection() {
    let daemons = [0, 1].map(|_| Daemon::start("remoteip 10.0.0.2-9", ""));
    let idle = daemons.each_ref().map(Daemon::descriptors);
    for round in 1..=ROUNDS {
        std::thread::scope(|scope| {
            let [one, other] = &daemons;
            for (from, to) in [(one, other), (other, one)] {
                scope.spawn(move || shown(from, &format!("call {}", to.address)));
            }
        });
        for daemon in &daemons {
            eventually("both calls have a pppd", || (daemon.children().len() == 2).then_some(()));
        }
        // Whichever connection it is, it goes with its last call.
        let [one, _] = &daemons;
        for session in [2 * round - 1, 2 * round] {
            shown(one, &format!("disconnect {session}"));
        }
        for (daemon, idle) in daemons.iter().zip(idle) {
            daemon.wait_for("has ended after", 2 * round);
            daemon.wait_until_idle(idle);
        }
    }
}

#[test]
fn a_pns_that_cannot_be_reached_is_told_apart() {
    let daemon = Daemon::start("stimeout 1", "");
    let idle = daemon.descriptors();
    let (address, listener) = listen(&daemon);
    let failure =
        |words: &str| (Some(1), format!("pptp-rsctl: the call to {address}:1723 was not connected: {words}\n"));
    // It listens and does not answer.
    let line = format!("call {address}");
    assert_eq!(complaint(&daemon, &line), failure("no answer to the start request within 1 s (stimeout)"));
    drop(listener);
    assert_eq!(complaint(&daemon, &line), failure("cannot connect: connection refused"));
    daemon.wait_until_idle(idle);
}

#[test]
fn what_a_pns_says_reaches_the_operator() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let (address, peer) = pns(&daemon, |mut peer| {
        let request = peer.expect("icrq");
        peer.send("icrp", &[("peer", request.value("id").unwrap()), ("result", 3)]);
        assert_eq!(peer.expect("stop").value("reason"), Some(1));
        peer.send("stop-reply", &[("result", 1)]);
        peer.expect_end();
    });
    let (status, text) = complaint(&daemon, &format!("call {address}"));
    assert_eq!(
        (status, text.ends_with("was not connected: call refused: not accepted (3)\n")),
        (Some(1), true),
        "{text}"
    );
    peer.join().unwrap();
    daemon.wait_until_idle(idle);
}

#[test]
fn nothing_is_left_of_a_call_whose_operator_does_not_wait() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let (asker, peer) = offered(&daemon, |mut peer| {
        peer.expect("cdn");
        peer.expect("stop");
        peer.send("stop-reply", &[("result", 1)]);
        peer.expect_end();
    });
    drop(asker);
    peer.join().unwrap();
    daemon.wait_for("was not connected: the operator who wanted it has gone", 1);
    assert_eq!((shown(&daemon, "--json sessions"), daemon.count("is started")), ("[]\n".into(), 0));
    daemon.wait_until_idle(idle);
}

#[test]
fn nothing_is_left_of_a_call_whose_operator_has_to_give_way_to_others() {
    let daemon = Daemon::start("", "");
    let (asker, peer) = offered(&daemon, |mut peer| {
        peer.expect("cdn");
        peer.expect("stop");
    });
    let others: Vec<_> = (0..16).map(|_| operator(&daemon)).collect();
    peer.join().unwrap();
    drop((asker, others));
}

#[test]
fn an_operator_gives_a_call_up_after_a_while_of_his_choice() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let (address, peer) = pns(&daemon, |mut peer| {
        peer.expect("icrq");
        peer.expect("cdn");
        peer.expect("stop");
        peer.send("stop-reply", &[("result", 1)]);
        peer.expect_end();
    });
    let words = format!("pptp-rsctl: the call to {address}:1723 was not connected within 1 s; it is given up\n");
    assert_eq!(complaint(&daemon, &format!("call {address} --timeout 1")), (Some(1), words));
    peer.join().unwrap();
    daemon.wait_until_idle(idle);
}

#[test]
fn on_a_terminal_an_operator_reads_how_far_a_call_is() {
    let daemon = Daemon::start("", "");
    let (address, peer) = pns(&daemon, |mut peer| {
        let id = peer.expect("icrq").value("id").unwrap();
        peer.send("icrp", &[("id", 9), ("peer", id), ("result", 1)]);
        peer.expect("iccn");
        peer.send("clear", &[("id", 9)]);
        peer.expect_end();
    });
    let control = daemon.path("control");
    let line = format!("{} -s {} call {address}", env!("CARGO_BIN_EXE_pptp-rsctl"), control.display());
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = [
        format!("pptp-rsctl: connecting to {address}:1723"),
        "pptp-rsctl: connected; asking for a control connection".into(),
        "pptp-rsctl: the control connection is there; the call is offered and waits for an answer".into(),
        "pptp-rsctl: the call is accepted".into(),
        format!("session 1 is connected to {address}:1723"),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    peer.join().unwrap();
}
