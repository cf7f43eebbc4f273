//! The man page, next to the help.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::process::Command;

use pptp_testkit::mdoc;

fn page() -> mdoc::Page {
    mdoc::Page::read("pptp.8").expect("man/pptp.8")
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pptp")).arg("--help").output().expect("pptp");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_options_are_those_of_the_help() {
    let column = mdoc::first_column(&help(), 28).into_iter().filter(|head| head.starts_with("--"));
    let there: Vec<_> = page().part("OPTIONS").items().into_iter().map(|item| item.head).collect();
    assert_eq!(there, column.collect::<Vec<_>>());
}

#[test]
fn every_option_that_is_mentioned_exists() {
    let (page, options) = (page(), mdoc::options(&help()));
    for part in ["DESCRIPTION", "OPTIONS", "ROUTES", "EXIT STATUS", "EXAMPLES"] {
        let mentioned = mdoc::options(&page.part(part).text());
        assert!(mentioned.is_subset(&options), "{part}: {mentioned:?}");
    }
}
