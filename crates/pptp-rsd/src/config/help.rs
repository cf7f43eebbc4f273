//! `--help`, made from the table of settings, and the table for other documents.

use super::command_line::{Choice, DEFAULT_FILE, choices};
use super::keywords::KEYWORDS;

/// The program's name and version.
pub fn version() -> String {
    format!("pptp-rsd v{}", env!("CARGO_PKG_VERSION"))
}

/// All options, one in a line.
pub fn help() -> String {
    let mut help = format!(
        "{}\nUsage: pptp-rsd [options]; all but -c, -h, -v and --check are keywords of the file, too:\n\n",
        version()
    );
    for (name, letter, choice) in choices() {
        let Texts { placeholder, about, default } = texts(choice);
        let letter = letter.map_or_else(|| "    ".into(), |letter| format!("-{letter}, "));
        let option = format!("{letter}--{name} {placeholder}");
        let default = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        help += &format!("  {:<30} {about}{default}\n", option.trim_end());
    }
    help + "\nThe command line overrides the file. Defaults are in brackets.\n"
}

/// What the help tells of an option.
struct Texts {
    placeholder: &'static str,
    about: &'static str,
    default: &'static str,
}

fn texts(choice: Choice) -> Texts {
    let (placeholder, about, default) = match choice {
        Choice::Conf => ("file", "the file of settings", DEFAULT_FILE),
        Choice::Check => ("", "read the settings, say what is wrong with them, and leave", ""),
        Choice::Help => ("", "show this", ""),
        Choice::Version => ("", "show the version", ""),
        Choice::Set(keyword) => (keyword.kind.placeholder().unwrap_or_default(), keyword.about, keyword.default),
    };
    Texts { placeholder, about, default }
}

/// A keyword of the file, as documents tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The keyword.
    pub name: &'static str,
    /// What stands for its value, if it has one.
    pub placeholder: Option<&'static str>,
    /// What its value may be.
    pub allowed: String,
    /// What holds when it is not given, as one could write it, or empty.
    pub default: &'static str,
    /// Whether a change needs a restart of the server.
    pub is_read_once: bool,
}

/// All keywords of the file, which are options of the command line as well, in the order of the help.
pub fn settings() -> impl Iterator<Item = Setting> {
    KEYWORDS.iter().map(|keyword| Setting {
        name: keyword.name,
        placeholder: keyword.kind.placeholder(),
        allowed: keyword.kind.allowed(),
        default: keyword.default,
        is_read_once: keyword.is_read_once(),
    })
}
