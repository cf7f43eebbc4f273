//! The option table: its parser, its defaults, and the documentation made of it.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

#[expect(dead_code, reason = "the plugin uses all of it")]
#[path = "../src/options/mod.rs"]
mod options;

use options::{Kind, OptionSpec, Right, Settings, Shape, find, table};
use std::time::Duration;

fn set(name: &str, value: &str) -> Result<Settings, String> {
    let mut settings = Settings::default();
    let option = find(name).unwrap_or_else(|| panic!("{name}"));
    option.apply(&mut settings, value).map(|()| settings).map_err(|error| error.to_string())
}

fn refusal(name: &str, value: &str) -> String {
    set(name, value).expect_err(name)
}

#[test]
fn every_documented_default_is_the_real_one() {
    for option in table().iter().filter(|option| !option.default.is_empty()) {
        assert_eq!(set(option.name, option.default).as_ref(), Ok(&Settings::default()), "{}", option.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = table().iter().map(|option| option.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), table().len());
}

#[test]
fn values_reach_their_settings() {
    let server = |settings: Settings| settings.server;
    assert_eq!(set("pptp_server", "vpn.example").map(server), Ok(Some(String::from("vpn.example"))));
    assert_eq!(set("pptp_client", "192.0.2.1").unwrap().client.as_deref(), Some("192.0.2.1"));
    assert_eq!(set("pptp_sock", "7").unwrap().socket, Some(7));
    assert_eq!(set("pptp_report", "8").unwrap().report, Some(8));
    assert_eq!(set("pptp_phone", "0 123").unwrap().phone, "0 123");
    assert_eq!(set("pptp_phone", "").unwrap().phone, "");
    assert_eq!(set("pptp_window", "65535").unwrap().window, 65535);
    assert_eq!(set("pptp_port", "1").unwrap().port, 1);
    assert_eq!(set("pptp_bind", "192.0.2.9").unwrap().bind, Some([192, 0, 2, 9].into()));
    assert_eq!(set("pptp_mark", "0xff").unwrap().mark, Some(255));
    assert_eq!(set("pptp_mark", "4294967295").unwrap().mark, Some(u32::MAX));
    assert_eq!(set("pptp_connect_timeout", "5").unwrap().connect_timeout, Duration::from_secs(5));
    assert_eq!(set("pptp_echo_interval", "0").unwrap().echo_interval, Duration::ZERO);
    assert_eq!(set("pptp_echo_timeout", "1").unwrap().echo_timeout, Duration::from_secs(1));
    assert!(!set("pptp_share", "off").unwrap().share);
    assert_eq!(set("pptp_mtu", "1400").unwrap().mtu, options::Mtu::Bytes(1400));
    for path in options::Path::ALL {
        assert_eq!(set("pptp_datapath", path.name()).unwrap().datapath, options::Datapath::Only(path));
    }
    assert_eq!(set("pptp_reorder_ms", "25").unwrap().reorder_time, Duration::from_millis(25));
    assert_eq!(set("pptp_reorder_packets", "0").unwrap().reorder_packets, 0);
    assert!(set("pptp_tx_window", "on").unwrap().transmit_window);
    assert_eq!(set("pptp_mschap", "internal").unwrap().mschap, options::MsChap::Internal);
    assert_eq!(set("pptp_mschap", "pppd").unwrap().mschap, options::MsChap::Pppd);
    for name in ["pptp_mppe", "mppe"] {
        let mppe = |list: &str| set(name, list).unwrap().mppe;
        assert_eq!(mppe("required,stateless,no40,no56"), "128".parse().ok());
        assert!(set(name, "required,56").unwrap().requires_mppe());
        assert!(!set(name, "optional").unwrap().requires_mppe());
    }
    assert_eq!(set("allow-mppe-128", "").unwrap().mppe, "optional,128".parse().ok());
    assert_eq!(Settings::default().mppe, None);
    assert_eq!(set("pptp_quirks", "bezeq_israel").unwrap().quirk.map(|quirk| quirk.name()), Some("orckit"));
}

#[test]
fn a_refusal_names_the_option_the_value_and_what_is_allowed() {
    let cases = [
        ("pptp_port", "65536", "option pptp_port: '65536' is not allowed; allowed: a number from 1 to 65535"),
        ("pptp_window", "0", "option pptp_window: '0' is not allowed; allowed: a number from 1 to 65535"),
        ("pptp_share", "yes", "option pptp_share: 'yes' is not allowed; allowed: on, off"),
        ("pptp_bind", "::1", "option pptp_bind: '::1' is not allowed; allowed: an IPv4 address of this machine"),
        ("pptp_datapath", "ppp", "option pptp_datapath: 'ppp' is not allowed; allowed: auto, kernel, tun, pty"),
        ("pptp_reorder_ms", "1001", "option pptp_reorder_ms: '1001' is not allowed; allowed: a number from 0 to 1000"),
        ("pptp_tx_window", "yes", "option pptp_tx_window: 'yes' is not allowed; allowed: off, on"),
        ("pptp_mtu", "127", "option pptp_mtu: '127' is not allowed; allowed: auto, or a number from 128 to 16384"),
        (
            "pptp_mppe",
            "required,256",
            "option pptp_mppe: 'required,256' is not allowed: '256' is not known; known are required, optional, deny, \
             stateless, stateful, 40, 56, 128, no40, no56 and no128",
        ),
        ("mppe", "40,no40", "option mppe: '40,no40' is not allowed: no key length is left of 40, 56 and 128"),
        (
            "pptp_mppe",
            "deny,required",
            "option pptp_mppe: 'deny,required' is not allowed: 'deny' and 'required' contradict each other",
        ),
        ("pptp_quirks", "x", "option pptp_quirks: 'x' is not allowed; allowed: orckit, BEZEQ_ISRAEL"),
        ("pptp_server", "", "option pptp_server: '' is not allowed; allowed: a host name or an IPv4 address"),
    ];
    for (name, value, line) in cases {
        assert_eq!(refusal(name, value), line);
    }
}

#[test]
fn numbers_are_digits_alone() {
    for value in ["", "+1", "-1", " 1", "1 ", "1s", "0x10", "1e3", "99999999999999999999"] {
        refusal("pptp_port", value);
    }
    for value in ["0x", "0x+1", "0x100000000", "4294967296", "ff"] {
        refusal("pptp_mark", value);
    }
}

#[test]
fn control_characters_are_refused_and_shown_harmlessly() {
    let line = refusal("pptp_server", "a\u{1b}[2J\n");
    assert!(line.contains(r"'a\u{1b}[2J\n'"), "{line}");
    assert!(refusal("pptp_server", &"x".repeat(300)).len() < 200);
}

#[test]
fn a_refused_value_changes_nothing() {
    let mut settings = Settings::default();
    for option in table().iter().filter(|option| option.takes_value()) {
        let _ = option.apply(&mut settings, "\n");
    }
    assert_eq!(settings, Settings::default());
}

#[test]
fn what_concerns_other_users_is_for_root() {
    let privileged: Vec<_> = table().iter().filter(|o| o.right == Right::Privileged).map(|o| o.name).collect();
    assert_eq!(
        privileged,
        [
            "pptp_client",
            "pptp_sock",
            "pptp_report",
            "pptp_logwtmp",
            "pptp_bind",
            "pptp_mark",
            "pptp_host_route",
            "pptp_quirks"
        ]
    );
}

#[test]
fn the_two_sides_exclude_each_other() {
    let mut settings = Settings::default();
    let unknown = "PPTP: unknown mode (you must specify pptp_server or pptp_client option)";
    assert_eq!(settings.side().unwrap_err().to_string(), unknown);
    settings.client = Some(String::from("192.0.2.1"));
    assert!(settings.side().unwrap_err().to_string().contains("pptp_sock"));
    settings.socket = Some(7);
    assert!(matches!(settings.side(), Ok(options::Side::Server { socket: 7, .. })));
    settings.server = Some(String::from("192.0.2.2"));
    assert_eq!(settings.side().unwrap_err().to_string(), unknown);
    settings.client = None;
    assert!(matches!(settings.side(), Ok(options::Side::Client { .. })));
}

#[test]
fn a_speed_is_digits() {
    assert!(options::is_speed("115200"));
    assert!(!options::is_speed(""));
    assert!(!options::is_speed("192.0.2.1"));
    assert!(!options::is_speed("ttyS0"));
}

/// The options as a Markdown table, then the ignored ones in a sentence.
fn markdown() -> String {
    let (ignored, real): (Vec<_>, Vec<_>) = table().iter().partition(|option| matches!(option.kind, Kind::Ignored(_)));
    let rows: String = real.into_iter().map(row).collect();
    let ignored: Vec<String> = ignored.into_iter().map(ignored_name).collect();
    format!(
        "| option | value | default | |\n|---|---|---|---|\n{rows}\n\
         `*` only on the command line of a pppd that root starts, in `/etc/ppp/options`, or in a file of `/etc/ppp/peers`.\n\n\
         Accepted and ignored, so that files for other plugins and for terminal lines can be used: {}.\n",
        ignored.join(", ")
    )
}

fn row(option: &OptionSpec) -> String {
    let star = if option.right == Right::Privileged { " `*`" } else { "" };
    let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
    format!("| `{}`{star} | {} | {default} | {} |\n", option.name, option.kind.allowed(), option.help)
}

fn ignored_name(option: &OptionSpec) -> String {
    match option.kind {
        Kind::Ignored(Shape::LineSpeed) => String::from("a bare speed such as `115200`"),
        _ => format!("`{}`", option.name),
    }
}

/// README.md has it between two comments; a difference is shown as the text to put there.
#[test]
fn the_readme_has_the_table() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let begin = readme.split_once("<!-- options: checked against src/options -->\n").map(|(_, rest)| rest);
    let table = begin.and_then(|rest| rest.split_once("<!-- /options -->")).map(|(table, _)| table);
    let wanted = markdown();
    assert!(table == Some(wanted.as_str()), "README.md must have this between its two lines about options:\n{wanted}");
}
