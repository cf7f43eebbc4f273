//! docs/rfc-map.md: every section of the two RFCs, and every file and test that it names.

use std::path::Path;

use crate::pages::{cells, code_spans, page, read};

const RFC_2637: &str = "1 1.1 1.2 1.3 1.3.1 1.3.2 1.4 2 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 2.13 2.14 2.15 2.16 \
     3 3.1 3.1.1 3.1.2 3.1.3 3.1.4 3.2 3.2.1 3.2.2 3.2.3 3.2.3.1 3.2.3.2 3.2.4 3.2.4.1 3.2.4.2 \
     4 4.1 4.2 4.2.1 4.2.2 4.2.3 4.2.4 4.2.5 4.3 4.4 4.4.1 4.4.2 5 6 7 8";

const RFC_3078: &str = "1 2 2.1 3 3.1 4 5 6 7 7.1 7.2 7.3 8 8.1 8.2 9 10 11 12 13";

/// The rows of the table below the heading that begins so.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let map = page("docs/rfc-map.md").text;
    let (_, rest) = map.split_once(&format!("\n## {heading}")).unwrap_or_else(|| panic!("no table of {heading}"));
    let table = rest.split_once("\n## ").map_or(rest, |(table, _)| table);
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| cells(row).into_iter().map(String::from).collect()).collect()
}

#[test]
fn no_section_is_left_out() {
    for (heading, sections) in [("RFC 2637", RFC_2637), ("RFC 3078", RFC_3078)] {
        let numbers: Vec<String> = rows(heading).into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(numbers, sections.split_whitespace().collect::<Vec<_>>(), "{heading}");
    }
}

#[test]
fn every_row_has_a_source_and_a_test_or_says_why_not() {
    for heading in ["RFC 2637", "RFC 3078", "RFC 3079", "RFC 2759", "RFC 1662"] {
        for row in rows(heading) {
            let [number, _, source, tests] = row.as_slice() else { panic!("{heading}: {row:?}") };
            let excused =
                ["not applicable: ", "not done", "[security.md]"].iter().any(|words| source.starts_with(words));
            assert!(excused || !code_spans(tests).is_empty(), "{heading} § {number} has no test");
        }
    }
}

/// That the files exist, the test of links sees.
#[test]
fn every_test_that_is_named_exists() {
    let map = page("docs/rfc-map.md").text;
    let cells_of_tests = map.lines().filter(|line| line.starts_with("| ")).filter_map(|row| cells(row).pop());
    let mut named = 0;
    for file in cells_of_tests.flat_map(|cell| cell.split("](../").skip(1)) {
        let (path, rest) = file.split_once(')').unwrap();
        let source = read(Path::new(path));
        for name in code_spans(rest) {
            let is_there = source.contains(&format!("fn {name}(")) || source.contains(&format!("    {name},\n"));
            assert!(is_there, "{path} has no test {name}");
            named += 1;
        }
    }
    assert!(named > 100, "only {named} tests are named");
}
