//! What `pptp-rsctl` and the server say to each other on the control socket (`SOCK_SEQPACKET`).
//!
//! A request is one message: words with blanks between them. The answer is one message or more, each of whole lines. A line is
//! a record, its kind and `name=value` fields, or the last line of the answer: `end COUNT`, or `error CODE TEXT`. What is not
//! known has no field. In values, and in the words of a request, blanks and all but ASCII's visible characters are
//! written as `%XX`, byte by byte, and so is `%`.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use pptp_core::wire::PORT;
use pptp_core::wire::message::Text64;
pub use pptp_datapath::record::Record;
use pptp_datapath::record::decode;
pub(crate) use pptp_datapath::record::encode;
use pptp_datapath::report::LONGEST_USER;

use crate::config::printable;

/// A request is no longer, in bytes.
pub const LONGEST_REQUEST: usize = 1024;

/// A message of an answer is no longer, in bytes.
pub const LONGEST_PART: usize = 16 * 1024;

/// How long the answer to [`Request::Call`] may take: longer than the server gives the other end.
pub const PLACING: Duration = Duration::from_secs(150);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A record for each session.
    Sessions,
    /// The record of one session.
    Show(u64),
    /// A record of counts.
    Stats,
    /// The end of sessions.
    Disconnect(Target),
    /// An incoming call for a PNS; the answer comes when it is connected, or is not.
    Call(Order),
}

/// A call that the server is to place, as PAC (RFC 2637 §2.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The PNS.
    pub to: SocketAddrV4,
    /// The number that was called; may be empty.
    pub number: String,
    /// The caller's number; may be empty.
    pub from: String,
    /// pppd's option file, in place of the one for all calls.
    pub option_file: Option<PathBuf>,
    /// Whether the operator wants to hear how far it is.
    pub followed: bool,
}

/// Which sessions. As a word, a number is a session's, an address is an address, and anything else is a user; `session`,
/// `address` or `user` before it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one with this number.
    Session(u64),
    /// Those of the client with this address, outside or inside the tunnel.
    Address(IpAddr),
    /// Those of the user with this name, to the letter.
    User(String),
}

