//! A pptp-rsd on a loopback address of its own, with stubs in place of pppd, and clients that say what they like.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail like the test")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pptp_io::gre_socket::{self, Calls, Receiver, Sender};
use pptp_testkit::layout::by_short;
use pptp_testkit::message::{Message, Taken, take};
use pptp_testkit::waiting;

/// How long what is to happen soon may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// By this variable a daemon's engines are known, which are nobody's children.
const FOLDER: &str = "PPTP_RSD_TEST";

/// Waits until something is there, and gives it.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, find: impl FnMut() -> Option<T>) -> T {
    waiting::eventually(what, SOON, find)
}

/// The daemon's program.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pptp-rsd"))
}

/// An address of this process's tests: others may run theirs at the same time.
pub(crate) fn loopback(number: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 64 + (std::process::id() % 128) as u8, number, last)
}

/// A port that is this process's tests' where an address of their own is not to be had.
pub(crate) fn port() -> u16 {
    17_230 + (std::process::id() % 8192) as u16
}

/// Copies a program by another process: a file that this one writes is held open by whatever its other threads start meanwhile,
/// and cannot be run until that has been.
#[track_caller]
pub(crate) fn copy_program(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

pub(crate) struct Daemon {
    child: Child,
    folder: PathBuf,
    pub(crate) address: Ipv4Addr,
    /// A client's.
    pub(crate) near: Ipv4Addr,
}

impl Daemon {
    /// With these settings, and stubs that behave like this.
    pub(crate) fn start(settings: &str, behaviour: &str) -> Self {
        Self::start_by(program().stdin(Stdio::null()), settings, behaviour)
    }

    /// The same, with so many descriptors at most, besides those for the engines, of which there is one for each processor.
    pub(crate) fn start_with_descriptors(most: usize, settings: &str, behaviour: &str) -> Self {
        let most = most + 1 + std::thread::available_parallelism().unwrap().get().min(16);
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={most}:{most}")).arg(program().get_program());
        Self::start_by(command.stdin(Stdio::null()), settings, behaviour)
    }

    /// The same, by a command to which its arguments are added.
    pub(crate) fn start_by(command: &mut Command, settings: &str, behaviour: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        assert!(nix::unistd::geteuid().is_root(), "these tests open raw sockets: run them as root");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pptp-rsd-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let [address, near] = [1, 2].map(|last| loopback(number, last));
        let mut daemon = Self { child: Self::placeholder(), folder, address, near };
        fs::create_dir(daemon.path("trace")).unwrap();
        daemon.behave(behaviour);
        daemon.configure(settings);
        daemon.run(command);
        daemon
    }

    fn run(&mut self, command: &mut Command) {
        self.child = command
            .args(["-f", "-d", "-c"])
            .arg(self.path("conf"))
            .env(FOLDER, &self.folder)
            .stderr(fs::File::create(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        eventually("it listens", || self.log().contains("listening on").then_some(()));
    }

    /// Another one in the place of this one, which has ended.
    pub(crate) fn start_again(&mut self) {
        self.run(program().stdin(Stdio::null()));
    }

    fn placeholder() -> Child {
        Command::new("true").spawn().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How stubs behave from here on.
    pub(crate) fn behave(&self, behaviour: &str) {
        let text = format!("trace {}\n{behaviour}\n", self.path("trace").display());
        fs::write(self.path("options"), text).unwrap();
    }

    /// Writes the settings; of two for one thing the first counts.
    pub(crate) fn configure(&self, settings: &str) {
        let text = format!(
            "{settings}\nlisten {}\nppp {}\noption {}\npidfile {}\ncontrol-socket {}\ndatapath tun\nlocalip 10.0.0.1\n",
            self.address,
            env!("CARGO_BIN_EXE_stub-pppd"),
            self.path("options").display(),
            self.path("pid").display(),
            self.path("control").display(),
        );
        fs::write(self.path("conf"), text).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until its log has so many lines with this text.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, count: usize) {
        let what = format!("{count} lines with \"{text}\" in:\n");
        let begin = Instant::now();
        while self.count(text) < count {
            assert!(begin.elapsed() < SOON, "{what}{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many lines of its log have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.id())).unwrap_or_default()
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// The memory that is its own, KiB. Not `Private_Dirty`: that counts pages of a program that was just built and is not on
    /// the disk yet, from the moment on when no other process runs it.
    pub(crate) fn memory(&self) -> u64 {
        let rollup = self.proc("smaps_rollup");
        let lines = rollup.lines().filter(|line| line.starts_with("Anonymous:"));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    }

    /// It has not grown by more than `most` KiB. A sanitizer needs `PPTP_RSD_ROOM` KiB besides.
    #[track_caller]
    pub(crate) fn assert_not_grown(&self, before: u64, most: u64) {
        let room: u64 = std::env::var("PPTP_RSD_ROOM").map_or(0, |room| room.parse().unwrap());
        let memory = self.memory();
        assert!(memory < before + most + room, "{before} -> {memory} KiB");
    }

    /// Its children, dead ones included.
    pub(crate) fn children(&self) -> Vec<u32> {
        let text = self.proc(&format!("task/{}/children", self.id()));
        text.split_whitespace().map(|number| number.parse().unwrap()).collect()
    }

    /// Its engines.
    pub(crate) fn engines(&self) -> Vec<u32> {
        let variable = format!("{FOLDER}={}\0", self.folder.display());
        let processes = fs::read_dir("/proc").unwrap().map_while(Result::ok).map(|entry| entry.path());
        let engines = processes.filter(|process| {
            let is_engine = fs::read_to_string(process.join("comm")).is_ok_and(|name| name == "pptp-engine\n");
            let variables = || fs::read(process.join("environ")).unwrap_or_default();
            is_engine && String::from_utf8_lossy(&variables()).contains(&variable)
        });
        engines.filter_map(|process| process.file_name()?.to_str()?.parse().ok()).collect()
    }

    /// Waits until all stubs have ended and nothing of them is left.
    #[track_caller]
    pub(crate) fn wait_until_idle(&self, descriptors: usize) {
        eventually("no child is left", || self.children().is_empty().then_some(()));
        eventually("no descriptor is left", || (self.descriptors() == descriptors).then_some(()));
    }

    /// Arguments and descriptors of the stubs.
    pub(crate) fn traces(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("trace")).unwrap().map_while(Result::ok);
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_none()).map(|path| read(&path)).collect()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.id().try_into().unwrap()), signal).unwrap();
    }

    /// Its exit status.
    #[track_caller]
    pub(crate) fn exit_status(&mut self) -> Option<i32> {
        let status = eventually("the daemon has ended", || self.child.try_wait().unwrap());
        status.code()
    }

    pub(crate) fn connect(&self) -> Client {
        self.connect_from(self.near)
    }

    pub(crate) fn connect_from(&self, near: Ipv4Addr) -> Client {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
        use std::net::SocketAddrV4;
        use std::os::fd::AsRawFd;

        let socket: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(near, 0))).unwrap();
        connect(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(self.address, 1723))).unwrap();
        Client::new(TcpStream::from(socket))
    }

    /// A client with a control connection.
    #[track_caller]
    pub(crate) fn join(&self) -> Client {
        let mut client = self.connect();
        client.start();
        client
    }

    /// A raw socket for a client's calls with this id.
    pub(crate) fn gre(&self, call: u16) -> OwnedFd {
        let socket = gre_socket::open(None).unwrap();
        gre_socket::claim(socket.as_fd(), self.near, Calls::Only(call)).unwrap();
        gre_socket::connect(socket.as_fd(), self.address).unwrap();
        socket
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        for child in self.children() {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(child.try_into().unwrap()),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        assert!(std::thread::panicking() || self.count("Sanitizer") == 0, "{}", self.log());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pending: Vec<u8>,
}

/// A correct message with these fields.
pub(crate) fn message(short: &str, fields: &[(&str, u32)]) -> Message {
    let mut message = Message::new(by_short(short).unwrap());
    for (name, value) in [
        ("version", 0x0100),
        ("framing", 3),
        ("bearer", 3),
        ("minbps", 300),
        ("maxbps", 100_000_000),
        ("window", 50),
        ("speed", 64_000),
        ("identifier", 7),
        ("reason", 1),
    ] {
        message.set(name, value);
    }
    for (name, value) in fields {
        assert!(message.set(name, *value), "{short} has a field {name}");
    }
    message
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, pending: Vec::new() }
    }

    pub(crate) fn send(&mut self, short: &str, fields: &[(&str, u32)]) {
        self.stream.write_all(&message(short, fields).bytes).unwrap();
    }

    /// The next message; `None`: the server has closed.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Option<Message> {
        loop {
            match take(&mut self.pending) {
                Taken::Message(message) => {
                    assert_eq!(message.faults(), Vec::<String>::new(), "{}", message.describe());
                    return Some(message);
                }
                Taken::Broken(what) => panic!("the server sends nonsense: {what}"),
                Taken::Nothing => {}
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.pending.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing comes from the server: {error}"),
            }
        }
    }

    /// The next message, which is of this kind.
    #[track_caller]
    pub(crate) fn expect(&mut self, short: &str) -> Message {
        let message = self.hear().unwrap_or_else(|| panic!("{short} was expected, and the server has closed"));
        assert_eq!(message.layout().map(|layout| layout.short), Some(short), "{}", message.describe());
        message
    }

    /// The server closes, whatever it says before.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        while self.hear().is_some() {}
    }

    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.send("sccrq", &[]);
        assert_eq!(self.expect("sccrp").value("result"), Some(1));
    }

    /// The reply to a request for a call with this id.
    #[track_caller]
    pub(crate) fn ask(&mut self, id: u16) -> Message {
        self.send("ocrq", &[("id", id.into())]);
        let reply = self.expect("ocrp");
        assert_eq!(reply.value("peer"), Some(id.into()));
        reply
    }

    /// The server's id of a call that it accepts.
    #[track_caller]
    pub(crate) fn dial(&mut self, id: u16) -> u16 {
        let reply = self.ask(id);
        assert_eq!(reply.value("result"), Some(1), "{}", reply.describe());
        reply.value("id").unwrap().try_into().unwrap()
    }

    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

