//! The client tunnels of this machine, which pppds tell of themselves.

use std::path::Path;
use std::time::Duration;

use pptp_datapath::record::Record;
use pptp_datapath::tunnels::{Answer, DIRECTORY, ask_all};
use pptp_io::{confine, words};

use super::{Failure, Form, show};
use crate::config::printable;

/// How long a pppd may take: it answers when it comes to it, and most do within a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);

/// The columns of the list: field and heading.
const COLUMNS: [(&str, &str); 13] = [
    ("interface", "INTERFACE"),
    ("state", "STATE"),
    ("server", "SERVER"),
    ("datapath", "PATH"),
    ("mppe", "MPPE"),
    ("uptime", "UPTIME"),
    ("local", "LOCAL"),
    ("remote", "REMOTE"),
    ("bytes-received", "RECEIVED"),
    ("bytes-sent", "SENT"),
    ("lost", "LOST"),
    ("round-trip-us", "RTT"),
    ("pppd", "PPPD"),
];

/// By what a tunnel can be named.
const NAMES: [&str; 5] = ["interface", "server", "address", "linkname", "pppd"];

pub(super) fn show(which: Option<&str>, form: Form) -> Result<String, Failure> {
    let failed = |error| Failure::Failed(format!("cannot look for tunnels: {}", words(&error)));
    let answers = ask_all(Path::new(DIRECTORY), confine::service_account(), PATIENCE).map_err(failed)?;
    let all = answers.into_iter().map(|(process, answer)| record(process, answer)).collect();
    present(all, which, form)
}

/// A pppd that does not answer has a number, and a state.
fn record(process: u32, answer: Answer) -> Record {
    match answer {
        Answer::Told(record) => record,
        Answer::Silence => Record::default().with("state", "does not answer").with("pppd", process),
    }
}

fn present(all: Vec<Record>, which: Option<&str>, form: Form) -> Result<String, Failure> {
    let is_meant =
        |record: &Record| which.is_none_or(|which| NAMES.iter().any(|field| record.value(field) == Some(which)));
    let meant: Vec<Record> = all.into_iter().filter(is_meant).collect();
    match (which, form) {
        (Some(which), _) if meant.is_empty() => {
            Err(Failure::NotFound(format!("there is no tunnel '{}'", printable(which))))
        }
        (_, Form::Json) => Ok(show::array(&meant)),
        (None, Form::Table) if meant.is_empty() => Ok("no tunnels\n".into()),
        (None, Form::Table) => Ok(show::table(&COLUMNS, &meant)),
        (Some(_), Form::Table) => Ok(meant.iter().map(show::list).collect::<Vec<_>>().join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnels() -> Vec<Record> {
        let up = Record::default()
            .with("interface", "ppp0")
            .with("state", "running")
            .with("server", "vpn.example.com")
            .with("address", "192.0.2.1")
            .with("port", 1723)
            .with("datapath", "tun")
            .with("choice", "data path tun: kernel: no pptp.ko")
            .with("call-id", 7)
            .with("peer-call-id", 128)
            .with("mppe", "MPPE-128 stateless")
            .with("uptime", 93_784)
            .with("local", "10.0.0.2")
            .with("remote", "10.0.0.1")
            .with("bytes-received", 5)
            .with("bytes-sent", 6)
            .with("lost", 0)
            .with("round-trip-us", 12_345)
            .with("pppd", 4711)
            .with("linkname", "office");
        let waiting = Record::default().with("state", "waiting").with("server", "b\u{1b}").with("pppd", 5);
        vec![up, record(17, Answer::Silence), waiting]
    }

    #[test]
    fn tunnels_are_a_table() {
        assert_eq!(
            present(tunnels(), None, Form::Table).unwrap(),
            "\
INTERFACE  STATE            SERVER           PATH  MPPE                UPTIME       LOCAL     REMOTE    RECEIVED  SENT  LOST  RTT      PPPD
ppp0       running          vpn.example.com  tun   MPPE-128 stateless  1d 02:03:04  10.0.0.2  10.0.0.1  5         6     0     12.3 ms  4711
-          does not answer  -                -     -                   -            -         -         -         -     -     -        17
-          waiting          b\\u{1b}          -     -                   -            -         -         -         -     -     -        5
"
        );
        assert_eq!(present(Vec::new(), None, Form::Table).unwrap(), "no tunnels\n");
        assert_eq!(present(Vec::new(), None, Form::Json).unwrap(), "[]\n");
    }

    #[test]
    fn one_is_found_by_any_of_its_names() {
        for name in ["ppp0", "vpn.example.com", "192.0.2.1", "office", "4711"] {
            let list = present(tunnels(), Some(name), Form::Table).unwrap();
            assert!(list.contains("choice          data path tun: kernel: no pptp.ko\n"), "{list}");
            assert!(list.starts_with("interface ") && list.lines().count() == 19, "{list}");
        }
        assert!(present(tunnels(), Some("17"), Form::Table).unwrap().contains("does not answer"));
        let unknown = present(tunnels(), Some("x\n"), Form::Json);
        assert_eq!(unknown, Err(Failure::NotFound("there is no tunnel 'x\\n'".into())));
    }

    #[test]
    fn json_has_numbers_and_strings() {
        let json = present(tunnels(), Some("17"), Form::Json).unwrap();
        assert_eq!(json, "[{\"state\":\"does not answer\",\"pppd\":17}]\n");
        let json = present(tunnels(), Some("ppp0"), Form::Json).unwrap();
        for part in [
            r#""port":1723,"datapath":"tun","choice":"data path tun: kernel: no pptp.ko","call-id":7,"#,
            r#""round-trip-us":12345,"pppd":4711,"linkname":"office"}"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
