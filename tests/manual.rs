//! The man pages: the plugin's next to its option table and its log lines, and the form of all of them.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

#[expect(dead_code, reason = "the plugin uses all of it")]
#[path = "../src/options/mod.rs"]
mod options;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use options::{Kind, OptionSpec, Right, Settings, Shape, Side, find, table};
use pptp_testkit::{mdoc, sources};

/// Options of pppd in examples, and whether a value follows.
const OF_PPPD: [(&str, bool); 18] = [
    ("ifname", true),
    ("lcp-echo-failure", true),
    ("lcp-echo-interval", true),
    ("maxfail", true),
    ("ms-dns", true),
    ("name", true),
    ("noauth", false),
    ("nodefaultroute", false),
    ("persist", false),
    ("plugin", true),
    ("proxyarp", false),
    ("refuse-chap", false),
    ("refuse-mschap", false),
    ("refuse-pap", false),
    ("remotename", true),
    ("require-mppe-128", false),
    ("require-mschap-v2", false),
    ("user", true),
];

fn page() -> mdoc::Page {
    mdoc::Page::read("pptp-rs.8").expect("man/pptp-rs.8")
}

fn is_real(option: &&OptionSpec) -> bool {
    !matches!(option.kind, Kind::Ignored(_))
}

/// What the body of an option's item ends with.
fn facts(option: &OptionSpec) -> String {
    let default = if option.default.is_empty() { String::new() } else { format!(" Default: {}.", option.default) };
    format!("Value: {}.{default}", option.kind.allowed())
}

#[test]
fn every_option_is_there_with_its_value_its_default_and_who_may_give_it() {
    let items = page().part("OPTIONS").items();
    for option in table().iter().filter(is_real) {
        let names = |item: &&mdoc::Item| item.head.split(' ').next() == Some(option.name);
        let item = items.iter().find(names).unwrap_or_else(|| panic!("{} is not there", option.name));
        assert!(item.body.ends_with(&facts(option)), "{}: not {}, but …{}", option.name, facts(option), item.body);
        assert_eq!(item.body.matches("Default: ").count(), usize::from(!option.default.is_empty()), "{}", option.name);
        assert_eq!(item.head.ends_with(" *"), option.right == Right::Privileged, "{}", item.head);
        assert_eq!(item.head.trim_end_matches(" *").contains(' '), option.takes_value(), "{}", item.head);
    }
}

#[test]
fn every_option_that_is_there_exists_and_they_are_in_order() {
    let items = page().part("OPTIONS").items();
    let there: Vec<_> = items.iter().filter_map(|item| item.head.split(' ').next()).collect();
    let real: Vec<_> = table().iter().filter(is_real).map(|option| option.name).collect();
    assert_eq!(there, real);
}

#[test]
fn the_options_that_are_ignored_are_all_there() {
    let ignored = table().iter().filter_map(|option| match option.kind {
        Kind::Ignored(Shape::LineSpeed) => Some(format!("and a bare {}", option.name)),
        Kind::Ignored(_) => Some(String::from(option.name)),
        _ => None,
    });
    assert!(options::is_speed("115200"));
    let list = format!("do nothing: {}, such as 115200.", ignored.collect::<Vec<_>>().join(", "));
    let text = page().part("Options that are accepted and ignored").text();
    assert!(text.ends_with(&list), "not {list}, but {text}");
}

#[test]
fn the_words_about_mppe_are_all_there() {
    let items = page().part("ENCRYPTION").items();
    let words = |text: &str| text.split(", ").map(String::from).collect::<BTreeSet<_>>();
    let there: BTreeSet<_> = items.iter().flat_map(|item| words(&item.head)).collect();
    let allowed = find("pptp_mppe").map(|option| option.kind.allowed()).unwrap_or_default();
    assert_eq!(there, words(allowed.trim_start_matches("a list of ")));
}

#[test]
fn the_data_paths_are_in_the_order_of_auto() {
    let heads: Vec<_> = page().part("DATA PATHS").items().into_iter().map(|item| item.head).collect();
    let names = options::Path::ALL.map(options::Path::name);
    assert_eq!(heads.get(..names.len()), Some(names.map(String::from).as_slice()));
}

#[test]
fn what_is_quoted_from_the_log_is_said() {
    let said = sources::texts(&["src", "crates/pptp-callmgr/src", "crates/pptp-core/src", "crates/pptp-datapath/src"]);
    let said = said.expect("the sources");
    let items = page().part("DIAGNOSTICS").items();
    assert!(items.len() > 20, "{}", items.len());
    let missing: Vec<_> = items.iter().flat_map(|item| sources::missing(&item.head, &said)).collect();
    assert_eq!(missing, [""; 0]);
}

