//! How lines are read, and what pptpd makes of the same file.

use proptest::prelude::*;

use super::*;
use crate::pool::Plan;

/// The file's text, and all that is said about it.
#[track_caller]
fn says(text: &str, expected: &[&str]) {
    assert_eq!(reports(text, &[]), expected, "{text:?}");
}

#[test]
fn blanks_comments_and_line_ends_do_not_matter() {
    let files = [
        "connections 7",
        "connections 7\n",
        "\n\n  \n\t\nconnections 7",
        "# a comment\n#another\n   # and one\nconnections 7\n",
        "connections\t \t7 \t \n",
        "connections 7\r\n",
        "\r\nconnections 7\r\n\r\n# c\r\n",
    ];
    for file in files {
        assert_eq!(config(&format!("remoteip 10.0.1.1-7\n{file}"), &[]).connections, 7, "{file:?}");
        says(&format!("remoteip 10.0.1.1-7\n{file}"), &[]);
    }
    let latin1 = load_bytes(b"# gr\xfc\xdfe\nremoteip 10.0.1.1-100", &[]).unwrap();
    assert_eq!(latin1.warnings, []);
}

#[test]
fn a_value_is_all_of_the_line() {
    assert_eq!(config("pidfile /run/a # b", &[]).pid_file, Some("/run/a # b".into()));
    assert_eq!(config("pidfile \"/run/a\"", &[]).pid_file, Some("/here/\"/run/a\"".into()));
}

#[test]
fn a_comment_after_a_number_is_ignored_as_pptpd_does() {
    let file = "remoteip 10.0.1.1-7\nconnections 7 # most\n";
    assert_eq!(config(file, &[]).connections, 7);
    says(file, &["/f:2: warning: connections: a comment after a value is ignored; it should have a line of its own"]);
}

#[test]
fn what_is_unknown_is_a_warning_with_line_and_keyword() {
    let file = format!("{QUIET}\nnonsense 3\nRemoteIP 10.0.0.1\nconf /x\nversion\ncheck\nan\u{7}odd'one\n");
    says(
        &file,
        &[
            "/f:3: warning: 'nonsense' is ignored: there is no such keyword",
            "/f:4: warning: 'RemoteIP' is ignored: the keyword is 'remoteip'",
            "/f:5: warning: 'conf' is ignored: it is an option of the command line",
            "/f:6: warning: 'version' is ignored: it is an option of the command line",
            "/f:7: warning: 'check' is ignored: it is an option of the command line",
            "/f:8: warning: 'an\\u{7}odd'one' is ignored: there is no such keyword",
        ],
    );
}

#[test]
fn a_line_that_begins_with_a_blank_is_ignored_as_pptpd_does() {
    let file = " connections 3\n\tconnections 4\nremoteip 10.0.1.1-100\n";
    assert_eq!(config(file, &[]).connections, 100);
    says(
        file,
        &[
            "/f:1: warning: 'connections 3' is ignored, because the line begins with a blank",
            "/f:2: warning: 'connections 4' is ignored, because the line begins with a blank",
        ],
    );
}

#[test]
fn the_first_line_of_a_keyword_counts_as_with_pptpd() {
    let file = "remoteip 10.0.1.1-3\nconnections 3\nconnections 2\nremoteip x\ndebug\ndebug\n";
    assert_eq!(config(file, &[]).connections, 3);
    says(
        file,
        &[
            "/f:3: warning: connections is ignored: /f:2 has set it",
            "/f:4: warning: remoteip is ignored: /f:1 has set it",
            "/f:6: warning: debug is ignored: /f:5 has set it",
        ],
    );
}

#[test]
fn a_flag_is_on_whatever_follows_as_with_pptpd() {
    let file = format!("{QUIET}debug off\n");
    assert!(config(&file, &[]).debug);
    says(&file, &["/f:2: warning: debug is on; it takes no value, 'off' is ignored"]);
}

