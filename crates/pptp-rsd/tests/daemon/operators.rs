//! The control socket, pptp-rsctl and metrics.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail like the test")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use pptp_io::poller::{Interest, wait};
use pptp_io::seqpacket;

use crate::harness::{Client, Daemon, SOON, copy_program, eventually, loopback, program};

fn rsctl(daemon: &Daemon, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pptp-rsctl"));
    command.arg("--socket").arg(daemon.path("control")).args(line.split_whitespace()).output().unwrap()
}

/// What it shows, with success.
#[track_caller]
pub(crate) fn shown(daemon: &Daemon, line: &str) -> String {
    let output = rsctl(daemon, line);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{line}");
    String::from_utf8(output.stdout).unwrap()
}

/// Its exit status and what it complains of.
pub(crate) fn complaint(daemon: &Daemon, line: &str) -> (Option<i32>, String) {
    let output = rsctl(daemon, line);
    assert_eq!(output.stdout, b"");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

pub(crate) fn operator(daemon: &Daemon) -> OwnedFd {
    seqpacket::connect(&daemon.path("control")).unwrap()
}

/// The next message; `None`: the server has closed.
#[track_caller]
fn hear(operator: &OwnedFd) -> Option<String> {
    assert!(wait(&[(operator.as_fd(), Interest::Read)], Some(2 * SOON)).unwrap()[0].readable(), "nothing comes");
    let mut buffer = vec![0; 1 << 16];
    match seqpacket::receive(operator.as_fd(), &mut buffer) {
        Ok(received) if received.length > 0 => Some(String::from_utf8_lossy(&buffer[..received.length]).into_owned()),
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn sessions_are_listed_shown_and_ended() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let idle = daemon.descriptors();
    assert_eq!(shown(&daemon, "--json sessions"), "[]\n");
    let mut client = daemon.join();
    let ours = client.dial(7);
    client.dial(8);
    let port = client.stream.local_addr().unwrap();
    let listed = shown(&daemon, "sessions");
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{listed}");
    let stub = daemon.children()[0].to_string();
    assert_eq!(lines[1][..6], ["1", "running", "-", port.to_string().as_str(), "10.0.0.2", "-"]);
    assert_eq!(lines[1][7..], ["tun", "-", "-", "-", "-"]);
    let json = shown(&daemon, "show 1 --json");
    for part in [
        r#"{"id":1,"state":"running","#,
        &format!(r#""call-id":{ours},"peer-call-id":7,"uptime":"#),
        &format!(r#""local":"10.0.0.1","remote":"10.0.0.2","pppd":{stub}}}"#),
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    assert_eq!(shown(&daemon, "disconnect 1"), "1 session told to end\n");
    assert_eq!(client.expect("cdn").value("id"), Some(ours.into()));
    daemon.wait_for("session 1: 127.", 3);
    daemon.wait_for("call over: an operator has ended it", 1);
    daemon.wait_for("has ended after", 1);
    assert_eq!(complaint(&daemon, "show 1"), (Some(1), "pptp-rsctl: there is no session 1\n".into()));
    assert_eq!(shown(&daemon, &format!("disconnect {}", daemon.near)), "1 session told to end\n");
    client.expect("cdn");
    daemon.wait_for("has ended after", 2);
    let stats = shown(&daemon, "stats");
    assert!(stats.lines().any(|line| line.split_whitespace().eq(["calls-accepted", "2"])), "{stats}");
    // The control connection stays.
    client.dial(9);
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn exit_statuses_say_what_was_wrong() {
    let mut daemon = Daemon::start("", "");
    assert_eq!(complaint(&daemon, "disconnect 192.0.2.7").0, Some(1));
    let alice = "pptp-rsctl: there is no session of the user 'alice'\n";
    assert_eq!(complaint(&daemon, "disconnect alice"), (Some(1), alice.into()));
    for (line, words) in [
        ("", "a command is missing: sessions, show, stats, disconnect, call or tunnels"),
        ("disconnect session alice", "'alice' is no number of a session"),
        ("--what", "invalid option '--what'"),
    ] {
        assert_eq!(complaint(&daemon, line), (Some(2), format!("pptp-rsctl: {words}; see pptp-rsctl --help\n")));
    }
    assert!(shown(&daemon, "--help").contains("Exit status") && shown(&daemon, "-v").starts_with("pptp-rsctl v"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    let (status, text) = complaint(&daemon, "sessions");
    let place = daemon.path("control");
    assert_eq!(status, Some(3));
    assert_eq!(text, format!("pptp-rsctl: no server answers at {}: no such file or directory\n", place.display()));
}

#[test]
fn the_socket_is_private_and_goes_with_the_server() {
    let mut daemon = Daemon::start("", "");
    let place = daemon.path("control");
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o600);
    // Whoever may connect all the same is not heard.
    std::fs::set_permissions(daemon.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o666)).unwrap();
    let program = std::env::temp_dir().join(format!("pptp-rsctl-{}", std::process::id()));
    copy_program(env!("CARGO_BIN_EXE_pptp-rsctl"), &program);
    let mut stranger = Command::new("setpriv");
    stranger.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    let output = stranger.arg("--socket").arg(&place).arg("sessions").output().unwrap();
    std::fs::remove_file(&program).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(3), 0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(shown(&daemon, "sessions").starts_with("ID  STATE"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    assert!(!place.exists());
}

#[test]
fn a_server_that_drains_leaves_its_place_to_the_next_one() {
    let (mut daemon, place) = with_metrics("drain-timeout 2");
    let mut client = daemon.join();
    client.dial(1);
    daemon.signal(Signal::SIGTERM);
    client.expect("stop");
    assert!(!daemon.path("control").exists());
    // An engine that is just being started may have a copy of the socket for a moment.
    eventually("nobody listens", || TcpStream::connect(place).is_err().then_some(()));
    // The client does not answer: the server is still there.
    assert!(std::path::Path::new(&format!("/proc/{}/exe", daemon.id())).exists());
    drop(client);
    assert_eq!(daemon.exit_status(), Some(0));
}

#[test]
fn a_reload_says_that_other_places_need_a_restart() {
    let (daemon, place) = with_metrics("");
    daemon.configure("");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("metrics-listen or control-socket has changed: that needs a restart", 1);
    assert!(get(place, "GET /metrics HTTP/1.0\n\n").contains("200 OK"));
}

#[test]
fn a_socket_that_was_left_behind_is_taken_over_and_one_in_use_is_not() {
    let daemon = Daemon::start("", "");
    let elsewhere = format!("control-socket {}", daemon.path("control").display());
    let mut second = Daemon::start(&elsewhere, "");
    second.wait_for("pptp-rsctl will not work: cannot listen at", 1);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.exit_status(), Some(0));
    shown(&daemon, "sessions");
    daemon.signal(Signal::SIGKILL);
    eventually("nobody listens", || (rsctl(&daemon, "stats").status.code() == Some(3)).then_some(()));
    assert!(daemon.path("control").exists());
    let third = Daemon::start(&elsewhere, "");
    shown(&daemon, "sessions");
    assert_eq!(third.count("will not work"), 0);
}

#[test]
fn operators_that_send_anything_or_read_nothing_harm_nobody() {
    let daemon = Daemon::start("remoteip 10.0.0.2-99\nmax-per-address 99", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    for id in 1..=40 {
        client.dial(id);
    }
    let before = daemon.memory();
    let deaf: Vec<OwnedFd> = (0..8).map(|_| operator(&daemon)).collect();
    for operator in &deaf {
        // Until neither it nor the server has room for more.
        let mut stuck = 0;
        while stuck < 5 {
            match seqpacket::send(operator.as_fd(), b"sessions", &[]) {
                Ok(()) => stuck = 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    stuck += 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    let babbler = operator(&daemon);
    for words in [&[0xff; 200][..], &[b'x'; 5000], b"show\0", b"\n"] {
        seqpacket::send(babbler.as_fd(), words, &[]).unwrap();
        assert!(hear(&babbler).unwrap().starts_with("error wrong "));
    }
    assert_eq!(shown(&daemon, "sessions").lines().count(), 41);
    client.send("echo", &[]);
    client.expect("echo-reply");
    daemon.assert_not_grown(before, 256);
    drop((deaf, babbler, client));
    daemon.wait_until_idle(idle);
}

#[test]
fn of_many_operators_the_oldest_gives_way_and_the_silent_have_to_go() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(eventually("there is room to wait", || seqpacket::connect(&daemon.path("control")).ok()));
    }
    shown(&daemon, "stats");
    assert!(daemon.descriptors() <= idle + 16, "{}", daemon.descriptors());
    for operator in &silent {
        assert_eq!(hear(operator), None);
    }
    assert_eq!(daemon.descriptors(), idle);
}

/// A daemon with metrics, and where they are.
fn with_metrics(settings: &str) -> (Daemon, (Ipv4Addr, u16)) {
    let daemon = Daemon::start(&format!("metrics-listen 127.0.0.1:0\n{settings}"), "");
    daemon.wait_for("metrics are served at 127.0.0.1:", 1);
    let log = daemon.log();
    let port = log.split_once("metrics are served at 127.0.0.1:").unwrap().1.lines().next().unwrap();
    (daemon, (Ipv4Addr::LOCALHOST, port.parse().unwrap()))
}

fn get(place: (Ipv4Addr, u16), request: &str) -> String {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn metrics_are_served_and_nothing_else_is() {
    let (daemon, place) = with_metrics("remoteip 10.0.0.2");
    let mut client = daemon.join();
    client.dial(1);
    client.ask(2);
    let text = get(place, "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(
        text.starts_with("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{text}"
    );
    for line in [
        "pptp_rsd_sessions{state=\"running\"} 1",
        "pptp_rsd_connections{state=\"started\"} 1",
        "pptp_rsd_calls_accepted_total 1",
        "pptp_rsd_calls_refused_total{reason=\"no-address\"} 1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "404 Not Found"),
        ("DELETE /metrics HTTP/1.0\r\n\r\n", "405 Method Not Allowed"),
        ("\u{7}\n\n", "400 Bad Request"),
    ] {
        assert!(get(place, request).starts_with(&format!("HTTP/1.0 {status}\r\n")), "{request}");
    }
}

#[test]
fn whoever_asks_for_metrics_in_odd_ways_is_bounded_in_number_size_and_time() {
    let (daemon, place) = with_metrics("");
    let idle = daemon.descriptors();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(place).unwrap()).collect();
    let mut slow = TcpStream::connect(place).unwrap();
    for octet in b"GET /metrics HTTP/1.0\r\n\r\n" {
        slow.write_all(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    slow.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("# TYPE pptp_rsd_session_round_trip_seconds gauge\n"), "{text}");
    assert!(daemon.descriptors() <= idle + 16, "{}", daemon.descriptors());
    let mut endless = TcpStream::connect(place).unwrap();
    endless.set_read_timeout(Some(SOON)).unwrap();
    // It is answered when it is too long, and closed some time later.
    while endless.write_all(&[b'x'; 4096]).is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
    for stream in &mut silent {
        stream.set_read_timeout(Some(SOON)).unwrap();
        assert!(!matches!(stream.read(&mut [0; 10]), Ok(1..)));
    }
    drop((silent, slow, endless));
    eventually("nobody is left", || (daemon.descriptors() == idle).then_some(()));
    daemon.join();
}

/// The samples of a text in Prometheus' format (0.0.4), by name with labels; each line of it is as the format says.
#[track_caller]
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families: Vec<&str> = Vec::new();
    let mut help = None;
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, text] => {
                assert!(!text.is_empty() && help.replace(name).is_none(), "{line}");
            }
            ["#", "TYPE", name, kind] => {
                assert!(help.take() == Some(name) && !families.contains(&name), "{line}");
                assert!(kind == "gauge" || (kind == "counter" && name.ends_with("_total")), "{line}");
                families.push(name);
            }
            _ => {
                let (name, value) = sample(line);
                // All samples of a family follow its head.
                assert_eq!(families.last(), Some(&name.split('{').next().unwrap()), "{line}");
                assert_eq!(samples.insert(name.to_owned(), value), None, "{line}");
            }
        }
    }
    assert_eq!(help, None);
    samples
}

/// `name value` or `name{label="value",…} value`.
#[track_caller]
fn sample(line: &str) -> (&str, f64) {
    let is_name = |name: &str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        name.chars().all(letters) && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
    };
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, mut labels) = series.split_once('{').unwrap_or((series, "}"));
    assert!(is_name(name), "{line}");
    while labels != "}" {
        let (label, rest) = labels.split_once("=\"").unwrap();
        assert!(is_name(label), "{line}");
        let mut letters = rest.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => assert!(matches!(letters.next(), Some((_, '\\' | '"' | 'n'))), "{line}"),
                (_, letter) => assert!(!letter.is_control(), "{line}"),
            }
        };
        labels = &rest[end + 1..];
        labels = labels.strip_prefix(',').filter(|rest| *rest != "}").unwrap_or(labels);
        assert!(labels == "}" || is_name(&labels[..1]), "{line}");
    }
    (series, value.parse().unwrap())
}

/// The call gets a stub that behaves like this.
fn dial(daemon: &Daemon, client: &mut Client, call: u16, behaviour: &str) {
    daemon.behave(behaviour);
    client.dial(call);
    eventually("the stub knows how to behave", || (daemon.traces().len() == call.into()).then_some(()));
}

#[test]
fn what_pppds_tell_is_seen_everywhere() {
    let (daemon, place) = with_metrics("remoteip 10.0.0.2-9");
    let mut client = daemon.join();
    let habits = ["user al\"i ce\\\u{1b}[31m", "user bob", ""];
    habits.into_iter().zip(1..).for_each(|(habit, call)| dial(&daemon, &mut client, call, habit));
    let near = daemon.near;
    let get = || samples(get(place, "GET /metrics HTTP/1.1\r\n\r\n").split_once("\r\n\r\n").unwrap().1);
    let bob = format!("{{id=\"2\",user=\"bob\",client=\"{near}\"}}");
    let alice = format!("{{id=\"1\",user=\"al\\\"i ce\\\\\u{fffd}[31m\",client=\"{near}\"}}");
    let received = |session: &str| get().get(&format!("pptp_rsd_session_received_bytes_total{session}")).copied();
    eventually("all have told", || received(&bob).and(received(&alice)));
    assert_eq!(received(&format!("{{id=\"3\",user=\"\",client=\"{near}\"}}")), None);
    let total = |way: &str| get()[&format!("pptp_rsd_traffic_bytes_total{{direction=\"{way}\"}}")];
    let before = total("sent");
    assert!(before > 0.0);
    // Who asks again is told of what has passed meanwhile.
    let bytes = |json: &str| json.split_once("\"bytes-received\":")?.1.split(',').next()?.parse::<u64>().ok();
    let [first, second] = [(); 2].map(|()| bytes(&shown(&daemon, "--json show 2")).unwrap());
    assert_eq!(second, first + 1000);
    let json = shown(&daemon, "--json show 1");
    assert!(json.contains(r#""user":"al\"i ce\\\u001b[31m","#), "{json}");
    let listed = shown(&daemon, "sessions");
    assert!(listed.contains(r#" al"i ce\\\u{1b}[31m "#) && !listed.contains('\u{1b}'), "{listed}");
    assert_eq!(shown(&daemon, "disconnect bob"), "1 session told to end\n");
    client.expect("cdn");
    daemon.wait_for(
        &format!("session 2 ended: user=bob client={near} local=10.0.0.1 remote=10.0.0.3 interface=ppp0 seconds="),
        1,
    );
    daemon.wait_for(&format!(" bytes-received={} bytes-sent=", second + 2000), 1);
    daemon.wait_for(" reason=an operator has ended it", 1);
    assert!(total("sent") >= before && received(&bob).is_none() && received(&alice).is_some());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pptp-rsctl"));
    command.arg("-s").arg(daemon.path("control")).args(["disconnect", "user", "al\"i ce\\\u{1b}[31m"]);
    assert_eq!(command.output().unwrap().stdout, b"1 session told to end\n");
    daemon.wait_for("ended: user=al\"i%20ce\\%1B[31m client=", 1);
}

#[test]
fn whoever_tells_nothing_or_nonsense_delays_nobody() {
    let (daemon, place) = with_metrics("remoteip 10.0.0.2-9");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    dial(&daemon, &mut client, 1, "user alice\nsilent");
    dial(&daemon, &mut client, 2, "babble");
    for _ in 0..20 {
        // What was told once is known.
        let listed = shown(&daemon, "sessions");
        assert!(listed.lines().count() == 3, "{listed}");
        client.send("echo", &[]);
        client.expect("echo-reply");
    }
    assert!(shown(&daemon, "sessions").contains(" alice "));
    samples(get(place, "GET /metrics HTTP/1.0\r\n\r\n").split_once("\r\n\r\n").unwrap().1);
    client.send("stop", &[]);
    client.expect_end();
    drop(client);
    daemon.wait_for("has ended after", 2);
    daemon.wait_until_idle(idle);
}

#[test]
fn an_address_for_metrics_that_is_taken_is_said_at_once() {
    let (daemon, (address, port)) = with_metrics("");
    let settings = std::fs::read_to_string(daemon.path("conf")).unwrap();
    let settings = settings
        .replace(":0\n", &format!(":{port}\n"))
        .replace(&daemon.address.to_string(), &loopback(253, 1).to_string());
    std::fs::write(daemon.path("other"), settings).unwrap();
    let second = program().args(["-f", "-c"]).arg(daemon.path("other")).output();
    let second = second.unwrap();
    let text = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(text.contains(&format!("cannot listen on {address}:{port}: address already in use")), "{text}");
}

#[test]
fn without_descriptors_operators_wait_and_nothing_spins() {
    let daemon = Daemon::start_with_descriptors(24, "", "");
    let silent: Vec<_> = (0..30).map(|_| daemon.connect()).collect();
    daemon.wait_for("cannot accept connections for a moment: too many open files", 1);
    let asked = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pptp-rsctl"));
        command.arg("-s").arg(daemon.path("control")).arg("stats").stdout(Stdio::null()).spawn().unwrap()
    };
    std::thread::sleep(Duration::from_millis(600));
    drop(silent);
    assert!(asked.wait_with_output().unwrap().status.success());
    assert!(daemon.count("cannot accept connections") < 20);
}
