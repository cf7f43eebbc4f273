//! The man page, next to the help.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use pptp_testkit::mdoc;

const PARTS: [&str; 3] = ["Options of create", "Options of test", "Other options"];

fn heads(part: &str) -> Vec<String> {
    let page = mdoc::Page::read("pptp-rs-setup.8").expect("man/pptp-rs-setup.8");
    page.part(part).items().into_iter().map(|item| item.head).collect()
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pptp-rs-setup")).arg("--help").output().expect("pptp-rs-setup");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_commands_and_options_are_those_of_the_help() {
    let column = mdoc::first_column(&help(), 28);
    let (options, commands): (Vec<_>, Vec<_>) = column.into_iter().partition(|head| head.starts_with('-'));
    assert_eq!(heads("COMMANDS"), commands);
    assert_eq!(PARTS.map(heads).concat(), options);
}

#[test]
fn every_option_belongs_to_the_command_that_the_help_says() {
    let help = help();
    for part in PARTS {
        let of_part = help.split_once(&format!("\n{part}:\n")).expect(part).1.split("\n\n").next().expect(part);
        assert_eq!(heads(part), mdoc::first_column(of_part, 28), "{part}");
    }
}

#[test]
fn every_option_that_is_mentioned_exists() {
    let page = mdoc::Page::read("pptp-rs-setup.8").expect("man/pptp-rs-setup.8");
    let parts = PARTS.iter().chain(&["DESCRIPTION", "COMMANDS", "EXAMPLES"]).map(|part| page.part(part).text());
    let mentioned: BTreeSet<_> = parts.flat_map(|text| mdoc::options(&text)).collect();
    assert_eq!(mentioned, mdoc::options(&help()));
}

#[test]
fn the_layers_of_a_test_are_in_their_order() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/layers.rs");
    let source = fs::read_to_string(source).expect(source);
    let titles =
        source.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.split('"').next());
    assert_eq!(heads("LAYERS"), titles.collect::<Vec<_>>());
}

#[test]
fn the_exit_statuses_are_those_of_the_help() {
    let help = help();
    let statuses = help.split_once("Exit status: ").expect("statuses").1;
    assert_eq!(heads("EXIT STATUS"), statuses.matches(char::is_numeric).map(String::from).collect::<Vec<_>>());
}
