//! Every value that is wrong, and what is said about it.

use super::*;

const LISTS: &str =
    "addresses, ranges in one of the four numbers (10.0.0.2-99), names of hosts; a comma between them and no blank";
const LISTEN: &str = "ADDRESS, ADDRESS:PORT, [IPV6-ADDRESS]:PORT, or the name of a host";
const NAME: &str = "a name of at most 15 bytes, without blanks";
const COUNT: &str = "a number from 1 to 1000000";

fn refused(value: &str, allowed: &str) -> String {
    format!("'{value}' is not allowed; allowed: {allowed}")
}

fn missing(allowed: &str) -> String {
    format!("a value is missing; allowed: {allowed}")
}

#[test]
fn errors_name_line_value_and_what_is_allowed() {
    let cases = [
        ("connections", "", missing(COUNT)),
        ("connections", "0", refused("0", COUNT)),
        ("connections", "-3", refused("-3", COUNT)),
        ("connections", "+3", refused("+3", COUNT)),
        ("connections", "abc", refused("abc", COUNT)),
        ("connections", "3 4", refused("3 4", COUNT)),
        ("connections", "3#", refused("3#", COUNT)),
        ("connections", "1000001", refused("1000001", COUNT)),
        ("connections", "99999999999999999999", refused("99999999999999999999", COUNT)),
        ("max-sessions", "0", refused("0", COUNT)),
        ("max-starting", "0", refused("0", COUNT)),
        ("max-per-address", "x", refused("x", COUNT)),
        ("speed", "fast", refused("fast", "a number from 1 to 4294967295")),
        ("speed", "4294967296", refused("4294967296", "a number from 1 to 4294967295")),
        ("stimeout", "0", refused("0", "seconds from 1 to 86400")),
        ("stimeout", "10s", refused("10s", "seconds from 1 to 86400")),
        ("echo-interval", "86401", refused("86401", "seconds from 0 to 86400")),
        ("echo-timeout", "0", refused("0", "seconds from 1 to 86400")),
        ("drain-timeout", "", missing("seconds from 0 to 86400")),
        ("option", "", missing("a path")),
        ("pidfile", "", missing("a path")),
        ("datapath", "ppp", refused("ppp", "auto, kernel, tun, pty")),
        ("datapath", "", missing("auto, kernel, tun, pty")),
        ("bcrelay", "", missing(NAME)),
        ("vrf", "a b", refused("a b", NAME)),
        ("vrf", "sixteen-letters-", refused("sixteen-letters-", NAME)),
        ("plugin", "", missing("a name of at most 4095 bytes, without blanks")),
        ("listen", "", missing(LISTEN)),
        ("listen", "10.0.0.256", refused("10.0.0.256", LISTEN)),
        ("listen", "10.0.0.1:65536", refused("10.0.0.1:65536", LISTEN)),
        ("listen", "[::1", refused("[::1", LISTEN)),
        ("listen", "[10.0.0.1]", refused("[10.0.0.1]", LISTEN)),
        ("listen", "vpn.example:1723", refused("vpn.example:1723", LISTEN)),
        (
            "listen",
            "nobody.example",
            format!("no address of 'nobody.example' is known (names are looked up at the start); allowed: {LISTEN}"),
        ),
        ("metrics-listen", "9100", refused("9100", "ADDRESS:PORT or [IPV6-ADDRESS]:PORT")),
        ("localip", "", missing(LISTS)),
        ("localip", "10.0.0.9-4", refused("10.0.0.9-4", LISTS)),
        ("localip", "10.0.0.250-300", refused("10.0.0.250-300", LISTS)),
        ("localip", "10.0.0.1,", refused("", LISTS)),
        ("localip", "10.0.0.1, 10.0.0.2", refused(" 10.0.0.2", LISTS)),
        ("localip", "10.0-1.0.2-4", refused("10.0-1.0.2-4", LISTS)),
        ("localip", "10.1", refused("10.1", LISTS)),
        ("localip", "10.0.0.2 # c", refused("10.0.0.2 # c", LISTS)),
        (
            "localip",
            "10.0.0.3,nobody",
            format!("no address of 'nobody' is known (names are looked up at the start); allowed: {LISTS}"),
        ),
        (
            "localip",
            "six.example",
            format!("no address of 'six.example' is known (names are looked up at the start); allowed: {LISTS}"),
        ),
    ];
    for (keyword, value, text) in cases {
        let file = format!("{QUIET}\n{keyword} {value}\n");
        assert_eq!(reports(&file, &[]), [format!("/f:3: {keyword}: {text}")], "{keyword} {value}");
        assert!(load(&file, &[]).is_err(), "{keyword} {value}");
        let option = format!("--{keyword}={value}");
        assert_eq!(reports(QUIET, &[&option]), [format!("command line: {keyword}: {text}")], "{option}");
    }
}

