//! The command line: one table of commands and one of options, of which the help is made, too.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use crate::name::Name;
use crate::profile::{DATAPATHS, DefaultRoute, Encryption, PLUGIN, Profile, check_server, full_user};

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    List,
    Show,
    Delete,
    Test,
    Start,
    Stop,
}

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    /// Whether it is about one profile.
    pub(crate) takes_name: bool,
    pub(crate) about: &'static str,
}

/// All commands.
pub(crate) const COMMANDS: [Command; 7] = [
    command("create", Verb::Create, true, "make a profile, and keep its password in /etc/ppp/chap-secrets"),
    command("list", Verb::List, false, "all profiles that name a PPTP server, and whether they are up"),
    command("show", Verb::Show, true, "what a profile says; never its password"),
    command("delete", Verb::Delete, true, "remove what create has made"),
    command("test", Verb::Test, true, "go through all layers of the connection, and say which fails and what to do"),
    command("start", Verb::Start, true, "connect, and return when the tunnel is up"),
    command("stop", Verb::Stop, true, "disconnect"),
];

const fn command(name: &'static str, verb: Verb, takes_name: bool, about: &'static str) -> Command {
    Command { name, verb, takes_name, about }
}

/// What an option is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Server,
    User,
    Domain,
    PasswordFile,
    Password,
    Encrypt,
    NoEncrypt,
    Datapath,
    DefaultRoute,
    Start,
    Force,
    Plugin,
    Root,
    Timeout,
    /// pptpsetup's way to give a command.
    Verb(Verb),
    Help,
    Version,
}

/// An option.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) letter: Option<char>,
    /// What its value is called, if it has one.
    pub(crate) value: Option<&'static str>,
    pub(crate) about: &'static str,
    meaning: Meaning,
    /// The commands that it goes with; none: it stands alone.
    pub(crate) verbs: &'static [Verb],
}

const CREATE: &[Verb] = &[Verb::Create];
const TEST: &[Verb] = &[Verb::Test];
const FILES: &[Verb] = &[Verb::Create, Verb::List, Verb::Show, Verb::Delete];

/// All options.
pub(crate) const CHOICES: [Choice; 19] = [
    choice(("server", Some('s')), Some("HOST"), "the server's name or IPv4 address", Meaning::Server, CREATE),
    choice(("user", Some('u')), Some("USER"), "the user's name; --username is the same", Meaning::User, CREATE),
    choice(("username", None), Some("USER"), "", Meaning::User, CREATE),
    choice(("domain", Some('d')), Some("DOMAIN"), "what goes before the user's name", Meaning::Domain, CREATE),
    choice(("password-file", None), Some("FILE"), FROM_FILE, Meaning::PasswordFile, CREATE),
    choice(("password", Some('p')), Some("WORD"), "refused: others can read it", Meaning::Password, CREATE),
    choice(
        ("encrypt", Some('e')),
        None,
        "encryption (MPPE, 128 bits) or no tunnel: the default of create NAME",
        Meaning::Encrypt,
        CREATE,
    ),
    choice(("no-encrypt", None), None, "no encryption", Meaning::NoEncrypt, CREATE),
    choice(("datapath", None), Some("PATH"), CARRIERS, Meaning::Datapath, CREATE),
    choice(
        ("default-route", None),
        None,
        "send everything through the tunnel, if there is no default route yet",
        Meaning::DefaultRoute,
        CREATE,
    ),
    choice(("start", None), None, "connect at once", Meaning::Start, CREATE),
    choice(("force", None), None, "replace a profile that is there", Meaning::Force, CREATE),
    choice(("plugin", None), Some("FILE"), "the plugin, in place of pppd's own pptp-rs.so", Meaning::Plugin, CREATE),
    choice(("root", None), Some("DIR"), ROOT, Meaning::Root, FILES),
    choice(("timeout", None), Some("SECONDS"), LIMIT, Meaning::Timeout, TEST),
    choice(("create", Some('c')), Some("NAME"), AS_PPTPSETUP, Meaning::Verb(Verb::Create), &[]),
    choice(("delete", None), Some("NAME"), "the same as delete NAME", Meaning::Verb(Verb::Delete), &[]),
    choice(("help", Some('h')), None, "show this", Meaning::Help, &[]),
    choice(("version", Some('v')), None, "show the version", Meaning::Version, &[]),
];

const FROM_FILE: &str = "the password is this file's first line; without a file it is asked for, or is the first line of standard input \
     where that is no terminal";
