//! The program with the test kit's server on loopback; the test plays pppd at its line, and the server's end of GRE. As root.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::pty;
use pptp_testkit::hdlc::{Decoder, encode};
use pptp_testkit::journal::Journal;
use pptp_testkit::script::Script;
use pptp_testkit::session::{Server, Session};
use pptp_testkit::waiting::eventually;

/// Nothing here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Its own /run, so that no call manager of this machine's is found.
const PRIVATE: &str = "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"";

const LCP: &[u8] = b"\xff\x03\xc0\x21\x01\x01\x00\x04";
const DATA: &[u8] = b"\xff\x03\x00\x21\x45\x00\x11\x13\x7e\x7d";

/// A server with an address of its own, and the program that calls it.
struct Scene {
    address: Ipv4Addr,
    journal: PathBuf,
    child: Option<Child>,
}

impl Scene {
    /// The server with this script.
    fn new(rules: &[&str]) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::new(127, 77, 1, number);
        let journal = std::env::temp_dir().join(format!("pptp-command-{}-{number}", std::process::id()));
        let mut script = Script::default();
        rules.iter().for_each(|rule| script.add(rule).unwrap());
        let log = Journal::open(Some(&journal)).unwrap();
        let server = Arc::new(Server { script, journal: log, plan: None, calls: AtomicU32::new(0) });
        // The command has no option for the port.
        let listener = TcpListener::bind((address, 1723)).unwrap();
        thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let session = Session::new(Arc::clone(&server), number, stream.unwrap());
                thread::spawn(move || session.run());
            }
        });
        Self { address, journal, child: None }
    }

    /// Starts the program, with this for its line.
    fn start(&mut self, input: impl Into<Stdio>, output: impl Into<Stdio>, options: &[&str]) {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", PRIVATE, env!("CARGO_BIN_EXE_pptp")]);
        command.arg(self.address.to_string()).arg("--nolaunchpppd").args(options);
        command.env("COMMAND_SCENE", self.address.to_string());
        self.child = Some(command.stdin(input).stdout(output).stderr(Stdio::piped()).spawn().unwrap());
    }

    /// The same with two pipes: what goes to the program, and what comes from it.
    fn start_with_pipes(&mut self, options: &[&str]) -> (File, File) {
        let pipe = || pipe2(OFlag::O_CLOEXEC).unwrap();
        let ((input, to), (from, output)) = (pipe(), pipe());
        self.start(input, output, options);
        (File::from(to), File::from(from))
    }

    fn journal(&self) -> String {
        fs::read_to_string(&self.journal).unwrap_or_default()
    }

    #[track_caller]
    fn until_server_says(&self, text: &str) -> String {
        eventually(text, LIMIT, || self.journal().lines().find(|line| line.contains(text)).map(String::from))
    }

    /// The server's end of the call, when it is up.
    fn gre(&self) -> ServersEnd {
        let reply = self.until_server_says("sent Outgoing-Call-Reply");
        let number = |name: &str| -> u16 {
            let value = reply.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap();
            value.parse().unwrap()
        };
        let socket = gre_socket::open(None).unwrap();
        gre_socket::claim(socket.as_fd(), self.address, Calls::Only(number("id="))).unwrap();
        gre_socket::connect(socket.as_fd(), Ipv4Addr::LOCALHOST).unwrap();
        // Not UDP, but std's only socket of datagrams.
        let socket = UdpSocket::from(socket);
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        ServersEnd { socket, their_id: number("peer="), sequence: 0 }
    }

    /// Its exit status, and what it has written to standard error.
    #[track_caller]
    fn status(&mut self) -> (i32, String) {
        let mut child = self.child.take().unwrap();
        let status = eventually("the program ends", LIMIT, || child.try_wait().unwrap());
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status.code().unwrap(), text)
    }

    /// The processes of the program's, by the environment that they have inherited: name and number.
    fn processes(&self) -> Vec<(String, Pid)> {
        let scene = format!("COMMAND_SCENE={}", self.address);
        let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = numbers.filter(|number| {
            let environment = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == scene.as_bytes())
        });
        let name = |number| fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default().trim().to_owned();
        ours.map(|number| (name(number), Pid::from_raw(number))).collect()
    }

    #[track_caller]
    fn until_nothing_is_left(&self) {
        eventually("all processes have gone", LIMIT, || self.processes().is_empty().then_some(()));
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("{}", self.journal());
        }
        let _ = fs::remove_file(&self.journal);
    }
}

