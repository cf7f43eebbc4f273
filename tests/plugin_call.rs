//! A whole call over loopback: the plugin in a pppd of straw, its call manager, and a scripted PPTP server. Only the
//! kernel's PPTP socket is not real; tests/vm has real ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod fake_host;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fake_host::{Ran, run_with_pppox, run_with_variables, start_with_pppox};
use pptp_datapath::record::Record;
use pptp_datapath::tunnels::{Answer, DIRECTORY, ask_all};
use pptp_testkit::journal::Journal;
use pptp_testkit::script::Script;
use pptp_testkit::session::{Server, Session};

/// Serves one connection as the rules say; its port, and the thread, which ends with the connection.
fn serve(rules: &[&str]) -> (String, JoinHandle<()>) {
    let mut script = Script::default();
    for rule in rules {
        script.add(rule).unwrap();
    }
    let server = Server {
        script,
        journal: Journal::open(Some("/dev/null".as_ref())).unwrap(),
        plan: None,
        calls: AtomicU32::new(0),
    };
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let serve = move || Session::new(Arc::new(server), 1, listener.accept().unwrap().0).run();
    (port, thread::spawn(serve))
}

/// Calls such a server, which ends the call when pppd has its channel; the host does what is in `after` when the control
/// connection is over, and with it the call, however slow this machine is.
fn call_that_ends(name: &str, before: &[&str], after: &[&str]) -> Ran {
    let file = |what: &str| format!("{}/{name}-{what}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let (up, over) = (file("up"), file("over"));
    let (port, server) = serve(&[&format!("call-up=wait-file:{up},cdn:result=3")]);
    let server = thread::spawn({
        let over = over.clone();
        move || {
            server.join().unwrap();
            fs::write(over, "").unwrap();
        }
    });
    let wait = format!("@run=touch {up}; while [ ! -e {over} ]; do sleep 0.05; done");
    let mut all = vec!["pptp_server", "localhost", "pptp_port", &port, "pptp_share", "off"];
    all.extend(before.iter().chain(&[wait.as_str()]).chain(after));
    let ran = run_with_pppox(&all);
    server.join().unwrap();
    for file in [up, over] {
        fs::remove_file(file).unwrap();
    }
    ran
}

/// Calls such a server; what the host said when the server was done with it, too.
fn call(rules: &[&str], words: &[&str]) -> Ran {
    let (port, server) = serve(rules);
    let mut all = vec!["pptp_server", "localhost", "pptp_port", &port, "pptp_share", "off"];
    all.extend(words);
    let ran = run_with_pppox(&all);
    server.join().unwrap();
    ran
}

#[test]
fn a_call_comes_up_and_its_socket_is_left_to_the_call_manager() {
    let ran = call(&[], &["@connect", "@device", "@establish", "@device", "@cleanup", "@device", "@sizes", "@listen"]);
    assert!(ran.says("connected yes") && ran.says("established 100"), "{ran:?}");
    assert_eq!(ran.after("device "), ["socket", "/dev/null", "closed"]);
    assert_eq!(ran.after("info: PPTP call to localhost (127.0.0.1) is up: call id ").len(), 1, "{ran:?}");
    assert!(ran.after("error: ").is_empty(), "{ran:?}");
    // The loopback interface has room for more than PPP wants to be asked for.
    assert!(ran.says("mru 1500 mtu 1500"), "{ran:?}");
    // What comes before the server's PPP is ready would be lost.
    assert!(ran.says("listens 500 ms"), "{ran:?}");
}

#[test]
fn pppd_is_told_the_address_of_the_server_unless_the_user_gave_a_number() {
    let ran = call(&[], &["@connect"]);
    let told = ran.says("environment REMOTENUMBER=127.0.0.1") || ran.says("remote number 127.0.0.1");
    assert!(told, "{ran:?}");
    let ran = call(&[], &["@remote=555", "@connect"]);
    assert!(ran.after("environment REMOTE").is_empty() && ran.after("remote number").is_empty(), "{ran:?}");
}

#[test]
fn a_call_that_the_server_ends_is_explained_in_one_line_and_followed_by_holdoff() {
    let after = ["@needless", "@disestablish", "@disconnect", "@cleanup", "@holdoff"];
    let ran = call_that_ends("explained", &["@connect", "@establish"], &after);
    let [line] = ran.after("notice: ")[..] else { panic!("one line: {ran:?}") };
    assert!(line.contains("(3)"), "{line}");
    assert!(ran.says("holdoff 30"), "{ran:?}");
}

#[test]
fn a_call_that_pppd_ends_is_not_explained_and_not_followed_by_more_holdoff_than_pppd_wants() {
    let words = ["@connect", "@establish", "@needless", "@disestablish", "@disconnect", "@cleanup", "@holdoff"];
    let ran = call(&[], &words);
    assert!(ran.after("notice: ").is_empty() && ran.says("holdoff 0"), "{ran:?}");
}

#[test]
fn scripts_get_to_know_the_call_and_why_it_ends() {
    let words =
        ["@check", "@connect", "@establish", "@ipup", "@close=Link inactive", "@ipdown", "@disestablish", "@cleanup"];
    let begin = Instant::now();
    let ran = call(&[], &words);
    let [id] = ran.after("environment PPTP_LOCAL_CALL_ID=")[..] else { panic!("one id: {ran:?}") };
    let [peer_id] = ran.after("environment PPTP_PEER_CALL_ID=")[..] else { panic!("one id: {ran:?}") };
    let [up] = ran.after("info: PPTP call to localhost (127.0.0.1) is up: call id ")[..] else { panic!("{ran:?}") };
    assert!(up.starts_with(&format!("{id}, peer's {peer_id},")), "{up}");
    for variable in ["ROLE=client", "SERVER=localhost", "SERVER_ADDRESS=127.0.0.1", "DATAPATH=kernel", "MPPE=none"] {
        assert!(ran.says(&format!("environment PPTP_{variable}")), "{variable}: {ran:?}");
    }
    assert!(!ran.says("environment without PPTP_REASON"), "there was none: {ran:?}");
    assert_eq!(ran.after("environment PPTP_REASON="), ["Link inactive"]);
    let [end] = ran.after("info: session ended: ")[..] else { panic!("one end: {ran:?}") };
    let (before, rest) = end.split_once("seconds=").unwrap();
    let (seconds, after) = rest.split_once(' ').unwrap();
    assert!(seconds.parse::<u64>().unwrap() <= begin.elapsed().as_secs(), "{end}");
    assert_eq!(
        [before, after],
        [
            "server=localhost address=127.0.0.1 interface=- datapath=kernel local=- remote=- ",
            "bytes-received=- bytes-sent=- packets-received=- packets-sent=- lost=- reordered=- reason=Link inactive",
        ]
    );
}

#[test]
fn what_has_changed_from_call_to_call_is_told() {
    let (port, server) = serve(&[]);
    let other = serve(&[]);
    let mut words = vec!["pptp_server", "127.0.0.1", "pptp_share", "off", "pptp_port", &port];
    words.extend(["@check", "@connect", "@establish", "@close=a reason", "@ipdown", "@disestablish", "@disconnect"]);
    words.extend(["pptp_port", &other.0, "@connect", "@ipup", "@disconnect", "@cleanup"]);
    let ran = run_with_variables(&words, &[("FAKE_PPPOX", "1")]);
    server.join().unwrap();
    other.1.join().unwrap();
    assert_eq!(ran.after("environment PPTP_PORT="), [&port, &other.0]);
    assert_eq!(ran.after("environment PPTP_ROLE="), ["client"], "it has not changed: {ran:?}");
    assert!(ran.says("environment without PPTP_REASON"), "{ran:?}");
    assert_eq!(ran.after("info: session ended: ").len(), 2, "{ran:?}");
}

#[test]
fn a_call_that_the_server_ends_has_one_reason_everywhere() {
    let before = ["@check", "@connect", "@establish", "@ipup"];
    let ran = call_that_ends("reason", &before, &["@ipdown", "@disestablish", "@cleanup"]);
    let [line] = ran.after("notice: ")[..] else { panic!("one line: {ran:?}") };
    assert_eq!(ran.after("environment PPTP_REASON="), [line]);
    let [end] = ran.after("info: session ended: ")[..] else { panic!("one end: {ran:?}") };
    assert!(end.ends_with(&format!(" reason={line}")), "{end}");
}

/// What pptp-rsctl would hear of the tunnels of this machine, of the host among others.
fn tunnels() -> Vec<(u32, Answer)> {
    ask_all(Path::new(DIRECTORY), pptp_io::confine::service_account(), Duration::from_secs(10)).unwrap()
}

/// Runs a host that waits with select(2), and what its tunnel says of itself with `server` as the server's name.
fn ask(server: &str, words: &[&str]) -> (Record, Ran) {
    let (port, thread) = serve(&[]);
    let mut all = vec!["pptp_server", server, "pptp_port", &port, "pptp_share", "off"];
    all.extend(words);
    let host = start_with_pppox(&all);
    let deadline = Instant::now() + Duration::from_secs(40);
    let is_it = |process: u32, record: &Record| {
        let is_up = record.value("server") == Some(server) && record.value("call-id").is_some();
        // A moment after it has moved it is found under its old name.
        is_up && record.value("pppd") == Some(&*process.to_string())
    };
    let record = loop {
        assert!(Instant::now() < deadline, "nothing is told of {server}");
        let told = tunnels().into_iter().find_map(|(process, answer)| match answer {
            Answer::Told(record) => is_it(process, &record).then_some(record),
            Answer::Silence => None,
        });
        if let Some(record) = told {
            break record;
        }
    };
    let ran = host.wait_with_output().unwrap().into();
    thread.join().unwrap();
    (record, ran)
}

#[test]
fn a_tunnel_can_be_asked_while_pppd_waits() {
    let begin = Instant::now();
    // Another name for this machine, which no other test has.
    let (record, ran) = ask("127.0.0.71", &["@check", "@connect", "@establish", "@ipup", "@select=3", "@exit"]);
    for (field, value) in [
        ("state", "running"),
        ("address", "127.0.0.71"),
        ("datapath", "kernel"),
        ("choice", "data path kernel"),
        ("mppe", "none"),
        ("linkname", "office"),
    ] {
        assert_eq!(record.value(field), Some(value), "{record:?}");
    }
    let uptime: u64 = record.value("uptime").unwrap().parse().unwrap();
    assert!(uptime <= begin.elapsed().as_secs(), "{record:?}");
    let id = record.value("call-id").unwrap();
    assert!(ran.says(&format!("environment PPTP_LOCAL_CALL_ID={id}")), "{record:?} {ran:?}");
    let process = record.value("pppd").unwrap();
    assert!(!Path::new(&format!("{DIRECTORY}/tunnel-{process}")).exists());
}

#[test]
fn a_tunnel_moves_with_pppd_when_that_detaches() {
    let (record, ran) =
        ask("127.0.0.72", &["@check", "@connect", "@establish", "@detach", "@ipup", "@select=3", "@exit"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let process = record.value("pppd").unwrap();
    assert!(!Path::new(&format!("{DIRECTORY}/tunnel-{process}")).exists());
}

#[test]
fn a_refused_call_is_one_error_that_names_the_code() {
    let ran = call(&["ocrq=reply:result=4"], &["@connect"]);
    assert!(ran.says("connected no") && ran.says("status 8 quit 0"), "{ran:?}");
    let [line] = ran.after("error: ")[..] else { panic!("one line: {ran:?}") };
    assert!(line.contains("(4)"), "{line}");
}

#[test]
fn a_channel_that_pppd_cannot_register_is_released() {
    let (port, server) = serve(&[]);
    let words =
        ["pptp_server", "127.0.0.1", "pptp_port", &port, "pptp_share", "off", "@connect", "@establish", "@disconnect"];
    let ran = run_with_variables(&words, &[("FAIL_ESTABLISH", "1")]);
    assert!(ran.says("established -1"), "{ran:?}");
    // pppd would close a number once more that is another descriptor's by then.
    assert!(ran.says("host disestablishes"), "{ran:?}");
    server.join().unwrap();
}

#[test]
fn a_channel_that_pppd_never_attached_to_leaves_no_descriptor() {
    let (port, server) = serve(&[]);
    let words = ["@check", "@open", "@closeppp", "@open", "@fds", "@connect", "@establish", "@disconnect", "@fds"];
    let mut all = vec!["pptp_server", "127.0.0.1", "pptp_port", &port, "pptp_share", "off", "pptp_datapath", "tun"];
    all.extend(words);
    let ran = run_with_variables(&all, &[("FAIL_ESTABLISH", "1")]);
    server.join().unwrap();
    let descriptors: Vec<u32> = ran.after("descriptors ").iter().map(|count| count.parse().unwrap()).collect();
    let [before, after] = descriptors[..] else { panic!("{ran:?}") };
    // Those by which the tunnel can be asked stay: a socket and its directory.
    assert!(ran.says("connected yes") && after == before + 2, "{ran:?}");
}

#[test]
fn a_script_child_closes_its_copies_and_the_call_stays() {
    let ran = call(&[], &["@connect", "@establish", "@fds", "@child", "@fds", "@needless", "@disestablish"]);
    let descriptors: Vec<u32> = ran.after("descriptors ").iter().map(|count| count.parse().unwrap()).collect();
    let [before, in_child, after] = descriptors[..] else { panic!("{ran:?}") };
    assert_eq!((in_child, after), (before - 2, before));
    assert!(ran.after("notice: ").is_empty(), "the call ended: {ran:?}");
}

/// What connect() itself costs, with a server that answers at once and a name to resolve.
#[test]
fn connecting_to_a_quick_server_takes_no_sleep() {
    let connect = || {
        let started = Instant::now();
        let ran = call(&[], &["@connect", "@cleanup"]);
        assert!(ran.says("connected yes"), "{ran:?}");
        started.elapsed()
    };
    // One that is always there; what a busy machine adds is not.
    let mut took = Vec::new();
    while took.iter().all(|took| *took >= Duration::from_millis(900)) {
        assert!(took.len() < 40, "{took:?}");
        took.push(connect());
    }
}
