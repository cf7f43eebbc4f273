//! Answers as tables and as JSON.

use super::Form;
use crate::config::printable;
use crate::control::{Record, Request};

/// The columns of the list of sessions: field and heading.
const COLUMNS: [(&str, &str); 12] = [
    ("id", "ID"),
    ("state", "STATE"),
    ("user", "USER"),
    ("client", "CLIENT"),
    ("remote", "ADDRESS"),
    ("interface", "INTERFACE"),
    ("uptime", "UPTIME"),
    ("datapath", "PATH"),
    ("mppe", "MPPE"),
    ("bytes-received", "RECEIVED"),
    ("bytes-sent", "SENT"),
    ("lost", "LOST"),
];

/// The longest cell of a table, characters; what is longer is cut.
const WIDEST: usize = 40;

/// Fields that are numbers in JSON as well; and every count of `stats`.
const NUMBERS: [&str; 18] = [
    "id",
    "port",
    "connection",
    "call-id",
    "peer-call-id",
    "uptime",
    "line-errors",
    "pppd",
    "bytes-received",
    "bytes-sent",
    "packets-received",
    "packets-sent",
    "lost",
    "reordered",
    "late",
    "duplicate",
    "round-trip-us",
    "counted-seconds-ago",
];

/// The answer to a request: its records, and how many sessions it is about.
pub(super) fn show(request: &Request, records: &[Record], count: u64, form: Form) -> String {
    match (request, form) {
        (Request::Sessions, Form::Table) => table(&COLUMNS, records),
        (Request::Show(_) | Request::Stats, Form::Table) => records.iter().map(list).collect(),
        (Request::Disconnect(_), Form::Table) => {
            format!("{count} session{} told to end\n", if count == 1 { "" } else { "s" })
        }
        (Request::Sessions, Form::Json) => array(records),
        (Request::Call(_), Form::Table) => records.iter().map(connected).collect(),
        (Request::Show(_) | Request::Call(_), Form::Json) => {
            records.iter().map(|record| object(record, is_number) + "\n").collect()
        }
        (Request::Stats, Form::Json) => records.iter().map(|record| object(record, |_| true) + "\n").collect(),
        (Request::Disconnect(_), Form::Json) => format!("{{\"disconnected\":{count}}}\n"),
    }
}

fn connected(record: &Record) -> String {
    format!("session {} is connected to {}\n", cell(record, "id"), cell(record, "client"))
}

