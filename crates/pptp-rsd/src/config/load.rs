//! From file and command line to a [`Config`], with all that there is to say about it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Config;
use pptp_io::words;

use super::command_line::{Choice, CommandLine, choices};
use super::file::{self, Content, Line};
use super::keywords::{self, Context, Keyword, Kind};
use super::report::{Place, Report, Severity, printable};
use super::surroundings::Surroundings;
use super::values::Wrong;
use crate::pool::{Plan, Remark};

/// A configuration with which the server can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What is set.
    pub config: Config,
    /// What an operator should look at.
    pub warnings: Vec<Report>,
}

/// Longer files are no configurations.
const LONGEST_FILE: u64 = 1 << 20;

impl CommandLine {
    /// Reads the file, and what the command line sets besides.
    ///
    /// As with pptpd, a keyword's first line in the file counts, and the last option on the command line; unlike pptpd's,
    /// the command line wins always (pptpd takes `connections` from the file and never reads `stimeout` there).
    ///
    /// # Errors
    /// There are errors; with them come the warnings, in the order of the file.
    pub fn load(&self, surroundings: &dyn Surroundings) -> Result<Loaded, Vec<Report>> {
        let place = Place::File(self.file().to_owned());
        match read(self.file()) {
            Ok(text) => self.load_text(&text, surroundings),
            // pptpd goes on without its own file, too.
            Err(error) if error.kind() == ErrorKind::NotFound && self.conf.is_none() => {
                let mut draft = Draft::new(self, surroundings);
                draft.reports.push(Report::warning(place, "there is no such file: defaults are used".into()));
                draft.finish()
            }
            Err(error) => Err(vec![Report::error(place, format!("cannot be read: {}", words(&error)))]),
        }
    }

    /// [`Self::load`] with the file's text.
    ///
    /// # Errors
    /// There are errors.
    pub fn load_text(&self, text: &[u8], surroundings: &dyn Surroundings) -> Result<Loaded, Vec<Report>> {
        let mut draft = Draft::new(self, surroundings);
        for line in file::lines(text) {
            draft.take_line(&line);
        }
        draft.finish()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is longer than 1 MiB"));
    }
    Ok(text)
}

/// A configuration in the making.
struct Draft<'a> {
    command_line: &'a CommandLine,
    surroundings: &'a dyn Surroundings,
    config: Config,
    /// Where each keyword was set that was.
    places: BTreeMap<&'static str, Place>,
    reports: Vec<Report>,
}

impl<'a> Draft<'a> {
    fn new(command_line: &'a CommandLine, surroundings: &'a dyn Surroundings) -> Self {
        let config = Config::default();
        Self { command_line, surroundings, config, places: BTreeMap::new(), reports: Vec::new() }
    }

    fn take_line(&mut self, line: &Line<'_>) {
        let place = Place::Line(self.command_line.file().to_owned(), line.number);
        match line.content {
            Content::Binary => self.reports.push(Report::error(place, "there is a zero byte in this line".into())),
            Content::Indented(text) => {
                let text = printable(&String::from_utf8_lossy(text));
                self.warn(place, format!("'{text}' is ignored, because the line begins with a blank"));
            }
            Content::Setting { keyword, value, long } => {
                if long {
                    self.warn(place.clone(), format!("pptpd ignores lines of {} bytes and more", file::LONG_FOR_PPTPD));
                }
                match std::str::from_utf8(keyword).ok().and_then(keywords::find) {
                    Some(keyword) => self.take_setting(keyword, OsStr::from_bytes(value), place),
                    None => self.warn(place, unknown(&String::from_utf8_lossy(keyword))),
                }
            }
        }
    }

    /// A keyword of the file. Its first line counts, as with pptpd.
    fn take_setting(&mut self, keyword: &'static Keyword, value: &OsStr, place: Place) {
        let before = self.places.get(keyword.name);
        if let (Some(before), false) = (before, keyword.kind.adds()) {
            let text = format!("{} is ignored: {before} has set it", keyword.name);
            return self.warn(place, text);
        }
        let mut value = value;
        if matches!(keyword.kind, Kind::Flag(_)) && !value.is_empty() {
            let shown = printable(&value.to_string_lossy());
            let text = format!("{} is on; it takes no value, '{shown}' is ignored", keyword.name);
            self.warn(place.clone(), text);
        }
        if let (Kind::Number { .. } | Kind::Seconds { .. }, Some(number)) = (&keyword.kind, before_comment(value)) {
            value = number;
            let text =
                format!("{}: a comment after a value is ignored; it should have a line of its own", keyword.name);
            self.warn(place.clone(), text);
        }
        self.set(keyword, value, place);
    }

    fn set(&mut self, keyword: &'static Keyword, value: &OsStr, place: Place) {
        let again = self.places.get(keyword.name).is_some_and(|before| same_source(before, &place));
        let context = Context { folder: &self.command_line.folder, surroundings: self.surroundings, again };
        if let Err(wrong) = keyword.kind.set(&mut self.config, value, context) {
            self.reports.push(Report::error(place.clone(), refusal(keyword, &wrong)));
        }
        self.places.insert(keyword.name, place);
    }

    fn finish(mut self) -> Result<Loaded, Vec<Report>> {
        let command_line = self.command_line;
        for (keyword, value) in &command_line.given {
            self.set(keyword, value, Place::CommandLine);
        }
        self.check_files();
        // What is wrong comes first; the rest would be about half a configuration.
        if !self.has_errors() {
            self.check_effects();
            self.check_addresses();
        }
        if self.has_errors() { Err(self.reports) } else { Ok(Loaded { config: self.config, warnings: self.reports }) }
    }

