//! A client's profile: what the file /etc/ppp/peers/NAME says.

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::name::Name;
use crate::secrets;
use crate::words::{Words, quote_text};

/// The first line of a file that this program made; nothing else may be removed by it.
const MADE_HERE: &str = "# Made by pptp-rs-setup";

/// The plugin, where pppd looks for plugins.
pub(crate) const PLUGIN: &str = "pptp-rs.so";

/// Longest name of a user that pppd takes, bytes.
const LONGEST_USER: usize = 255;

/// What carries the packets, as the plugin's option `pptp_datapath` has it.
pub(crate) const DATAPATHS: [&str; 4] = ["auto", "kernel", "tun", "pty"];

/// Whether the tunnel is to be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// MPPE with 128 bits, or no tunnel.
    Required,
    /// What pppd does by itself, as in a file of pptpsetup's: none, unless its own options ask for it.
    NotDemanded,
    /// None.
    Off,
}

/// Whether everything goes through the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultRoute {
    /// It does.
    Tunnel,
    /// Only what has the far end's address; other routes are the user's own.
    Untouched,
}

/// A profile that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: Name,
    /// A host name or an IPv4 address.
    pub(crate) server: String,
    /// As the server is told, the domain before it.
    pub(crate) user: String,
    pub(crate) encryption: Encryption,
    /// One of [`DATAPATHS`].
    pub(crate) datapath: String,
    pub(crate) default_route: DefaultRoute,
    /// The plugin's file.
    pub(crate) plugin: String,
}

impl Profile {
    /// The text of its file.
    pub(crate) fn text(&self) -> String {
        let Self { name, server, plugin, .. } = self;
        let mut text = format!("{MADE_HERE}; \"pptp-rs-setup delete {name}\" removes it.\n");
        let label = name.label();
        for line in [
            format!("plugin {}", word(plugin)),
            format!("pptp_server {server}"),
            format!("user {}", quote_text(self.user.as_bytes())),
            format!("remotename {label}"),
            format!("linkname {label}"),
            format!("ipparam {name}"),
        ] {
            let _ = writeln!(text, "{line}");
        }
        if self.datapath != "auto" {
            let _ = writeln!(text, "pptp_datapath {}", self.datapath);
        }
        for option in self.fixed_options() {
            let _ = writeln!(text, "{option}");
        }
        text
    }

    fn fixed_options(&self) -> Vec<&'static str> {
        // The server has no name and no secret of its own. The password never goes out in clear (PAP), and only the newest of the
        // methods by MS-CHAP has keys for encryption in both directions.
        let mut options = vec!["noauth", "refuse-eap", "refuse-pap"];
        options.extend(match self.encryption {
            Encryption::Required => ["refuse-chap", "refuse-mschap", "require-mppe-128"].as_slice(),
            Encryption::NotDemanded => &[],
            Encryption::Off => &["nomppe"],
        });
        options.push(match self.default_route {
            DefaultRoute::Tunnel => "defaultroute",
            DefaultRoute::Untouched => "nodefaultroute",
        });
        // The server says which addresses; a tunnel whose other end is gone ends; nothing is compressed.
        options.extend(["noipdefault", "lcp-echo-interval 30", "lcp-echo-failure 4", "nobsdcomp", "nodeflate"]);
        options
    }
}

/// A word that needs no quotation marks, as it is; another with them.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-/+".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quote_text(text.as_bytes()) }
}

/// The name or address of a server, if it can be one.
///
/// # Errors
/// Why it cannot, in words.
pub(crate) fn check_server(text: &str) -> Result<(), String> {
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    match text {
        "" => Err("the server's name is empty".into()),
        _ if text.len() > 253 => Err("the server's name is too long".into()),
        _ if text.contains(':') => Err(format!(
            "'{}' is not a server: PPTP has no IPv6, and a port goes into the file as pptp_port",
            text.escape_debug()
        )),
        _ if text.starts_with('-') || !text.chars().all(is_host) => {
            Err(format!("'{}' is neither a host name nor an IPv4 address", text.escape_debug()))
        }
        _ => Ok(()),
    }
}