#[test]
fn a_zero_byte_is_an_error() {
    says("remoteip 10.0.1.1\0-9\n", &["/f:1: there is a zero byte in this line"]);
    says(&format!("{QUIET}# \0\n"), &[]);
}

#[test]
fn a_long_line_is_read_though_pptpd_ignores_it() {
    let list: Vec<_> = (1..=100).map(|n| format!("10.0.100.{n}")).collect();
    let line = format!("remoteip {}", list.join(","));
    assert_eq!(config(&line, &[]).remote.len(), 100);
    says(&line, &["/f:1: warning: pptpd ignores lines of 510 bytes and more"]);
    // 509 bytes, which pptpd reads.
    says(&format!("{QUIET}pidfile {}", "p".repeat(501)), &[]);
    says(&format!("{QUIET}pidfile {}", "p".repeat(502)), &["/f:2: warning: pptpd ignores lines of 510 bytes and more"]);
}

#[test]
fn lists_that_do_not_fit_are_remarked_where_they_are_written() {
    let cases: [(&str, &[&str]); 11] = [
        ("", &["/f: warning: remoteip: not set, clients get pptpd's own 192.168.1.1-100"]),
        ("delegate\nconnections 9", &[]),
        ("delegate\nmax-sessions 9", &[]),
        (
            "delegate",
            &["/f:1: warning: delegate: at most 100 calls at a time; pptpd sets no limit here, connections does"],
        ),
        ("remoteip 10.0.0.1-3", &[]),
        (
            "remoteip 10.0.0.1-3\nconnections 4",
            &["/f:2: warning: at most 3 calls instead of 4: remoteip has no more addresses"],
        ),
        (
            "remoteip 10.0.0.1-3\nmax-sessions 4",
            &["/f:2: warning: at most 3 calls instead of 4: remoteip has no more addresses"],
        ),
        (
            "remoteip 10.0.0.1-5\nconnections 4",
            &["/f:1: warning: remoteip: only the first 4 addresses are used; connections says how many"],
        ),
        (
            "remoteip 10.0.0.1-5\nmax-sessions 4\nlocalip 10.1.0.1-9",
            &[
                "/f:1: warning: remoteip: only the first 4 addresses are used; max-sessions says how many",
                "/f:3: warning: localip: only the first 4 addresses are used",
            ],
        ),
        (
            "remoteip 10.0.0.1-5\nlocalip 10.1.0.1-2\nconnections 5",
            &["/f:2: warning: localip: at most 2 calls: it has no more addresses; one would do for all"],
        ),
        ("localip 10.0.0.1\nremoteip 10.0.0.1-5", &["/f:2: warning: remoteip: 10.0.0.1 is in localip, too"]),
    ];
    for (file, expected) in cases {
        says(file, expected);
        assert!(load(file, &[]).is_ok(), "{file}");
    }
    says("remoteip 10.0.0.1-3,10.0.0.2", &["/f:1: remoteip: 10.0.0.2 is in it twice; allowed: different addresses"]);
    says(
        "remoteip 10.0.1-150.1\nconnections 150",
        &["default: warning: localip: at most 100 calls: it has no more addresses; one would do for all"],
    );
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let expected = "/f:2: warning: bcrelay is not supported: no broadcasts are relayed";
    says(&format!("{QUIET}bcrelay eth1"), &[expected]);
    says(&format!("{QUIET}metrics-listen [::1]:99\ncontrol-socket /s\nlogwtmp"), &[]);
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let Ok(Request::Serve(command_line)) = request(&["-c", "/nowhere/at all"]) else { panic!("no server") };
    let errors = command_line.load(&Fake::default()).unwrap_err();
    assert_eq!(
        errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["/nowhere/at all: cannot be read: no such file or directory"]
    );
}

