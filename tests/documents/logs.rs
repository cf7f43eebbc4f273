//! docs/troubleshooting.md quotes the log: what it quotes is in the source, and nothing that the source warns of is missing.

use std::fs;

use pptp_testkit::sources;

use crate::pages::{cells, code_spans, page, root};

/// Pieces of a line that are shorter say nothing.
const TELLING: usize = 4;

/// What has to be in the document has so many letters without a value between them; only words of other functions have fewer.
const LINE: usize = 10;

/// All that can be logged is in it, as it is written there.
fn source() -> String {
    let crates =
        fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let logging = crates.filter(|name| !["pptp-testkit", "pptp-native", "pptp-vm"].contains(&name.as_str()));
    let folders: Vec<String> = logging.map(|name| format!("crates/{name}/src")).chain([String::from("src")]).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    sources::code(&folders).unwrap().replace("\\\"", "\"")
}

/// What is between the places of values.
fn pieces(quoted: &str) -> impl Iterator<Item = &str> {
    quoted
        .split('…')
        .map(|piece| piece.trim_matches([' ', ':', ',', '.']))
        .filter(|piece| piece.chars().count() >= TELLING)
}

#[test]
fn what_is_quoted_is_logged() {
    let (source, readme, page) = (source(), page("README.md").text, page("docs/troubleshooting.md").text);
    let (_, short) = readme.split_once("\n## When it does not connect\n").unwrap();
    let (short, _) = short.split_once("\n## ").unwrap();
    let rows = page.lines().chain(short.lines()).filter(|line| line.starts_with("| `"));
    let quoted: Vec<&str> = rows.flat_map(|row| code_spans(cells(row)[0])).collect();
    let unknown: Vec<&&str> = quoted.iter().filter(|line| !pieces(line).all(|piece| source.contains(piece))).collect();
    assert!(quoted.len() > 80 && unknown.is_empty(), "not in the source: {unknown:#?}");
}

#[test]
fn what_pppd_says_it_says() {
    let page = page("docs/troubleshooting.md").text;
    let (_, rest) = page.split_once("<!-- pppd's -->").unwrap();
    let (quoted, _) = rest.split_once("<!-- /pppd's -->").unwrap();
    let pppd = fs::read("/usr/sbin/pppd").expect("pppd is installed");
    for piece in code_spans(quoted).into_iter().flat_map(pieces) {
        assert!(pppd.windows(piece.len()).any(|bytes| bytes == piece.as_bytes()), "pppd does not say: {piece}");
    }
}

#[test]
fn what_is_warned_of_is_explained() {
    let (source, page) = (source(), page("docs/troubleshooting.md").text);
    let missing: Vec<String> = texts(&source).into_iter().filter(|text| !is_explained(&page, text)).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md lacks: {missing:#?}");
}

fn is_explained(page: &str, text: &str) -> bool {
    let longest = literals(text).into_iter().max_by_key(|piece| piece.len()).unwrap_or_default();
    longest.len() < LINE || page.contains(longest.trim_matches([' ', ':', ',', '.']))
}

/// The parts of a format string outside of its braces.
fn literals(text: &str) -> Vec<&str> {
    text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect()
}

/// The format strings of warnings and errors.
fn texts(source: &str) -> Vec<String> {
    const BEFORE: [&str; 8] = [
        "warn!(",
        "error!(",
        "Level::Warn, format!(",
        "Level::Error, format!(",
        "Level::Error, String::from(",
        "Level::Error, &format!(",
        "Level::Error, text: format!(",
        "Stopped::Failed(format!(",
    ];
    let after = BEFORE.into_iter().flat_map(|before| source.split(before).skip(1));
    let texts = after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"').map(|(text, _)| text));
    texts.map(String::from).collect()
}