#[test]
fn files_that_pppd_needs_are_looked_for() {
    let cases = [
        ("ppp /nowhere", "/f:2: ppp: '/nowhere' is no program; allowed: the path of pppd"),
        ("option /nowhere", "/f:2: option: '/nowhere' cannot be read; allowed: a file of pppd's options"),
    ];
    for (line, expected) in cases {
        assert_eq!(reports(&format!("{QUIET}{line}"), &[]), [expected]);
    }
    let bare = Fake { files: vec![], ..Fake::default() };
    let errors = command_line(&[]).load_text(QUIET.as_bytes(), &bare).unwrap_err();
    assert_eq!(errors[0].to_string(), "default: ppp: '/usr/sbin/pppd' is no program; allowed: the path of pppd");
}

#[test]
fn a_socket_has_to_fit_into_its_address() {
    let fits = format!("/{}", "s".repeat(106));
    assert_eq!(config(&format!("{QUIET}control-socket {fits}"), &[]).control_socket, PathBuf::from(&fits));
    let expected = format!("/f:2: control-socket: '{fits}s' is too long; allowed: 107 bytes");
    assert_eq!(reports(&format!("{QUIET}control-socket {fits}s"), &[]), [expected]);
}

#[test]
fn a_value_that_is_no_text_is_an_error_and_not_in_the_log() {
    let errors = load_bytes(b"connections \xff\x1b[2J\n", &[]).unwrap_err();
    let expected = format!("/f:1: connections: '\u{fffd}\\u{{1b}}[2J' is not allowed; allowed: {COUNT}");
    assert_eq!(errors[0].to_string(), expected);
}

#[test]
fn what_is_long_is_cut_in_messages() {
    let errors = reports(&format!("connections {}", "9".repeat(500)), &[]);
    assert_eq!(errors[1], format!("/f:1: connections: '{}…' is not allowed; allowed: {COUNT}", "9".repeat(200)));
}

#[test]
fn all_errors_are_reported_at_once() {
    let file = "connections x\nnonsense\nstimeout y\n";
    let errors = load(file, &["-s", "z"]).unwrap_err();
    let places: Vec<_> = errors.iter().map(|report| (report.severity, report.place.to_string())).collect();
    let expected = [
        (Severity::Error, "/f:1"),
        (Severity::Warning, "/f:2"),
        (Severity::Error, "/f:3"),
        (Severity::Error, "command line"),
    ];
    assert_eq!(places, expected.map(|(severity, place)| (severity, place.to_owned())));
}

#[test]
fn a_server_that_runs_goes_on_listening_where_it_does() {
    let running = Config {
        listen: vec!["192.0.2.1:1723".parse().unwrap()],
        vrf: Some("blue".into()),
        metrics_listen: None,
        control_socket: "/run/old".into(),
        ..Config::default()
    };
    let changed = Config {
        listen: vec!["192.0.2.2:1723".parse().unwrap()],
        vrf: None,
        metrics_listen: Some("192.0.2.2:9".parse().unwrap()),
        control_socket: "/run/new".into(),
        debug: true,
        ..Config::default()
    };
    assert_eq!(changed.after(&running), Config { debug: true, ..running });
}