impl Request {
    /// Reads the words of a request.
    ///
    /// # Errors
    /// One line that says what is wrong, without control characters.
    pub fn from_words(words: &[&str]) -> Result<Self, String> {
        match words {
            ["sessions"] => Ok(Self::Sessions),
            ["stats"] => Ok(Self::Stats),
            ["show", id] => session(id).map(Self::Show),
            ["disconnect", whom] => target(whom).map(Self::Disconnect),
            ["disconnect", "session", id] => session(id).map(|id| Self::Disconnect(Target::Session(id))),
            ["disconnect", "address", text] => address(text).map(|address| Self::Disconnect(Target::Address(address))),
            ["disconnect", "user", name] => user(name).map(|name| Self::Disconnect(Target::User(name))),
            ["show"] => Err("show: the number of a session is missing".into()),
            ["disconnect"] => Err("disconnect: a session's number, a user or an address is missing".into()),
            ["call", to, details @ .., "followed"] => {
                order(to, details).map(|order| Self::Call(Order { followed: true, ..order }))
            }
            ["call", to, details @ ..] => order(to, details).map(Self::Call),
            ["call"] => Err("call: the address of a server is missing".into()),
            [] => Err("a command is missing: sessions, show, stats, disconnect, call or tunnels".into()),
            ["sessions" | "stats" | "show" | "disconnect" | "tunnels", .., last] => {
                Err(format!("'{}' is too much", printable(last)))
            }
            [other, ..] => Err(format!("there is no command '{}'", printable(other))),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// As [`Self::from_words`].
    pub fn from_message(message: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(message).map_err(|_| String::from("it is no text"))?;
        let word = |word| decode(word).ok_or_else(|| format!("'{}' is not written as a word is", printable(word)));
        let words = text.split_ascii_whitespace().map(word).collect::<Result<Vec<_>, _>>()?;
        Self::from_words(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn session(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{}' is no number of a session", printable(text)))
}

fn target(text: &str) -> Result<Target, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return session(text).map(Target::Session);
    }
    address(text).map(Target::Address).or_else(|_| user(text).map(Target::User))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let address = text.parse::<IpAddr>().map_err(|_| format!("'{}' is no address", printable(text)))?;
    Ok(address.to_canonical())
}

fn user(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > LONGEST_USER {
        return Err(format!("'{}' is no name of a user of at most {LONGEST_USER} bytes", printable(name)));
    }
    Ok(name.to_owned())
}

fn order(to: &str, details: &[&str]) -> Result<Order, String> {
    let address = || to.parse::<Ipv4Addr>().map(|address| SocketAddrV4::new(address, PORT));
    let to =
        to.parse().or_else(|_| address()).map_err(|_| format!("'{}' is no IPv4 address of a server", printable(to)))?;
    let mut order = Order { to, number: String::new(), from: String::new(), option_file: None, followed: false };
    for detail in details {
        match detail.split_once('=') {
            Some(("number", number)) => order.number = phone_number(number)?,
            Some(("from", number)) => order.from = phone_number(number)?,
            Some(("option-file", path)) if path.starts_with('/') && !path.contains(char::is_whitespace) => {
                order.option_file = Some(path.into());
            }
            Some(("option-file", path)) => {
                return Err(format!("'{}' is no path of an option file that can be told", printable(path)));
            }
            _ => return Err(format!("'{}' is too much", printable(detail))),
        }
    }
    Ok(order)
}

fn phone_number(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > Text64::LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let longest = Text64::LONGEST;
        return Err(format!("'{}' is no phone number of at most {longest} characters", printable(text)));
    }
    Ok(text.to_owned())
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions => write!(f, "sessions"),
            Self::Show(id) | Self::Disconnect(Target::Session(id)) => {
                let word = if matches!(self, Self::Show(_)) { "show" } else { "disconnect" };
                write!(f, "{word} {id}")
            }
            Self::Stats => write!(f, "stats"),
            Self::Disconnect(Target::Address(address)) => write!(f, "disconnect {address}"),
            Self::Disconnect(Target::User(name)) => write!(f, "disconnect user {}", encode(name)),
            Self::Call(order) => write!(f, "call {order}{}", if order.followed { " followed" } else { "" }),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        let numbers = [("number", &self.number), ("from", &self.from)].into_iter().filter(|(_, text)| !text.is_empty());
        for (name, number) in numbers {
            write!(f, " {name}={}", encode(number))?;
        }
        self.option_file.iter().try_for_each(|path| write!(f, " option-file={}", encode(&path.to_string_lossy())))
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// There is no such session.
    NotFound,
    /// The request cannot be understood.
    Wrong,
    /// It was understood, and could not be done.
    Failed,
}

impl Code {
    const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Wrong => "wrong",
            Self::Failed => "failed",
        }
    }
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// What was asked for.
    Record(Record),
    /// How far that is which was asked for.
    Progress(String),
    /// The last line: so many sessions were found.
    End(u64),
    /// The last line: why there is no answer.
    Error(Code, String),
}

