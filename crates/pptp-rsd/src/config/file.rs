//! pptpd.conf, line by line, as pptpd reads it.
//!
//! A line is a keyword, blanks and a value that goes on to the end of the line, blanks at the end apart. A keyword begins
//! the line. There are no quotes and no continuation lines, and `#` begins a comment only at the beginning of a line.

/// pptpd leaves lines of this many bytes and more out.
pub(super) const LONG_FOR_PPTPD: usize = 510;

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The first line is 1.
    pub(super) number: usize,
    pub(super) content: Content<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Setting {
        keyword: &'a [u8],
        /// Empty if there is none.
        value: &'a [u8],
        /// Longer than pptpd would have read it.
        long: bool,
    },
    /// It begins with a blank: pptpd leaves it out, and so do we.
    Indented(&'a [u8]),
    /// It holds a byte that is 0: this is no text.
    Binary,
}

/// All lines that are neither empty nor comments.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .filter_map(|(index, line)| content(line).map(|content| Line { number: index + 1, content }))
}

fn content(line: &[u8]) -> Option<Content<'_>> {
    let long = line.len() >= LONG_FOR_PPTPD;
    // Files that were written on Windows end their lines in CR LF.
    let line = trim_end(line.strip_suffix(b"\r").unwrap_or(line));
    let begin = line.trim_ascii_start();
    if begin.is_empty() || begin.starts_with(b"#") {
        return None;
    }
    if line.contains(&0) {
        return Some(Content::Binary);
    }
    if line.first().is_some_and(is_blank) {
        return Some(Content::Indented(begin));
    }
    let (keyword, rest) = line.split_at(line.iter().position(is_blank).unwrap_or(line.len()));
    let value = rest.split_at(rest.iter().position(|byte| !is_blank(byte)).unwrap_or(rest.len())).1;
    Some(Content::Setting { keyword, value, long })
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., last] = line {
        if !is_blank(last) {
            break;
        }
        line = rest;
    }
    line
}
