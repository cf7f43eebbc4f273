//! Several plugins, one control connection.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use pptp_io::seqpacket;
use support::{LIMIT, Probe, Scene, Server, needs_root};

/// What the server's journal says when a control connection comes in.
const START: &str = "Start-Control-Connection-Request";

#[test]
fn two_calls_share_one_control_connection_and_either_survives_the_other() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut calls: Vec<Probe> = (0..2).map(|_| scene.call(server.port, &[])).collect();
    let lines: Vec<_> = calls.iter_mut().map(|probe| probe.expect("connected ")).collect();
    let ids: Vec<_> = lines.iter().map(|line| Probe::number(line, "call")).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(lines.iter().filter(|line| line.contains("shared=true")).count(), 1, "{lines:?}");
    assert_eq!(server.count(START), 1, "{}", server.journal());

    calls[0].hang_up();
    server.until_count("Call-Clear-Request", 1);
    assert!(calls[1].is_silent(std::time::Duration::from_millis(100)), "{:?}", calls[1].seen);
    let mut third = scene.call(server.port, &[]);
    assert!(third.expect("connected ").contains("shared=true"));
    assert!(third.seen.iter().any(|line| line == "log INFO sharing the control connection to 127.0.0.1"));

    third.child.kill().unwrap();
    server.until_count("Call-Clear-Request", 2);
    assert_eq!(server.count("Stop-Control-Connection-Request"), 0);
    calls[1].hang_up();
    scene.until_gone();
    server.until_count("Stop-Control-Connection-Request", 1);
    assert_eq!(server.count(START), 1, "{}", server.journal());
}

#[test]
fn a_server_that_takes_one_call_at_a_time_gets_a_connection_for_each() {
    let (scene, server) = (Scene::new(), Server::start(&["sccrq=wait:100ms,reply:channels=1"]));
    let mut calls: Vec<Probe> = (0..3).map(|_| scene.call(server.port, &[])).collect();
    for probe in &mut calls {
        assert!(probe.expect("connected ").contains("shared=false"), "{:?}", probe.seen);
    }
    assert_eq!(server.count(START), 3, "{}", server.journal());
    calls[0].hang_up();
    server.until_count("Stop-Control-Connection-Request", 1);
    assert!(calls[1].is_silent(std::time::Duration::from_millis(100)), "{:?}", calls[1].seen);
}

#[test]
fn a_server_that_is_slow_to_start_is_shared_when_it_has_answered() {
    let (scene, server) = (Scene::new(), Server::start(&["sccrq=wait:300ms,reply"]));
    let mut calls: Vec<Probe> = (0..3).map(|_| scene.call(server.port, &[])).collect();
    let shared = calls.iter_mut().filter_map(|probe| probe.expect("connected ").contains("shared=true").then_some(()));
    assert_eq!(shared.count(), 2);
    assert_eq!(server.count(START), 1, "{}", server.journal());
}

#[test]
fn one_call_that_the_server_ends_leaves_the_others_up() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut first = scene.call(server.port, &[]);
    first.expect("connected ");
    let refusing = Server::start(&["ocrq=reply:result=4"]);
    let mut second = scene.call(refusing.port, &[]);
    second.expect("failed Refused ");
    assert!(first.is_silent(std::time::Duration::from_millis(100)));
}

#[test]
fn the_end_of_a_control_connection_ends_all_its_calls() {
    let file = std::env::temp_dir().join(format!("pptp-cm-{}-now", std::process::id()));
    let rule = format!("accept=wait-file:{},close", file.display());
    let (scene, server) = (Scene::new(), Server::start(&[&rule]));
    let mut calls: Vec<Probe> = (0..3).map(|_| scene.call(server.port, &[])).collect();
    for probe in &mut calls {
        probe.expect("connected ");
    }
    fs::write(&file, "").unwrap();
    for probe in &mut calls {
        probe.expect("ended 127.0.0.1 closed the control connection");
        probe.expect("hangup");
    }
    scene.until_gone();
    fs::remove_file(file).unwrap();
}

