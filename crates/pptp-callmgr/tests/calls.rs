//! One plugin, one server: calls that come up, calls that do not, and calls that end.

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use support::{Probe, Scene, Server, closed_port, needs_root, status_field, until, until_it_sleeps};

/// A call to a server with these rules fails with this line, `{port}` in it filled in.
#[track_caller]
fn fails(rules: &[&str], arguments: &[&str], expected: &str) {
    let (scene, server) = (Scene::new(), Server::start(rules));
    let mut probe = scene.call(server.port, arguments);
    let line = probe.expect("failed ");
    assert_eq!(line, expected.replace("{port}", &server.port.to_string()), "{:#?}", probe.seen);
    assert_eq!(probe.status(), Some(8));
    scene.until_gone();
}

/// A call that is up ends with this line when the server does what the rules say; pppd is hung up.
#[track_caller]
fn ends(rules: &[&str], arguments: &[&str], expected: &str) {
    let (scene, server) = (Scene::new(), Server::start(rules));
    let mut probe = scene.call(server.port, arguments);
    probe.expect("connected ");
    assert_eq!(probe.expect("ended "), format!("ended {expected}"), "{:#?}", probe.seen);
    probe.expect("hangup");
    assert!(!probe.seen.contains(&String::from("late")), "{:#?}", probe.seen);
    assert_eq!(probe.status(), Some(16));
    scene.until_gone();
}

#[test]
fn a_connected_call_is_described() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &["--bind", "127.0.0.5"]);
    let line = probe.expect("connected ");
    assert!(line.contains(" shared=false ") && line.contains(" local=127.0.0.5 peer=127.0.0.1 "), "{line}");
    assert_ne!(Probe::number(&line, "call"), 0);
    assert!(Probe::number(&line, "mtu") > 1400, "{line}");
}

#[test]
fn a_marked_connection_comes_up() {
    needs_root();
    let (scene, server) = (Scene::new(), Server::start(&[]));
    scene.call(server.port, &["--mark", "7"]).expect("connected ");
}

#[test]
fn a_name_is_resolved() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &["--server", "localhost"]);
    probe.expect("connected ");
    assert!(probe.seen.iter().any(|line| line == "log DEBUG localhost is 127.0.0.1"), "{:#?}", probe.seen);
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    // A label of 64 letters: the resolver refuses it without asking anyone.
    let name = format!("{}.example", "a".repeat(64));
    let scene = Scene::new();
    let mut probe = scene.call(1723, &["--server", &name]);
    let line = probe.expect("failed ");
    assert!(line.starts_with(&format!("failed Resolve cannot resolve \"{name}\": ")), "{line}");
    assert!(!line.contains("lookup"), "{line}");
    scene.until_gone();
}

#[test]
fn a_closed_port_is_named() {
    let (_held, port) = closed_port();
    let scene = Scene::new();
    let line = scene.call(port, &[]).expect("failed ");
    let expected = format!(
        "failed Connect cannot connect to 127.0.0.1 port {port}: connection refused (is a PPTP server running there?)"
    );
    assert_eq!(line, expected);
    scene.until_gone();
}

/// Of the name's addresses only the last but one has somebody who listens.
#[test]
fn every_address_of_a_name_is_tried() {
    needs_root();
    const REFUSALS: u8 = 14;
    let (scene, server) = (Scene::new(), Server::start_on("127.0.0.51", 0, &[]));
    let hosts = std::env::temp_dir().join(format!("pptp-cm-{}-hosts", std::process::id()));
    let addresses = (51 - REFUSALS)..=52;
    let lines: String = addresses.map(|last| format!("127.0.0.{last} several.example\n")).collect();
    fs::write(&hosts, lines).unwrap();
    let script = format!("mount --bind {} /etc/hosts && exec \"$0\" \"$@\"", hosts.display());
    let connect = || {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_callmgr-probe"), "--server", "several.example"]);
        let mut probe = scene.call_by(&mut command, server.port, &["--share", "off"]);
        let line = probe.expect("connected ");
        assert!(line.contains(" peer=127.0.0.51 "), "{line}");
        Probe::number(&line, "us")
    };
    // A refusal is known at once: no address waits for the head start of 250 ms that one before it has. That would always be
    // so; what a busy machine adds is not.
    let head_starts = u64::from(REFUSALS) * 250_000;
    assert!((0..10).any(|_| connect() < head_starts));
    fs::remove_file(hosts).unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let expected = "failed Timeout 127.0.0.1 accepts connections but did not answer the start request within 2 s";
    fails(&["sccrq=nothing"], &["--timeout", "2000"], expected);
}

#[test]
fn a_server_that_answers_half_a_message_is_given_up() {
    let expected = "failed Timeout 127.0.0.1 accepts connections but did not answer the start request within 2 s";
    fails(&["sccrq=half"], &["--timeout", "2000"], expected);
}

#[test]
fn a_server_that_does_not_answer_the_call_is_given_up() {
    // It has to answer the start request before that, on a busy machine too.
    let expected = "failed Timeout 127.0.0.1 did not answer the call request within 3 s";
    fails(&["ocrq=nothing"], &["--timeout", "3000"], expected);
}

#[test]
fn a_refused_control_connection_is_explained() {
    let expected = "failed Refused 127.0.0.1 refused the control connection: not authorized (4)";
    fails(&["sccrq=reply:result=4"], &[], expected);
}