/// Result and error of a reply.
pub(crate) fn refusal(reply: &Message) -> (Option<u32>, Option<u32>) {
    (reply.value("result"), reply.value("error"))
}

/// The number of the stub that answers on a call.
#[track_caller]
pub(crate) fn who_answers(gre: &OwnedFd, call: u16) -> u32 {
    static SEQUENCE: AtomicU32 = AtomicU32::new(0);

    let mut buffers = vec![vec![0; 200]; 8];
    eventually("a stub answers", || {
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        // With PPP's LCP inside.
        let packet =
            [&[0x30, 1, 0x88, 0x0b, 0, 5], &call.to_be_bytes()[..], &sequence, &[0xff, 3, 0xc0, 0x21, 0]].concat();
        Sender::new(1).send(gre.as_fd(), std::iter::once((packet.as_slice(), None))).ok()?;
        std::thread::sleep(Duration::from_millis(20));
        let lengths: Vec<_> = Receiver::new(8).receive(gre.as_fd(), &mut buffers).ok()?.collect();
        // Some may be late ones of another call.
        lengths.into_iter().zip(&buffers).find_map(|(length, packet)| {
            let (ours, number) = packet.get(length? - 6..length?)?.split_first_chunk()?;
            (u16::from_be_bytes(*ours) == call).then(|| number.try_into().ok().map(u32::from_be_bytes))?
        })
    })
}