#[test]
fn candidates_that_race_end_with_one_control_connection() {
    for _ in 0..10 {
        let (scene, server) = (Scene::new(), Server::start(&[]));
        let mut calls: Vec<Probe> = thread::scope(|scope| {
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| scene.call(server.port, &[]))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        for probe in &mut calls {
            probe.expect("connected ");
        }
        assert_eq!(server.count(START), 1);
        assert_eq!(server.count("got Outgoing-Call-Request"), calls.len());
        scene.manager();
        for probe in &mut calls {
            probe.hang_up();
        }
        scene.until_gone();
    }
}

/// A redial begins while the old manager is on its way out; it must neither be lost nor join what is closing.
#[test]
fn redialling_at_once_always_works() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    for _ in 0..20 {
        let mut probe = scene.call(server.port, &[]);
        assert!(probe.expect("connected ").contains("shared=false"));
        probe.hang_up();
        assert_eq!(probe.status(), Some(0));
    }
    scene.until_gone();
    assert_eq!(server.count(START), 20);
}

#[test]
fn without_sharing_every_call_has_its_own_connection() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut calls: Vec<Probe> = (0..2).map(|_| scene.call(server.port, &["--share", "off"])).collect();
    for probe in &mut calls {
        assert!(probe.expect("connected ").contains("shared=false"));
    }
    assert_eq!(server.count(START), 2);
    assert!(!scene.directory.exists());
}

#[test]
fn users_and_local_addresses_share_nothing() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut calls: Vec<Probe> = [&[][..], &["--uid", "1000"], &["--bind", "127.0.0.6"]]
        .iter()
        .map(|arguments| scene.call(server.port, arguments))
        .collect();
    for probe in &mut calls {
        assert!(probe.expect("connected ").contains("shared=false"));
    }
    assert_eq!(server.count(START), 3);
}

#[test]
fn only_the_owner_can_reach_the_socket() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    scene.call(server.port, &[]).expect("connected ");
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scene.directory), 0o700);
    let sockets: Vec<_> = fs::read_dir(&scene.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(sockets.len(), 1);
    assert_eq!(mode(&sockets[0]) & 0o077, 0);
}

/// Even if the directory and the socket were open to all, a stranger's uid is not.
#[test]
fn a_stranger_is_turned_away() {
    needs_root();
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    let socket = fs::read_dir(&scene.directory).unwrap().next().unwrap().unwrap().path();
    for path in [&scene.directory, &socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let connect = "use Socket; socket(S, AF_UNIX, SOCK_SEQPACKET, 0) and connect(S, pack_sockaddr_un($ARGV[0])) or die; \
                   defined(recv(S, $heard, 9, 0)) or die; print length $heard";
    let stranger = |uid: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", uid, "--clear-groups", "/usr/bin/perl", "-e", connect]).arg(&socket);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(stranger("65534"), "0");
    // Root is heard, and turned away only because it says nothing.
    let begin = std::time::Instant::now();
    assert_eq!(stranger("0"), "0");
    assert!(begin.elapsed() > std::time::Duration::from_secs(1));
    fs::set_permissions(&scene.directory, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_directory_that_others_can_open_is_not_used() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    fs::create_dir(&scene.directory).unwrap();
    fs::set_permissions(&scene.directory, fs::Permissions::from_mode(0o755)).unwrap();
    let mut probe = scene.call(server.port, &[]);
    probe.expect("log WARN the control connection will not be shared: ");
    probe.expect("connected ");
    assert!(fs::read_dir(&scene.directory).unwrap().next().is_none());
}

/// A manager of an older version, played by the test: it takes the connection and does not understand what it hears.
#[test]
fn a_manager_of_another_version_is_left_alone() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut first = scene.call(server.port, &[]);
    first.expect("connected ");
    let socket = fs::read_dir(&scene.directory).unwrap().next().unwrap().unwrap().path();
    first.hang_up();
    scene.until_gone();
    fs::create_dir(&scene.directory).unwrap();
    fs::set_permissions(&scene.directory, fs::Permissions::from_mode(0o700)).unwrap();
    let listener = seqpacket::listen(&socket).unwrap();
    let refusals = thread::spawn(move || {
        use pptp_io::poller::{Interest, wait};
        use std::os::fd::AsFd;
        let mut refused = 0;
        while wait(&[(listener.as_fd(), Interest::Read)], Some(LIMIT)).unwrap()[0].readable() {
            drop(seqpacket::accept(listener.as_fd()).unwrap());
            refused += 1;
            if refused == 4 {
                break;
            }
        }
        refused
    });
    let mut second = scene.call(server.port, &[]);
    assert!(second.expect("connected ").contains("shared=false"));
    assert_eq!(refusals.join().unwrap(), 4);
    assert!(socket.exists(), "the other version's socket was removed");
}
