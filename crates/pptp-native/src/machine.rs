//! A machine: a process that holds namespaces, and what can be done in them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Which stock pppd a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.4.9, Debian 12's.
    V2_4_9,
    /// 2.5.2, Debian 13's.
    V2_5_2,
}

impl Version {
    /// As pppd writes it.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V2_4_9 => "2.4.9",
            Self::V2_5_2 => "2.5.2",
        }
    }

    /// The text of a file as it is distributed: with this pppd, or if it does not come with pppd, with this machine.
    ///
    /// # Panics
    /// There is no such file.
    #[must_use]
    pub fn distributed(self, path: &str) -> String {
        let read = |root: PathBuf| fs::read_to_string(root.join(path.trim_start_matches('/')));
        read(self.root()).or_else(|_| read(PathBuf::from("/"))).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The root directory that has it: this machine's own, or a small tree of the other release.
    fn root(self) -> PathBuf {
        let cache = std::env::var("PPTP_RS_CACHE").unwrap_or_else(|_| String::from("/var/cache/pptp-rs"));
        let cache = Path::new(&cache);
        let roots = [PathBuf::from("/"), cache.join("debian12"), cache.join("debian13")];
        let plugins = format!("usr/lib/pppd/{}", self.number());
        let found = roots.into_iter().find(|root| root.join(&plugins).is_dir());
        found.unwrap_or_else(|| panic!("pppd {} is not here: run scripts/setup.sh", self.number()))
    }
}

/// What scripts/build-guests.sh has built.
fn built(path: &str) -> PathBuf {
    let directory = std::env::var("GUEST_BUILD")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guest")), PathBuf::from);
    let path = directory.join(path);
    assert!(path.exists(), "{} is missing: run scripts/build-guests.sh", path.display());
    path.canonicalize().unwrap()
}

/// A program of this package; a test runs from a directory next to it.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(Path::parent).unwrap().join(name)
}

/// A machine; see the crate.
#[derive(Debug)]
pub struct Machine {
    /// Holds the namespaces for as long as its input is open.
    holder: Child,
    /// Process 1 of the machine, by its number here.
    init: u32,
    version: Version,
    /// What the machine has as /run/test.
    directory: PathBuf,
    devices: BTreeSet<PathBuf>,
}