/// Rows of these columns: field and heading.
pub(super) fn table(columns: &[(&str, &str)], records: &[Record]) -> String {
    let heading = columns.iter().map(|(_, heading)| (*heading).to_owned()).collect::<Vec<_>>();
    let row = |record: &Record| columns.iter().map(|(field, _)| column(record, field)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(records.iter().map(row)).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn column(record: &Record, field: &str) -> String {
    match field {
        "round-trip-us" => milliseconds(&cell(record, field)),
        _ => cut(cell(record, field)),
    }
}

fn cell(record: &Record, field: &str) -> String {
    match (record.value(field), field) {
        (None, _) => "-".into(),
        (Some(seconds), "uptime") => duration(seconds),
        (Some(value), _) => printable(value),
    }
}

fn cut(mut text: String) -> String {
    if let Some((place, _)) = text.char_indices().nth(WIDEST) {
        text.truncate(place);
        text.push('…');
    }
    text
}

/// Seconds as `1d 02:03:04`.
fn duration(seconds: &str) -> String {
    let Ok(seconds) = seconds.parse::<u64>() else { return seconds.to_owned() };
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days}d {clock}") }
}

/// Microseconds as `1.5 ms`.
fn milliseconds(time: &str) -> String {
    let Ok(time) = time.parse::<u64>() else { return time.to_owned() };
    format!("{}.{} ms", time / 1000, time % 1000 / 100)
}

/// All fields, a line each.
pub(super) fn list(record: &Record) -> String {
    let width = record.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    record.0.iter().map(|(name, _)| format!("{name:width$}  {}\n", cell(record, name))).collect()
}

fn is_number(field: &str) -> bool {
    NUMBERS.contains(&field)
}

/// A JSON array (RFC 8259) of records.
pub(super) fn array(records: &[Record]) -> String {
    let objects: Vec<_> = records.iter().map(|record| object(record, is_number)).collect();
    format!("[{}]\n", objects.join(","))
}

/// A JSON object of a record's fields.
fn object(record: &Record, is_number: fn(&str) -> bool) -> String {
    let member = |(name, value): &(String, String)| match value.parse::<u64>() {
        Ok(number) if is_number(name) => format!("{}:{number}", string(name)),
        _ => format!("{}:{}", string(name), string(value)),
    };
    format!("{{{}}}", record.0.iter().map(member).collect::<Vec<_>>().join(","))
}

fn string(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // Those beyond 0x1f may be as they are, but a terminal obeys them.
            control if control.is_control() => quoted += &format!("\\u{:04x}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> [Record; 2] {
        let first = Record::default()
            .with("id", 1)
            .with("state", "running")
            .with("user", "é a\u{1b}\n")
            .with("client", "192.0.2.1:40000")
            .with("connection", 1)
            .with("call-id", 5)
            .with("uptime", 93_784)
            .with("datapath", "tun")
            .with("local", "10.0.0.1")
            .with("remote", "10.0.0.2")
            .with("pppd", 4711)
            .with("interface", "ppp0")
            .with("mppe", "MPPE-128 stateless")
            .with("bytes-received", 5)
            .with("bytes-sent", 6)
            .with("lost", 0);
        let second = Record::default()
            .with("id", 12)
            .with("state", "waiting")
            .with("client", "192.0.2.10:1")
            .with("connection", 33)
            .with("uptime", 4)
            .with("datapath", "kernel");
        [first, second]
    }

    #[test]
    fn columns_are_aligned_and_what_is_unknown_is_a_dash() {
        assert_eq!(
            show(&Request::Sessions, &sessions(), 2, Form::Table),
            "\
ID  STATE    USER         CLIENT           ADDRESS   INTERFACE  UPTIME       PATH    MPPE                RECEIVED  SENT  LOST
1   running  é a\\u{1b}\\n  192.0.2.1:40000  10.0.0.2  ppp0       1d 02:03:04  tun     MPPE-128 stateless  5         6     0
12  waiting  -            192.0.2.10:1     -         -          00:00:04     kernel  -                   -         -     -
"
        );
    }

    #[test]
    fn a_long_name_is_cut() {
        let record = Record::default().with("id", 1).with("user", "é".repeat(255));
        let table = show(&Request::Sessions, &[record], 1, Form::Table);
        assert!(table.lines().all(|line| line.chars().count() < 150), "{table}");
        assert!(table.contains(&format!(" {}… ", "é".repeat(WIDEST))), "{table}");
    }

    #[test]
    fn one_session_is_a_list_of_what_is_known() {
        let [_, second] = sessions();
        assert_eq!(
            show(&Request::Show(12), &[second], 1, Form::Table),
            "\
id          12
state       waiting
client      192.0.2.10:1
connection  33
uptime      00:00:04
datapath    kernel
"
        );
    }

    #[test]
    fn json_has_numbers_and_strings() {
        let [first, second] = sessions();
        let one =
            r#"{"id":12,"state":"waiting","client":"192.0.2.10:1","connection":33,"uptime":4,"datapath":"kernel"}"#;
        assert_eq!(show(&Request::Show(12), std::slice::from_ref(&second), 1, Form::Json), format!("{one}\n"));
        let all = show(&Request::Sessions, &[first, second], 2, Form::Json);
        assert!(all.starts_with(r#"[{"id":1,"#) && all.ends_with(&format!(",{one}]\n")), "{all}");
        assert_eq!(show(&Request::Sessions, &[], 0, Form::Json), "[]\n");
        let stats = Record::default().with("calls-accepted", 3);
        assert_eq!(show(&Request::Stats, &[stats], 1, Form::Json), "{\"calls-accepted\":3}\n");
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(string("a\"b\\c\nd\u{1b}é"), r#""a\"b\\c\u000ad\u001bé""#);
        assert_eq!(string("\u{7f}\u{9b}"), r#""\u007f\u009b""#);
    }

    #[test]
    fn a_call_says_which_session_it_is() {
        let request = Request::from_words(&["call", "192.0.2.1"]).unwrap();
        let [first, _] = sessions();
        let text = show(&request, std::slice::from_ref(&first), 1, Form::Table);
        assert_eq!(text, "session 1 is connected to 192.0.2.1:40000\n");
        assert!(show(&request, &[first], 1, Form::Json).starts_with(r#"{"id":1,"#));
    }

    #[test]
    fn a_disconnect_says_how_many() {
        let request = Request::from_words(&["disconnect", "1"]).unwrap();
        assert_eq!(show(&request, &[], 1, Form::Table), "1 session told to end\n");
        assert_eq!(show(&request, &[], 2, Form::Table), "2 sessions told to end\n");
        assert_eq!(show(&request, &[], 2, Form::Json), "{\"disconnected\":2}\n");
    }
}
