//! What is said of pptpd in these tests, asked of the real one: Debian's, in namespaces of its own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{command_line, file};

/// pptpd says what it makes of a file to syslog alone, so it gets a /dev/log of ours.
struct Log {
    folder: PathBuf,
    socket: UnixDatagram,
}

impl Log {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("pptp-rsd-{}", std::process::id()));
        fs::create_dir_all(folder.join("dev")).expect("a folder for pptpd");
        let socket = UnixDatagram::bind(folder.join("dev/log")).expect("a /dev/log for pptpd");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");
        Self { folder, socket }
    }

    fn start(&self, text: &str) -> Child {
        fs::write(self.folder.join("conf"), text).expect("pptpd's file");
        let script = "mount --bind \"$1/dev\" /dev && exec /usr/sbin/pptpd -f -c \"$1/conf\" -p \"$1/pid\"";
        Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", script, "sh"])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare")
    }

    fn line(&self) -> Option<String> {
        let mut buffer = [0; 2048];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("/dev/log: {error}"),
        }
    }

    /// The number of connections that pptpd makes available; `None` if it does not start.
    fn connections(&self, text: &str) -> Option<usize> {
        let mut pptpd = self.start(text);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(Instant::now() < deadline, "{text:?}: pptpd neither starts nor ends");
            if let Some(number) = self.line().as_deref().and_then(available) {
                pptpd.kill().expect("pptpd is there");
                pptpd.wait().expect("pptpd ends");
                return Some(number);
            }
            if let Some(status) = pptpd.try_wait().expect("pptpd's status") {
                assert_eq!(status.code(), Some(1), "{text:?}: pptpd could not run at all");
                while self.line().is_some() {}
                return None;
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn available(line: &str) -> Option<usize> {
    line.split_once("Maximum of ")?.1.split_once(" connections available")?.0.parse().ok()
}

#[test]
fn pptpd_makes_of_files_what_these_tests_say() {
    let log = Log::new();
    for (text, expected) in file::PPTPD {
        assert_eq!(log.connections(text), expected, "{text:?}");
    }
}

#[test]
fn pptpd_has_the_options_that_these_tests_say() {
    let output = Command::new("/usr/sbin/pptpd").arg("--help").output().expect("pptpd");
    let help = String::from_utf8(output.stdout).expect("text");
    // " [-c] [--conf file]        Specifies the config file …"
    let options: Vec<_> = help.lines().filter_map(|line| line.strip_prefix(" [-")?.split_once("] [--")).collect();
    assert_eq!(options.len(), 16, "{help}");
    for (letter, rest) in options {
        let long = rest.split(']').next().unwrap_or_default();
        let (name, has_value) = long.split_once(' ').map_or((long, false), |(name, _)| (name, true));
        let known =
            command_line::PPTPD.iter().any(|option| *option == (letter.chars().next().unwrap(), name, has_value));
        assert!(known, "-{letter} --{long}");
    }
}