const CARRIERS: &str = "what carries the packets: auto (the default), kernel, tun or pty";
const LIMIT: &str = "how long pppd may take: 1 to 600, usually 60; what is tried before takes 10 each at most";
const AS_PPTPSETUP: &str = "as create NAME, but, as with pptpsetup, there is no encryption without --encrypt";
const ROOT: &str = "the files are below this directory, as for an image; not with --start";

const fn choice(
    (name, letter): (&'static str, Option<char>),
    value: Option<&'static str>,
    about: &'static str,
    meaning: Meaning,
    verbs: &'static [Verb],
) -> Choice {
    Choice { name, letter, value, about, meaning, verbs }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Help,
    Version,
    Create(Create),
    List { root: PathBuf },
    Show { root: PathBuf, name: Name },
    Delete { root: PathBuf, name: Name },
    Test { name: Name, limit: Duration },
    Start(Name),
    Stop(Name),
}

/// A profile to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) root: PathBuf,
    pub(crate) profile: Profile,
    /// `None`: the terminal or standard input.
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) start: Start,
    pub(crate) existing: Existing,
}

/// Whether to connect as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    Later,
}

/// What becomes of a profile that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Kept,
    Replaced,
}

/// How long a test's pppd may take.
const USUAL_LIMIT: Duration = Duration::from_secs(60);

/// Whose way to give a command was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// A word: `create NAME`.
    #[default]
    Word,
    /// An option: `--create NAME`.
    Pptpsetup,
}

/// What was given, in order.
#[derive(Default)]
struct Given {
    verb: Option<Verb>,
    form: Form,
    name: Option<OsString>,
    options: Vec<(&'static Choice, OsString)>,
}

/// Reads the arguments, the program's name apart.
///
/// # Errors
/// What is wrong with them, in words.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish, String> {
    let mut given = Given::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    let wrong = |error: lexopt::Error| error.to_string().escape_debug().to_string().replace("\\'", "'");
    while let Some(argument) = parser.next().map_err(wrong)? {
        let choice = match argument {
            lexopt::Arg::Short(letter) => by_letter(letter)?,
            lexopt::Arg::Long(name) => by_name(name)?,
            lexopt::Arg::Value(word) => {
                given.take_word(word)?;
                continue;
            }
        };
        match choice.meaning {
            Meaning::Help => return Ok(Wish::Help),
            Meaning::Version => return Ok(Wish::Version),
            Meaning::Password => return Err(PASSWORD_IS_PUBLIC.into()),
            Meaning::Verb(verb) => given.take_verb(verb, parser.value().map_err(wrong)?)?,
            _ if choice.value.is_some() => given.options.push((choice, parser.value().map_err(wrong)?)),
            _ => given.options.push((choice, OsString::new())),
        }
    }
    given.wish()
}

const PASSWORD_IS_PUBLIC: &str = "--password is refused: everybody on this machine may read it in the list of processes, and it stays \
     in the shell's history. Leave it out to be asked, or use --password-file FILE, or give it on standard input. Change a \
     password that has been on a command line";

fn by_letter(letter: char) -> Result<&'static Choice, String> {
    let found = CHOICES.iter().find(|choice| choice.letter == Some(letter));
    found.ok_or_else(|| format!("unknown option '-{}'", letter.escape_debug()))
}

/// The option of this name, or the only one that begins so: getopt's way, which pptpsetup has.
fn by_name(name: &str) -> Result<&'static Choice, String> {
    if let Some(choice) = CHOICES.iter().find(|choice| choice.name == name) {
        return Ok(choice);
    }
    let candidates: Vec<_> = CHOICES.iter().filter(|choice| choice.name.starts_with(name)).collect();
    match candidates.as_slice() {
        [choice] => Ok(choice),
        [] => Err(format!("unknown option '--{}'", name.escape_debug())),
        several => {
            let names: Vec<_> = several.iter().map(|choice| format!("--{}", choice.name)).collect();
            Err(format!("'--{name}' could be {}", names.join(", ")))
        }
    }
}

impl Given {
    fn take_word(&mut self, word: OsString) -> Result<(), String> {
        if self.verb.is_none() {
            let command = COMMANDS.iter().find(|command| word == command.name);
            self.verb = Some(command.ok_or_else(|| format!("there is no command {}", shown(&word)))?.verb);
            return Ok(());
        }
        match self.name.replace(word) {
            None => Ok(()),
            Some(before) => Err(format!("one name is enough, and there is {}, too", shown(&before))),
        }
    }

