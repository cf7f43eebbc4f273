//! docs/troubleshooting.md quotes the log: what it quotes is in the source, and nothing that the source warns of is missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{cells, code_spans, page, read, root, sources};

/// Pieces of a line that are shorter say nothing.
const TELLING: usize = 4;

/// What has to be in the document has so many letters without a value between them; only words of other functions have fewer.
const LINE: usize = 10;

/// All that is logged is in these, as it is written there, but with each text on one line and without tests.
fn source() -> String {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !["pptp-testkit", "pptp-native", "pptp-vm"].contains(&name.as_str()) {
            sources(&PathBuf::from("crates").join(name).join("src"), &mut files);
        }
    }
    files.iter().map(|file| without_tests(&joined(&read(file)))).collect()
}

fn without_tests(text: &str) -> String {
    String::from(text.split_once("\n#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code))
}

/// A backslash at the end of a line leaves out the blanks that follow.
fn joined(text: &str) -> String {
    let mut pieces = text.split("\\\n");
    let first = pieces.next().map(String::from);
    let joined = pieces.fold(first.unwrap_or_default(), |all, piece| all + piece.trim_start());
    joined.replace("\\\"", "\"").replace("{{", "{").replace("}}", "}")
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
