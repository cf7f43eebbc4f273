//! `pptp-rsctl`: asks a server that runs, or the client tunnels of this machine, and tells.

mod show;
mod tunnels;

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pptp_io::poller::{self, Interest};
use pptp_io::{clock, seqpacket, words};

use crate::config::{Config, printable};
use crate::control::{Code, LONGEST_PART, LONGEST_REQUEST, Line, Order, PLACING, Record, Request};

/// How long the server may take for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Usage: pptp-rsctl [--json] [--socket FILE] COMMAND

  sessions                all calls
  show ID                 one call
  stats                   counts since the server began
  disconnect WHOM         end calls: of a session (a number), a client (its address outside or inside the tunnel) or a user
                          (anything else); what it is can be said: disconnect session ID, address ADDRESS, user NAME
  call ADDRESS[:PORT]     place a call at another server, which takes it as an incoming one; returns when it is connected
    --number N              the number that was called, for that server
    --from N                the caller's number, likewise
    --option-file FILE      pppd's options for this call, in place of the server's option file
    --timeout S             give it up after so many seconds, in place of 150
  tunnels [WHICH]         this machine's client tunnels, which need no server here; WHICH is an interface, a server's name or
                          address, a link's name or pppd's process, of which all is shown

  -j, --json              as JSON
  -s, --socket FILE       the server's control-socket, in place of /run/pptp-rsd.sock
  -h, --help              show this
  -v, --version           show the version

Exit status: 0 done, 1 there is no such session or tunnel, or the call was not connected, 2 the command line is wrong,
3 no server answers.
";

/// Why nothing is shown.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    NotFound(String),
    Failed(String),
    Usage(String),
    NoServer(String),
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Help,
    Version,
    Ask { socket: PathBuf, request: Request, patience: Duration, form: Form },
    Tunnels { which: Option<String>, form: Form },
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Json,
}

/// `pptp-rsctl`, with the arguments of this process.
pub fn main() -> ExitCode {
    let (status, text) = match run(std::env::args_os().skip(1)) {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (1, format!("cannot write: {}", words(&error))),
        },
        Err(Failure::NotFound(text) | Failure::Failed(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, format!("{text}; see pptp-rsctl --help")),
        Err(Failure::NoServer(text)) => (3, text),
    };
    complain(&text);
    ExitCode::from(status)
}

fn complain(text: &str) {
    // Where nobody listens there is nothing better to do.
    let _ = writeln!(io::stderr(), "pptp-rsctl: {text}");
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<String, Failure> {
    match read_arguments(arguments)? {
        Wish::Help => Ok(HELP.into()),
        Wish::Version => Ok(format!("pptp-rsctl v{}\n", env!("CARGO_PKG_VERSION"))),
        Wish::Ask { socket, request, patience, form } => {
            let (records, count) = ask(&socket, &request, patience)?;
            Ok(show::show(&request, &records, count, form))
        }
        Wish::Tunnels { which, form } => tunnels::show(which.as_deref(), form),
    }
}

fn read_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish, Failure> {
    let usage = |error: lexopt::Error| Failure::Usage(printable(&error.to_string()));
    let (mut socket, mut form) = (Config::default().control_socket, Form::Table);
    let (mut words, mut details, mut timeout) = (Vec::new(), Vec::new(), None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Wish::Help),
            lexopt::Arg::Short('v') | lexopt::Arg::Long("version") => return Ok(Wish::Version),
            lexopt::Arg::Short('j') | lexopt::Arg::Long("json") => form = Form::Json,
            lexopt::Arg::Short('s') | lexopt::Arg::Long("socket") => socket = parser.value().map_err(usage)?.into(),
            lexopt::Arg::Long(detail @ ("number" | "from" | "option-file")) => {
                let detail = detail.to_owned();
                details.push(format!("{detail}={}", told(&detail, parser.value().map_err(usage)?)?));
            }
            lexopt::Arg::Long("timeout") => timeout = Some(seconds(&parser.value().map_err(usage)?)?),
            lexopt::Arg::Value(word) => words.push(word.to_string_lossy().into_owned()),
            other => return Err(usage(other.unexpected())),
        }
    }
    let words: Vec<&str> = words.iter().chain(&details).map(String::as_str).collect();
    match words[..] {
        ["tunnels"] => return Ok(Wish::Tunnels { which: None, form }),
        ["tunnels", which] => return Ok(Wish::Tunnels { which: Some(which.to_owned()), form }),
        _ => {}
    }
    let mut request = Request::from_words(&words).map_err(Failure::Usage)?;
    let patience = match &mut request {
        Request::Call(order) => {
            // Whoever reads what is said can do something about it.
            order.followed = io::stderr().is_terminal();
            timeout.unwrap_or(PLACING)
        }
        _ if timeout.is_some() => return Err(Failure::Usage("--timeout goes with call".into())),
        _ => PATIENCE,
    };
    if request.to_string().len() > LONGEST_REQUEST {
        return Err(Failure::Usage("all of this is too long".into()));
    }
    Ok(Wish::Ask { socket, request, patience, form })
}

