//! The daemon under a service manager.
#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use pptp_io::seqpacket;

use crate::harness::{Client, Daemon, SOON, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pptp-rsd");

struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn new(name: &str) -> Self {
        let name = format!("pptp-rsd-{name}-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        Self { socket, name: format!("@{name}") }
    }

    /// What it hears next that begins so.
    #[track_caller]
    fn expect(&self, begin: &str) -> String {
        let (mut buffer, deadline) = ([0; 4096], Instant::now() + SOON);
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received.unwrap(),
            };
            assert!(Instant::now() < deadline, "the manager has not heard {begin}");
            let heard = String::from_utf8_lossy(&buffer[..length]);
            if heard.starts_with(begin) {
                return heard.into_owned();
            }
        }
    }
}

impl Manager {
    /// So that nothing more fits.
    fn fill(&self) {
        let address = self.socket.local_addr().unwrap();
        loop {
            // It may be the sender who has too much on the way.
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_nonblocking(true).unwrap();
            let sent = std::iter::repeat_with(|| sender.send_to_addr(b"X=1", &address)).take_while(Result::is_ok);
            if sent.count() == 0 {
                return;
            }
        }
    }

    fn start(&self) -> Daemon {
        let mut command = Command::new(PROGRAM);
        command.env("NOTIFY_SOCKET", &self.name).env("WATCHDOG_USEC", "200000").stdin(Stdio::null());
        Daemon::start_by(&mut command, "", "")
    }
}

fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap().into()
}

/// When the server has begun to read its configuration, it says.
fn since_boot(reloading: &str) -> Duration {
    let (_, micros) = reloading.trim().rsplit_once("MONOTONIC_USEC=").unwrap();
    Duration::from_micros(micros.parse().unwrap())
}

/// What pppds were given of the variables for the daemon.
fn variables_of(process: u32) -> Vec<String> {
    let environment = std::fs::read_to_string(format!("/proc/{process}/environ")).unwrap();
    let of_manager = |line: &&str| ["NOTIFY_", "WATCHDOG_", "LISTEN_"].iter().any(|begin| line.starts_with(begin));
    environment.split('\0').filter(of_manager).map(String::from).collect()
}

#[test]
fn the_service_manager_hears_what_happens() {
    let manager = Manager::new("manager");
    let mut daemon = manager.start();
    assert_eq!(manager.expect("READY"), "READY=1\n");
    manager.expect("STATUS=no calls");
    let mut client = daemon.join();
    client.dial(1);
    manager.expect("STATUS=1 call\n");
    assert_eq!(variables_of(daemon.children()[0]), [""; 0]);
    manager.expect("WATCHDOG=1\n");
    manager.expect("WATCHDOG=1\n");
    let before = monotonic();
    daemon.signal(Signal::SIGHUP);
    let reloading = manager.expect("RELOADING=1\n");
    assert!((before..=monotonic()).contains(&since_boot(&reloading)), "{reloading}");
    assert_eq!(manager.expect("READY"), "READY=1\n");
    client.send("stop", &[]);
    manager.expect("STATUS=no calls\n");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(manager.expect("STOPPING"), "STOPPING=1\n");
    assert_eq!(daemon.exit_status(), Some(0));
}

#[test]
fn a_reload_is_told_of_as_later_than_what_it_was_asked_by() {
    let manager = Manager::new("reloads");
    let daemon = manager.start();
    manager.expect("READY");
    let (path, text) = (daemon.path("conf"), fs::read(daemon.path("conf")).unwrap());
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    daemon.signal(Signal::SIGHUP);
    // It waits for who writes, and is asked again meanwhile.
    manager.expect("RELOADING");
    let asked = Duration::from_micros(monotonic().as_micros().try_into().unwrap());
    daemon.signal(Signal::SIGHUP);
    let mut writer = fs::File::options().write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, &text).unwrap();
    writer.write_all(&text).unwrap();
    drop(writer);
    let reloading = manager.expect("RELOADING");
    assert!(since_boot(&reloading) >= asked, "{reloading}{asked:?}");
    manager.expect("READY");
}

#[test]
fn a_service_manager_that_hears_nothing_delays_nobody() {
    let manager = Manager::new("deaf");
    let daemon = manager.start();
    // The call lasts, however late an engine is.
    daemon.behave("deaf");
    manager.fill();
    for time in 1..=2 {
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for("the configuration is read again", time);
    }
    let mut client = daemon.join();
    client.dial(1);
    // When it reads, it has missed nothing but numbers of calls and signs of life.
    for _ in 0..2 {
        manager.expect("RELOADING");
        manager.expect("READY");
    }
    manager.expect("STATUS=1 call");
}

/// A daemon that is given its standard input and output as listening sockets with these names.
fn start_with_sockets(names: &str, sockets: [OwnedFd; 2], settings: &str) -> Daemon {
    let script = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), OsStr::new(script), OsStr::new(PROGRAM)]).env("LISTEN_FDNAMES", names);
    let [input, output] = sockets.map(Stdio::from);
    Daemon::start_by(command.stdin(input).stdout(output), settings, "")
}

fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn client_at(daemon: &Daemon, address: std::net::SocketAddr) -> Client {
    drop(TcpStream::connect((daemon.address, 1723)).unwrap_err());
    let mut client = Client::new(TcpStream::connect(address).unwrap());
    client.start();
    client
}

#[test]
fn sockets_of_the_service_manager_are_listened_on_and_go_no_further() {
    let ((clients, address), (metrics, metrics_address)) = (listener(), listener());
    let daemon = start_with_sockets("pptp-rsd.socket:metrics", [clients.into(), metrics.into()], "");
    daemon.wait_for(&format!("metrics are served at {metrics_address}"), 1);
    let mut client = client_at(&daemon, address);
    client.dial(1);
    let trace = eventually("the stub is there", || daemon.traces().pop());
    assert_eq!(trace.lines().filter(|line| line.contains("socket:")).count(), 1, "{trace}");
    assert_eq!(variables_of(daemon.children()[0]), [""; 0]);
    let mut reader = TcpStream::connect(metrics_address).unwrap();
    reader.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200") || text.starts_with("HTTP/1.1 200"), "{text}");
}

#[test]
fn operators_can_be_heard_on_a_socket_of_the_service_manager() {
    let path = std::env::temp_dir().join(format!("pptp-rsd-control-{}", std::process::id()));
    let (clients, address) = listener();
    let daemon = start_with_sockets(":control", [clients.into(), seqpacket::listen(&path).unwrap()], "");
    client_at(&daemon, address);
    assert!(!daemon.path("control").exists());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pptp-rsctl"));
    let output = command.arg("--socket").arg(&path).arg("stats").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(daemon);
    // It is its manager's.
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_socket_that_does_not_listen_is_an_error() {
    let socket: OwnedFd = UnixDatagram::unbound().unwrap().into();
    let script = "exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" -f -e /bin/true -c /dev/null";
    let mut command = Command::new("sh");
    let output = command.args(["-c", script, PROGRAM]).stdin(Stdio::from(socket)).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the service manager's socket '': it does not listen for TCP connections"), "{text}");
}