    fn has_errors(&self) -> bool {
        self.reports.iter().any(|report| report.severity == Severity::Error)
    }

    fn check_files(&mut self) {
        let pppd = &self.config.pppd;
        if !self.surroundings.is_program(pppd) {
            let text = format!("ppp: '{}' is no program; allowed: the path of pppd", shown(pppd));
            self.fail("ppp", text);
        }
        if let Some(options) = self.config.option_file.as_deref().filter(|path| !self.surroundings.is_readable(path)) {
            let text = format!("option: '{}' cannot be read; allowed: a file of pppd's options", shown(options));
            self.fail("option", text);
        }
        // sockaddr_un has room for 108 bytes, of which one ends the path.
        if self.config.control_socket.as_os_str().len() > 107 {
            let path = shown(&self.config.control_socket);
            self.fail("control-socket", format!("control-socket: '{path}' is too long; allowed: 107 bytes"));
        }
    }

    fn check_effects(&mut self) {
        self.warn_if_set("bcrelay", String::from("bcrelay is not supported: no broadcasts are relayed"));
    }

    /// What pptpd has to say about its lists of addresses, and what it should.
    fn check_addresses(&mut self) {
        if self.config.delegate {
            return self.check_delegation();
        }
        if self.place("remoteip") == Place::Default {
            let text = "remoteip: not set, clients get pptpd's own 192.168.1.1-100".into();
            self.warn(Place::File(self.command_line.file().to_owned()), text);
        }
        let (plan, most) = (Plan::of(&self.config), self.config.most_calls());
        for remark in plan.remarks() {
            self.remark(*remark, plan.len(), most);
        }
    }

    /// pptpd knows no limit without a list of addresses.
    fn check_delegation(&mut self) {
        if ["connections", "max-sessions"].iter().all(|keyword| !self.places.contains_key(keyword)) {
            let most = self.config.most_calls();
            let text = format!("delegate: at most {most} calls at a time; pptpd sets no limit here, connections does");
            self.warn_if_set("delegate", text);
        }
    }

    fn remark(&mut self, remark: Remark, calls: usize, most: usize) {
        match remark {
            Remark::Duplicate(address) => {
                self.fail("remoteip", format!("remoteip: {address} is in it twice; allowed: different addresses"));
            }
            Remark::RemotesLeftOut => {
                let text =
                    format!("remoteip: only the first {most} addresses are used; {} says how many", self.limit());
                self.warn_if_set("remoteip", text);
            }
            Remark::LocalsLeftOut => {
                let text = format!("localip: only the first {calls} addresses are used");
                self.warn_if_set("localip", text);
            }
            Remark::TooFewRemotes => {
                let text = format!("at most {calls} calls instead of {most}: remoteip has no more addresses");
                self.warn_if_set(self.limit(), text);
            }
            Remark::TooFewLocals => {
                let text = format!("localip: at most {calls} calls: it has no more addresses; one would do for all");
                self.warn(self.place("localip"), text);
            }
            Remark::LocalIsRemote(address) => {
                self.warn(self.place("remoteip"), format!("remoteip: {address} is in localip, too"));
            }
        }
    }

    /// The keyword that says how many calls there may be.
    fn limit(&self) -> &'static str {
        if self.config.max_sessions.is_some() { "max-sessions" } else { "connections" }
    }

    fn place(&self, keyword: &str) -> Place {
        self.places.get(keyword).cloned().unwrap_or(Place::Default)
    }

    fn warn(&mut self, place: Place, text: String) {
        self.reports.push(Report::warning(place, text));
    }

    /// A warning about what somebody wrote; nobody wrote pptpd's own values.
    fn warn_if_set(&mut self, keyword: &str, text: String) {
        if let Some(place) = self.places.get(keyword).cloned() {
            self.warn(place, text);
        }
    }

    fn fail(&mut self, keyword: &str, text: String) {
        self.reports.push(Report::error(self.place(keyword), text));
    }
}

fn same_source(one: &Place, other: &Place) -> bool {
    matches!((one, other), (Place::Line(..), Place::Line(..)) | (Place::CommandLine, Place::CommandLine))
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

fn refusal(keyword: &Keyword, wrong: &Wrong) -> String {
    let (name, allowed) = (keyword.name, keyword.kind.allowed());
    match wrong {
        Wrong::Missing => format!("{name}: a value is missing; allowed: {allowed}"),
        Wrong::NotAllowed(value) => format!("{name}: '{}' is not allowed; allowed: {allowed}", printable(value)),
        Wrong::NoAddress(host) => {
            let host = printable(host);
            format!("{name}: no address of '{host}' is known (names are looked up at the start); allowed: {allowed}")
        }
    }
}

fn unknown(keyword: &str) -> String {
    let shown = printable(keyword);
    let lower = keyword.to_ascii_lowercase();
    let only_option = choices().any(|(name, _, choice)| name == keyword && !matches!(choice, Choice::Set(_)));
    if only_option {
        format!("'{shown}' is ignored: it is an option of the command line")
    } else if keywords::find(&lower).is_some() {
        format!("'{shown}' is ignored: the keyword is '{lower}'")
    } else {
        format!("'{shown}' is ignored: there is no such keyword")
    }
}

/// The number in `100 # comment`, which pptpd reads so.
fn before_comment(value: &OsStr) -> Option<&OsStr> {
    let (number, _) = value.to_str()?.split_once('#')?;
    let trimmed = number.trim_end_matches([' ', '\t']);
    (trimmed.len() < number.len()).then(|| OsStr::new(trimmed))
}