/// How long a call may take.
fn seconds(value: &OsStr) -> Result<Duration, Failure> {
    let seconds = value.to_str().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    seconds.filter(|time| !time.is_zero() && *time <= PLACING).ok_or_else(|| {
        let (value, most) = (value.to_string_lossy(), PLACING.as_secs());
        Failure::Usage(format!("--timeout: '{}' is no number from 1 to {most}", printable(&value)))
    })
}

/// What the server is told of a call. A file is one of this process's folder.
fn told(detail: &str, value: OsString) -> Result<String, Failure> {
    let value = if detail == "option-file" { std::path::absolute(&value).map_or(value, OsString::from) } else { value };
    value
        .into_string()
        .map_err(|value| Failure::Usage(format!("--{detail}: '{}' is no text", printable(&value.to_string_lossy()))))
}

/// The records of an answer, and how many sessions it is about. Each part of it may take that long; a call may as a whole.
fn ask(path: &Path, request: &Request, patience: Duration) -> Result<(Vec<Record>, u64), Failure> {
    let fail =
        |error: io::Error| Failure::NoServer(format!("no server answers at {}: {}", path.display(), words(&error)));
    let socket = seqpacket::connect(path).map_err(fail)?;
    seqpacket::send(socket.as_fd(), request.to_string().as_bytes(), &[]).map_err(fail)?;
    let (mut records, end) = (Vec::new(), clock::now() + patience);
    loop {
        let part = match request {
            Request::Call(order) => hear(&socket, clock::until(end)).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => given_up(order, patience),
                _ => fail(error),
            }),
            _ => hear(&socket, patience).map_err(fail),
        };
        for line in part?.lines() {
            match Line::read(line) {
                Some(Line::Record(record)) => records.push(record),
                Some(Line::Progress(text)) => complain(&printable(&text)),
                Some(Line::End(count)) => return Ok((records, count)),
                Some(Line::Error(Code::NotFound, text)) => return Err(Failure::NotFound(text)),
                Some(Line::Error(Code::Failed, text)) => return Err(Failure::Failed(text)),
                Some(Line::Error(Code::Wrong, text)) => return Err(Failure::Usage(text)),
                None => return Err(fail(io::Error::other("it is a server of another version"))),
            }
        }
    }
}

/// The server clears the call when nobody waits for it any more.
fn given_up(order: &Order, patience: Duration) -> Failure {
    Failure::Failed(format!(
        "the call to {} was not connected within {} s; it is given up",
        order.to,
        patience.as_secs()
    ))
}

/// The next part of an answer.
fn hear(socket: &OwnedFd, patience: Duration) -> io::Result<String> {
    let ready = poller::wait(&[(socket.as_fd(), Interest::Read)], Some(patience))?;
    if !ready.first().is_some_and(|ready| ready.readable()) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut buffer = vec![0; LONGEST_PART];
    let length = seqpacket::receive(socket.as_fd(), &mut buffer)?.length;
    if length == 0 {
        return Err(io::Error::other("it has closed the connection; only root and its own user are heard"));
    }
    buffer.truncate(length);
    String::from_utf8(buffer).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Wish, Failure> {
        read_arguments(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_and_command_come_in_any_order() {
        let wish =
            |socket: &str, request, form| Ok(Wish::Ask { socket: socket.into(), request, patience: PATIENCE, form });
        assert_eq!(arguments("sessions"), wish("/run/pptp-rsd.sock", Request::Sessions, Form::Table));
        for line in ["--json --socket /s show 5", "show 5 -j -s/s", "show --socket=/s -j 5"] {
            assert_eq!(arguments(line), wish("/s", Request::Show(5), Form::Json), "{line}");
        }
        let tunnels = |which: Option<&str>, form| Ok(Wish::Tunnels { which: which.map(String::from), form });
        assert_eq!(arguments("tunnels"), tunnels(None, Form::Table));
        assert_eq!(arguments("tunnels ppp0 -j"), tunnels(Some("ppp0"), Form::Json));
        assert_eq!((arguments("-h"), arguments("x --version")), (Ok(Wish::Help), Ok(Wish::Version)));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        let usage = |text: &str| Err(Failure::Usage(text.into()));
        assert_eq!(arguments(""), usage("a command is missing: sessions, show, stats, disconnect, call or tunnels"));
        assert_eq!(arguments("--what"), usage("invalid option '--what'"));
        assert_eq!(arguments("show x"), usage("'x' is no number of a session"));
        assert_eq!(arguments("tunnels a b"), usage("'b' is too much"));
        assert_eq!(arguments("sessions --timeout 5"), usage("--timeout goes with call"));
        for wrong in ["0", "151", "-1", "x"] {
            let text = format!("--timeout: '{wrong}' is no number from 1 to 150");
            assert_eq!(arguments(&format!("call 192.0.2.1 --timeout={wrong}")), usage(&text));
        }
    }

    #[test]
    fn a_call_has_the_time_that_it_is_given() {
        for (line, seconds) in [("call 192.0.2.1", 150), ("call 192.0.2.1 --timeout 7", 7)] {
            let Ok(Wish::Ask { patience, .. }) = arguments(line) else { panic!("{line} is understood") };
            assert_eq!(patience, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn the_help_names_the_socket_that_is_the_default() {
        assert!(HELP.contains(&Config::default().control_socket.display().to_string()));
    }
}