    fn take_verb(&mut self, verb: Verb, name: OsString) -> Result<(), String> {
        if self.verb.replace(verb).is_some() || self.name.replace(name).is_some() {
            return Err("two commands at once".into());
        }
        self.form = Form::Pptpsetup;
        Ok(())
    }

    fn wish(self) -> Result<Wish, String> {
        let Some(command) = self.verb.and_then(|verb| COMMANDS.iter().find(|command| command.verb == verb)) else {
            let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
            return Err(format!("a command is missing: {}", names.join(", ")));
        };
        if let Some((choice, _)) = self.options.iter().find(|(choice, _)| !choice.verbs.contains(&command.verb)) {
            return Err(format!("--{} does not go with {}", choice.name, command.name));
        }
        let root = self.last(Meaning::Root).map_or_else(|| PathBuf::from("/"), PathBuf::from);
        if command.verb == Verb::List {
            return match &self.name {
                None => Ok(Wish::List { root }),
                Some(name) => Err(format!("list takes no name, and there is {}", shown(name))),
            };
        }
        let name = Name::new(&text(self.name.as_deref().ok_or_else(|| format!("{} needs a name", command.name))?)?)?;
        Ok(match command.verb {
            Verb::Create => Wish::Create(self.create(root, name)?),
            Verb::List => Wish::List { root },
            Verb::Show => Wish::Show { root, name },
            Verb::Delete => Wish::Delete { root, name },
            Verb::Test => Wish::Test { name, limit: self.limit()? },
            Verb::Start => Wish::Start(name),
            Verb::Stop => Wish::Stop(name),
        })
    }

    fn create(&self, root: PathBuf, name: Name) -> Result<Create, String> {
        let needed = |meaning, option: &str| self.text(meaning)?.ok_or_else(|| format!("create needs --{option}"));
        let server = needed(Meaning::Server, "server HOST")?;
        check_server(&server)?;
        let user = full_user(&needed(Meaning::User, "user USER")?, self.text(Meaning::Domain)?.as_deref())?;
        let datapath = self.text(Meaning::Datapath)?.unwrap_or_else(|| "auto".into());
        if !DATAPATHS.contains(&datapath.as_str()) {
            return Err(format!("'{}' is no data path: {}", datapath.escape_debug(), DATAPATHS.join(", ")));
        }
        let encryption = self.encryption()?;
        let plugin = self.text(Meaning::Plugin)?.unwrap_or_else(|| PLUGIN.into());
        let default_route =
            if self.has(Meaning::DefaultRoute) { DefaultRoute::Tunnel } else { DefaultRoute::Untouched };
        let start = if self.has(Meaning::Start) { Start::Now } else { Start::Later };
        if start == Start::Now && self.has(Meaning::Root) {
            return Err("--start needs the files where pppd reads them: not with --root".into());
        }
        Ok(Create {
            root,
            profile: Profile { name, server, user, encryption, datapath, default_route, plugin },
            password_file: self.last(Meaning::PasswordFile).filter(|file| *file != "-").map(PathBuf::from),
            start,
            existing: if self.has(Meaning::Force) { Existing::Replaced } else { Existing::Kept },
        })
    }

    fn encryption(&self) -> Result<Encryption, String> {
        match (self.has(Meaning::Encrypt), self.has(Meaning::NoEncrypt)) {
            (true, true) => Err("--encrypt and --no-encrypt at once".into()),
            (_, true) => Ok(Encryption::Off),
            (false, false) if self.form == Form::Pptpsetup => Ok(Encryption::NotDemanded),
            _ => Ok(Encryption::Required),
        }
    }

    fn limit(&self) -> Result<Duration, String> {
        let Some(seconds) = self.text(Meaning::Timeout)? else { return Ok(USUAL_LIMIT) };
        match seconds.parse() {
            Ok(number @ 1..=600) => Ok(Duration::from_secs(number)),
            _ => Err(format!("--timeout: '{}' is not a number from 1 to 600", seconds.escape_debug())),
        }
    }

    fn has(&self, meaning: Meaning) -> bool {
        self.last(meaning).is_some()
    }

    /// The value of an option that was given; of several, the last.
    fn last(&self, meaning: Meaning) -> Option<&OsStr> {
        let mut found = self.options.iter().rev().filter(|(choice, _)| choice.meaning == meaning);
        found.next().map(|(_, value)| value.as_os_str())
    }

    fn text(&self, meaning: Meaning) -> Result<Option<String>, String> {
        self.last(meaning).map(text).transpose()
    }
}

