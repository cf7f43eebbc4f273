//! What the shared object exports, and what it needs of the pppd that loads it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod fake_host;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fake_host::{output_of, plugin};

/// The dynamic symbols of a file, each with its type letter in front of it.
fn symbols(file: &Path, which: &str) -> Vec<(String, String)> {
    let listing = output_of("nm", &[OsStr::new("-D"), OsStr::new(which), file.as_os_str()]);
    let symbol = |line: &str| {
        let mut words = line.split_whitespace().rev();
        let name = words.next()?.split('@').next()?.to_owned();
        Some((words.next()?.to_owned(), name))
    };
    listing.lines().filter_map(symbol).collect()
}

fn names(symbols: Vec<(String, String)>) -> BTreeSet<String> {
    symbols.into_iter().map(|(_, name)| name).collect()
}

/// The pppd that belongs to the headers that the plugin was built with: the machine's, or that of the same tree.
fn installed_pppd() -> PathBuf {
    let headers = std::fs::canonicalize(Path::new(env!("PPPD_HEADERS")).join("pppd")).unwrap();
    // ROOT/usr/include/pppd
    let root = headers.ancestors().nth(3).unwrap();
    let pppd = root.join("usr/sbin/pppd");
    assert!(pppd.is_file(), "pppd is not installed: there is no {}", pppd.display());
    pppd
}

/// The libraries that the plugin asks the loader for.
fn libraries() -> Vec<PathBuf> {
    let listing = output_of("ldd", &[plugin().as_os_str()]);
    let paths = listing.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).filter(|path| path.is_file()).collect()
}

#[test]
fn exactly_two_symbols_are_exported() {
    let exported = names(symbols(plugin(), "--defined-only"));
    assert_eq!(exported, BTreeSet::from(["plugin_init", "pppd_version"].map(String::from)));
}

/// pppd is linked with BIND_NOW and loads plugins with RTLD_NOW: one symbol that it has not, and the plugin is refused.
#[test]
fn every_needed_symbol_is_in_pppd_or_in_a_library() {
    let pppd = installed_pppd();
    let mut there = names(symbols(&pppd, "--defined-only"));
    for library in libraries() {
        there.extend(names(symbols(&library, "--defined-only")));
    }
    let needed = symbols(plugin(), "--undefined-only").into_iter().filter(|(kind, _)| kind == "U");
    let needed: BTreeSet<String> = needed.map(|(_, name)| name).collect();
    assert!(needed.contains("the_channel") && needed.contains("asked_to_quit"), "{needed:?}");
    let missing: Vec<_> = needed.difference(&there).collect();
    assert!(missing.is_empty(), "{} does not export {missing:?}", pppd.display());
}

/// The C library has functions of the same name as pppd's `warn` and `error`; the loader takes pppd's, which come first.
#[test]
fn pppd_exports_the_log_functions_that_the_c_library_has_too() {
    let there = names(symbols(&installed_pppd(), "--defined-only"));
    for name in ["dbglog", "info", "notice", "warn", "error"] {
        assert!(there.contains(name), "{name}");
    }
}
