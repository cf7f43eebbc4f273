//! Clients that are broken, or want to break something. A good one is served meanwhile, and nothing is left of them.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Client, Daemon, eventually, loopback, message, program, refusal, who_answers};

/// A client is served at once, whatever others do.
#[track_caller]
fn assert_served(daemon: &Daemon, id: u16) {
    let begin = Instant::now();
    let mut client = daemon.connect_from(loopback(255, 1));
    client.start();
    client.dial(id);
    client.send("stop", &[]);
    client.expect("stop-reply");
    // Less than one silent client is waited for if nothing else is set, and far less than many are.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn silent_connections_keep_nobody_waiting_and_have_to_go() {
    let daemon = Daemon::start("stimeout 2\nmax-starting 50", "");
    let idle = daemon.descriptors();
    let mut silent: Vec<Client> = (0..200).map(|_| daemon.connect()).collect();
    assert_served(&daemon, 1);
    assert!(daemon.descriptors() < idle + 60, "{}", daemon.descriptors());
    for client in &mut silent {
        client.expect_end();
    }
    assert_served(&daemon, 2);
    drop(silent);
    daemon.wait_until_idle(idle);
}

#[test]
fn a_client_that_sends_octet_by_octet_is_served() {
    let daemon = Daemon::start("", "");
    let mut client = daemon.connect();
    for short in ["sccrq", "ocrq"] {
        for octet in message(short, if short == "ocrq" { &[("id", 3)] } else { &[] }).bytes {
            client.stream.write_all(&[octet]).unwrap();
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    client.expect("sccrp");
    let reply = client.expect("ocrp");
    assert_eq!(reply.value("result"), Some(1));
}

#[test]
fn garbage_ends_a_connection_and_its_calls() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    for garbage in [&[0xff; 4000][..], b"GET / HTTP/1.1\r\n\r\n", &[0, 12, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0]] {
        let mut stranger = daemon.connect();
        stranger.stream.write_all(garbage).unwrap();
        stranger.expect_end();
    }
    let mut client = daemon.join();
    client.dial(1);
    client.stream.write_all(&[0xff; 4000]).unwrap();
    client.expect_end();
    daemon.wait_for("call over: the peer does not speak pptp", 1);
    drop(client);
    daemon.wait_until_idle(idle);
    assert_served(&daemon, 1);
}

#[test]
fn a_flood_of_requests_gets_refusals_and_no_more_than_the_limit() {
    let daemon = Daemon::start("remoteip 10.0.0.2-99\nmax-per-address 5", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    let mut accepted = 0;
    for round in 0..20 {
        let flood: Vec<u8> = (1..=50).flat_map(|id| message("ocrq", &[("id", round * 50 + id)]).bytes).collect();
        client.stream.write_all(&flood).unwrap();
        for _ in 0..50 {
            match refusal(&client.expect("ocrp")) {
                (Some(1), Some(0)) => accepted += 1,
                other => assert_eq!(other, (Some(2), Some(4))),
            }
        }
    }
    assert_eq!(accepted, 5);
    assert_eq!(daemon.children().len(), 5);
    assert_served(&daemon, 1);
    // The core refuses what is beyond the limit of one connection by itself, and tells of it as of an oddity.
    assert!(daemon.log().lines().count() < 200, "{}", daemon.log().lines().count());
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn a_client_that_never_reads_is_bounded() {
    let daemon = Daemon::start("echo-interval 0", "");
    let before = daemon.memory();
    let mut client = daemon.join();
    client.stream.set_nonblocking(true).unwrap();
    let echoes: Vec<u8> = (0..1000).flat_map(|_| message("echo", &[]).bytes).collect();
    let mut stuck = 0;
    while stuck < 20 {
        match client.stream.write(&echoes) {
            Ok(_) => stuck = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stuck += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_served(&daemon, 1);
    daemon.assert_not_grown(before, 512);
}

#[test]
fn a_pppd_that_dies_at_once_is_the_end_of_its_call_alone() {
    let daemon = Daemon::start("remoteip 10.0.0.2", "die");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    for id in 1..=50 {
        let ours = client.dial(id);
        assert_eq!(client.expect("cdn").value("id"), Some(ours.into()));
    }
    daemon.wait_for(" s: a fatal error, see pppd's log (1)", 50);
    daemon.behave("");
    let ours = client.dial(60);
    assert_eq!([who_answers(&daemon.gre(60), ours)], daemon.children()[..]);
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn a_half_closed_connection_is_a_closed_one() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    client.dial(1);
    client.half_close();
    client.expect_end();
    daemon.wait_for("call over: the peer closed the control connection", 1);
    drop(client);
    daemon.wait_until_idle(idle);
}

#[test]
fn thousands_of_connections_cost_no_memory_that_stays() {
    let daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let round = |count: u32| {
        for _ in 0..count {
            let mut client = daemon.connect();
            // Whether it is served or barred, it gets an end.
            let _ = client.stream.write_all(&[0xff; 16]);
            client.expect_end();
        }
    };
    round(500);
    let before = daemon.memory();
    round(4000);
    daemon.assert_not_grown(before, 256);
    daemon.wait_until_idle(idle);
    assert_served(&daemon, 1);
    assert!(daemon.log().lines().count() < 100, "{}", daemon.log().lines().count());
}

#[test]
fn nobody_can_fill_the_disk_with_lines_also_not_with_debug() {
    let daemon = Daemon::start("remoteip 10.0.0.2-9", "");
    let idle = daemon.descriptors();
    // Connections that are good as far as they go.
    for _ in 0..500 {
        let mut client = daemon.join();
        client.send("stop", &[]);
        client.expect("stop-reply");
    }
    // One that tells much.
    let mut client = daemon.join();
    let ours = client.dial(1);
    for _ in 0..300 {
        client.send("sli", &[("peer", ours.into())]);
        client.send("wen", &[("peer", ours.into()), ("crc", 1)]);
        client.send("sccrq", &[]);
    }
    // Calls that come in and are over before they are connected.
    for id in 2..500 {
        client.send("icrq", &[("id", id)]);
        client.expect("icrp");
        client.send("cdn", &[("id", id)]);
    }
    client.send("echo", &[]);
    client.expect("echo-reply");
    drop(client);
    daemon.wait_until_idle(idle);
    assert!(daemon.log().lines().count() < 500, "{}", daemon.log().lines().count());
}

#[test]
fn without_descriptors_calls_are_refused_and_connections_wait() {
    let daemon = Daemon::start_with_descriptors(32, "", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    client.dial(1);
    let mut silent: Vec<Client> = (0..30).map(|_| daemon.connect()).collect();
    daemon.wait_for("cannot accept connections for a moment: too many open files", 1);
    assert_eq!(refusal(&client.ask(2)), (Some(2), Some(4)));
    daemon.wait_for("call refused: no engine can take the call: too many open files", 1);
    client.send("echo", &[]);
    client.expect("echo-reply");
    silent.truncate(5);
    let mut id = 2;
    eventually("there are descriptors again", || {
        id += 1;
        (client.ask(id).value("result") == Some(1)).then_some(())
    });
    assert_served(&daemon, 4);
    drop((client, silent));
    daemon.wait_until_idle(idle);
    // It does not try again and again.
    assert!(daemon.count("cannot accept connections") < 50);
}

#[test]
fn without_processes_calls_are_refused_and_the_others_go_on() {
    // The limit does not bind root, so the daemon runs as a user that has no other process, with root's capabilities but
    // those that lift it.
    let user = 100_000 + std::process::id();
    let capabilities = "+all,-sys_resource,-sys_admin";
    // The daemon, its engines, and three pppds.
    let most = 1 + std::thread::available_parallelism().unwrap().get().min(16) + 3;
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={user}"), format!("--inh-caps={capabilities}")])
        .args([format!("--ambient-caps={capabilities}"), String::from("prlimit"), format!("--nproc={most}:{most}")])
        .arg(program().get_program());
    let daemon = Daemon::start_by(command.stdin(Stdio::null()), "", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    for id in 1..=3 {
        client.dial(id);
    }
    eventually("three pppds run", || (daemon.children().len() == 3).then_some(()));
    assert_eq!(refusal(&client.ask(4)), (Some(2), Some(4)));
    daemon.wait_for("stub-pppd: there are as many processes as may be", 1);
    client.send("clear", &[("id", 1)]);
    client.expect("cdn");
    let mut id = 4;
    eventually("there is room for a process again", || {
        id += 1;
        (client.ask(id).value("result") == Some(1)).then_some(())
    });
    drop(client);
    daemon.wait_until_idle(idle);
}
