//! The end of the daemon.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Daemon, eventually, loopback, program};
use crate::operators::shown;

#[test]
fn told_to_end_it_tells_its_clients_and_leaves_nothing() {
    let mut daemon = Daemon::start("", "");
    assert_eq!(std::fs::read_to_string(daemon.path("pid")).unwrap(), format!("{}\n", daemon.id()));
    let (mut one, mut other) = (daemon.join(), daemon.join());
    one.dial(1);
    daemon.signal(Signal::SIGTERM);
    for client in [&mut one, &mut other] {
        assert_eq!(client.expect("stop").value("reason"), Some(3));
        client.send("stop-reply", &[("result", 1)]);
        client.expect_end();
    }
    drop((one, other));
    assert_eq!(daemon.exit_status(), Some(0));
    assert!(!daemon.path("pid").exists());
    assert_eq!(daemon.count("has ended after"), 1);
}

#[test]
fn clients_and_pppds_that_do_not_go_are_not_waited_for() {
    let mut daemon = Daemon::start("drain-timeout 1", "stubborn");
    let mut client = daemon.join();
    client.dial(1);
    eventually("the stub is there", || (daemon.traces().len() == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    daemon.wait_for("killed by signal 9", 1);
}

#[test]
fn told_twice_it_does_not_wait_for_a_deaf_pppd() {
    let mut daemon = Daemon::start("", "deaf");
    let mut client = daemon.join();
    client.dial(1);
    daemon.signal(Signal::SIGTERM);
    client.expect("stop");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    daemon.wait_for("killed by signal 9", 1);
}

#[test]
fn killed_it_takes_its_calls_with_it() {
    let mut daemon = Daemon::start("", "");
    let mut client = daemon.join();
    client.dial(1);
    eventually("the stub is there", || (daemon.traces().len() == 1).then_some(()));
    let stub = daemon.children()[0];
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.exit_status(), None);
    client.expect_end();
    eventually("the stub has ended", || (!std::path::Path::new(&format!("/proc/{stub}/exe")).exists()).then_some(()));
}

#[test]
fn killed_it_leaves_nothing_that_keeps_the_next_one_from_its_place() {
    let mut daemon = Daemon::start("", "");
    let idle = daemon.descriptors();
    let mut client = daemon.join();
    client.dial(1);
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.exit_status(), None);
    // Both name one that is no more, and the client has not closed its end.
    assert!(daemon.path("pid").exists() && daemon.path("control").exists());
    daemon.start_again();
    assert_eq!(std::fs::read_to_string(daemon.path("pid")).unwrap(), format!("{}\n", daemon.id()));
    assert!(shown(&daemon, "stats").contains("uptime"));
    daemon.join().dial(1);
    client.expect_end();
    daemon.wait_until_idle(idle);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    assert!(!daemon.path("pid").exists() && !daemon.path("control").exists());
}

#[test]
fn a_pid_file_that_another_has_written_since_is_not_removed() {
    let mut daemon = Daemon::start("", "");
    std::fs::write(daemon.path("pid"), "1\n").unwrap();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_status(), Some(0));
    assert_eq!(std::fs::read_to_string(daemon.path("pid")).unwrap(), "1\n");
}

#[test]
fn killed_it_takes_a_pppd_along_that_hears_of_no_hang_up() {
    let mut daemon = Daemon::start("", "deaf");
    let mut client = daemon.join();
    client.dial(1);
    eventually("the stub is there", || (daemon.traces().len() == 1).then_some(()));
    let stub = daemon.children()[0];
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.exit_status(), None);
    eventually("the stub has ended", || (!std::path::Path::new(&format!("/proc/{stub}/exe")).exists()).then_some(()));
}

#[test]
fn a_second_one_cannot_listen_and_says_so() {
    let daemon = Daemon::start("", "");
    let second = |arguments: &[&str]| {
        let mut second = program();
        let second = second.args(["-f", "-c"]).arg(daemon.path("conf")).args(arguments).output().unwrap();
        (second.status.code(), String::from_utf8_lossy(&second.stderr).into_owned())
    };
    let address = daemon.address;
    for (arguments, reason) in [
        ([].as_slice(), format!("cannot listen on {address}:1723: address already in use")),
        (&["--vrf", "red"], format!("cannot listen on {address}:1723 by red: no such device")),
    ] {
        let (status, text) = second(arguments);
        assert_eq!(status, Some(1));
        assert!(text.contains(&reason), "{text}");
    }
    assert!(daemon.path("pid").exists());
}