/// The server's end of GRE.
struct ServersEnd {
    socket: UdpSocket,
    their_id: u16,
    sequence: u32,
}

impl ServersEnd {
    fn send(&mut self, frame: &[u8]) {
        let mut packet = vec![0x30, 1, 0x88, 0x0b];
        packet.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
        packet.extend(self.their_id.to_be_bytes());
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(frame);
        self.socket.send(&packet).unwrap();
        self.sequence += 1;
    }

    /// The next frame; acknowledgments alone are passed over.
    fn receive(&self) -> Vec<u8> {
        let mut packet = [0; 4096];
        loop {
            let length = self.socket.recv(&mut packet).unwrap();
            let gre = &packet[20..length];
            if gre[0] & 0x10 != 0 {
                return gre[if gre[1] & 0x80 == 0 { 12 } else { 16 }..].to_vec();
            }
        }
    }
}

/// The next frame on the line.
#[track_caller]
fn read_frame(line: &mut impl Read, decoder: &mut Decoder) -> Vec<u8> {
    let mut bytes = [0; 4096];
    loop {
        let length = line.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "the line has ended");
        if let Some(frame) = decoder.frames(&bytes[..length]).pop() {
            return frame;
        }
    }
}

fn ends(line: &mut impl Read) -> bool {
    let begin = Instant::now();
    let mut rest = Vec::new();
    // A terminal without a master is an error to read.
    let ended = line.read_to_end(&mut rest);
    begin.elapsed() < LIMIT && (ended.is_ok() || ended.is_err_and(|error| error.raw_os_error() == Some(5)))
}

#[test]
fn frames_pass_through_two_pipes_in_both_directions() {
    let mut scene = Scene::new(&[]);
    let (mut to, mut from) = scene.start_with_pipes(&[]);
    let (mut server, mut decoder) = (scene.gre(), Decoder::default());
    server.send(LCP);
    assert_eq!(read_frame(&mut from, &mut decoder), LCP);
    for frame in [LCP, DATA] {
        to.write_all(&encode(frame)).unwrap();
        assert_eq!(server.receive(), frame);
    }
    server.send(DATA);
    assert_eq!(read_frame(&mut from, &mut decoder), DATA);
    let mut names: Vec<_> = scene.processes().into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["pptp", "pptp-callmgr", "pptp-engine"]);
    drop(to);
    assert_eq!(scene.status(), (0, String::new()));
    assert!(ends(&mut from));
    scene.until_server_says("got Call-Clear-Request");
    scene.until_nothing_is_left();
}

#[test]
fn more_than_a_pipe_holds_waits_and_arrives() {
    const FRAMES: u32 = 2000;
    let mut scene = Scene::new(&[]);
    let (to, mut from) = scene.start_with_pipes(&[]);
    let mut server = scene.gre();
    let frame = |number: u32| [DATA, &number.to_be_bytes(), &[0x55; 400]].concat();
    for number in 0..FRAMES {
        server.send(&frame(number));
        // The line stands still at first; what is under way has to fit into the sockets.
        if number % 100 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    let (mut decoder, mut received, mut bytes) = (Decoder::default(), Vec::new(), [0; 10_000]);
    while received.len() < FRAMES as usize {
        let length = from.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "the line has ended");
        received.extend(decoder.frames(&bytes[..length]));
    }
    assert!(received.iter().zip(0..).all(|(received, number)| *received == frame(number)));
    drop(to);
    assert_eq!(scene.status().0, 0);
    scene.until_nothing_is_left();
}

