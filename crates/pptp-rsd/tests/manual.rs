//! The man pages of the server and of pptp-rsctl, next to the tables and texts of the programs.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pptp_rsd::config::{self, CommandLine, Request, Setting, Surroundings};
use pptp_testkit::{mdoc, sources};

fn page(name: &str) -> mdoc::Page {
    mdoc::Page::read(name).expect(name)
}

fn heads(page: &mdoc::Page, part: &str) -> Vec<String> {
    page.part(part).items().into_iter().map(|item| item.head).collect()
}

fn source(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

fn keywords() -> Vec<mdoc::Item> {
    let page = page("pptp-rsd.conf.5");
    ["Keywords that pptpd has, too", "Keywords of its own"].iter().flat_map(|part| page.part(part).items()).collect()
}

fn head(setting: &Setting) -> String {
    format!("{} {}", setting.name, setting.placeholder.unwrap_or_default()).trim_end().to_owned()
}

/// What the body of a keyword's item ends with.
fn facts(setting: &Setting) -> String {
    let restart = if setting.is_read_once { "A change needs a restart. " } else { "" };
    let default = if setting.default.is_empty() { String::new() } else { format!(" Default: {}.", setting.default) };
    format!("{restart}Value: {}.{default}", setting.allowed)
}

#[test]
fn the_keywords_are_all_there_and_no_others() {
    let there: Vec<_> = keywords().into_iter().map(|item| item.head).collect();
    assert_eq!(there, config::settings().map(|setting| head(&setting)).collect::<Vec<_>>());
}

#[test]
fn each_keyword_has_its_value_its_default_and_whether_it_needs_a_restart() {
    for (setting, item) in config::settings().zip(keywords()) {
        let facts = facts(&setting);
        assert!(item.body.ends_with(&facts), "{}: not {facts}, but …{}", item.head, item.body);
        assert_eq!(item.body.contains("needs a restart"), setting.is_read_once, "{}", item.head);
        assert_eq!(item.body.contains("Default: "), !setting.default.is_empty(), "{}", item.head);
    }
}

#[test]
fn the_servers_options_are_those_of_its_help() {
    assert_eq!(heads(&page("pptp-rsd.8"), "OPTIONS"), mdoc::first_column(&config::help(), 32));
}

/// pptp-rsctl's help, and what is in its first column.
fn rsctl() -> (String, Vec<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_pptp-rsctl")).arg("--help").output().expect("pptp-rsctl");
    let help = String::from_utf8(output.stdout).expect("text");
    let column = mdoc::first_column(&help, 26);
    (help, column)
}

#[test]
fn the_commands_and_options_of_pptp_rsctl_are_those_of_its_help() {
    let ((help, column), page) = (rsctl(), page("pptp-rsctl.8"));
    let (of_commands, other): (Vec<_>, Vec<_>) = column.into_iter().partition(|head| head.starts_with("--"));
    let (options, commands): (Vec<_>, Vec<_>) = other.into_iter().partition(|head| head.starts_with('-'));
    assert_eq!(heads(&page, "COMMANDS"), commands);
    assert_eq!(heads(&page, "OPTIONS"), options);
    let text = page.part("COMMANDS").text();
    assert!(of_commands.len() > 2 && of_commands.iter().all(|option| text.contains(option)), "{of_commands:?}");
    let parts = ["COMMANDS", "OPTIONS"].map(|part| page.part(part).text());
    assert_eq!(parts.iter().flat_map(|text| mdoc::options(text)).collect::<BTreeSet<_>>(), mdoc::options(&help));
}

/// What a source calls the fields of a record, in `record` and in what it calls.
fn fields(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let names = [".with(\"", ".with_known(\""].map(|call| code.split(call).skip(1).collect::<Vec<_>>()).concat();
    names.into_iter().filter_map(|rest| rest.split('"').next()).map(String::from).collect()
}

#[test]
fn the_fields_of_calls_tunnels_and_stats_are_all_there_and_no_others() {
    let page = page("pptp-rsctl.8");
    let words = |part: &str| -> BTreeSet<String> {
        heads(&page, part).iter().flat_map(|head| head.split(", ")).map(String::from).collect()
    };
    assert_eq!(words("Fields of a call"), fields(&source("src/server/session.rs")));
    let counts = words("Counts of a call and of a tunnel");
    assert_eq!(counts, fields(&source("../pptp-datapath/src/report.rs")));
    assert_eq!(words("Fields of a tunnel"), fields(&source("../../src/tunnels.rs")));
    let refusal = source("src/server/refusal.rs");
    let reasons = refusal.split_once("REASONS").and_then(|(_, rest)| rest.split_once("];")).expect("REASONS").0;
    let reasons = reasons.split('"').skip(1).step_by(2).chain(["connection-full"]);
    let mut stats = fields(&source("src/server/tally.rs"));
    stats.extend(reasons.map(|reason| format!("calls-refused-{reason}")));
    stats.extend(counts.into_iter().filter(|name| name != "round-trip-us"));
    assert_eq!(words("Fields of stats"), stats);
}

/// The texts behind these words of a source: two, with what is between them and no quotes.
fn pairs<'a>(source: &'a str, before: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    source.split(before).skip(1).filter_map(|rest| {
        let mut texts = rest.split('"').step_by(2);
        Some((texts.next()?, texts.find(|text| text.ends_with('.'))?))
    })
}

