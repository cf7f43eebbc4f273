//! Metrics in Prometheus' text format (version 0.0.4), and the little of HTTP/1.0 that asking for them takes.

use core::fmt::{Display, Write};

use pptp_core::time::Instant;
use pptp_datapath::report::{Gre, Statistics};

use super::exchange::Exchange;
use super::lines::Lines;
use super::session::{Facts, SessionId};
use super::tally::Figures;

/// A part of an answer ends when it is this long, bytes.
const PART: usize = 16 * 1024;

/// A request's head is no longer, in bytes.
pub(super) const LONGEST_HEAD: usize = 4096;

/// What a request's first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its head is not complete.
    Incomplete,
    /// The metrics.
    Metrics,
    /// Something else, to which this is the answer.
    Other(Status),
}

/// An answer without metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    BadRequest,
    NotFound,
    MethodNotAllowed,
}

/// Reads what has come of a request so far.
pub(super) fn read(bytes: &[u8]) -> Asked {
    let end =
        |bytes: &[u8]| bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n");
    if !end(bytes) {
        return if bytes.len() < LONGEST_HEAD { Asked::Incomplete } else { Asked::Other(Status::BadRequest) };
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ');
    match [words.next(), words.next(), words.next(), words.next()] {
        [Some(method), Some(target), Some(version), None] if version.starts_with(b"HTTP/1.") => {
            of_target(method, target)
        }
        _ => Asked::Other(Status::BadRequest),
    }
}

fn of_target(method: &[u8], target: &[u8]) -> Asked {
    let path = target.split(|byte| *byte == b'?').next();
    if path != Some(b"/metrics") {
        Asked::Other(Status::NotFound)
    } else if method != b"GET" {
        Asked::Other(Status::MethodNotAllowed)
    } else {
        Asked::Metrics
    }
}

/// The first part of an answer: its head, and all that is not about one session. What follows is [`Telling::part`], and the
/// end of the connection is the answer's.
pub(super) fn begin(figures: &Figures) -> String {
    format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n\r\n{}",
        text(figures)
    )
}

/// A whole answer without metrics.
pub(super) fn refusal(status: Status) -> String {
    let (words, headers) = match status {
        Status::BadRequest => ("400 Bad Request", ""),
        Status::NotFound => ("404 Not Found", ""),
        Status::MethodNotAllowed => ("405 Method Not Allowed", "Allow: GET\r\n"),
    };
    response(words, "text/plain", headers, &format!("{words}\n"))
}

fn response(status: &str, kind: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
    )
}

/// One family of metrics: name, type, help, and samples of a label's text and a value.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
}

impl Family<'_> {
    fn write<V: Display>(&self, text: &mut String, samples: impl IntoIterator<Item = (String, V)>) {
        self.head(text);
        for (labels, value) in samples {
            self.sample(text, &labels, &value);
        }
    }

    fn head(&self, text: &mut String) {
        let Self { name, kind, help } = self;
        // Writing to memory does not fail.
        let _ = writeln!(text, "# HELP pptp_rsd_{name} {help}\n# TYPE pptp_rsd_{name} {kind}");
    }

    fn sample(&self, text: &mut String, labels: &str, value: &dyn Display) {
        let _ = writeln!(text, "pptp_rsd_{}{labels} {value}", self.name);
    }
}

fn gauge<'a>(name: &'a str, help: &'a str) -> Family<'a> {
    Family { name, kind: "gauge", help }
}

fn counter<'a>(name: &'a str, help: &'a str) -> Family<'a> {
    Family { name, kind: "counter", help }
}

fn label(name: &str, value: &str) -> String {
    labels([(name, value)])
}

