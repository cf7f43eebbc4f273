//! The manager as a process: what it takes from pppd and what it leaves behind.

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::{Probe, Scene, Server, comm, descriptors, needs_root, processes, status_field};

fn up(rules: &[&str]) -> (Scene, Server, Probe) {
    let (scene, server) = (Scene::new(), Server::start(rules));
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    (scene, server, probe)
}

#[test]
fn it_is_nobodys_child_and_leads_no_zombie_behind() {
    let (scene, _server, probe) = up(&[]);
    let manager = scene.manager();
    assert_ne!(status_field(manager, "PPid"), probe.pid().to_string());
    let children = processes(|pid| {
        fs::read_to_string(format!("/proc/{pid}/status"))
            .is_ok_and(|status| status.contains(&format!("\nPPid:\t{}\n", probe.pid())))
    });
    assert_eq!(children, Vec::<i32>::new());
}

#[test]
fn it_has_its_own_session_and_name() {
    let (scene, _server, probe) = up(&[]);
    let manager = scene.manager();
    assert_eq!(comm(manager), "pptp-callmgr");
    let session = nix::unistd::getsid(Some(Pid::from_raw(manager))).unwrap();
    assert_ne!(session, nix::unistd::getsid(Some(Pid::from_raw(probe.pid()))).unwrap());
    assert_eq!(fs::read_link(format!("/proc/{manager}/cwd")).unwrap(), Path::new("/"));
    assert_eq!(status_field(manager, "Umask"), "0077");
    assert_eq!(status_field(manager, "Threads"), "1");
}

/// Everything but /dev/null three times, the TCP connection, the plugin's socket, the channel, the listener and the
/// directory; above all not the descriptor that the probe was given.
#[test]
fn it_keeps_no_descriptor_that_it_was_not_given() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let secret = std::env::temp_dir().join(format!("pptp-cm-{}-secret", std::process::id()));
    let file = OwnedFd::from(File::create(&secret).unwrap());
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let mut probe = scene.call(server.port, &[]);
    probe.expect("connected ");
    drop(file);
    let theirs = |pid| descriptors(pid).into_iter().map(|(_, target)| target).collect::<Vec<_>>();
    assert!(theirs(probe.pid()).contains(&secret.to_string_lossy().into_owned()));
    let manager = descriptors(scene.manager());
    let standard: BTreeSet<_> = (0..3).map(|number| (number, String::from("/dev/null"))).collect();
    let (null, others): (BTreeSet<_>, BTreeSet<_>) = manager.into_iter().partition(|(number, _)| *number < 3);
    assert_eq!(null, standard);
    let sockets = others.iter().filter(|(_, target)| target.starts_with("socket:")).count();
    let directories = others.iter().filter(|(_, target)| *target == scene.directory.to_string_lossy()).count();
    assert_eq!((sockets, directories, others.len()), (4, 1, 5), "{others:?}");
    fs::remove_file(secret).unwrap();
}

#[test]
fn standard_output_ends_with_pppd() {
    let (scene, _server, mut probe) = up(&[]);
    // Stopped, so that only the probe can be what the output still waits for.
    let manager = Pid::from_raw(scene.manager());
    kill(manager, Signal::SIGSTOP).unwrap();
    probe.child.kill().unwrap();
    probe.until_output_ends();
    kill(manager, Signal::SIGCONT).unwrap();
    scene.until_gone();
}

#[test]
fn signals_that_end_sessions_do_not_end_it() {
    let (scene, server, mut probe) = up(&[]);
    let manager = Pid::from_raw(scene.manager());
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGPIPE] {
        kill(manager, signal).unwrap();
    }
    let mut second = scene.call(server.port, &[]);
    assert!(second.expect("connected ").contains("shared=true"));
    assert_eq!(scene.manager(), manager.as_raw());
    second.hang_up();
    probe.hang_up();
    scene.until_gone();
}

#[test]
fn no_handler_or_mask_of_pppds_is_left() {
    let (scene, _server, _probe) = up(&[]);
    let manager = scene.manager();
    for field in ["SigCgt", "SigBlk"] {
        assert_eq!(status_field(manager, field), "0000000000000000", "{field}");
    }
}

