//! Names of profiles: names of files that pppd's option `call` takes, and words that need no quotation marks.

use std::fmt;

/// How long a name may be, bytes: with what comes before and after it, it is the name of a file.
const LONGEST: usize = 64;

/// The name of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    /// What the user typed, if it can be a name; else why not.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("'{}' cannot be the name of a profile: {why}", text.escape_debug()));
        if text.is_empty() {
            return wrong("it is empty");
        }
        if text.len() > LONGEST {
            return wrong(&format!("it is longer than {LONGEST} characters"));
        }
        if !text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') {
            return wrong("it has to begin with a letter, a digit or _");
        }
        if !text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter)) {
            return wrong("it may have letters, digits, and . _ - (as in office, home-2)");
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What pppd calls the server (`remotename`), so that it finds this profile's secret; and the link (`linkname`), so that its
    /// pid file can be found.
    pub(crate) fn label(&self) -> String {
        format!("pptp-rs-{}", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_names_of_files() {
        for name in ["office", "a", "home-2", "x.y", "_", "9"] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
        assert_eq!(Name::new("office").unwrap().label(), "pptp-rs-office");
        for name in ["", ".", "..", ".x", "-x", "a/b", "../x", "a b", "a\n", "é", "a*", &"x".repeat(65)] {
            assert!(Name::new(name).is_err(), "{name:?}");
        }
    }
}