/// Labels by Prometheus' rules: a backslash, a quote and the end of a line are escaped. No other character may move a cursor
/// on who looks at it.
fn labels<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in all {
        let _ = write!(text, "{}{name}=\"", if text.is_empty() { '{' } else { ',' });
        for letter in value.chars() {
            match letter {
                '\\' | '"' => text.extend(['\\', letter]),
                '\n' => text.push_str("\\n"),
                control if control.is_control() => text.push(char::REPLACEMENT_CHARACTER),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text + "}"
}

fn plain<V>(value: V) -> [(String, V); 1] {
    [(String::new(), value)]
}

/// The metrics.
fn text(figures: &Figures) -> String {
    let Figures { uptime, sessions, starting, started, suppressed, tally } = figures;
    let mut text = String::new();
    let out = &mut text;
    gauge("build_info", "The version.").write(out, [(label("version", env!("CARGO_PKG_VERSION")), 1)]);
    gauge("uptime_seconds", "Time since the server began.").write(out, plain(uptime.as_secs()));
    let by_state = [("waiting", sessions.waiting), ("running", sessions.running), ("ending", sessions.ending)];
    gauge("sessions", "Calls: their pppd is waited with, runs, or is to end.")
        .write(out, by_state.map(|(state, count)| (label("state", state), count)));
    let by_state = [("starting", starting), ("started", started)];
    gauge("connections", "Control connections, before and after their start.")
        .write(out, by_state.map(|(state, count)| (label("state", state), count)));
    let heard = [("heard", tally.connections), ("unheard", tally.unheard)];
    counter("tcp_connections_total", "TCP connections; unheard: closed at once, for too many came to nothing.")
        .write(out, heard.map(|(result, count)| (label("result", result), count)));
    let starts = [("accepted", tally.starts), ("refused", tally.refused_starts)];
    counter("starts_total", "Start-Control-Connection-Requests that were good.")
        .write(out, starts.map(|(result, count)| (label("result", result), count)));
    counter("calls_accepted_total", "Calls for which pppd was started.").write(out, plain(tally.calls));
    let placed = [("connected", tally.placed), ("failed", tally.not_placed)];
    counter("calls_placed_total", "Calls that operators had placed.")
        .write(out, placed.map(|(result, count)| (label("result", result), count)));
    counter("calls_refused_total", "Calls that were refused.")
        .write(out, tally.refused.iter().map(|(reason, count)| (label("reason", reason), count)));
    let lines = [("strangers", suppressed.strangers), ("refusals", suppressed.refusals)];
    let Statistics { received, sent, gre } = tally.traffic;
    let both =
        |received, sent| [("received", received), ("sent", sent)].map(|(way, count)| (label("direction", way), count));
    counter("traffic_bytes_total", "Bytes of IP packets from and to all clients.")
        .write(out, both(received.bytes, sent.bytes));
    counter("traffic_packets_total", "IP packets from and to all clients.")
        .write(out, both(received.packets, sent.packets));
    let Gre { lost, reordered, late, duplicate, .. } = gre.unwrap_or_default();
    let fates = [("lost", lost), ("reordered", reordered), ("late", late), ("duplicate", duplicate)];
    counter("gre_packets_total", "GRE packets of all clients that did not come as they were sent.")
        .write(out, fates.map(|(fate, count)| (label("fate", fate), count)));
    counter("log_lines_suppressed_total", "Lines that were not logged because there were too many of their kind.")
        .write(out, lines.map(|(about, count)| (label("about", about), count)));
    text
}

/// A family of metrics with a sample for each session of which there is a value.
struct OfSessions {
    family: Family<'static>,
    value: fn(&Facts<'_>) -> Option<String>,
}

const fn of_sessions([name, kind, help]: [&'static str; 3], value: fn(&Facts<'_>) -> Option<String>) -> OfSessions {
    OfSessions { family: Family { name, kind, help }, value }
}

fn counted(facts: &Facts<'_>, count: fn(&Statistics) -> u64) -> Option<String> {
    facts.report.statistics.as_ref().map(|statistics| count(statistics).to_string())
}

fn counted_gre(facts: &Facts<'_>, count: fn(&Gre) -> u64) -> Option<String> {
    facts.report.statistics.and_then(|statistics| statistics.gre).map(|gre| count(&gre).to_string())
}

const OF_SESSIONS: [OfSessions; 11] = [
    of_sessions(["session_info", "gauge", "What is known of a session."], |_| Some("1".into())),
    of_sessions(["session_uptime_seconds", "gauge", "Time since pppd was started."], |facts| {
        Some(facts.uptime.as_secs().to_string())
    }),
    of_sessions(["session_received_bytes_total", "counter", "Bytes of IP packets from the client."], |facts| {
        counted(facts, |all| all.received.bytes)
    }),
    of_sessions(["session_sent_bytes_total", "counter", "Bytes of IP packets to the client."], |facts| {
        counted(facts, |all| all.sent.bytes)
    }),
    of_sessions(["session_received_packets_total", "counter", "IP packets from the client."], |facts| {
        counted(facts, |all| all.received.packets)
    }),
    of_sessions(["session_sent_packets_total", "counter", "IP packets to the client."], |facts| {
        counted(facts, |all| all.sent.packets)
    }),
    of_sessions(["session_lost_packets_total", "counter", "GRE packets of the client that never came."], |facts| {
        counted_gre(facts, |gre| gre.lost)
    }),
    of_sessions(["session_reordered_packets_total", "counter", "GRE packets that came late, in time."], |facts| {
        counted_gre(facts, |gre| gre.reordered)
    }),
    of_sessions(["session_late_packets_total", "counter", "GRE packets that came too late, or once more."], |facts| {
        counted_gre(facts, |gre| gre.late)
    }),
    of_sessions(["session_duplicate_packets_total", "counter", "GRE packets that came twice."], |facts| {
        counted_gre(facts, |gre| gre.duplicate)
    }),
    of_sessions(
        ["session_round_trip_seconds", "gauge", "Estimated time from a packet to its acknowledgement."],
        |facts| {
            let time = facts.report.statistics.and_then(|statistics| statistics.gre)?.round_trip?;
            Some(time.as_secs_f64().to_string())
        },
    ),
];

/// What has still to be told of sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    family: usize,
    next: SessionId,
}

impl Telling {
    /// All of it.
    pub(super) const ALL: Self = Self { family: 0, next: SessionId(0) };

    /// The next part, and what is left then.
    pub(super) fn part<L: Lines>(mut self, exchange: &Exchange<L>, now: Instant) -> (String, Option<Self>) {
        let mut text = String::new();
        while let Some(of) = OF_SESSIONS.get(self.family) {
            if self.next == SessionId(0) {
                of.family.head(&mut text);
            }
            while let Some(session) = exchange.calls().session_from(self.next) {
                self.next = SessionId(session.name.id.0 + 1);
                let facts = session.facts(now);
                if let Some(value) = (of.value)(&facts) {
                    of.family.sample(&mut text, &session_labels(&facts, self.family == 0), &value);
                }
                if text.len() >= PART {
                    return (text, Some(self));
                }
            }
            self = Self { family: self.family + 1, next: SessionId(0) };
        }
        (text, None)
    }
}

/// Who a session is; with `all`, all that is known of it.
fn session_labels(facts: &Facts<'_>, all: bool) -> String {
    let Facts { report, .. } = facts;
    let text = |value: Option<&dyn Display>| value.map(ToString::to_string).unwrap_or_default();
    let [local, remote] = facts.inside.map(|address| text(address.as_ref().map(|address| address as &dyn Display)));
    let (id, client) = (facts.name.id.0.to_string(), facts.name.client.ip().to_string());
    let mppe = text(report.encryption.as_ref().map(|encryption| encryption as &dyn Display));
    let who = [("id", &*id), ("user", report.user.as_deref().unwrap_or_default()), ("client", &*client)];
    let what = [
        ("state", facts.state),
        ("interface", report.interface.as_deref().unwrap_or_default()),
        ("local", &*local),
        ("remote", &*remote),
        ("datapath", facts.datapath),
        ("mppe", &*mppe),
    ];
    labels(who.into_iter().chain(what.into_iter().filter(|_| all)))
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Stages, Suppressed, Tally};
    use super::*;
    use core::time::Duration;
    use pptp_datapath::command::Traffic;
    use proptest::prelude::*;

    #[test]
    fn the_text_is_prometheus_own() {
        let mut tally =
            Tally { connections: 6, unheard: 7, starts: 8, refused_starts: 9, calls: 10, ..Tally::default() };
        (tally.placed, tally.not_placed) = (20, 21);
        tally.refused = [("full", 11), ("machine", 0)].into();
        let traffic = |packets| Traffic { packets, bytes: packets * 100 };
        let gre = Gre { lost: 16, reordered: 17, late: 18, duplicate: 19, round_trip: None };
        tally.traffic = Statistics { received: traffic(14), sent: traffic(15), gre: Some(gre) };
        let figures = Figures {
            uptime: Duration::from_secs(1),
            sessions: Stages { waiting: 1, running: 2, ending: 3 },
            starting: 4,
            started: 5,
            suppressed: Suppressed { strangers: 12, refusals: 13 },
            tally,
        };
        let expected = format!(
            r#"# HELP pptp_rsd_build_info The version.
# TYPE pptp_rsd_build_info gauge
pptp_rsd_build_info{{version="{}"}} 1
# HELP pptp_rsd_uptime_seconds Time since the server began.
# TYPE pptp_rsd_uptime_seconds gauge
pptp_rsd_uptime_seconds 1
# HELP pptp_rsd_sessions Calls: their pppd is waited with, runs, or is to end.
# TYPE pptp_rsd_sessions gauge
pptp_rsd_sessions{{state="waiting"}} 1
pptp_rsd_sessions{{state="running"}} 2
pptp_rsd_sessions{{state="ending"}} 3
# HELP pptp_rsd_connections Control connections, before and after their start.
# TYPE pptp_rsd_connections gauge
pptp_rsd_connections{{state="starting"}} 4
pptp_rsd_connections{{state="started"}} 5
# HELP pptp_rsd_tcp_connections_total TCP connections; unheard: closed at once, for too many came to nothing.
# TYPE pptp_rsd_tcp_connections_total counter
pptp_rsd_tcp_connections_total{{result="heard"}} 6
pptp_rsd_tcp_connections_total{{result="unheard"}} 7
# HELP pptp_rsd_starts_total Start-Control-Connection-Requests that were good.
# TYPE pptp_rsd_starts_total counter
pptp_rsd_starts_total{{result="accepted"}} 8
pptp_rsd_starts_total{{result="refused"}} 9
# HELP pptp_rsd_calls_accepted_total Calls for which pppd was started.
# TYPE pptp_rsd_calls_accepted_total counter
pptp_rsd_calls_accepted_total 10
# HELP pptp_rsd_calls_placed_total Calls that operators had placed.
# TYPE pptp_rsd_calls_placed_total counter
pptp_rsd_calls_placed_total{{result="connected"}} 20
pptp_rsd_calls_placed_total{{result="failed"}} 21
# HELP pptp_rsd_calls_refused_total Calls that were refused.
# TYPE pptp_rsd_calls_refused_total counter
pptp_rsd_calls_refused_total{{reason="full"}} 11
pptp_rsd_calls_refused_total{{reason="machine"}} 0
# HELP pptp_rsd_traffic_bytes_total Bytes of IP packets from and to all clients.
# TYPE pptp_rsd_traffic_bytes_total counter
pptp_rsd_traffic_bytes_total{{direction="received"}} 1400
pptp_rsd_traffic_bytes_total{{direction="sent"}} 1500
# HELP pptp_rsd_traffic_packets_total IP packets from and to all clients.
# TYPE pptp_rsd_traffic_packets_total counter
pptp_rsd_traffic_packets_total{{direction="received"}} 14
pptp_rsd_traffic_packets_total{{direction="sent"}} 15
# HELP pptp_rsd_gre_packets_total GRE packets of all clients that did not come as they were sent.
# TYPE pptp_rsd_gre_packets_total counter
pptp_rsd_gre_packets_total{{fate="lost"}} 16
pptp_rsd_gre_packets_total{{fate="reordered"}} 17
pptp_rsd_gre_packets_total{{fate="late"}} 18
pptp_rsd_gre_packets_total{{fate="duplicate"}} 19
# HELP pptp_rsd_log_lines_suppressed_total Lines that were not logged because there were too many of their kind.
# TYPE pptp_rsd_log_lines_suppressed_total counter
pptp_rsd_log_lines_suppressed_total{{about="strangers"}} 12
pptp_rsd_log_lines_suppressed_total{{about="refusals"}} 13
"#,
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text(&figures), expected);
        let answer = begin(&figures);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\nConnection: close") && body == expected);
    }

    #[test]
    fn labels_are_escaped_and_have_no_control_characters() {
        let text = labels([("user", "a\\b\"c\nd\u{1b}[2J\u{9b}é"), ("id", "1")]);
        assert_eq!(text, "{user=\"a\\\\b\\\"c\\nd\u{fffd}[2J\u{fffd}é\",id=\"1\"}");
    }

    #[test]
    fn one_path_and_one_method_are_served() {
        let other = Asked::Other;
        for (request, asked) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", Asked::Metrics),
            ("GET /metrics?x=1 HTTP/1.0\n\n", Asked::Metrics),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n", Asked::Incomplete),
            ("", Asked::Incomplete),
            ("GET / HTTP/1.1\r\n\r\n", other(Status::NotFound)),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", other(Status::NotFound)),
            ("POST /metrics HTTP/1.1\r\n\r\n", other(Status::MethodNotAllowed)),
            ("GET /metrics\r\n\r\n", other(Status::BadRequest)),
            ("GET /metrics HTTP/1.1 x\r\n\r\n", other(Status::BadRequest)),
            ("\r\n\r\n", other(Status::BadRequest)),
        ] {
            assert_eq!(read(request.as_bytes()), asked, "{request:?}");
        }
        assert_eq!(read(&[b'x'; LONGEST_HEAD]), other(Status::BadRequest));
    }

    #[test]
    fn refusals_are_short_and_whole() {
        assert_eq!(
            refusal(Status::MethodNotAllowed),
            "HTTP/1.0 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 23\r\nAllow: GET\r\n\
             Connection: close\r\n\r\n405 Method Not Allowed\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let asked = read(&bytes);
            prop_assert!(asked != Asked::Incomplete || bytes.len() < LONGEST_HEAD);
        }
    }
}