fn source(name: &str) -> String {
    let path = format!("{}/src/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).expect(&path)
}

#[test]
fn the_variables_of_scripts_are_all_there_and_no_others() {
    let there: Vec<_> = page().part("ENVIRONMENT").items().into_iter().map(|item| item.head).collect();
    let source = source("environment.rs");
    let mut told: Vec<_> = source.split("(c\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut seen = BTreeSet::new();
    told.retain(|name| seen.insert(*name));
    assert_eq!(there, told);
}

/// The names of fields (`name=`), in their order; that of the peer depends on the side.
fn fields(text: &str) -> Vec<&str> {
    let names = text.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0));
    names.map(|name| if name == "{role}" { "server" } else { name }).collect()
}

#[test]
fn the_line_at_the_end_of_a_call_has_the_fields_that_it_has() {
    let shown = page().part("DIAGNOSTICS").literals().concat();
    let source = source("session.rs");
    let (_, line) = source.split_once("\"session ended: ").expect("the line");
    assert_eq!(fields(&shown), fields(line.split('"').next().unwrap_or_default()));
}

/// Takes an option of a file, as pppd does.
fn take(settings: &mut Settings, words: &[&str]) {
    let (name, values) = words.split_first().expect("an option");
    if let Some(option) = find(name) {
        assert_eq!(values.len(), usize::from(option.takes_value()), "{words:?}");
        return option.apply(settings, values.first().unwrap_or(&"")).unwrap_or_else(|error| panic!("{error}"));
    }
    let of_pppd = OF_PPPD.iter().find(|(known, _)| known == name);
    assert_eq!(of_pppd.map(|(_, takes_value)| usize::from(*takes_value)), Some(values.len()), "{words:?}");
}

#[test]
fn the_examples_are_complete_files_of_options() {
    let literals = page().part("EXAMPLES").literals();
    let files: Vec<_> = literals.iter().filter(|text| text.starts_with("# /etc/ppp/peers/")).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let mut settings = Settings::default();
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            take(&mut settings, &line.split_whitespace().collect::<Vec<_>>());
        }
        assert!(matches!(settings.side(), Ok(Side::Client { .. })), "{file}");
        assert!(file.contains("\nplugin pptp-rs.so\n") && file.contains("\nuser "), "{file}");
    }
}

#[test]
fn the_examples_of_the_server_have_options_that_there_are() {
    let page = mdoc::Page::read("pptp-rsd.conf.5").expect("man/pptp-rsd.conf.5");
    let literals = page.part("EXAMPLES").literals();
    let files: Vec<_> = literals.iter().filter(|text| text.starts_with("# /etc/ppp/pptp-rsd-options\n")).collect();
    assert!(files.len() > 1, "{files:?}");
    for line in files.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with('#')) {
        take(&mut Settings::default(), &line.split_whitespace().collect::<Vec<_>>());
    }
}

/// Of other programs, whose names begin as ours do.
const OTHERS: [&str; 3] = ["pptpd.8", "pptpd.conf.5", "pptpsetup.8"];

/// All pages.
fn pages() -> Vec<String> {
    let entries = fs::read_dir(mdoc::folder()).expect("man");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("man").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn mandoc_has_nothing_to_say_about_any_page() {
    assert!(pages().len() > 5, "{:?}", pages());
    for name in pages() {
        let mandoc = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(mdoc::folder().join(&name)).output();
        let output = mandoc.expect("mandoc (apt install mandoc; scripts/setup.sh does)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.is_empty() && output.status.success(), "{name}: {said:?}, {}", output.status);
    }
}

#[test]
fn pages_refer_to_pages_that_exist() {
    let pages = pages();
    for name in &pages {
        let source = fs::read_to_string(mdoc::folder().join(name)).expect(name);
        for line in source.lines().filter_map(|line| line.strip_prefix(".Xr ")) {
            let words: Vec<_> = line.split(' ').collect();
            let [page, section, ..] = words.as_slice() else { panic!("{name}: {line}") };
            let file = format!("{page}.{section}");
            let is_ours = page.starts_with("pptp") && !OTHERS.contains(&file.as_str());
            assert!(!is_ours || pages.contains(&file), "{name}: {line}");
        }
    }
}
