//! The plugin in a pppd of straw (`fake_host/host.c`): loaded as pppd loads it, called as pppd calls it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod fake_host;

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use fake_host::{Ran, run, run_with_pppox, run_with_variables, start_with_pppox};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};

const UNKNOWN_MODE: &str = "option error: PPTP: unknown mode (you must specify pptp_server or pptp_client option)";

/// A server that accepts on a port of its own and says nothing.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

/// A port that nobody listens on, nor will while the socket is held.
fn closed_port() -> (OwnedFd, String) {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let port = getsockname::<SockaddrIn>(socket.as_raw_fd()).unwrap().port();
    (socket, port.to_string())
}

fn calling<'a>(port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["pptp_server", "127.0.0.1", "pptp_port", port, "pptp_share", "off"];
    words.extend(more);
    words
}

#[test]
fn it_loads_and_tells_the_version_of_pppd_that_it_is_for() {
    let ran = run(&[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.says(concat!("version ", env!("PPPD_VERSION"))), "{ran:?}");
}

#[test]
fn pppd_gets_the_whole_table() {
    let ran = run(&["@list"]);
    for line in [
        "pptp_server value everyone fixed: Server to call",
        "pptp_sock value privileged fixed: Descriptor of the client's connected PPTP socket (server side)",
        "pptp_window value everyone fixed: Receive window, packets (default 50)",
        "lock flag everyone fixed: Ignored (terminal lines have it)",
        "escape value everyone fixed: Ignored (terminal lines have it)",
        "speed wild everyone fixed: Ignored (terminal lines have it)",
    ] {
        assert!(ran.says(line), "{line}: {ran:?}");
    }
}

#[test]
fn given_values_are_shown_as_they_were_given() {
    let ran = run(&["pptp_server", "vpn.example", "pptp_window", "64", "pptp_window", "65", "115200", "@values"]);
    assert_eq!(
        ran.lines[1..],
        [
            "dbglog: option speed is ignored: PPTP has no terminal line",
            "pptp_server vpn.example",
            "pptp_window 65",
            "speed 115200",
            "status 8 quit 0",
        ]
    );
}

#[test]
fn ignored_words_of_terminal_lines_take_no_other_word_with_them() {
    let ran = run(&["lock", "crtscts", "115200", "escape", "11", "pptp_window", "65", "9600", "@values"]);
    assert!(ran.says("pptp_window 65") && ran.says("speed 9600") && ran.says("escape 11"), "{ran:?}");
    let ran = run(&["115200", "bogus"]);
    assert_eq!((ran.status, ran.says("unrecognized option 'bogus'")), (Some(2), true), "{ran:?}");
}

#[test]
fn a_wrong_value_is_an_error_of_the_option() {
    let ran = run(&["pptp_port", "http"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.says("option error: option pptp_port: 'http' is not allowed; allowed: a number from 1 to 65535"));
}

#[test]
fn options_of_other_plugins_and_lines_are_ignored_and_reported_once() {
    let words = ["lock", "lock", "pptp_timeout", "10", "-crtscts", "escape", "11", "vpnc", "1", "115200", "9600"];
    let ran = run(&words);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let ignored = |level: &str, rest: &str| -> Vec<String> {
        ran.after(level).iter().filter_map(|line| line.strip_suffix(rest)).map(String::from).collect()
    };
    let lines = ignored("dbglog: option ", " is ignored: PPTP has no terminal line");
    assert_eq!(lines, ["lock", "-crtscts", "escape", "speed"]);
    let forks = ignored("info: option ", " is ignored: it belongs to another PPTP plugin");
    assert_eq!(forks, ["pptp_timeout", "vpnc"]);
}

#[test]
fn words_that_are_no_speed_are_not_taken() {
    for word in ["ttyS0", "192.0.2.1:192.0.2.2", "115200x"] {
        let ran = run(&[word]);
        assert_eq!((ran.status, ran.says(&format!("unrecognized option '{word}'"))), (Some(2), true), "{ran:?}");
    }
}

#[test]
fn neither_or_both_of_client_and_server_is_an_option_error() {
    for words in [&["@check"][..], &["pptp_server", "a", "pptp_client", "b", "pptp_sock", "0", "@check"]] {
        let ran = run_with_pppox(words);
        assert_eq!((ran.status, ran.says(UNKNOWN_MODE)), (Some(2), true), "{ran:?}");
    }
}

#[test]
fn the_server_side_needs_a_pptp_socket() {
    let missing = run(&["pptp_client", "192.0.2.1", "@check"]);
    assert_eq!(missing.status, Some(2));
    assert!(missing.after("option error: option pptp_client needs option pptp_sock").len() == 1, "{missing:?}");
    let closed = run(&["pptp_client", "192.0.2.1", "pptp_sock", "99", "@check"]);
    assert_eq!(closed.status, Some(2));
    let line = "option error: option pptp_sock: 99 is not an open descriptor; allowed: a connected PPTP socket";
    assert!(closed.says(line), "{closed:?}");
    let other = run(&["pptp_client", "192.0.2.1", "pptp_sock", "0", "@check"]);
    assert_eq!(other.status, Some(2));
    assert!(
        other.says(
            "option error: option pptp_sock: descriptor 0 is not a PPTP socket (AF_PPPOX), nor one that offers a call"
        ),
        "{other:?}"
    );
}

/// Whatever this machine's kernel can do, the plugin says so; both outcomes are checked by tests/vm as well.
#[test]
fn a_kernel_without_pptp_is_named_with_its_remedy() {
    let ran = run(&["pptp_server", "192.0.2.1", "pptp_datapath", "kernel", "@check"]);
    if ran.status == Some(0) {
        assert!(ran.says("checked"), "{ran:?}");
        return;
    }
    assert_eq!(ran.status, Some(4), "{ran:?}");
    let [line] = ran.after("option error: ")[..] else { panic!("one line: {ran:?}") };
    for word in ["option pptp_datapath: 'kernel' is not possible", "pptp.ko", "pppox.ko", "gre.ko", "modprobe pptp"] {
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn sizes_leave_room_for_the_headers_unless_the_user_chose() {
    let sizes = |words: &[&str]| {
        let words: Vec<_> = ["pptp_server", "a"].iter().chain(words).chain(&["@check", "@sizes"]).copied().collect();
        run_with_pppox(&words).lines.into_iter().find(|line| line.starts_with("mru")).unwrap()
    };
    assert_eq!(sizes(&[]), "mru 1460 mtu 1460");
    assert_eq!(sizes(&["pptp_mtu", "1400"]), "mru 1400 mtu 1400");
    assert_eq!(sizes(&["@mtu=1300"]), "mru 1460 mtu 1300");
    assert_eq!(sizes(&["@mru=1500", "pptp_mtu", "1200"]), "mru 1500 mtu 1200");
}

#[test]
fn a_refused_connection_is_one_line_and_no_descriptor_is_left() {
    let (_held, port) = closed_port();
    let ran = run_with_pppox(&calling(&port, &["@check", "@fds", "@connect", "@cleanup", "@fds"]));
    assert!(ran.says("connected no") && ran.says("status 8 quit 0"), "{ran:?}");
    let [line] = ran.after("error: ")[..] else { panic!("one line: {ran:?}") };
    assert!(line.contains("127.0.0.1") && line.contains(&port) && line.contains("refused"), "{line}");
    let descriptors: Vec<u32> = ran.after("descriptors ").iter().map(|count| count.parse().unwrap()).collect();
    // Those by which the tunnel can be asked stay: a socket and its directory.
    assert_eq!(descriptors[0] + 2, descriptors[1]);
}

#[test]
fn the_name_of_the_channel_is_the_server_as_it_was_typed() {
    let (_held, port) = closed_port();
    let ran = run_with_pppox(&["pptp_server", "LocalHost", "pptp_port", &port, "pptp_share", "off", "@connect"]);
    if env!("PPPD_VERSION").starts_with("2.5") {
        assert!(ran.says("channel name pptp (LocalHost)"), "{ran:?}");
    } else {
        assert!(ran.after("error: ").len() == 1, "{ran:?}");
    }
}

#[test]
fn a_silent_server_costs_the_connect_timeout() {
    let (_listener, port) = silent_server();
    fake_host::build();
    let started = Instant::now();
    let ran = run_with_pppox(&calling(&port, &["pptp_connect_timeout", "1", "@connect"]));
    let took = started.elapsed();
    assert!(ran.says("connected no") && ran.after("error: ").len() == 1, "{ran:?}");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
}

/// On a busy machine; the connect timeout is three times as long.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Waits until the host's call has reached the server, so that connect() is being waited in.
fn wait_for_connection(listener: &TcpListener) -> TcpStream {
    let stream = listener.accept().unwrap().0;
    thread::sleep(Duration::from_millis(100));
    stream
}

fn send(signal: &str, child: &Child) {
    let status = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Sends the signal while the host connects; what it said, and how long it took.
fn interrupt(signal: &str) -> (Ran, Duration, TcpStream) {
    let (listener, port) = silent_server();
    let child = start_with_pppox(&calling(&port, &["@connect", "@cleanup", "@secret"]));
    let stream = wait_for_connection(&listener);
    send(signal, &child);
    let started = Instant::now();
    let ran = child.wait_with_output().unwrap().into();
    (ran, started.elapsed(), stream)
}

#[test]
fn sigterm_ends_connecting_at_once_and_makes_pppd_quit() {
    let (ran, took, _) = interrupt("TERM");
    assert!(ran.says("connected no") && ran.says("status 5 quit 1"), "{ran:?}");
    assert!(took < AT_ONCE, "{took:?}");
    assert!(ran.after("error: ").is_empty(), "{ran:?}");
}

#[test]
fn sighup_ends_connecting_and_lets_pppd_go_on() {
    let (ran, took, _) = interrupt("HUP");
    assert!(ran.says("connected no") && ran.says("status 5 quit 0"), "{ran:?}");
    assert!(took < AT_ONCE, "{took:?}");
}

/// The call manager has a copy of nothing that it outlives: the control connection closes with the attempt.
#[test]
fn an_interrupted_attempt_leaves_no_control_connection() {
    let (_, _, mut stream) = interrupt("TERM");
    stream.set_read_timeout(Some(AT_ONCE)).unwrap();
    let mut request = Vec::new();
    stream.read_to_end(&mut request).expect("the connection is closed in time");
}

#[test]
fn a_signal_from_before_is_obeyed() {
    let (_listener, port) = silent_server();
    fake_host::build();
    let started = Instant::now();
    let ran = run_with_pppox(&calling(&port, &["@term", "@connect"]));
    assert!(ran.says("status 5 quit 1"), "{ran:?}");
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn the_call_manager_erases_its_copy_of_the_password_and_pppd_keeps_its_own() {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secret-{}", std::process::id()));
    let (_held, port) = closed_port();
    let ran = run_with_variables(&calling(&port, &["@connect", "@secret"]), &[("SECRET_LOG", log.to_str().unwrap())]);
    assert!(ran.says("secret kept"), "{ran:?}");
    // Also the C library connects, to what resolves names.
    let found = fs::read_to_string(&log).expect("the call manager connected to something");
    fs::remove_file(log).unwrap();
    assert!(found.lines().all(|line| line == "gone"), "{found}");
}

#[test]
fn holdoff_is_kept_after_a_hang_up_and_pppds_own_otherwise() {
    let holdoff = |words: &[&str]| run(words).after("holdoff ").join(",");
    assert_eq!(holdoff(&["@holdoff"]), "30");
    assert_eq!(holdoff(&["@needless", "@holdoff"]), "0");
    assert_eq!(holdoff(&["@needless", "@hungup", "@disestablish", "@holdoff"]), "30");
    assert_eq!(holdoff(&["@hook", "@holdoff"]), "7");
    assert_eq!(holdoff(&["@hook", "@hungup", "@disestablish", "@holdoff"]), "30");
}

#[test]
fn releasing_twice_or_without_a_call_is_harmless() {
    let ran = run(&["@cleanup", "@disconnect", "@cleanup", "@close", "@disestablish", "@cleanup"]);
    assert_eq!((ran.status, ran.after("cleaned up").len()), (Some(0), 3), "{ran:?}");
    assert!(ran.after("error: ").is_empty(), "{ran:?}");
}
