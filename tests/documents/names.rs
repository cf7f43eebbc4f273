//! What the text names between backticks, outside of blocks: files and folders of the repository, and targets of make.

use std::path::Path;

use crate::pages::{Page, code_spans, pages, read, root};

/// What a path of the repository begins with.
const FOLDERS: [&str; 9] = ["crates", "docs", "fuzz", "man", "packaging", "scripts", "src", "tests", ".ci"];

/// The first words of what stands between backticks.
fn named(page: &Page) -> Vec<Vec<String>> {
    let prose = page.prose();
    let spans = prose.lines().flat_map(code_spans);
    spans.map(|span| span.split_whitespace().map(String::from).collect()).collect()
}

/// The part of a path that is no pattern (`*`, NAME).
fn fixed(path: &str) -> &str {
    let pattern = path.split('/').find(|part| part.contains('*') || part.chars().all(char::is_uppercase));
    pattern.and_then(|part| path.split_once(part)).map_or(path, |(before, _)| before)
}

#[test]
fn files_that_are_named_are_there() {
    let mut seen = 0;
    for page in pages() {
        for path in named(&page).into_iter().filter_map(|words| words.into_iter().next()) {
            if path.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder)) {
                assert!(root().join(fixed(&path)).exists(), "{}: there is no {path}", page.path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} are named");
}

#[test]
fn targets_of_make_that_are_named_are_there() {
    let makefile = read(Path::new("Makefile"));
    let rules =
        makefile.lines().filter(|line| !line.starts_with(['\t', '#', '.'])).filter_map(|line| line.split_once(':'));
    let targets: Vec<&str> = rules.flat_map(|(targets, _)| targets.split_whitespace()).collect();
    for page in pages() {
        for words in named(&page) {
            let ["make", target, ..] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] else { continue };
            assert!(targets.contains(&target), "{}: there is no make {target}", page.path.display());
        }
    }
}
