//! No command stands in a document that no test runs.

use std::collections::BTreeSet;
use std::path::Path;

use crate::pages::{Page, pages, read};

/// A command, who runs it, and what is found there.
type Run = (&'static str, &'static str, &'static str);

const GUIDES: &str = "crates/pptp-native/tests/quick/guides.rs";

const CI: &str = ".ci/run";

const RUN: &[Run] = &[
    ("make demo", CI, "make demo"),
    ("make lint", CI, "make lint"),
    ("make test", CI, "make test\n"),
    ("make test-long", CI, "make test-long"),
    ("make build", "tests/packages/reproducible.sh", "make build\n"),
    ("make install", "tests/packages/reproducible.sh", "make install DESTDIR="),
    ("make deb", "Makefile", "\tscripts/package.sh all"),
    ("make rpm", "Makefile", "\tscripts/package.sh all"),
    ("cargo test -p pptp-core", "Makefile", "$(CARGO) test --workspace"),
    ("cargo test -p pptp-native --features namespaces --test quick guides", "Makefile", "$(SYSTEM_TESTS) quick"),
    ("cargo test -p pptp-vm --features guests --test quick share", "Makefile", "$(SYSTEM_TESTS) quick"),
    ("FUZZ_TARGETS=framer FUZZ_SECONDS=10 scripts/fuzz.sh", "Makefile", "scripts/fuzz.sh"),
    ("pptp-rs-setup create office --server vpn.example.com --user alice", GUIDES, "\"run: first tunnel\""),
    ("pptp-rs-setup test office", GUIDES, "\"run: first tunnel\""),
    ("pptp-rs-setup start office", GUIDES, "\"run: first tunnel\""),
    ("pptp-rsctl tunnels", GUIDES, "\"run: first tunnel\""),
    ("pppd call office", GUIDES, "call office"),
    ("pptp-rsd --check -c /etc/pptpd.conf", GUIDES, "\"run: pptpd\""),
    ("pptp-rsd -c /etc/pptpd.conf", GUIDES, "\"run: pptpd\""),
    ("pptp-rsd --check -c /etc/pptp-rsd.conf", GUIDES, "\"run: server\""),
    ("pptp-rsd --fg -c /etc/pptp-rsd.conf", GUIDES, "\"run: server\""),
    ("systemctl start pptp-rsd", "tests/vm/guest/systemd.sh", "service start"),
    ("systemctl reload pptp-rsd", "tests/vm/guest/systemd.sh", "systemctl reload pptp-rsd"),
    ("pptp-rsctl sessions", GUIDES, "\"run: operators\""),
    ("pptp-rsctl show 1", GUIDES, "\"run: operators\""),
    ("pptp-rsctl --json stats", GUIDES, "\"run: operators\""),
    ("pptp-rsctl disconnect alice", GUIDES, "\"run: operators\""),
];

/// The lines behind a prompt, of all blocks of a terminal's.
fn commands(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter().filter(|block| block.language == "console");
    let lines = blocks.flat_map(|block| block.lines);
    lines.filter_map(|line| line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")).map(command)).collect()
}

/// Without the comment behind it.
fn command(line: &str) -> String {
    String::from(line.split_once("  #").map_or(line, |(command, _)| command).trim())
}

#[test]
fn every_command_is_run_by_a_test() {
    let shown: BTreeSet<String> = pages().iter().flat_map(commands).collect();
    let known: BTreeSet<String> = RUN.iter().map(|(command, ..)| String::from(*command)).collect();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "nothing is known to run {unknown:#?}");
    let stale: Vec<_> = known.difference(&shown).collect();
    assert!(stale.is_empty(), "no document has {stale:#?}");
}

#[test]
fn who_runs_a_command_has_it() {
    for (command, file, found) in RUN {
        assert!(read(Path::new(file)).contains(found), "{command}: {file} does not have {found}");
    }
}

/// Else a command could hide in one.
#[test]
fn every_block_says_what_it_is() {
    for page in pages() {
        for block in page.blocks() {
            let known = ["console", "text", "toml", "rust"].contains(&block.language.as_str());
            assert!(known, "{}: a block is '{}'", page.path.display(), block.language);
            let prompt = block.language != "console" && block.lines.iter().any(|line| line.starts_with("$ "));
            assert!(!prompt, "{}: a command is in a block that is not a terminal's", page.path.display());
        }
    }
}
