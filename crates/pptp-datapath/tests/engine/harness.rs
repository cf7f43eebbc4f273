//! Two network namespaces with a cable between them, and in each one end of a tunnel.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long what is to happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Questions that can be asked again.
const QUERIES: [&str; 2] = ["statistics", "counters"];

/// One end: a process that plays pppd, in a namespace of its own.
pub(crate) struct End {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Its address outside the tunnel.
    pub(crate) outer: String,
    /// Its addresses inside.
    pub(crate) inner: String,
    pub(crate) inner6: String,
    pub(crate) interface: &'static str,
}

impl End {
    fn new((program, batching): (&str, &str), number: u8) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make network namespaces and TUN devices: run them as root"
        );
        let mut process = Command::new("unshare")
            .args(["-n", program, batching])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is in util-linux");
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let mut end = Self {
            process,
            input,
            output,
            outer: format!("192.0.2.{number}"),
            inner: format!("10.99.0.{number}"),
            inner6: format!("fd99::{number}"),
            interface: "ppp7",
        };
        // It has unshared when it answers.
        end.ask("log");
        end.ip("link set lo up");
        end
    }

    /// Says something to the end, and gives its answer. A plugin does not wait long for an engine, which may be slow here.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let mut answer = self.ask_once(line);
        let begin = Instant::now();
        while answer == "error the engine does not answer" && QUERIES.contains(&line) && begin.elapsed() < PATIENCE {
            answer = self.ask_once(line);
        }
        answer
    }

    fn ask_once(&mut self, line: &str) -> String {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Says something that has to be answered with "ok".
    pub(crate) fn tell(&mut self, line: &str) {
        assert_eq!(self.ask(line), "ok", "{line}");
    }

    /// The next line for the log that is not only for debugging.
    pub(crate) fn next_warning(&mut self) -> String {
        loop {
            let line = self.ask("log");
            if !["engine: ", "counters: "].iter().any(|start| line.starts_with(start)) {
                return line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A command to be run in the namespace.
    pub(crate) fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.pid().to_string();
        command.args(["-n", "-t", &pid, program]).args(arguments.split_whitespace());
        command
    }

    /// Runs a command in the namespace, and gives what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &str) -> String {
        let output = self.command(program, arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments}: {text}{errors}");
        text
    }

    pub(crate) fn ip(&self, arguments: &str) {
        self.run("ip", arguments);
    }

    /// Runs many commands of ip(8).
    pub(crate) fn batch_of_ip(&self, commands: &str) {
        let mut ip = self.command("ip", "-batch -").stdin(Stdio::piped()).spawn().unwrap();
        ip.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success());
    }

    /// How many of five pings are answered; waits long for all of them.
    pub(crate) fn pings(&self, address: &str) -> usize {
        self.pings_within(PATIENCE, address)
    }

    /// The same of pings that are not to be answered.
    pub(crate) fn futile_pings(&self, address: &str) -> usize {
        self.pings_within(Duration::from_secs(1), address)
    }

    fn pings_within(&self, limit: Duration, address: &str) -> usize {
        // All at once. When one was answered, ping waits for the others as long as its interval; when none was, for -W.
        let limit = limit.as_secs();
        let output = self.command("ping", &format!("-c 5 -l 5 -i {limit} -W {limit} {address}")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().filter(|line| line.contains("bytes from")).count()
    }

    /// Sends traffic of a kind (`tcp`, `udp`) to `to`, where it is not answered but counted: what the sink has seen, and
    /// what the source says.
    pub(crate) fn send(&self, kind: &str, (to, address): (&Self, &str), arguments: &str) -> (String, String) {
        let program = env!("CARGO_BIN_EXE_tunnel-traffic");
        let sink = to.command(program, &format!("{kind}-sink {address}")).stdout(Stdio::piped()).spawn().unwrap();
        let mut sink = Killed(sink);
        let mut seen = BufReader::new(sink.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = seen.next().unwrap();
        let said = self.run(program, &format!("{kind}-source {address} {port} {arguments}"));
        (seen.next().unwrap_or_default(), said.trim().to_owned())
    }

    /// Packets and bytes sent, packets and bytes received, by the engine's own account.
    pub(crate) fn statistics(&mut self) -> [u64; 4] {
        let numbers: Vec<u64> = self.ask("statistics").split_whitespace().map(|word| word.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    /// Every counter of the channel, at one time.
    pub(crate) fn counters(&mut self) -> BTreeMap<String, u64> {
        let all = self.ask("counters");
        let pairs = all.split_whitespace().filter_map(|one| one.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// One counter of the channel.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        self.counters()[name]
    }

    /// Packets that the kernel has lost outside the tunnel, as a busy machine's may: its backlog or the engine's socket was full.
    pub(crate) fn lost_outside(&self) -> u64 {
        let sockets = self.run("cat", "/proc/net/raw");
        let drops = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
        let [received, sent] = self.link_counters("cable");
        drops.sum::<u64>() + received[3] + sent[3]
    }

    /// What ip(8) says of an interface below "RX:" and below "TX:": bytes, packets, errors, dropped.
    fn link_counters(&self, interface: &str) -> [Vec<u64>; 2] {
        let text = self.run("ip", &format!("-s link show {interface}"));
        let lines: Vec<Vec<u64>> =
            text.lines().map(|line| line.split_whitespace().map_while(|word| word.parse().ok()).collect()).collect();
        [lines[3].clone(), lines[5].clone()]
    }

    /// Packets and bytes sent, packets and bytes received, by the interface's account.
    pub(crate) fn interface_counters(&self) -> [u64; 4] {
        let [received, sent] = self.link_counters(self.interface);
        [sent[1], sent[0], received[1], received[0]]
    }

    /// The engine's process id.
    pub(crate) fn engine(&self) -> Option<i32> {
        let namespace = |process: PathBuf| std::fs::read_link(process.join("ns/net")).ok();
        let own = namespace(format!("/proc/{}", self.pid()).into());
        let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok).map(|entry| entry.path());
        let engine = processes
            .filter(|process| std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name == "pptp-engine\n"))
            .find(|process| namespace(process.clone()) == own)?;
        engine.file_name()?.to_str()?.parse().ok()
    }

    /// Processor time that the engine has used, in hundredths of a second.
    pub(crate) fn processor_time(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.engine().unwrap())).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Does something while the engine stands still: what comes meanwhile comes at one time, however slow this machine is.
    pub(crate) fn meanwhile(&mut self, act: impl FnOnce(&mut Self)) {
        /// Also when the test fails: nobody else ends an engine that stands still.
        struct Continue(Pid);
        impl Drop for Continue {
            fn drop(&mut self) {
                let _ = kill(self.0, Signal::SIGCONT);
            }
        }
        let engine = Pid::from_raw(self.engine().unwrap());
        let is_stopped = || {
            let status = std::fs::read_to_string(format!("/proc/{engine}/status")).unwrap();
            status.contains("\nState:\tT")
        };
        kill(engine, Signal::SIGSTOP).unwrap();
        let _continue = Continue(engine);
        eventually("the engine stands still", is_stopped);
        act(self);
    }

    /// Bytes that wait in its raw sockets.
    fn unread(&self) -> u64 {
        let sockets = self.run("cat", "/proc/net/raw");
        let queues = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4)?.split_once(':'));
        queues.map(|(_, received)| u64::from_str_radix(received, 16).unwrap()).sum()
    }

    /// Has the peer say something that reaches the engine's socket, while that stands still.
    pub(crate) fn await_from(&self, peer: &mut Self, line: &str) {
        let before = self.unread();
        peer.tell(line);
        eventually("it has come", || self.unread() > before);
    }

    /// Ends the process as pppd would end: its descriptors are closed, nothing more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits until packets pass outside the tunnel: an interface that was taken up drops them for a moment.
    pub(crate) fn await_cable(&self, peer: &Self) {
        let ping = format!("-q -c 1 -W 1 {}", peer.outer);
        eventually("the cable carries", || self.command("ping", &ping).output().unwrap().status.success());
    }

    /// Puts addresses on the unit's interface, and takes it up.
    fn configure(&self, peer: &Self) {
        self.ip(&format!("addr add {} peer {} dev {}", self.inner, peer.inner, self.interface));
        self.ip(&format!("link set {} mtu 1460 up", self.interface));
        self.ip(&format!("-6 addr add {}/128 peer {} dev {} nodad", self.inner6, peer.inner6, self.interface));
        // The kernel adds the route a little later.
        let route = format!("-6 route get {}", peer.inner6);
        eventually("there is a route", || self.command("ip", &route).output().unwrap().status.success());
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // At the end of its input the process ends, and with it the namespace.
        self.input = None;
        let _ = self.process.wait();
    }
}

