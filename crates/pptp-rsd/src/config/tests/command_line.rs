use std::os::unix::ffi::OsStringExt;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let usage = request(arguments).expect_err("it is understood");
    assert_eq!(usage.to_string(), format!("command line: {expected}; see pptp-rsd --help"), "{arguments:?}");
}

/// pptpd 1.4.0's `--help`, and `-V` of its manual.
pub(super) const PPTPD: [(char, &str, bool); 18] = [
    ('b', "bcrelay", true),
    ('c', "conf", true),
    ('d', "debug", false),
    ('e', "ppp", true),
    ('f', "fg", false),
    ('h', "help", false),
    ('i', "noipparam", false),
    ('l', "listen", true),
    ('o', "option", true),
    ('p', "pidfile", true),
    ('s', "speed", true),
    ('t', "stimeout", true),
    ('v', "version", false),
    ('w', "logwtmp", false),
    ('C', "connections", true),
    ('D', "delegate", false),
    ('V', "vrf", true),
    // Not pptpd's, and without a letter.
    ('-', "check", false),
];

#[test]
fn pptpds_options_have_its_letters_names_and_values() {
    for (letter, name, has_value) in PPTPD {
        let spellings = [format!("-{letter}"), format!("--{name}")];
        let letters = if letter == '-' { &spellings[1..] } else { &spellings[..] };
        for option in letters {
            assert_eq!(request(&[option.as_str()]).is_err(), has_value, "{option}");
            assert!(
                request(&[option.as_str(), "1"]).is_ok() == has_value || name == "help" || name == "version",
                "{option} 1"
            );
        }
    }
}

#[test]
fn options_are_written_as_getopt_reads_them() {
    let ways: [&[&str]; 8] = [
        &["-C5", "-f", "-d"],
        &["-C", "5", "-fd"],
        &["-fdC5"],
        &["-dfC", "5"],
        &["--connections=5", "--fg", "--debug"],
        &["--connections", "5", "--fg", "--debug"],
        &["--conn", "5", "--f", "--deb"],
        &["-C3", "-df", "-C", "5", "--"],
    ];
    for way in ways {
        let config = config("remoteip 10.0.0.1-9", way);
        assert_eq!((config.connections, config.foreground, config.debug), (5, true, true), "{way:?}");
    }
}

#[test]
fn what_is_no_option_is_refused() {
    refused(&["-k"], "unknown option '-k'");
    refused(&["-fx"], "unknown option '-x'");
    refused(&["--nonsense"], "unknown option '--nonsense'");
    refused(&["--con", "5"], "'--con' could be --conf, --connections, --control-socket");
    refused(&["--debug=1"], "unexpected argument for option '--debug': \"1\"");
    refused(&["-C"], "missing argument for option '-C'");
    refused(&["--conf"], "missing argument for option '--conf'");
    refused(&["stray"], "unexpected argument 'stray'");
    refused(&["--", "-f"], "unexpected argument '-f'");
    refused(&["a\nb"], "unexpected argument 'a\\nb'");
}

#[test]
fn help_and_version_come_before_what_is_wrong_after_them() {
    assert!(matches!(request(&["-h", "--nonsense"]), Ok(Request::Help)));
    assert!(matches!(request(&["--version", "stray"]), Ok(Request::Version)));
}

#[test]
fn the_file_is_pptpds_unless_another_is_named() {
    let file = |arguments: &[&str]| match request(arguments) {
        Ok(Request::Serve(command_line)) => command_line.file().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(file(&[]), Path::new("/etc/pptpd.conf"));
    assert_eq!(file(&["-c", "/x", "--conf=own.conf"]), Path::new("/here/own.conf"));
}

#[test]
fn the_command_line_wins_and_its_last_option_counts() {
    let file = "connections 7\nstimeout 7\noption /nowhere\nppp /nowhere\nremoteip 10.0.0.1-7\n";
    let arguments = ["-C", "4", "-C", "5", "-t5", "-o/etc/ppp/pptpd-options", "-e", "/opt/pppd", "-w"];
    let config = config(file, &arguments);
    assert_eq!((config.connections, config.stimeout, config.logwtmp), (5, Duration::from_secs(5), true));
    assert_eq!(config.option_file, Some("/etc/ppp/pptpd-options".into()));
}

#[test]
fn a_wrong_value_in_the_file_is_an_error_also_where_the_command_line_wins() {
    assert!(load("connections many\n", &["-C", "5"]).is_err());
}

#[test]
fn checking_is_asked_for() {
    let checks = |arguments: &[&str]| matches!(request(arguments), Ok(Request::Serve(line)) if line.only_check());
    assert_eq!((checks(&["--check"]), checks(&["-f"])), (true, false));
}

#[test]
fn the_help_has_every_option_in_lines_of_a_terminal() {
    let help = help();
    for (name, letter, choice) in super::super::command_line::choices() {
        let option = format!("--{name} ");
        let line = help.lines().find(|line| format!("{line} ").contains(&option)).expect(name);
        assert!(letter.is_none_or(|letter| line.contains(&format!("-{letter}, "))), "{line} {choice:?}");
        assert!(line.len() <= 100, "{line}");
    }
}

proptest! {
    #[test]
    fn any_arguments_are_understood_or_refused_in_one_line(
        arguments in prop::collection::vec(
            prop_oneof![any::<Vec<u8>>(), "--?[a-zC-]{0,12}=?[0-9]{0,3}".prop_map(String::into_bytes)],
            0..8,
        )
    ) {
        let arguments = arguments.into_iter().map(OsString::from_vec);
        match CommandLine::read(arguments, "/here".into()) {
            Ok(Request::Serve(command_line)) => { let _ = command_line.load_text(b"", &Fake::default()); }
            Ok(Request::Help | Request::Version) => {}
            Err(usage) => prop_assert!(!usage.to_string().contains(|c: char| c.is_control())),
        }
    }
}