/// What the server is told: `DOMAIN\USER`, or the user alone.
///
/// # Errors
/// pppd cannot take it, in words.
pub(crate) fn full_user(user: &str, domain: Option<&str>) -> Result<String, String> {
    let whole = match domain {
        Some(domain) if !domain.is_empty() => format!("{domain}\\{user}"),
        _ => user.to_owned(),
    };
    match user {
        "" => Err("the user's name is empty".into()),
        // In chap-secrets that is everybody.
        "*" => Err("'*' cannot be a user: in chap-secrets it means everybody".into()),
        _ if whole.contains('\0') => Err("a user's name cannot have a NUL in it".into()),
        _ if whole.len() > LONGEST_USER => {
            Err(format!("the user's name is too long for pppd: {} bytes, {LONGEST_USER} fit", whole.len()))
        }
        _ => Ok(whole),
    }
}

/// What a file in /etc/ppp/peers says, whoever wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) made_here: bool,
    pub(crate) plugin: Option<String>,
    pub(crate) server: Option<String>,
    /// The bytes as pppd has them: not all are text.
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) remote_name: Option<Vec<u8>>,
    pub(crate) link_name: Option<String>,
    pub(crate) datapath: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) bind: Option<String>,
    pub(crate) mark: Option<String>,
    /// A password is in the file itself.
    pub(crate) has_password: bool,
    /// MPPE, or no tunnel.
    pub(crate) requires_encryption: bool,
    pub(crate) default_route: bool,
}

impl Summary {
    /// Reads the text of a file; what it includes (`file`, `call`) is not looked at.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut summary = Self { made_here: text.starts_with(MADE_HERE.as_bytes()), ..Self::default() };
        let mut words = Words::new(text).map(|word| word.bytes);
        while let Some(option) = words.next() {
            summary.take(&option, &mut words);
        }
        summary
    }

    /// Takes an option, and its value from what follows.
    fn take(&mut self, option: &[u8], words: &mut impl Iterator<Item = Zeroizing<Vec<u8>>>) {
        let mut bytes = || words.next().map(|bytes| bytes.to_vec());
        let mut text = || bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match option {
            b"plugin" => self.plugin = text(),
            b"pptp_server" => self.server = text(),
            b"user" => self.user = bytes(),
            // pppd's name for itself is the user's unless that is given.
            b"name" => {
                let name = bytes();
                self.user = self.user.take().or(name);
            }
            b"remotename" => self.remote_name = bytes(),
            b"password" => self.has_password = words.next().is_some(),
            b"linkname" => self.link_name = text(),
            b"pptp_datapath" => self.datapath = text(),
            b"pptp_port" => self.port = text(),
            b"pptp_bind" => self.bind = text(),
            b"pptp_mark" => self.mark = text(),
            b"pptp_mppe" | b"mppe" => self.requires_encryption = text().is_some_and(|list| demands(&list)),
            b"require-mppe" | b"require-mppe-40" | b"require-mppe-128" => self.requires_encryption = true,
            b"defaultroute" => self.default_route = true,
            // Their values are no options.
            b"ipparam" | b"pptp_phone" | b"ifname" | b"logfile" | b"file" | b"call" | b"set" => {
                let _ = words.next();
            }
            _ => {}
        }
    }

    /// The password that pppd finds in this text of chap-secrets.
    pub(crate) fn secret(&self, secrets: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        secrets::find(secrets, self.user.as_deref()?, self.remote_name.as_deref().unwrap_or_default())
    }

    /// The user as text.
    pub(crate) fn user_text(&self) -> String {
        self.user.as_deref().map(printable).unwrap_or_default()
    }
}

/// Whether a list of the plugin's option `pptp_mppe` lets no tunnel be in clear.
fn demands(list: &str) -> bool {
    !list.split(',').any(|word| matches!(word.trim(), "optional" | "deny"))
}

