//! The program, with its files below a root of the test's own.
#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail like the test")]

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;

/// A directory with an etc/ppp, which goes when it is dropped.
struct Root(PathBuf);

impl Root {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("pptp-rs-setup-{}-{test}", std::process::id()));
        fs::create_dir_all(root.join("etc/ppp")).unwrap();
        Self(root)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join("etc/ppp").join(path)).unwrap_or_default()
    }

    /// The program with these words, and with the root.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pptp-rs-setup"));
        command.args(line.split_whitespace()).arg("--root").arg(&self.0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it with this on its standard input.
    fn run(&self, line: &str, input: &str) -> Output {
        let mut child = self.command(line).spawn().unwrap();
        // It need not read what it does not want.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// The same: its exit status and all that it has said.
    fn said(&self, line: &str, input: &str) -> (i32, String) {
        let output = self.run(line, input);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_profile_lives_from_create_to_delete() {
    let root = Root::new("lives");
    let secrets = "# Secrets for authentication using CHAP\nbob\t*\thush\t*";
    fs::write(root.0.join("etc/ppp/chap-secrets"), secrets).unwrap();
    let create = "--create office --server vpn.example.com --domain CORP --username alice --encrypt";
    let (status, said) = root.said(create, "a \"secret\"\nmore\n");
    assert_eq!(status, 0, "{said}");
    assert!(said.starts_with("office is made: \"pptp-rs-setup start office\" connects"), "{said}");
    let entry = "# pptp-rs-setup: office (the line before had no end)\n\"CORP\\\\alice\" pptp-rs-office \"a \\\"secret\\\"\" *\n";
    assert_eq!(root.read("chap-secrets"), format!("{secrets}\n{entry}"));
    assert!(root.read("peers/office").contains("\nuser \"CORP\\\\alice\"\n"));
    for path in ["chap-secrets", "peers/office"] {
        assert_eq!(fs::metadata(root.0.join("etc/ppp").join(path)).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    let list = "NAME    SERVER           USER        STATE\noffice  vpn.example.com  CORP\\alice  down\n";
    assert_eq!(root.said("list", ""), (0, list.into()));
    let (status, said) = root.said("show office", "");
    assert!(status == 0 && said.contains("in chap-secrets") && !said.contains("a \"secret"), "{said}");
    assert_eq!(root.said("--delete office", ""), (0, "office is removed\n".into()));
    assert_eq!((root.read("chap-secrets"), root.read("peers/office")), (secrets.into(), String::new()));
    assert_eq!(root.said("delete office", "").0, 1);
}

#[test]
fn what_pptpsetup_would_not_encrypt_is_not_encrypted_and_that_is_said() {
    let root = Root::new("clear");
    let (status, said) = root.said("--create office --server h --username alice", "secret\n");
    assert!(status == 0 && said.lines().count() == 2 && said.contains("add --encrypt"), "{said}");
    let profile = root.read("peers/office");
    assert!(profile.contains("\nrefuse-pap\n") && !profile.contains("mppe"), "{profile}");
    for options in ["--create other --encrypt", "--create third --no-encrypt", "create fourth"] {
        let (status, said) = root.said(&format!("{options} --server h --username alice"), "secret\n");
        assert!(status == 0 && said.lines().count() == 1, "{options}: {said}");
    }
}

#[test]
fn the_mask_of_the_caller_makes_no_difference() {
    for mask in ["000", "777"] {
        let root = Root::new(&format!("mask-{mask}"));
        let mut shell = Command::new("/bin/sh");
        let line = format!("umask {mask}; echo secret | exec \"$0\" create office --server h --user u --root \"$1\"");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_pptp-rs-setup")]).arg(&root.0).stdout(Stdio::null());
        assert!(shell.status().unwrap().success());
        for path in ["chap-secrets", "peers/office"] {
            let mode = fs::metadata(root.0.join("etc/ppp").join(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{path}, umask {mask}");
        }
    }
}

#[test]
fn runs_at_the_same_time_lose_nothing() {
    let root = Root::new("crowd");
    let names: Vec<String> = (0..12).map(|number| format!("n{number}")).collect();
    let all_at_once = |line: &dyn Fn(&str) -> String| {
        let children = names.iter().map(|name| {
            let mut child = root.command(&line(name)).spawn().unwrap();
            child.stdin.take().unwrap().write_all(format!("secret-{name}\n").as_bytes()).unwrap();
            child
        });
        for child in children.collect::<Vec<_>>() {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    all_at_once(&|name| format!("create {name} --server h --user alice"));
    let secrets = root.read("chap-secrets");
    for name in &names {
        assert!(secrets.contains(&format!("\"alice\" pptp-rs-{name} \"secret-{name}\" *\n")), "{secrets}");
    }
    assert_eq!(secrets.lines().count(), 2 * names.len());
    all_at_once(&|name| format!("create {name} --server other --user alice --force"));
    assert_eq!(root.read("chap-secrets").lines().count(), 2 * names.len());
    let mut left = names.clone();
    left.retain(|name| root.said(&format!("delete {name}"), "").0 != 0);
    assert_eq!((left, root.0.join("etc/ppp/chap-secrets").exists()), (Vec::new(), false));
    let peers = fs::read_dir(root.0.join("etc/ppp/peers")).unwrap().count();
    assert_eq!((peers, fs::read_dir(root.0.join("etc/ppp")).unwrap().count()), (0, 1));
}

#[test]
fn what_others_wrote_is_not_removed() {
    let root = Root::new("others");
    fs::create_dir(root.0.join("etc/ppp/peers")).unwrap();
    fs::write(root.0.join("etc/ppp/peers/office"), "plugin pptp.so\npptp_server h\nname bob\n").unwrap();
    let (status, said) = root.said("delete office", "");
    assert!(status == 1 && said.contains("was not made by this program: it stays"), "{said}");
    let (status, said) = root.said("create office --server h --user alice", "secret\n");
    assert!(status == 1 && said.contains("--force replaces it"), "{said}");
    assert!(root.said("list", "").1.contains("office  h       bob   down"));
    assert_eq!(root.read("chap-secrets"), "");
}

#[test]
fn a_password_comes_from_a_file_or_is_refused() {
    let root = Root::new("password");
    let file = root.0.join("password");
    fs::write(&file, "p\u{e4}ss\r\n").unwrap();
    let create = "create office --server h --user alice";
    let (status, said) = root.said(&format!("{create} --password-file {}", file.display()), "");
    assert!(status == 0 && said.contains("Latin-1") && !said.contains("ss\n"), "{said}");
    assert!(root.read("chap-secrets").contains("\"p\\xc3\\xa4ss\""));
    for (input, part) in [("", "is empty"), ("\n", "is empty"), ("@/etc/x\n", "name of a file"), ("a\0b\n", "NUL")] {
        let (status, said) = root.said(&format!("{create} --force"), input);
        assert!(status == 1 && said.contains(part), "{said}");
    }
    let (status, said) = root.said(&format!("{create} --force --password-file /nowhere/x"), "");
    assert!(status == 1 && said.contains("cannot read /nowhere/x"), "{said}");
    let (status, said) = root.said(&format!("{create} --force --password hush"), "");
    assert!(status == 2 && said.contains("refused") && !said.contains("hush"), "{said}");
    assert!(root.read("chap-secrets").contains("\"p\\xc3\\xa4ss\""));
}

/// A terminal that shows what is typed: its master and its slave.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (master, slave) = pptp_io::pty::open().unwrap();
    let mut settings = tcgetattr(&slave).unwrap();
    settings.local_flags.insert(LocalFlags::ECHO | LocalFlags::ICANON);
    tcsetattr(&slave, SetArg::TCSANOW, &settings).unwrap();
    (master, slave)
}

fn shows(terminal: &impl AsFd) -> bool {
    tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_terminal_is_asked_without_showing_and_is_right_again_after_a_signal() {
    let root = Root::new("terminal");
    let create = || {
        let (master, slave) = terminal();
        let child = root.command("create office --server h --user alice").stdin(slave.try_clone().unwrap()).spawn();
        wait_until("it hides what is typed", || !shows(&slave));
        (master, slave, child.unwrap())
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (_master, slave, child) = create();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal as i32));
        assert!(shows(&slave), "{signal}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("Password: "));
    }
    let (master, slave, child) = create();
    nix::unistd::write(&master, b"typed secret\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(shows(&slave) && root.read("chap-secrets").contains("\"typed secret\""));
}

#[test]
fn the_help_goes_to_standard_output() {
    let output = Command::new(env!("CARGO_BIN_EXE_pptp-rs-setup")).arg("--help").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(String::from_utf8(output.stdout).unwrap().contains("Usage: pptp-rs-setup COMMAND"));
    let wrong = Command::new(env!("CARGO_BIN_EXE_pptp-rs-setup")).arg("frob").output().unwrap();
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
}