#[test]
fn the_metrics_are_all_there_with_their_help() {
    let code = source("src/server/metrics.rs");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let of_all = ["gauge(\"", "counter(\""].into_iter().flat_map(|before| pairs(code, before));
    let of_sessions = pairs(code, "[\"session_").map(|(name, help)| (format!("session_{name}"), help));
    let wanted: BTreeMap<_, _> = of_all.map(|(name, help)| (String::from(name), help)).chain(of_sessions).collect();
    let items = page("pptp-rsd.8").part("METRICS").items();
    assert!(items.len() == wanted.len() && items.len() > 20, "{} {wanted:?}", items.len());
    for item in items {
        let help = item.head.strip_prefix("pptp_rsd_").and_then(|name| wanted.get(name));
        assert!(help.is_some_and(|help| item.body.starts_with(help)), "{}: {help:?}", item.head);
    }
}

#[test]
fn the_exit_statuses_of_pptp_rsctl_are_those_of_its_help() {
    let (help, _) = rsctl();
    let statuses = help.split_once("Exit status: ").expect("statuses").1;
    let numbers: Vec<_> = statuses.matches(char::is_numeric).map(String::from).collect();
    assert_eq!(heads(&page("pptp-rsctl.8"), "EXIT STATUS"), numbers);
}

/// The words behind this text, wherever it is, up to the next quote.
fn words_behind<'a>(script: &'a str, before: &str) -> BTreeSet<&'a str> {
    let all = script.split(before).skip(1).filter_map(|rest| rest.split(['\'', '"']).next());
    all.flat_map(str::split_whitespace).collect()
}

#[test]
fn the_completion_of_bash_knows_the_commands_and_options_of_pptp_rsctl() {
    let (script, (help, column)) = (source("../../packaging/pptp-rsctl.bash"), rsctl());
    let commands = column.into_iter().filter(|head| !head.starts_with('-'));
    let commands: BTreeSet<_> = commands.filter_map(|head| head.split(' ').next().map(String::from)).collect();
    assert_eq!(words_behind(&script, "'') choices='"), commands.iter().map(String::as_str).collect());
    let options = mdoc::options(&help).into_iter().filter(|option| option.starts_with("--")).collect::<BTreeSet<_>>();
    let offered =
        ["choices='", "choices=\"$choices "].map(|before| words_behind(&script, before)).into_iter().flatten();
    let offered = offered.filter(|word| word.starts_with("--"));
    assert_eq!(offered.map(String::from).collect::<BTreeSet<_>>(), options);
}

#[test]
fn what_is_quoted_from_the_programs_is_said() {
    let said = sources::texts(&["crates/pptp-rsd/src", "crates/pptp-journal/src", "crates/pptp-core/src/control"])
        .expect("the sources");
    let (server, rsctl) = (page("pptp-rsd.8"), page("pptp-rsctl.8"));
    let parts = ["When it starts", "Connections and calls", "Why a call is refused", "Reloading and ending"]
        .map(|part| server.part(part));
    let items: Vec<_> = parts.iter().chain([&rsctl.part("DIAGNOSTICS")]).flat_map(mdoc::Page::items).collect();
    assert!(items.len() > 20, "{}", items.len());
    let missing: Vec<_> = items.iter().flat_map(|item| sources::missing(&item.head, &said)).collect();
    assert_eq!(missing, [""; 0]);
}

/// A machine that has every file and knows no names.
struct AllFiles;

impl Surroundings for AllFiles {
    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }

    fn is_program(&self, _: &Path) -> bool {
        true
    }

    fn is_readable(&self, _: &Path) -> bool {
        true
    }
}

#[test]
fn the_examples_are_complete_files_of_settings() {
    let literals = page("pptp-rsd.conf.5").part("EXAMPLES").literals();
    let files: Vec<_> = literals.iter().filter(|text| text.starts_with("# /etc/pptp-rsd.conf\n")).collect();
    assert!(files.len() > 1, "{literals:?}");
    for file in files {
        let Ok(Request::Serve(command_line)) = CommandLine::read(["-c".into(), "/f".into()], PathBuf::from("/")) else {
            panic!("the command line");
        };
        let loaded = command_line.load_text(file.as_bytes(), &AllFiles).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(loaded.warnings, [], "{file}");
    }
}

/// The names of fields (`name=`), in their order.
fn names(text: &str) -> Vec<&str> {
    text.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0)).collect()
}

#[test]
fn the_line_at_the_end_of_a_call_has_the_fields_that_it_has() {
    let shown = page("pptp-rsd.8").part("LOGGING").literals().concat();
    let session = source("src/server/session.rs");
    let (_, line) = session.split_once("\"session {} ended: ").expect("the line");
    assert_eq!(names(&shown), names(line.split('"').next().unwrap_or_default()));
}