/// Bytes for people: control characters escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|letter| if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            name: Name::new("office").unwrap(),
            server: "vpn.example.com".into(),
            user: full_user("alice", Some("CORP")).unwrap(),
            encryption: Encryption::Required,
            datapath: "auto".into(),
            default_route: DefaultRoute::Untouched,
            plugin: PLUGIN.into(),
        }
    }

    #[test]
    fn a_profile_demands_encryption_and_leaves_routes_alone() {
        let expected = "\
# Made by pptp-rs-setup; \"pptp-rs-setup delete office\" removes it.
plugin pptp-rs.so
pptp_server vpn.example.com
user \"CORP\\\\alice\"
remotename pptp-rs-office
linkname pptp-rs-office
ipparam office
noauth
refuse-eap
refuse-pap
refuse-chap
refuse-mschap
require-mppe-128
nodefaultroute
noipdefault
lcp-echo-interval 30
lcp-echo-failure 4
nobsdcomp
nodeflate
";
        assert_eq!(profile().text(), expected);
    }

    #[test]
    fn what_is_not_the_default_is_in_the_file() {
        let profile = Profile {
            encryption: Encryption::Off,
            datapath: "tun".into(),
            default_route: DefaultRoute::Tunnel,
            plugin: "/opt/a b/x.so".into(),
            ..profile()
        };
        let text = profile.text();
        let has = |line: &str| text.lines().any(|its| its == line);
        assert!(has("plugin \"/opt/a b/x.so\"") && has("pptp_datapath tun") && has("defaultroute") && has("nomppe"));
        assert!(!has("nodefaultroute") && !has("require-mppe-128") && !has("refuse-chap"));
        assert!(has("refuse-pap"));
    }

    #[test]
    fn encryption_that_is_not_demanded_is_not_spoken_of_and_the_password_is_never_in_clear() {
        let text = Profile { encryption: Encryption::NotDemanded, ..profile() }.text();
        assert!(!text.contains("mppe") && !text.contains("refuse-chap") && !text.contains("refuse-mschap"), "{text}");
        assert!(text.lines().any(|line| line == "refuse-pap") && !Summary::read(text.as_bytes()).requires_encryption);
    }

    #[test]
    fn a_file_that_was_made_is_understood() {
        let summary = Summary::read(profile().text().as_bytes());
        assert!(summary.made_here && summary.requires_encryption && !summary.default_route);
        assert_eq!(summary.server.as_deref(), Some("vpn.example.com"));
        assert_eq!(summary.user_text(), "CORP\\alice");
        assert_eq!(summary.remote_name.as_deref(), Some(b"pptp-rs-office".as_slice()));
        assert_eq!(summary.link_name.as_deref(), Some("pptp-rs-office"));
    }

    #[test]
    fn a_file_that_somebody_wrote_is_understood() {
        let text = b"name bob plugin pptp.so\nipparam user pptp_server 192.0.2.1 pptp_port 1724\nmppe optional,128\n";
        let summary = Summary::read(text);
        assert!(!summary.made_here && !summary.requires_encryption);
        assert_eq!((summary.user_text().as_str(), summary.server.as_deref()), ("bob", Some("192.0.2.1")));
        assert_eq!(summary.port.as_deref(), Some("1724"));
        assert!(Summary::read(b"pptp_mppe required,stateless").requires_encryption);
    }

    #[test]
    fn servers_and_users_that_cannot_be_are_refused() {
        for server in ["vpn.example.com", "192.0.2.1", "my_host"] {
            assert_eq!(check_server(server), Ok(()));
        }
        for server in ["", "-x", "a b", "host:1723", "fe80::1", "a\"b", "h\n", "é", &"x".repeat(254)] {
            assert!(check_server(server).is_err(), "{server:?}");
        }
        assert_eq!(full_user("alice", None).unwrap(), "alice");
        assert_eq!(full_user("alice", Some("")).unwrap(), "alice");
        for user in ["", "*", "a\0b", &"x".repeat(256)] {
            assert!(full_user(user, None).is_err(), "{user:?}");
        }
    }
}