fn text(value: &OsStr) -> Result<String, String> {
    value.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no text (UTF-8)", shown(value)))
}

fn shown(value: &OsStr) -> String {
    format!("'{}'", value.to_string_lossy().escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str) -> Result<Wish, String> {
        read(line.split_whitespace().map(OsString::from))
    }

    fn created(line: &str) -> Create {
        match wish(line) {
            Ok(Wish::Create(create)) => create,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_ways_to_create_are_the_same() {
        let ours = created("create office --server h --user alice --domain CORP --encrypt --start");
        for theirs in [
            "--create office --server h --domain CORP --username alice --encrypt --start",
            "-c office -s h -d CORP -u alice -e --start",
            "--server=h --usern alice --dom CORP --enc --star --crea office",
        ] {
            assert_eq!(created(theirs), ours, "{theirs}");
        }
        assert_eq!(ours.profile.user, "CORP\\alice");
        assert_eq!((ours.start, ours.existing), (Start::Now, Existing::Kept));
        assert_eq!(ours.profile.encryption, Encryption::Required);
        assert_eq!(created("create office -s h -u alice").profile.encryption, Encryption::Required);
        assert_eq!(created("create office -s h -u alice --no-encrypt").profile.encryption, Encryption::Off);
    }

    #[test]
    fn pptpsetup_s_form_demands_encryption_when_it_is_asked_to() {
        let encryption = |line: &str| created(&format!("{line} --server h --username alice")).profile.encryption;
        assert_eq!(encryption("--create office"), Encryption::NotDemanded);
        assert_eq!(encryption("-c office"), Encryption::NotDemanded);
        assert_eq!(encryption("--create office --encrypt"), Encryption::Required);
        assert_eq!(encryption("--create office --no-encrypt"), Encryption::Off);
        assert_eq!(encryption("create office"), Encryption::Required);
    }

    #[test]
    fn other_commands_take_a_name() {
        let name = Name::new("office").unwrap();
        let root = PathBuf::from("/");
        assert_eq!(wish("delete office"), wish("--delete office"));
        assert_eq!(wish("show office"), Ok(Wish::Show { root: root.clone(), name: name.clone() }));
        assert_eq!(wish("start office"), Ok(Wish::Start(name.clone())));
        assert_eq!(wish("test office --timeout 5"), Ok(Wish::Test { name, limit: Duration::from_secs(5) }));
        assert_eq!(wish("list"), Ok(Wish::List { root }));
        assert_eq!(wish("list --root /x"), Ok(Wish::List { root: "/x".into() }));
        assert_eq!((wish("-h"), wish("create --version")), (Ok(Wish::Help), Ok(Wish::Version)));
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_repeated() {
        for line in
            ["--create x -s h -u a --password hush", "create x -p hush", "create x --password=hush", "create x -phush"]
        {
            let error = wish(line).unwrap_err();
            assert!(error.contains("--password-file") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        let wrong = |line: &str, part: &str| {
            let error = wish(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        };
        wrong("", "a command is missing: create, list");
        wrong("frobnicate", "there is no command 'frobnicate'");
        wrong("--frobnicate", "unknown option '--frobnicate'");
        wrong("-x", "unknown option '-x'");
        wrong("--d x", "'--d' could be --domain, --datapath, --default-route, --delete");
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let wrong = |line: &str, part: &str| {
            let error = wish(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        };
        wrong("create office --user a", "create needs --server HOST");
        wrong("create office --server h", "create needs --user USER");
        wrong("create --server h --user a", "create needs a name");
        wrong("create ../x --server h --user a", "cannot be the name of a profile");
        wrong("create x y", "one name is enough");
        wrong("create x --delete y", "two commands at once");
        wrong("create x --server a:1 --user a", "'a:1' is not a server");
        wrong("create x --server h --user a --datapath warp", "'warp' is no data path");
        wrong("create x --server h --user a --encrypt --no-encrypt", "at once");
        wrong("create x --server h --user a --start --root /x", "--root");
        wrong("create x --server h --user a --timeout 3", "--timeout does not go with create");
        wrong("start x --root /x", "--root does not go with start");
        wrong("list x", "list takes no name");
        wrong("test x --timeout 0", "not a number from 1 to 600");
    }

    #[test]
    fn the_table_has_every_name_and_letter_once() {
        for (index, choice) in CHOICES.iter().enumerate() {
            let others = CHOICES.iter().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in others {
                assert!(choice.name != other.name);
                assert!(choice.letter.is_none() || choice.letter != other.letter);
            }
        }
    }
}
