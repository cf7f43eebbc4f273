//! What the words after `pptp` say: the options of pptp-linux 1.10.
//!
//! As with its getopt, options may stand between other words, be cut as long as they are unique, and have their value after `=`. The
//! first other word is the server, the rest is pppd's, as is everything after `--`.

mod table;

use std::ffi::OsString;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use lexopt::{Arg, Parser};
use log::LevelFilter;
use pptp_callmgr::client::{ECHO_INTERVAL, ECHO_TIMEOUT, Quirk};
use pptp_datapath::command::REORDER_TIME;

pub use table::{help, version};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Call a server.
    Call(Box<Settings>),
}

/// The values of all options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name or address of the server.
    pub server: String,
    /// Who runs pppd.
    pub pppd: Pppd,
    /// The number to dial (RFC 2637 §2.7).
    pub phone: String,
    /// The peer's known peculiarity.
    pub quirk: Option<Quirk>,
    /// How long a packet that came early waits for those before it; zero: not at all.
    pub reorder_time: Duration,
    /// Silence before an Echo-Request (RFC 2637 §2.5); zero: none is sent.
    pub echo_interval: Duration,
    /// How long an Echo-Reply may take.
    pub echo_timeout: Duration,
    /// Local address.
    pub bind: Option<Ipv4Addr>,
    /// Firewall mark of all packets.
    pub mark: Option<u32>,
    /// Whether packets to the server keep their way whatever becomes of the default route.
    pub holds_route: bool,
    /// What each line in the log begins with.
    pub log_name: Option<String>,
    /// Which lines are logged.
    pub level: LevelFilter,
    /// Whether they go to standard error too, whatever that is.
    pub debug: bool,
    /// Options that were given and do nothing.
    pub ignored: Vec<&'static str>,
}

/// Who runs pppd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pppd {
    /// It is there, at the other end of standard input and output (`--nolaunchpppd`).
    Running,
    /// This program, with these options.
    Launched(Vec<OsString>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: String::new(),
            pppd: Pppd::Launched(Vec::new()),
            phone: String::new(),
            quirk: None,
            reorder_time: REORDER_TIME,
            echo_interval: ECHO_INTERVAL,
            echo_timeout: ECHO_TIMEOUT,
            bind: None,
            mark: None,
            holds_route: true,
            log_name: None,
            level: LevelFilter::Info,
            debug: false,
            ignored: Vec::new(),
        }
    }
}

/// The words are no good: why, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<lexopt::Error> for Usage {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads the words after the program's name.
///
/// # Errors
/// What is wrong with them.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Task, Usage> {
    let mut parser = Parser::from_args(words);
    let (mut settings, mut others) = (Settings::default(), Vec::new());
    while let Some(argument) = parser.next()? {
        let name = match argument {
            Arg::Long(name) => String::from(name),
            Arg::Short(letter) => {
                return Err(Usage(format!(
                    "-{letter} is no option; pppd's options come after \"--\" if they begin with \"-\""
                )));
            }
            Arg::Value(word) => {
                others.push(word);
                continue;
            }
        };
        match table::find(&name)?.apply(&mut settings, &mut parser)? {
            table::Applied::Set => {}
            table::Applied::Shows(task) => return Ok(task),
        }
    }
    settle(settings, others).map(|settings| Task::Call(Box::new(settings)))
}