#[test]
fn secrets_are_wiped_and_memory_is_private() {
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let wiped = std::env::temp_dir().join(format!("pptp-cm-{}-wiped", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_callmgr-probe"));
    let mut probe = scene.call_by(command.env("PROBE_WIPED", &wiped), server.port, &[]);
    probe.expect("connected ");
    assert_eq!(fs::read(&wiped).unwrap(), b"wiped");
    fs::remove_file(&wiped).unwrap();
    let manager = scene.manager();
    let limits = fs::read_to_string(format!("/proc/{manager}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn the_command_line_that_pppd_was_given_is_not_shown() {
    let (scene, _server, _probe) = up(&[]);
    let shown = std::fs::read(format!("/proc/{}/cmdline", scene.manager())).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert_eq!(shown.trim_end_matches('\0'), "pptp-callmgr");
}

#[test]
fn it_has_no_privileges() {
    needs_root();
    let (scene, _server, _probe) = up(&[]);
    let manager = scene.manager();
    for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_field(manager, field), "0000000000000000", "{field}");
    }
    assert_eq!(status_field(manager, "NoNewPrivs"), "1");
    // 2: a filter of system calls.
    assert_eq!(status_field(manager, "Seccomp"), "2");
    assert_eq!(status_field(manager, "Groups"), "");
}

/// Under the filter, without capabilities: what the channel of a call receives, a second call, the last one out, the socket and its directory removed.
#[test]
fn it_can_do_its_work_without_privileges() {
    let (scene, server, mut first) = up(&[]);
    let mut second = scene.call(server.port, &["--admit", "on"]);
    second.expect("filtered");
    first.hang_up();
    server.until_count("Call-Clear-Request", 1);
    second.hang_up();
    scene.until_gone();
    server.until_count("Stop-Control-Connection-Request", 1);
}

/// The machine has a user for it: the file of users is another one in a mount namespace of the probe's.
#[test]
fn it_becomes_the_service_user_where_there_is_one() {
    needs_root();
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let users = std::env::temp_dir().join(format!("pptp-cm-{}-passwd", std::process::id()));
    fs::write(&users, "root:x:0:0::/:/bin/sh\npptp-rs:x:64123:64124::/:/usr/sbin/nologin\n").unwrap();
    let script = format!("mount --bind {} /etc/passwd && exec \"$0\" \"$@\"", users.display());
    let call = || {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_callmgr-probe")]);
        scene.call_by(&mut command, server.port, &[])
    };
    let (mut first, mut second) = (call(), call());
    first.expect("connected ");
    second.expect("connected ");
    let manager = scene.manager();
    assert_eq!(status_field(manager, "Uid"), "64123 64123 64123 64123");
    assert_eq!(status_field(manager, "Gid"), "64124 64124 64124 64124");
    assert_eq!(status_field(manager, "CapEff"), "0000000000000000");
    assert_eq!(fs::metadata(&scene.directory).unwrap().uid(), 64123);
    first.hang_up();
    second.hang_up();
    scene.until_gone();
    fs::remove_file(users).unwrap();
}

#[test]
fn it_leaves_the_control_group_of_the_service_that_started_it() {
    needs_root();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let Some(root) = root.and_then(|line| line.split(' ').nth(1)).map(Path::new) else {
        panic!("this test needs a cgroup2 file system");
    };
    let group = root.join(format!("pptp-cm-{}", std::process::id()));
    fs::create_dir(&group).unwrap();
    let (scene, server) = (Scene::new(), Server::start(&[]));
    let mut command = Command::new("sh");
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.display());
    let mut probe = scene.call_by(command.args(["-c", &script, env!("CARGO_BIN_EXE_callmgr-probe")]), server.port, &[]);
    probe.expect("connected ");
    let group_of = |pid: i32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        groups.lines().find_map(|line| line.strip_prefix("0::").map(str::to_owned)).unwrap()
    };
    assert!(group_of(probe.pid()).ends_with(&group.file_name().unwrap().to_string_lossy().into_owned()));
    let manager = scene.manager();
    assert_eq!(group_of(manager), "/");
    probe.hang_up();
    assert_eq!(probe.status(), Some(0));
    scene.until_gone();
    fs::remove_dir(&group).unwrap();
}