#[test]
fn a_terminal_s_master_is_both_ends_and_its_slave_s_end_is_the_call_s() {
    let mut scene = Scene::new(&[]);
    let (master, slave) = pty::open().unwrap();
    scene.start(master.try_clone().unwrap(), master, &[]);
    let (mut server, mut decoder, mut slave) = (scene.gre(), Decoder::default(), File::from(slave));
    server.send(LCP);
    assert_eq!(read_frame(&mut slave, &mut decoder), LCP);
    slave.write_all(&encode(LCP)).unwrap();
    assert_eq!(server.receive(), LCP);
    // pppd's last words are sent, though it does not wait for that.
    slave.write_all(&encode(DATA)).unwrap();
    drop(slave);
    assert_eq!(server.receive(), DATA);
    assert_eq!(scene.status(), (0, String::new()));
    scene.until_server_says("got Call-Clear-Request");
    scene.until_nothing_is_left();
}

#[test]
fn a_server_that_clears_the_call_ends_the_line_and_the_program() {
    let mut scene = Scene::new(&["call-up=wait:300ms,cdn"]);
    let (_to, mut from) = scene.start_with_pipes(&["--debug", "--logstring", "vpn"]);
    assert!(ends(&mut from));
    let (status, text) = scene.status();
    let reason = format!("pptp: warning: vpn: {} disconnected the call: administrative shutdown (3)", scene.address);
    assert!(status == 0 && text.contains(&reason), "{status}: {text}");
    scene.until_nothing_is_left();
}

#[test]
fn a_call_that_is_refused_is_a_failure_in_one_line() {
    let mut scene = Scene::new(&["ocrq=reply:result=4"]);
    let (_to, mut from) = scene.start_with_pipes(&[]);
    assert!(ends(&mut from));
    assert_eq!(scene.status(), (1, format!("pptp: {} refused the call: busy (4)\n", scene.address)));
    scene.until_nothing_is_left();
}

#[test]
fn signals_end_it_while_it_calls_and_when_the_call_is_up() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut scene = Scene::new(&["ocrq=nothing"]);
        let _line = scene.start_with_pipes(&[]);
        scene.until_server_says("got Outgoing-Call-Request");
        scene.signal(signal);
        assert_eq!(scene.status(), (1, String::new()), "{signal}");
        scene.until_nothing_is_left();

        let mut scene = Scene::new(&[]);
        let (_to, mut from) = scene.start_with_pipes(&[]);
        scene.gre().send(LCP);
        read_frame(&mut from, &mut Decoder::default());
        scene.signal(signal);
        assert_eq!(scene.status(), (0, String::new()), "{signal}");
        assert!(ends(&mut from));
        scene.until_server_says("got Call-Clear-Request");
        scene.until_nothing_is_left();
    }
}

#[test]
fn counters_are_told_when_asked_for() {
    let mut scene = Scene::new(&[]);
    let (to, mut from) = scene.start_with_pipes(&["--debug"]);
    scene.gre().send(LCP);
    read_frame(&mut from, &mut Decoder::default());
    scene.signal(Signal::SIGUSR1);
    let said = BufReader::new(scene.child.as_mut().unwrap().stderr.as_mut().unwrap()).lines().map_while(Result::ok);
    assert!({ said }.any(|line| line.contains("counters: received=1 delivered=1")));
    drop(to);
    assert_eq!(scene.status().0, 0);
}

#[test]
fn an_engine_that_dies_ends_it() {
    let mut scene = Scene::new(&[]);
    let (_to, mut from) = scene.start_with_pipes(&[]);
    scene.gre().send(LCP);
    read_frame(&mut from, &mut Decoder::default());
    let engine = scene.processes().into_iter().find(|(name, _)| name == "pptp-engine").unwrap();
    kill(engine.1, Signal::SIGKILL).unwrap();
    assert!(ends(&mut from));
    let (status, text) = scene.status();
    assert_eq!(
        (status, text.as_str()),
        (1, "pptp: the engine (process pptp-engine) has ended, and with it its call\n")
    );
    scene.until_server_says("got Call-Clear-Request");
    scene.until_nothing_is_left();
}

#[test]
fn a_file_is_no_line() {
    let mut scene = Scene::new(&[]);
    scene.start(Stdio::null(), File::open("/dev/null").unwrap(), &[]);
    let text = "pptp: cannot use the line: standard input is no terminal, pipe or socket\n";
    assert_eq!(scene.status(), (1, String::from(text)));
    assert!(!scene.journal().contains("accepted"));
}
