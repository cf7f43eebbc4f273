//! pptpd's command line, read as getopt_long(3) does: `-C5`, `-C 5`, `-fd`, `--connections 5`, `--connections=5`, and long
//! options as short as they are unique.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::keywords::{KEYWORDS, Keyword};
use super::report::printable;

/// What the caller of the program wants.
#[derive(Debug)]
pub enum Request {
    /// The help.
    Help,
    /// The version.
    Version,
    /// To serve, or to hear whether that would work ([`CommandLine::only_check`]).
    Serve(CommandLine),
}

/// The command line of a server, by which the configuration can be read again.
#[derive(Debug)]
pub struct CommandLine {
    /// Relative paths are relative to it, also when the server has gone to another folder.
    pub(super) folder: PathBuf,
    /// The file, if it is not pptpd's own.
    pub(super) conf: Option<PathBuf>,
    pub(super) given: Vec<(&'static Keyword, OsString)>,
    check: bool,
}

/// The command line cannot be understood; as one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command line: {}; see pptp-rsd --help", self.0)
    }
}

impl From<lexopt::Error> for Usage {
    fn from(error: lexopt::Error) -> Self {
        Self(printable(&error.to_string()))
    }
}

/// An option of the command line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    Conf,
    Check,
    Help,
    Version,
    Set(&'static Keyword),
}

/// Options that are no settings, with their letters.
const OTHERS: [(&str, Option<char>, Choice); 4] = [
    ("conf", Some('c'), Choice::Conf),
    ("check", None, Choice::Check),
    ("help", Some('h'), Choice::Help),
    ("version", Some('v'), Choice::Version),
];

/// All options: name, letter, meaning.
pub(super) fn choices() -> impl Iterator<Item = (&'static str, Option<char>, Choice)> {
    let settings = KEYWORDS.iter().map(|keyword| (keyword.name, keyword.short, Choice::Set(keyword)));
    OTHERS.into_iter().chain(settings)
}

impl CommandLine {
    /// Reads the arguments, the program's name apart. Relative paths are relative to `folder`.
    ///
    /// # Errors
    /// An option that does not exist, or whose value is missing or too much. Values are looked at by
    /// [`Self::load`].
    pub fn read(arguments: impl IntoIterator<Item = OsString>, folder: PathBuf) -> Result<Request, Usage> {
        let mut line = Self { folder, conf: None, given: Vec::new(), check: false };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            let choice = match argument {
                lexopt::Arg::Short(letter) => by_letter(letter)?,
                lexopt::Arg::Long(name) => by_name(name)?,
                lexopt::Arg::Value(value) => return Err(unexpected(&value)),
            };
            match choice {
                Choice::Help => return Ok(Request::Help),
                Choice::Version => return Ok(Request::Version),
                Choice::Check => line.check = true,
                Choice::Conf => line.conf = Some(line.folder.join(parser.value()?)),
                Choice::Set(keyword) if keyword.kind.placeholder().is_none() => line.give(keyword, OsString::new()),
                Choice::Set(keyword) => line.give(keyword, parser.value()?),
            }
        }
        Ok(Request::Serve(line))
    }

    /// Whether the configuration is only to be checked.
    pub const fn only_check(&self) -> bool {
        self.check
    }

    /// The file of settings.
    pub fn file(&self) -> &Path {
        self.conf.as_deref().unwrap_or(Path::new(DEFAULT_FILE))
    }

    fn give(&mut self, keyword: &'static Keyword, value: OsString) {
        self.given.push((keyword, value));
    }
}

/// pptpd's own.
pub(super) const DEFAULT_FILE: &str = "/etc/pptpd.conf";

fn unexpected(value: &OsStr) -> Usage {
    Usage(format!("unexpected argument '{}'", printable(&value.to_string_lossy())))
}

fn by_letter(letter: char) -> Result<Choice, Usage> {
    let found = choices().find(|(_, short, _)| *short == Some(letter));
    let unknown = || Usage(format!("unknown option '-{}'", printable(&letter.to_string())));
    found.map(|(_, _, choice)| choice).ok_or_else(unknown)
}

/// The option of this name, or the only one that begins so.
fn by_name(name: &str) -> Result<Choice, Usage> {
    if let Some((_, _, choice)) = choices().find(|(whole, ..)| *whole == name) {
        return Ok(choice);
    }
    let candidates: Vec<_> = choices().filter(|(whole, ..)| whole.starts_with(name)).collect();
    match candidates.as_slice() {
        [(_, _, choice)] => Ok(*choice),
        [] => Err(Usage(format!("unknown option '--{}'", printable(name)))),
        several => {
            let names: Vec<_> = several.iter().map(|(whole, ..)| format!("--{whole}")).collect();
            Err(Usage(format!("'--{}' could be {}", printable(name), names.join(", "))))
        }
    }
}
