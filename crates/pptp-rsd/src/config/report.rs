//! What there is to say about a configuration, as lines for the operator.

use std::fmt;
use std::path::PathBuf;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, the first is 1.
    Line(PathBuf, usize),
    /// A file as a whole.
    File(PathBuf),
    /// The command line.
    CommandLine,
    /// Nobody set it.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{}:{line}", printable(&file.to_string_lossy())),
            Self::File(file) => write!(f, "{}", printable(&file.to_string_lossy())),
            Self::CommandLine => f.write_str("command line"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Whether the server can run in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It runs, but somebody should look.
    Warning,
    /// It does not.
    Error,
}

/// One line about one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether it keeps the server from running.
    pub severity: Severity,
    /// What the line is about.
    pub place: Place,
    /// What is wrong, and what is allowed.
    pub text: String,
}

impl Report {
    pub(crate) fn warning(place: Place, text: String) -> Self {
        Self { severity: Severity::Warning, place, text }
    }

    pub(crate) fn error(place: Place, text: String) -> Self {
        Self { severity: Severity::Error, place, text }
    }
}

/// One line, without control characters: `/etc/pptpd.conf:7: connections: '0' is not allowed; allowed: …`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Warning => "warning: ",
            Severity::Error => "",
        };
        write!(f, "{}: {kind}{}", self.place, self.text)
    }
}

/// The text without what could end a line or move a cursor, and not longer than a line of a log should be.
pub(crate) fn printable(text: &str) -> String {
    const MOST: usize = 200;
    let mut shown = String::new();
    for character in text.chars().take(MOST) {
        match character {
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