/// A process that does not outlive its test.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What plays pppd.
pub(crate) const TUNNEL_END: &str = env!("CARGO_BIN_EXE_tunnel-end");

/// Two ends with a cable between them; no unit, no channel.
pub(crate) fn ends(batching: &str) -> [End; 2] {
    ends_of((TUNNEL_END, batching))
}

/// The same, of this program.
fn ends_of(kind: (&str, &str)) -> [End; 2] {
    let (one, two) = (End::new(kind, 1), End::new(kind, 2));
    one.ip(&format!("link add cable type veth peer name cable netns {}", two.pid()));
    for end in [&one, &two] {
        end.ip(&format!("addr add {}/24 dev cable", end.outer));
        end.ip("link set cable up");
    }
    one.await_cable(&two);
    [one, two]
}

/// Two ends of a tunnel that is up; `options` go to both channels.
pub(crate) fn tunnel(batching: &str, options: &str) -> [End; 2] {
    tunnel_of((TUNNEL_END, batching), options)
}

/// The same, of this program.
pub(crate) fn tunnel_of(kind: (&str, &str), options: &str) -> [End; 2] {
    tunnel_between(ends_of(kind), options)
}

/// The same, between these.
pub(crate) fn tunnel_between(mut ends: [End; 2], options: &str) -> [End; 2] {
    let peers = [ends[1].outer.clone(), ends[0].outer.clone()];
    bring_up(&mut ends, [&peers[0], &peers[1]], options);
    ends
}

/// The same, where the first end takes one address for its peer's, and the second end the other.
pub(crate) fn tunnel_through(peers: [&str; 2], options: &str) -> [End; 2] {
    let mut ends = ends("batched");
    bring_up(&mut ends, peers, options);
    ends
}

fn bring_up(ends: &mut [End; 2], peers: [&str; 2], options: &str) {
    for (number, (end, peer)) in ends.iter_mut().zip(peers).enumerate() {
        end.tell("unit ppp7");
        let (id, peer_id) = (100 + number, 101 - number);
        end.tell(&format!("channel {} {peer} {id} {peer_id} {options}", end.outer));
        end.tell("connect");
    }
    let [one, two] = &*ends;
    one.configure(two);
    two.configure(one);
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what} has not happened");
        std::thread::sleep(Duration::from_millis(10));
    }
}