impl Line {
    /// Reads a line without its end. `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "record" => Record::read(rest).map(Self::Record),
            "progress" if !rest.is_empty() => Some(Self::Progress(rest.to_owned())),
            "end" => rest.parse().ok().map(Self::End),
            "error" => {
                let (code, text) = rest.split_once(' ')?;
                let code =
                    [Code::NotFound, Code::Wrong, Code::Failed].into_iter().find(|known| known.name() == code)?;
                Some(Self::Error(code, text.to_owned()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(record) => write!(f, "record{record}"),
            Self::Progress(text) => write!(f, "progress {text}"),
            Self::End(count) => write!(f, "end {count}"),
            Self::Error(code, text) => write!(f, "error {} {text}", code.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_request_is_read_as_it_is_written() {
        let address = "192.0.2.1".parse().unwrap();
        let call = |number: &str, from: &str, option_file| {
            let to = "192.0.2.1:1723".parse().unwrap();
            Request::Call(Order { to, number: number.into(), from: from.into(), option_file, followed: false })
        };
        let Request::Call(order) = call("5", "", None) else { unreachable!("it is one") };
        let followed = Request::Call(Order { followed: true, ..order });
        for (text, request) in [
            ("sessions", Request::Sessions),
            ("show 17", Request::Show(17)),
            ("stats", Request::Stats),
            ("disconnect 17", Request::Disconnect(Target::Session(17))),
            ("disconnect 192.0.2.1", Request::Disconnect(Target::Address(address))),
            ("disconnect user alice", Request::Disconnect(Target::User("alice".into()))),
            ("disconnect user DOM\\a%20b%0A%25%C3%A9", Request::Disconnect(Target::User("DOM\\a b\n%é".into()))),
            ("disconnect user 17", Request::Disconnect(Target::User("17".into()))),
            ("call 192.0.2.1:1723", call("", "", None)),
            ("call 192.0.2.1:1723 number=+49-30", call("+49-30", "", None)),
            ("call 192.0.2.1:1723 number=5 followed", followed),
            ("call 192.0.2.1:1723 number=5 from=6 option-file=/etc/ppp/x", call("5", "6", Some("/etc/ppp/x".into()))),
        ] {
            assert_eq!(Request::from_message(text.as_bytes()), Ok(request.clone()));
            assert_eq!(request.to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("", "a command is missing: sessions, show, stats, disconnect, call or tunnels"),
            ("call", "call: the address of a server is missing"),
            ("call server", "'server' is no IPv4 address of a server"),
            ("call ::1", "'::1' is no IPv4 address of a server"),
            ("call 192.0.2.1 number=", "'' is no phone number of at most 63 characters"),
            ("call 192.0.2.1 option-file=x", "'x' is no path of an option file that can be told"),
            ("call 192.0.2.1 now", "'now' is too much"),
            ("show", "show: the number of a session is missing"),
            ("show -1", "'-1' is no number of a session"),
            ("stats 1", "'1' is too much"),
            ("reboot", "there is no command 'reboot'"),
            ("disconnect", "disconnect: a session's number, a user or an address is missing"),
            ("disconnect 99999999999999999999", "'99999999999999999999' is no number of a session"),
            ("disconnect session alice", "'alice' is no number of a session"),
            ("disconnect address alice", "'alice' is no address"),
            ("disconnect user a b", "'b' is too much"),
            ("disconnect %zz", "'%zz' is not written as a word is"),
            ("disconnect %FF", "'%FF' is not written as a word is"),
        ] {
            assert_eq!(Request::from_message(text.as_bytes()), Err(words.into()), "{text}");
        }
    }

    #[test]
    fn whom_a_word_means_is_plain() {
        let meant = |words: &str| Request::from_message(format!("disconnect {words}").as_bytes()).unwrap();
        for (words, target) in [
            ("7", Target::Session(7)),
            ("session 7", Target::Session(7)),
            ("::ffff:192.0.2.1", Target::Address([192, 0, 2, 1].into())),
            ("address 192.0.2.1", Target::Address([192, 0, 2, 1].into())),
            ("alice", Target::User("alice".into())),
            ("-7", Target::User("-7".into())),
            ("user", Target::User("user".into())),
            ("user 192.0.2.1", Target::User("192.0.2.1".into())),
        ] {
            assert_eq!(meant(words), Request::Disconnect(target), "{words}");
        }
    }

    #[test]
    fn values_of_any_kind_are_read_as_they_were() {
        let record = Record::default().with("user", "a b=c%\n\u{1b}é").with("id", 1);
        let text = Line::Record(record.clone()).to_string();
        assert_eq!(text, "record user=a%20b=c%25%0A%1B%C3%A9 id=1");
        assert_eq!(Line::read(&text), Some(Line::Record(record)));
        for wrong in ["record a=%", "record a=%2", "record a=%+1", "record a=%ff"] {
            assert_eq!(Line::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let errors = ["error not-found there is no session 5", "error failed call refused: not accepted (3)"];
        for text in
            ["record", "record id=1 client=192.0.2.1:40", "progress it rings", "end 0"].into_iter().chain(errors)
        {
            assert_eq!(Line::read(text).unwrap().to_string(), text);
        }
        for text in ["", "record x", "progress", "end", "end x", "error", "error other x", "hello"] {
            assert_eq!(Line::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_one_line_of_text(bytes: Vec<u8>) {
            match Request::from_message(&bytes) {
                Ok(request) => prop_assert_eq!(Request::from_message(request.to_string().as_bytes()), Ok(request)),
                Err(text) => prop_assert!(!text.chars().any(char::is_control)),
            }
        }

        #[test]
        fn words_of_any_kind_are_taken(word in "(show|disconnect|sessions|stats|call|call 192[.]0[.]2[.]1) \\PC*") {
            let _ = Request::from_message(word.as_bytes());
        }

        #[test]
        fn any_text_is_a_line_or_none(text: String) {
            let _ = Line::read(&text);
        }
    }
}
