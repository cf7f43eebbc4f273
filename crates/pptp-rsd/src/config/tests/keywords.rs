//! What each keyword sets, in the file and on the command line.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::keywords::KEYWORDS;
use super::*;

type Case = (&'static str, &'static str, fn(&mut Config));

fn ranges(list: &str) -> Vec<AddressRange> {
    list.split(',').map(|item| item.parse().unwrap()).collect()
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const CASES: [Case; 41] = [
    ("bcrelay", "eth1", |c| c.bcrelay = Some("eth1".into())),
    ("debug", "", |c| c.debug = true),
    ("ppp", "/opt/pppd", |c| c.pppd = "/opt/pppd".into()),
    ("fg", "", |c| c.foreground = true),
    ("noipparam", "", |c| c.no_ipparam = true),
    ("listen", "192.0.2.1", |c| c.listen = vec![socket("192.0.2.1:1723")]),
    ("listen", "192.0.2.1:99", |c| c.listen = vec![socket("192.0.2.1:99")]),
    ("listen", "2001:db8::1", |c| c.listen = vec![socket("[2001:db8::1]:1723")]),
    ("listen", "[2001:db8::1]", |c| c.listen = vec![socket("[2001:db8::1]:1723")]),
    ("listen", "[2001:db8::1]:0", |c| c.listen = vec![socket("[2001:db8::1]:0")]),
    ("listen", "gw-1", |c| c.listen = vec![socket("192.0.2.9:1723")]),
    ("listen", "vpn.example", |c| c.listen = vec![socket("[2001:db8::1]:1723")]),
    ("option", "/etc/ppp/pptpd-options", |c| c.option_file = Some("/etc/ppp/pptpd-options".into())),
    ("option", "options", |c| c.option_file = Some("/here/options".into())),
    ("pidfile", "/run/with blanks", |c| c.pid_file = Some("/run/with blanks".into())),
    ("speed", "1", |c| c.speed = 1),
    ("speed", "4294967295", |c| c.speed = u32::MAX),
    ("stimeout", "1", |c| c.stimeout = Duration::from_secs(1)),
    ("stimeout", "86400", |c| c.stimeout = Duration::from_secs(86_400)),
    ("logwtmp", "", |c| c.logwtmp = true),
    ("connections", "1", |c| c.connections = 1),
    ("connections", "1000000", |c| c.connections = 1_000_000),
    ("delegate", "", |c| c.delegate = true),
    ("vrf", "fifteen-letters", |c| c.vrf = Some("fifteen-letters".into())),
    ("localip", "10.0.0.1", |c| c.local = ranges("10.0.0.1")),
    ("localip", "10.0.0.1,10.0.0.4-8,10.0.1-3.1", |c| c.local = ranges("10.0.0.1,10.0.0.4-8,10.0.1-3.1")),
    ("localip", "vpn.example,gw-1", |c| c.local = ranges("192.0.2.1,192.0.2.9")),
    ("remoteip", "192.168.0.234-238,192.168.0.245", |c| c.remote = ranges("192.168.0.234-238,192.168.0.245")),
    ("max-per-address", "3", |c| c.max_per_address = 3),
    ("max-starting", "3", |c| c.max_starting = 3),
    ("max-sessions", "3", |c| c.max_sessions = Some(3)),
    ("echo-interval", "0", |c| c.echo_interval = Duration::ZERO),
    ("echo-timeout", "7", |c| c.echo_timeout = Duration::from_secs(7)),
    ("datapath", "auto", |_| {}),
    ("datapath", "kernel", |c| c.datapath = Datapath::Kernel),
    ("datapath", "tun", |c| c.datapath = Datapath::Tun),
    ("datapath", "pty", |c| c.datapath = Datapath::Pty),
    ("drain-timeout", "0", |c| c.drain_timeout = Duration::ZERO),
    ("plugin", "/usr/lib/pptp-rs.so", |c| c.plugin = "/usr/lib/pptp-rs.so".into()),
    ("metrics-listen", "[::1]:9100", |c| c.metrics_listen = Some(socket("[::1]:9100"))),
    ("control-socket", "/run/other.sock", |c| c.control_socket = "/run/other.sock".into()),
];

#[test]
fn every_keyword_sets_its_field_and_no_other() {
    for (keyword, value, set) in CASES {
        let mut expected = Config::default();
        set(&mut expected);
        assert_eq!(config(&format!("{keyword} {value}"), &[]), expected, "{keyword} {value}");
        let option = if value.is_empty() { format!("--{keyword}") } else { format!("--{keyword}={value}") };
        assert_eq!(config("", &[&option]), expected, "{option}");
    }
}

#[test]
fn every_keyword_is_tried_here() {
    let tried: BTreeSet<_> = CASES.iter().map(|(keyword, ..)| *keyword).collect();
    assert_eq!(tried, KEYWORDS.iter().map(|keyword| keyword.name).collect());
}

#[test]
fn names_and_letters_are_different() {
    let names: BTreeSet<_> = KEYWORDS.iter().map(|keyword| keyword.name).collect();
    assert_eq!(names.len(), KEYWORDS.len());
    let letters: Vec<_> = KEYWORDS.iter().filter_map(|keyword| keyword.short).collect();
    assert_eq!(letters.iter().collect::<BTreeSet<_>>().len(), letters.len());
}

#[test]
fn the_defaults_are_pptpds() {
    let config = config("", &[]);
    assert_eq!(config, Config::default());
    assert_eq!((config.local, config.remote), (ranges("192.168.0.1-100"), ranges("192.168.1.1-100")));
    assert_eq!((config.connections, config.speed, config.stimeout), (100, 115_200, Duration::from_secs(10)));
}

/// As one could write it; what has none is off, or nowhere.
#[test]
fn the_defaults_that_are_told_are_the_real_ones() {
    for keyword in KEYWORDS.iter().filter(|keyword| !keyword.default.is_empty()) {
        let line = format!("{} {}", keyword.name, keyword.default);
        assert_eq!(config(&line, &[]), Config::default(), "{line}");
    }
    let without: Vec<_> =
        KEYWORDS.iter().filter(|keyword| keyword.default.is_empty()).map(|keyword| keyword.name).collect();
    let nothing = [
        "bcrelay",
        "debug",
        "fg",
        "noipparam",
        "option",
        "logwtmp",
        "delegate",
        "vrf",
        "max-sessions",
        "metrics-listen",
    ];
    assert_eq!(without, nothing);
}

#[test]
fn what_is_read_once_is_what_a_reload_leaves_as_it_is() {
    let running = Config::default();
    for (name, _, set) in CASES {
        let mut changed = Config::default();
        set(&mut changed);
        let keyword = KEYWORDS.iter().find(|keyword| keyword.name == name).expect(name);
        let stays = changed.clone().after(&running) == running;
        assert_eq!(stays && changed != running, keyword.is_read_once(), "{name}");
    }
}

#[test]
fn a_path_need_not_be_text() {
    let loaded = load_bytes(b"pidfile /run/\xe4\xf6.pid", &[]).unwrap();
    use std::os::unix::ffi::OsStrExt;
    assert_eq!(loaded.config.pid_file.unwrap().as_os_str().as_bytes(), b"/run/\xe4\xf6.pid");
}

#[test]
fn several_lines_of_listen_add_up_and_the_command_line_replaces_them() {
    let file = "listen 10.0.0.1\nlisten ::1\nlisten 10.0.0.1:1723\n";
    assert_eq!(config(file, &[]).listen, [socket("10.0.0.1:1723"), socket("[::1]:1723")]);
    let both = ["-l", "10.0.0.9", "--listen", "[::]:99"];
    assert_eq!(config(file, &both).listen, [socket("10.0.0.9:1723"), socket("[::]:99")]);
}

#[test]
fn as_many_calls_as_connections_unless_told_otherwise() {
    assert_eq!(config("connections 7", &[]).most_calls(), 7);
    assert_eq!(config("connections 7\nmax-sessions 9", &[]).most_calls(), 9);
}