impl Machine {
    /// A machine with a pppd and its plugin.
    ///
    /// # Panics
    /// Something that it needs is not there.
    #[must_use]
    pub fn new(name: &str, version: Version) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(nix::unistd::geteuid().is_root(), "these tests make namespaces and TUN devices: run them as root");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let needed = [version.root(), built(&format!("plugin/{}", version.number())), built("bin")];
        let directory = std::env::temp_dir().join(format!("pptp-native-{}-{number}-{name}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"])
            .arg(program("native-init"))
            .arg(&directory)
            .args(needed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is in util-linux");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the machine {name} has not started");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", holder.id())).unwrap();
        let init = children.trim().parse().unwrap();
        let mut machine = Self { holder, init, version, directory, devices: BTreeSet::new() };
        machine.devices = machine.files("/dev");
        machine.run("ip link set lo up");
        machine
    }

    /// What the machine has as /run/test.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Which pppd it has.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where a file of the machine is found from here.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.init)).join(path.trim_start_matches('/'))
    }

    /// The text of one of the machine's files; nothing, if there is no such file.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        fs::read(self.path(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Writes a file.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// Writes a shell script.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn script(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;

        self.write(path, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command of the machine's shell.
    ///
    /// What runs is a child of nsenter(1)'s, which nobody should kill: whoever adopts an orphan may take seconds to notice that
    /// it has ended, and the machine cannot end before. Nor should what runs be stopped (SIGSTOP) for good, as nsenter then
    /// stops, too.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.enter(&["-m", "-p", "-r", "-w"]);
        command.args(["sh", "-c", line]);
        command
    }

    /// A program of the machine that tests, on this machine's network; it ends with this machine.
    #[must_use]
    pub fn network_command(&self, program: &Path) -> Command {
        let mut command = self.enter(&["-p"]);
        command.arg(program);
        command
    }

    /// The machine's network.
    pub(crate) fn network_namespace(&self) -> fs::File {
        fs::File::open(format!("/proc/{}/ns/net", self.init)).unwrap()
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-n"]).args(namespaces);
        command.stdin(Stdio::null());
        command
    }

    /// Starts a client that calls a server under a call id, with options of pppd; the end of pppd is its own.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn caller(&self, server: &str, id: u16, options: &str) -> Child {
        let place = format!("/run/test/native-caller-{id}-{server}");
        // By another process: a file that this one writes is held open by whatever its other threads start meanwhile, and
        // cannot be run until that has been.
        assert!(Command::new("cp").arg(program("native-caller")).arg(self.path(&place)).status().unwrap().success());
        self.command(&format!("exec {place} {server} {id} {options}")).spawn().unwrap()
    }

    /// Runs a command of the shell, and gives what it printed.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{line}: {text}");
        text
    }

    /// Whether a command of the shell succeeds.
    #[must_use]
    pub fn succeeds(&self, line: &str) -> bool {
        self.command(line).output().is_ok_and(|output| output.status.success())
    }

    /// How many of so many pings, with so many bytes of data each, are answered. One alone, which asks whether a way carries
    /// yet, is not waited for as long as many.
    #[must_use]
    pub fn pings(&self, count: u32, size: u32, address: &str) -> usize {
        self.pings_within(if count == 1 { 2 } else { 20 }, count, size, address)
    }

    /// The same, where some or all are not to be answered, which would be waited for.
    #[must_use]
    pub fn pings_within(&self, seconds: u32, count: u32, size: u32, address: &str) -> usize {
        // All at once, since ping(8) waits for late answers no longer than for the time between two packets.
        let line = format!("ping -c {count} -l {count} -s {size} -i {seconds} -W {seconds} {address}");
        let output = self.command(&line).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("bytes from")).count()
    }

    /// Processes with this name, by their numbers in the machine; zombies do not count.
    #[must_use]
    pub fn processes(&self, name: &str) -> Vec<u32> {
        self.all_processes().into_iter().filter(|(_, comm)| comm == name).map(|(number, _)| number).collect()
    }

    fn all_processes(&self) -> Vec<(u32, String)> {
        let entries = fs::read_dir(self.path("/proc")).unwrap().map_while(Result::ok);
        let process = |number: u32| {
            let stat = self.read(&format!("/proc/{number}/stat"));
            let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
            (!rest.starts_with(" Z")).then(|| (number, name.to_owned()))
        };
        entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    /// The names of the network interfaces that are neither loopback nor a cable.
    #[must_use]
    pub fn interfaces(&self) -> Vec<String> {
        let text = self.run("ip -o link show");
        let names = text.lines().filter_map(|line| line.split(':').nth(1)?.trim().split('@').next());
        names.filter(|name| *name != "lo" && !name.starts_with("cable")).map(String::from).collect()
    }

    /// How many packets have come out of the tunnel's interface.
    ///
    /// # Panics
    /// There is no such interface.
    #[must_use]
    pub fn delivered(&self, interface: &str) -> u64 {
        self.read(&format!("/sys/class/net/{interface}/statistics/rx_packets")).trim().parse().unwrap()
    }

    /// How many packets for an interface found no room in it.
    ///
    /// # Panics
    /// There is no such interface.
    #[must_use]
    pub fn dropped(&self, interface: &str) -> u64 {
        self.read(&format!("/sys/class/net/{interface}/statistics/tx_dropped")).trim().parse().unwrap()
    }

    /// How much memory a process takes, KiB.
    ///
    /// # Panics
    /// There is no such process.
    #[must_use]
    pub fn memory(&self, process: u32) -> u64 {
        let status = self.read(&format!("/proc/{process}/status"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process that runs");
        line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap()
    }

    /// Kills a process of the machine.
    pub fn signal(&self, signal: &str, process: u32) {
        self.run(&format!("kill -{signal} {process}"));
    }

    /// What a tunnel has left behind: processes, interfaces, sockets, devices, in words.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        const HOLDERS: [&str; 4] = ["native-init", "fake-pptp-serve", "native-traffic", "freeradius"];
        let processes = self.all_processes().into_iter().map(|(_, name)| name);
        let mut left: Vec<String> =
            processes.filter(|name| !HOLDERS.contains(&name.as_str())).map(|name| format!("process {name}")).collect();
        left.extend(self.interfaces().into_iter().map(|name| format!("interface {name}")));
        // The lock files of the call manager stay: removing them would race with others that take them.
        // What a killed pppd was asked on goes when somebody asks next.
        let is_of_the_dead = |path: &Path| {
            let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix("tunnel-"));
            number.is_some_and(|number| !self.path(&format!("/proc/{number}")).exists())
        };
        let sockets = self.files("/run/pptp-rs").into_iter().filter(|path| is_socket(path) && !is_of_the_dead(path));
        left.extend(sockets.map(|path| path.display().to_string()));
        left.extend(self.files("/dev").symmetric_difference(&self.devices).map(|path| path.display().to_string()));
        left
    }

    fn files(&self, directory: &str) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut ahead = vec![self.path(directory)];
        while let Some(directory) = ahead.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().map_while(Result::ok) {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    ahead.push(entry.path());
                } else {
                    found.insert(entry.path());
                }
            }
        }
        found
    }

    /// Connects this machine with another: `cable` and an address on each.
    pub fn connect(&self, other: &Self, cables: [&str; 2], addresses: [&str; 2]) {
        let [here, there] = cables;
        // Outside the machine's process namespace: the number of the other machine is one of this machine's.
        let mut command = self.enter(&[]);
        command.args([
            "ip",
            "link",
            "add",
            here,
            "type",
            "veth",
            "peer",
            "name",
            there,
            "netns",
            &other.init.to_string(),
        ]);
        assert!(command.status().unwrap().success());
        for ((machine, cable), address) in [(self, here), (other, there)].into_iter().zip(addresses) {
            machine.run(&format!("ip addr add {address}/24 dev {cable} && ip link set {cable} up"));
        }
    }

    /// Every file that the programs of the machine have written: its name and what is in it.
    #[must_use]
    pub fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().map_while(Result::ok);
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
    }

    /// The same as text, but for programs.
    #[must_use]
    pub fn logs(&self) -> String {
        let files = self.written().into_iter().filter(|(_, bytes)| !bytes.starts_with(b"\x7fELF"));
        files.map(|(path, bytes)| format!("=== {}\n{}", path.display(), String::from_utf8_lossy(&bytes))).collect()
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket())
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