#[test]
fn a_folder_and_an_endless_file_are_no_configurations() {
    for (file, why) in [("/", "is a directory"), ("/dev/zero", "it is longer than 1 MiB")] {
        let Ok(Request::Serve(command_line)) = request(&["-c", file]) else { panic!("no server") };
        let errors = command_line.load(&Fake::default()).unwrap_err();
        assert_eq!(errors[0].to_string(), format!("{file}: cannot be read: {why}"));
    }
}

/// Lines, and pptpd 1.4.0's "Maximum of N connections available", or that it does not start. Recorded from Debian's.
pub(super) const PPTPD: [(&str, Option<usize>); 24] = [
    ("", Some(100)),
    ("remoteip 10.0.0.2-3\nlocalip 10.0.0.1\n", Some(2)),
    ("remoteip 10.0.0.2-3\nremoteip 10.0.0.7-9\nlocalip 10.0.0.1\n", Some(2)),
    (" remoteip 10.0.0.2-3\nremoteip 10.0.0.7-9\nlocalip 10.0.0.1\n", Some(3)),
    ("REMOTEIP 10.0.0.2-3\nlocalip 10.0.0.1\n", Some(100)),
    ("remoteip\t10.0.0.2-3\t \nlocalip 10.0.0.1", Some(2)),
    ("remoteip 10.0.1-3.4\nlocalip 10.0.0.1\n", Some(3)),
    ("remoteip 10.0.0.008-9\nlocalip 10.0.0.1\n", Some(2)),
    ("connections 2\nremoteip 10.0.0.2-4,10.0.0.2\nlocalip 10.0.0.1\n", Some(2)),
    ("connections 3 # c\nlocalip 10.0.0.1\n", Some(3)),
    ("connections 5\nremoteip 10.0.0.2-9\nlocalip 10.1.0.1-3\n", Some(3)),
    ("remoteip 10.0.0.2,10.0.0.2\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.9-4\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.250-300\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.2,\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.2, 10.0.0.3\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0-1.2-4\nlocalip 10.0.0.1\n", None),
    ("remoteip\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.2-3 # c\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.3-\nlocalip 10.0.0.1\n", None),
    ("remoteip -10.0.0.3\nlocalip 10.0.0.1\n", None),
    ("remoteip 255.255.255.254-255\nlocalip 10.0.0.1\n", None),
    ("remoteip 10.0.0.2;10.0.0.4\nlocalip 10.0.0.1\n", None),
    ("ppp /nowhere\n", None),
];

#[test]
fn a_file_means_what_it_means_to_pptpd() {
    for (file, expected) in PPTPD {
        let calls = load(file, &[]).ok().map(|loaded| Plan::of(&loaded.config).len());
        assert_eq!(calls, expected, "{file:?}");
    }
}

/// Lines that are nearly right.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "remoteip",
        "localip",
        "connections",
        "listen",
        "option",
        "debug",
        "stimeout",
        "max-sessions",
        "datapath",
        "delegate",
        " ",
        "\t",
        "#",
        "\r",
        "\n",
        "\n",
        "0",
        "7",
        "10.0.0.1",
        "-9",
        ",",
        ".",
        "vpn.example",
        "x",
        "\0",
        "é",
    ]);
    let piece = prop_oneof![9 => word.prop_map(|word| word.as_bytes().to_vec()), 1 => any::<Vec<u8>>()];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_a_configuration_or_errors(text in lines()) {
        let reports = match load_bytes(&text, &[]) {
            Ok(loaded) => {
                let plan = Plan::of(&loaded.config);
                prop_assert!(plan.len() <= loaded.config.most_calls());
                prop_assert_eq!(loaded.config.delegate, plan.is_empty());
                prop_assert!(!loaded.config.listen.is_empty());
                prop_assert!(loaded.warnings.iter().all(|report| report.severity == Severity::Warning));
                loaded.warnings
            }
            Err(reports) => {
                prop_assert!(reports.iter().any(|report| report.severity == Severity::Error));
                reports
            }
        };
        for report in reports {
            prop_assert!(!report.to_string().contains(|c: char| c.is_control()), "{report}");
        }
    }
}