#[test]
fn in_the_background_it_returns_when_it_listens_and_ends_when_it_is_told() {
    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    let daemon = Daemon::start("", "");
    let place = daemon.path("background");
    let settings = std::fs::read_to_string(daemon.path("conf")).unwrap();
    let address = loopback(254, 1);
    let other = settings.replace(&daemon.address.to_string(), &address.to_string());
    let other = other.replace(&daemon.path("pid").display().to_string(), &place.display().to_string());
    std::fs::write(daemon.path("other"), other).unwrap();
    let status = program().arg("-c").arg("other").current_dir(daemon.path("")).status().unwrap();
    assert_eq!(status.code(), Some(0));
    drop(std::net::TcpStream::connect((address, 1723)).unwrap());
    let id = eventually("its number is written", || std::fs::read_to_string(&place).ok()?.trim().parse().ok());
    assert_eq!(std::fs::read_link(format!("/proc/{id}/cwd")).unwrap(), std::path::Path::new("/"));
    eventually("it hears signals", || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        status.lines().any(|line| line.starts_with("SigBlk:") && line.ends_with("0000000000014003")).then_some(())
    });
    // The folder of the configuration is the one in which it was started.
    kill(Pid::from_raw(id), Signal::SIGHUP).unwrap();
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    eventually("it has ended", || (!place.exists()).then_some(()));
}

/// A line of /proc/PID/status, as a number.
#[expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]
fn capabilities(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

#[test]
fn the_daemon_has_few_capabilities_and_pppd_has_those_that_it_needs() {
    let [dac_override, dac_read_search, setuid, net_admin, net_raw, sys_resource] =
        [1, 2, 7, 12, 13, 24].map(|bit| 1 << bit);
    let [sys_module, sys_rawio, sys_admin, sys_boot, sys_time] = [16, 17, 21, 22, 25].map(|bit| 1 << bit);
    let daemon = Daemon::start("", "");
    let mut client = daemon.join();
    client.dial(1);
    eventually("the stub is there", || (daemon.traces().len() == 1).then_some(()));
    let stub = daemon.children()[0];
    let all = capabilities(std::process::id(), "CapEff:");
    let passing = if all & sys_resource == 0 { sys_admin } else { sys_resource };
    let few = dac_read_search | net_admin | net_raw | passing;
    assert_eq!(capabilities(daemon.id(), "CapEff:"), few & all);
    for name in ["CapPrm:", "CapEff:", "CapBnd:"] {
        let pppds = capabilities(stub, name);
        assert_eq!(pppds & (sys_rawio | sys_boot | sys_time), 0, "{name}");
        let needed = dac_override | setuid | net_admin | net_raw | sys_module | sys_admin;
        assert_eq!(pppds & needed, all & needed, "{name}");
    }
}

#[test]
fn who_does_not_read_its_lines_does_not_stop_it() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    let mut daemon = Daemon::start("", "");
    let settings = std::fs::read_to_string(daemon.path("conf")).unwrap();
    let address = loopback(252, 1);
    let other = settings.replace(&daemon.address.to_string(), &address.to_string());
    std::fs::write(daemon.path("other"), format!("pidfile {}\n{other}", daemon.path("pid2").display())).unwrap();
    // As under systemd, whose journal may be slow.
    let (mut reader, mut journal) = UnixStream::pair().unwrap();
    let stderr = std::os::fd::OwnedFd::from(journal.try_clone().unwrap());
    let mut second = program();
    second.args(["-f", "-d", "-c"]).arg(daemon.path("other")).stderr(stderr);
    // It ends with the test, however that ends.
    let _second = Ending(second.spawn().unwrap());
    daemon.address = address;
    eventually("it listens", || std::net::TcpStream::connect((address, 1723)).ok());
    journal.set_nonblocking(true).unwrap();
    while journal.write(&[b'x'; 1000]).is_ok() {}
    journal.set_nonblocking(false).unwrap();
    daemon.join().dial(1);
    reader.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    eventually("what it has to say", || {
        // An error: nothing more at the moment.
        let _ = reader.read_to_end(&mut heard);
        daemon.join();
        String::from_utf8_lossy(&heard).contains(" lines before this one were lost").then_some(())
    });
}

struct Ending(std::process::Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