/// Sorts out the words that are no options.
fn settle(mut settings: Settings, others: Vec<OsString>) -> Result<Settings, Usage> {
    let mut others = others.into_iter();
    let Some(server) = others.next() else {
        return Err(Usage(String::from("the server is missing: pptp HOST [OPTIONS] [[--] PPPD OPTIONS]")));
    };
    let is_name = |name: &String| {
        !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    settings.server =
        server.into_string().ok().filter(is_name).ok_or_else(|| Usage(String::from("the server's name is no name")))?;
    // As with pptp-linux, they are taken and not used when pppd is there already.
    if let Pppd::Launched(options) = &mut settings.pppd {
        options.extend(others);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str) -> Result<Task, String> {
        read(line.split_whitespace().map(OsString::from)).map_err(|usage| usage.to_string())
    }

    fn settings(line: &str) -> Settings {
        match task(line) {
            Ok(Task::Call(settings)) => *settings,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn launched(options: &[&str]) -> Pppd {
        Pppd::Launched(options.iter().map(OsString::from).collect())
    }

    #[test]
    fn a_peers_file_of_pptpsetup_is_understood() {
        let settings = settings("vpn.example --nolaunchpppd");
        assert_eq!(settings, Settings { server: "vpn.example".into(), pppd: Pppd::Running, ..Settings::default() });
    }

    #[test]
    fn network_manager_s_command_is_understood() {
        let settings = settings("192.0.2.1 --nolaunchpppd --loglevel 0 --logstring nm-pptp-service-1234");
        assert_eq!(settings.log_name.as_deref(), Some("nm-pptp-service-1234"));
        assert_eq!((settings.level, settings.pppd), (LevelFilter::Warn, Pppd::Running));
    }

    #[test]
    fn every_option_of_pptp_linux_is_taken() {
        let all = "h --phone 0123 --nolaunchpppd --quirks BEZEQ_ISRAEL --debug --timeout 0.5 --idle-wait 30 --max-echo-wait 20 \
                   --logstring vpn --localbind 192.0.2.2 --rtmark 0x10 --nohostroute --loglevel 2 --missing-window 6000 \
                   --test-type 0 --test-rate 100";
        let settings = settings(all);
        let expected = Settings {
            server: "h".into(),
            pppd: Pppd::Running,
            phone: "0123".into(),
            quirk: Quirk::from_name("BEZEQ_ISRAEL"),
            reorder_time: Duration::from_millis(500),
            echo_interval: Duration::from_secs(30),
            echo_timeout: Duration::from_secs(20),
            bind: Some(Ipv4Addr::new(192, 0, 2, 2)),
            mark: Some(16),
            holds_route: false,
            log_name: Some("vpn".into()),
            level: LevelFilter::Debug,
            debug: true,
            ignored: vec!["--missing-window"],
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn packets_are_not_put_in_order_with_nobuffer_whatever_the_time() {
        for line in ["h --nobuffer", "h --nobuffer --timeout 3", "h --timeout 3 --nobuffer"] {
            assert_eq!(settings(line).reorder_time, Duration::ZERO, "{line}");
        }
    }

    #[test]
    fn what_damages_packets_is_ignored_and_said() {
        assert_eq!(settings("h --test-type 2 --test-rate 50").ignored, ["--test-type"]);
        assert_eq!(settings("h --test-type 0").ignored, [""; 0]);
    }

    #[test]
    fn options_come_in_every_form_of_getopt() {
        for line in ["--nolaunch h --loglevel=2", "--logl 2 --nolaunchpppd h", "h --loglevel 2 --nol"] {
            let settings = settings(line);
            assert_eq!((settings.server.as_str(), settings.level), ("h", LevelFilter::Debug), "{line}");
            assert_eq!(settings.pppd, Pppd::Running, "{line}");
        }
    }

    #[test]
    fn other_words_are_pppd_s_in_their_order() {
        assert_eq!(settings("h").pppd, launched(&[]));
        let line = "h name me --phone 1 remotename PPTP -- -detach --phone";
        assert_eq!(settings(line).pppd, launched(&["name", "me", "remotename", "PPTP", "-detach", "--phone"]));
        assert_eq!(settings("h name me --nolaunchpppd").pppd, Pppd::Running);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("", "the server is missing: pptp HOST [OPTIONS] [[--] PPPD OPTIONS]"),
            ("--nolaunchpppd", "the server is missing: pptp HOST [OPTIONS] [[--] PPPD OPTIONS]"),
            ("h --frob", "--frob is no option of pptp"),
            ("h --no", "--no may be --nolaunchpppd, --nobuffer or --nohostroute"),
            ("h -d", "-d is no option; pppd's options come after \"--\" if they begin with \"-\""),
            ("h --timeout 99", "option --timeout 99: it may be 0.01 to 10 seconds"),
            ("h --localbind vpn", "option --localbind vpn: it may be an IPv4 address of this machine"),
            ("h --quirks GOOD", "option --quirks GOOD: it may be BEZEQ_ISRAEL"),
            (
                "h --rtmark 0xg",
                "option --rtmark 0xg: it may be a number from 0 to 4294967295, or from 0x0 to 0xffffffff",
            ),
            ("h --loglevel", "option --loglevel needs a value: 0, 1 or 2"),
        ];
        for (line, text) in wrong {
            assert_eq!(task(line), Err(text.into()), "{line}");
        }
        assert!(task("h --sync").is_err_and(|text| text.starts_with("option --sync is not supported: ")));
        assert!(task("h --debug=1").is_err());
    }

    #[test]
    fn help_lists_every_option_and_version_is_this_program_s() {
        assert_eq!((task("--help"), task("h --version")), (Ok(Task::Help), Ok(Task::Version)));
        let all = "phone nolaunchpppd quirks debug sync timeout nobuffer idle-wait max-echo-wait logstring localbind rtmark \
                   nohostroute loglevel missing-window test-type test-rate version help";
        for name in all.split_whitespace() {
            assert!(help().contains(&format!("  --{name}")), "{name}");
            let manual = include_str!("../../../man/pptp.8");
            assert!(manual.contains(&format!(".It Fl \\-{}", name.replace('-', "\\-"))), "{name} is not in pptp(8)");
        }
        assert!(version().contains(env!("CARGO_PKG_VERSION")));
    }
}
