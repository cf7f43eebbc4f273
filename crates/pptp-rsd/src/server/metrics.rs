//! Metrics in Prometheus' text format (version 0.0.4), and the little of HTTP/1.0 that asking for them takes.

use core::fmt::{Display, Write};

use super::tally::Figures;

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

/// A whole answer with these metrics.
pub(super) fn answer(figures: &Figures) -> String {
    response("200 OK", "text/plain; version=0.0.4; charset=utf-8", "", &text(figures))
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
        let Self { name, kind, help } = self;
        // Writing to memory does not fail.
        let _ = writeln!(text, "# HELP pptp_rsd_{name} {help}\n# TYPE pptp_rsd_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "pptp_rsd_{name}{labels} {value}");
        }
    }
}

fn gauge<'a>(name: &'a str, help: &'a str) -> Family<'a> {
    Family { name, kind: "gauge", help }
}

fn counter<'a>(name: &'a str, help: &'a str) -> Family<'a> {
    Family { name, kind: "counter", help }
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
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
    counter("calls_refused_total", "Calls that were refused.")
        .write(out, tally.refused.iter().map(|(reason, count)| (label("reason", reason), count)));
    let lines = [("strangers", suppressed.strangers), ("refusals", suppressed.refusals)];
    counter("log_lines_suppressed_total", "Lines that were not logged because there were too many of their kind.")
        .write(out, lines.map(|(about, count)| (label("about", about), count)));
    text
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Stages, Suppressed, Tally};
    use super::*;
    use core::time::Duration;
    use proptest::prelude::*;

    #[test]
    fn the_text_is_prometheus_own() {
        let mut tally =
            Tally { connections: 6, unheard: 7, starts: 8, refused_starts: 9, calls: 10, ..Tally::default() };
        tally.refused = [("full", 11), ("machine", 0)].into();
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
# HELP pptp_rsd_calls_refused_total Calls that were refused.
# TYPE pptp_rsd_calls_refused_total counter
pptp_rsd_calls_refused_total{{reason="full"}} 11
pptp_rsd_calls_refused_total{{reason="machine"}} 0
# HELP pptp_rsd_log_lines_suppressed_total Lines that were not logged because there were too many of their kind.
# TYPE pptp_rsd_log_lines_suppressed_total counter
pptp_rsd_log_lines_suppressed_total{{about="strangers"}} 12
pptp_rsd_log_lines_suppressed_total{{about="refusals"}} 13
"#,
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text(&figures), expected);
        let answer = answer(&figures);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())) && head.starts_with("HTTP/1.0 200 OK\r\n")
        );
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