#[test]
fn a_refused_call_is_explained() {
    fails(&["ocrq=reply:result=4"], &[], "failed Refused 127.0.0.1 refused the call: busy (4)");
}

#[test]
fn a_server_that_hangs_up_at_once_is_named() {
    let expected = "failed Protocol 127.0.0.1 closed the connection instead of answering the start request";
    fails(&["sccrq=close"], &[], expected);
    fails(&["sccrq=reset"], &[], expected);
}

#[test]
fn garbage_is_not_taken_for_pptp() {
    let (scene, server) = (Scene::new(), Server::start(&["sccrq=garbage"]));
    let line = scene.call(server.port, &[]).expect("failed ");
    assert!(line.starts_with("failed Protocol 127.0.0.1 does not speak pptp: "), "{line}");
    scene.until_gone();
}

#[test]
fn an_answer_octet_by_octet_is_an_answer() {
    let (scene, server) = (Scene::new(), Server::start(&["accept=bytewise"]));
    scene.call(server.port, &[]).expect("connected ");
}

#[test]
fn a_disconnected_call_hangs_up() {
    let expected = "127.0.0.1 disconnected the call: administrative shutdown (3)";
    ends(&["call-up=cdn:result=3"], &[], expected);
}

#[test]
fn a_stopped_control_connection_hangs_up() {
    let expected = "127.0.0.1 stopped the control connection: shutting down (3)";
    ends(&["call-up=stop:reason=3"], &[], expected);
}

#[test]
fn a_closed_control_connection_hangs_up() {
    ends(&["call-up=close"], &[], "127.0.0.1 closed the control connection");
    ends(&["call-up=reset"], &[], "127.0.0.1 closed the control connection");
}

#[test]
fn a_server_that_misses_an_echo_hangs_up() {
    let expected = "127.0.0.1 did not answer an echo request in time";
    // Long enough for the echo requests that it answers before.
    ends(&["call-up=mute"], &["--echo-interval", "100", "--echo-timeout", "3000"], expected);
}

#[test]
fn echoes_keep_a_call_up() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &["--echo-interval", "20", "--echo-timeout", "2000"]);
    probe.expect("connected ");
    // For longer than one that is not answered is waited for.
    assert!(probe.is_silent(Duration::from_millis(3000)), "{:#?}", probe.seen);
    assert!(server.count("got Echo-Request") >= 5, "{}", server.journal());
}

#[test]
fn garbage_in_a_call_hangs_up() {
    let (scene, server) = (Scene::new(), Server::start(&["call-up=garbage"]));
    let mut probe = scene.call(server.port, &[]);
    let line = probe.expect("ended ");
    assert!(line.starts_with("ended 127.0.0.1 does not speak pptp: "), "{line}");
    probe.expect("hangup");
    scene.until_gone();
}

#[test]
fn the_last_call_clears_stops_and_closes() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    probe.hang_up();
    assert_eq!(probe.status(), Some(0));
    scene.until_gone();
    server.until_count("got Stop-Control-Connection-Request", 1);
    let journal = server.journal();
    let clear = journal.find("Call-Clear-Request").unwrap_or_else(|| panic!("{journal}"));
    let stop = journal.find("Stop-Control-Connection-Request").unwrap_or_else(|| panic!("{journal}"));
    assert!(clear < stop, "{journal}");
}

#[test]
fn a_server_that_ignores_the_clear_request_does_not_keep_the_manager() {
    let (scene, server) = (Scene::new(), Server::start(&["clear=nothing", "stop=nothing"]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    probe.hang_up();
    scene.until_gone();
}

#[test]
fn a_plugin_that_is_killed_has_its_call_cleared() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    probe.child.kill().unwrap();
    server.until_journal_has("Call-Clear-Request");
    scene.until_gone();
}

#[test]
fn a_plugin_that_goes_while_the_server_is_silent_leaves_nothing() {
    let (scene, server) = (Scene::new(), Server::start(&["sccrq=nothing"]));
    let mut probe = scene.call(server.port, &[]);
    until("the request", || server.count("Start-Control-Connection-Request") > 0);
    probe.hang_up();
    assert_eq!(probe.status(), Some(0));
    scene.until_gone();
}

#[test]
fn a_storm_of_echo_requests_is_answered_while_the_plugin_does_not_read() {
    let (scene, server) = (Scene::new(), Server::start(&["call-up=wait:50ms,storm:3000,wait:1s,cdn:result=1"]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    // It reads nothing from here to the hang-up.
    probe.expect("ended 127.0.0.1 disconnected the call: lost carrier (1)");
    probe.expect("hangup");
    server.until_count("got Echo-Reply", 3000);
}

#[test]
fn an_unsound_manager_is_reported() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(scene.manager()), nix::sys::signal::SIGKILL).unwrap();
    probe.expect("ended the call manager ended unexpectedly");
    probe.expect("hangup");
    // The next one finds the socket that the dead one left.
    let mut next = scene.call(server.port, &[]);
    assert!(next.expect("connected ").contains("shared=false"));
    next.hang_up();
    scene.until_gone();
}

#[test]
fn the_manager_waits_without_working() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    let manager = scene.manager();
    until_it_sleeps(manager);
    let before = status_field(manager, "voluntary_ctxt_switches");
    assert!(probe.is_silent(Duration::from_millis(300)));
    assert_eq!(status_field(manager, "voluntary_ctxt_switches"), before);
}
