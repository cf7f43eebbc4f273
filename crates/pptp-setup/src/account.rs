//! What pppd's log tells of a connection: how far it came, and why no further.
//!
//! The lines are those of pppd 2.4.9 and 2.5.2 and of the plugin; with pppd's option `debug` more of them are there, and less has to be
//! guessed.

use crate::layers::{Fault, Layer};

/// What has been heard so far.
#[derive(Debug, Default)]
pub(crate) struct Account {
    call: Option<String>,
    datapath: Option<String>,
    pub(crate) interface: Option<String>,
    link: Link,
    authentication: Option<String>,
    encryption: Option<String>,
    local: Option<String>,
    remote: Option<String>,
    /// A network protocol, or encryption, has been spoken of: what comes before is up.
    is_past_login: bool,
    asks_for_address: bool,
    /// Why the server ended LCP, in its own words.
    last_words: Option<String>,
    /// The first line that is about something that went wrong.
    trouble: Option<(Trouble, String)>,
    /// The last line that is no report of a packet: what a pppd that ends at once says.
    last: String,
}

/// What is known of LCP.
#[derive(Debug, Default)]
struct Link {
    /// A packet of the server's has come.
    is_heard: bool,
    /// The server has agreed to what pppd asks for.
    is_agreed: bool,
    /// pppd has agreed to what the server asks for.
    has_agreed: bool,
}

/// What kind of trouble a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Silence,
    Loop,
    Password,
    NoSecret,
    NotTheServer,
    Method,
    Encryption,
    OwnEncryption,
    Address,
}

/// Lines about trouble, by what is in them. The first that fits counts.
const TROUBLES: [(&str, Trouble); 15] = [
    ("LCP: timeout sending Config-Requests", Trouble::Silence),
    ("GRE (IP protocol 47)", Trouble::Silence),
    ("looped back", Trouble::Loop),
    ("No CHAP secret found for authenticating us", Trouble::NoSecret),
    ("mutual authentication failed", Trouble::NotTheServer),
    ("the server does not know the password", Trouble::NotTheServer),
    ("MS-CHAP authentication failed", Trouble::Password),
    ("CHAP authentication failed", Trouble::Password),
    ("MPPE required, but MS-CHAP", Trouble::Method),
    ("MPPE required, but keys are not available", Trouble::Method),
    ("MPPE required, but kernel has no support", Trouble::OwnEncryption),
    ("MPPE required", Trouble::Encryption),
    ("Could not determine local IP address", Trouble::Address),
    ("IPCP: timeout sending Config-Requests", Trouble::Address),
    ("(0x8021) received", Trouble::Address),
];

/// What each run of pppd says, whatever comes of it.
const NOISE: [&str; 14] = [
    "sent [",
    "rcvd [",
    "Plugin ",
    "using channel",
    "Using interface",
    "Connect: ",
    "Connection terminated",
    "Connect time",
    "Sent ",
    "Exit.",
    "Modem hangup",
    "Hangup",
    "Script ",
    "Terminating on signal",
];

/// How a run of pppd has ended, or why it was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this status of pppd's.
    Status(i32),
    /// A signal has killed it.
    Killed(i32),
    /// It took too long.
    TooLate,
}

impl Account {
    /// Takes a line of the log.
    pub(crate) fn take(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(packet) = line.strip_prefix("rcvd [").or_else(|| line.strip_prefix("sent [")) {
            self.take_packet(line.starts_with("rcvd"), packet);
        } else {
            self.take_words(line);
        }
        if !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)) {
            line.clone_into(&mut self.last);
        }
    }

    /// A packet, as `debug` shows it without its first bracket.
    fn take_packet(&mut self, is_theirs: bool, packet: &str) {
        let begins = |what: &str| packet.starts_with(what);
        self.link.is_heard |= is_theirs;
        if begins("LCP ConfAck") {
            let agreed = if is_theirs { &mut self.link.is_agreed } else { &mut self.link.has_agreed };
            *agreed = true;
        } else if begins("IPCP ConfReq") || begins("CCP ConfReq") {
            // The server may speak of it before pppd has logged in.
            self.is_past_login |= !is_theirs;
            self.asks_for_address |= !is_theirs && begins("IPCP");
        } else if begins("LCP ProtRej") && is_theirs && packet.contains("80 21") {
            self.note(Trouble::Address, "the server's PPP does not carry IP (it rejects IPCP)");
        }
    }

    fn take_words(&mut self, line: &str) {
        let after = |start: &str| line.strip_prefix(start).map(|rest| rest.trim().to_owned());
        if line.starts_with("PPTP call to ") && line.contains(" is up") {
            self.call = Some(line.to_owned());
        } else if let Some(path) = after("data path ") {
            self.datapath = Some(path);
        } else if let Some(interface) = after("Using interface ") {
            self.interface = Some(interface);
        } else if line.contains("authentication succeeded") {
            self.authentication = Some(line.to_owned());
        } else if line.ends_with(" compression enabled") && line.contains("MPPE") {
            self.encryption = Some(line.trim_end_matches(" compression enabled").to_owned());
        } else if let Some(address) = after("local  IP address ") {
            self.local = Some(address);
        } else if let Some(address) = after("remote IP address ") {
            self.remote = Some(address);
        } else if let Some(words) = after("LCP terminated by peer") {
            self.last_words.get_or_insert(words.trim_matches(['(', ')', ' ']).to_owned());
        } else if let Some((_, trouble)) = TROUBLES.iter().find(|(text, _)| line.contains(text)) {
            self.note(*trouble, line);
        }
    }

    fn note(&mut self, trouble: Trouble, line: &str) {
        self.trouble.get_or_insert((trouble, line.trim_end_matches([':', ' ']).to_owned()));
    }

    /// The addresses of both ends, once they are known.
    pub(crate) fn addresses(&self) -> Option<(&str, &str)> {
        Some((self.local.as_deref()?, self.remote.as_deref()?))
    }

    /// Whether nothing better will come: the server is not heard, and waiting longer does not change that.
    pub(crate) fn is_hopeless(&self) -> bool {
        !self.link.is_heard && self.trouble.as_ref().is_some_and(|(trouble, _)| *trouble == Trouble::Silence)
    }

    /// What there is to say of a layer that is up; `None`: it is not.
    pub(crate) fn reached(&self, layer: Layer) -> Option<String> {
        match layer {
            Layer::Profile | Layer::Machine | Layer::Name | Layer::Tcp | Layer::Control => self.reached(Layer::Call),
            Layer::Call => {
                let path = self.datapath.as_deref().map(|path| path.split(':').next().unwrap_or(path));
                self.call.as_ref().map(|_| path.map_or_else(String::new, |path| format!("on the data path {path}")))
            }
            Layer::Link => (self.link.is_agreed && self.link.has_agreed
                || self.reached(Layer::Authentication).is_some()
                || self.is_about_login())
            .then(String::new),
            Layer::Authentication => match &self.authentication {
                Some(line) => Some(line.clone()),
                None => self.is_past_login_at_all().then(|| "the server asks for none".into()),
            },
            Layer::Encryption => match &self.encryption {
                Some(method) => Some(method.clone()),
                None => self.may_have_address().then(|| "none".into()),
            },
            Layer::Address => self.addresses().map(|(local, remote)| {
                let interface = self.interface.as_deref().map(|name| format!("{name}, ")).unwrap_or_default();
                format!("{interface}{local} here, {remote} there")
            }),
        }
    }

    /// Whether login has begun: something is known that comes after LCP.
    fn is_about_login(&self) -> bool {
        let trouble = self.trouble.as_ref().map(|(trouble, _)| *trouble);
        matches!(trouble, Some(Trouble::Password | Trouble::NoSecret | Trouble::NotTheServer))
            || self.last_words.as_deref().is_some_and(is_about_login)
    }

    fn is_past_login_at_all(&self) -> bool {
        let trouble = self.trouble.as_ref().map(|(trouble, _)| *trouble);
        self.is_past_login
            || self.encryption.is_some()
            || self.local.is_some()
            || matches!(trouble, Some(Trouble::Encryption | Trouble::OwnEncryption | Trouble::Address))
    }

    /// Encryption is no obstacle: pppd asks for an address, which it does only then.
    fn may_have_address(&self) -> bool {
        let is_about_it =
            matches!(self.trouble, Some((Trouble::Encryption | Trouble::OwnEncryption | Trouble::Method, _)));
        !is_about_it
            && (self.asks_for_address || self.local.is_some() || matches!(self.trouble, Some((Trouble::Address, _))))
    }

    /// Why it came no further.
    pub(crate) fn fault(&self, end: End) -> Fault {
        let layer = Layer::ALL.into_iter().find(|layer| self.reached(*layer).is_none()).unwrap_or(Layer::Address);
        match layer {
            Layer::Link => self.link_fault(end),
            Layer::Authentication => self.login_fault(end),
            Layer::Encryption => self.encryption_fault(end),
            Layer::Address => self.address_fault(end),
            _ => self.call_fault(end),
        }
    }

    /// There was no call: the plugin says why in one line, or pppd has not got so far.
    fn call_fault(&self, end: End) -> Fault {
        let text = &self.last;
        let has = |part: &str| text.contains(part);
        let (layer, remedy) = if has("cannot resolve") || has("has no IPv4 address") {
            (Layer::Name, CHECK_NAME)
        } else if has("cannot connect to") || has("no answer from") {
            (Layer::Tcp, CHECK_TCP)
        } else if has("refused the control connection") || has("does not speak pptp") || has("control connection") {
            (Layer::Control, CHECK_CONTROL)
        } else if end == End::Status(4)
            || has("this machine cannot")
            || has("is for pppd version")
            || has("load plugin")
        {
            (Layer::Machine, CHECK_MACHINE)
        } else if matches!(end, End::Status(1..=3)) {
            (Layer::Profile, CHECK_PROFILE)
        } else {
            (Layer::Call, CHECK_CALL)
        };
        Fault::new(layer, self.say(text, end), remedy)
    }

    fn link_fault(&self, end: End) -> Fault {
        let fault = |what: String, remedy: &str| Fault::new(Layer::Link, what, remedy);
        match (&self.trouble, &self.last_words) {
            (Some((Trouble::Loop, line)), _) => fault(line.clone(), "a router sends our own packets back: look at it"),
            (_, Some(words)) => fault(format!("the server has ended it: \"{words}\""), ASK),
            _ if !self.link.is_heard && end != End::Status(16) => {
                fault("no GRE packet (IP protocol 47) has come from the server".into(), CHECK_GRE)
            }
            _ if self.link.is_heard && !self.link.is_agreed => {
                fault("the server's packets come, but it does not answer ours".into(), CHECK_GRE)
            }
            _ => fault(self.say(&self.last, end), ASK),
        }
    }

    fn login_fault(&self, end: End) -> Fault {
        let fault = |what: &str, remedy: &str| Fault::new(Layer::Authentication, what, remedy);
        match (&self.trouble, &self.last_words) {
            (Some((Trouble::NoSecret, _)), _) => {
                fault("there is no password for this user in chap-secrets", "make the profile again, with --force")
            }
            (Some((Trouble::NotTheServer, line)), _) => {
                fault(line, "what answers does not know the password, so it is not the server: do not use it")
            }
            (Some((Trouble::Method, line)), _) => fault(line, CHECK_METHOD),
            (_, Some(words)) if is_about_login(words) => {
                fault(&format!("the server has ended it: \"{words}\""), CHECK_METHOD)
            }
            (Some((Trouble::Password, line)), _) => fault(line, CHECK_PASSWORD),
            (_, Some(words)) => fault(&format!("the server has ended it: \"{words}\""), CHECK_PASSWORD),
            _ => fault(&self.say(&self.last, end), CHECK_PASSWORD),
        }
    }

    fn encryption_fault(&self, end: End) -> Fault {
        let fault = |what: &str, remedy: &str| Fault::new(Layer::Encryption, what, remedy);
        match (&self.trouble, &self.last_words) {
            (Some((Trouble::OwnEncryption, line)), _) => {
                fault(line, "load ppp_mppe (modprobe ppp_mppe), or take another data path (pptp_datapath tun)")
            }
            (Some((Trouble::Encryption, line)), _) => fault(line, CHECK_ENCRYPTION),
            (Some((Trouble::Method, line)), _) => fault(line, CHECK_METHOD),
            (_, Some(words)) => fault(&format!("the server has ended it: \"{words}\""), CHECK_ENCRYPTION),
            _ => fault(&self.say(&self.last, end), CHECK_ENCRYPTION),
        }
    }

    fn address_fault(&self, end: End) -> Fault {
        let what = match (&self.trouble, &self.last_words) {
            (Some((_, line)), _) => line.clone(),
            (None, Some(words)) => format!("the server has ended it: \"{words}\""),
            (None, None) => self.say(&self.last, end),
        };
        Fault::new(Layer::Address, what, CHECK_ADDRESS)
    }

    /// A line of pppd's, or if there is none, how it ended.
    fn say(&self, line: &str, end: End) -> String {
        match end {
            End::TooLate => "nothing more has come: it took too long".into(),
            _ if !line.is_empty() => line.trim_start_matches("pppd: ").trim_end_matches([':', ' ']).to_owned(),
            End::Status(status) => format!("pppd has ended with status {status}"),
            End::Killed(signal) => format!("signal {signal} has killed pppd"),
        }
    }
}

/// Whether the server's words about the end are about who logs in, and how.
fn is_about_login(words: &str) -> bool {
    words.to_ascii_lowercase().contains("authenticat")
}

pub(crate) const CHECK_NAME: &str = "look at the spelling, and whether names are found here at all (getent hosts NAME)";
pub(crate) const CHECK_TCP: &str =
    "is it the right host, is it up, and does its PPTP server run? A firewall may not pass TCP port 1723";
pub(crate) const CHECK_CONTROL: &str =
    "is it a PPTP server at all, on this port? If it is, its log says more; it may not serve this machine's address";
const CHECK_MACHINE: &str =
    "what the line says is missing has to be installed, loaded or allowed (in a container: NET_ADMIN, NET_RAW)";
const CHECK_PROFILE: &str = "look at the file in /etc/ppp/peers, and at /etc/ppp/options, which every pppd reads";
const CHECK_CALL: &str =
    "the server decides on that: its administrator, or its log, knows more. It may have too many calls already";
const CHECK_GRE: &str = "the control connection works, so a firewall or NAT on the way does not pass GRE: allow IP protocol 47, both ways; \
     a router with Linux needs nf_conntrack_pptp";
const CHECK_METHOD: &str = "the server logs in by another method than the profile allows: the latter's refuse-... options, and \
     require-mppe-128, say which. Encryption needs MS-CHAPv2";
const CHECK_PASSWORD: &str = "look at user, domain and password, and whether the user may log in; \"pptp-rs-setup create --force\" makes the \
     profile again";
const CHECK_ENCRYPTION: &str =
    "the server has to offer MPPE with 128 bits. If the tunnel may be in clear: create --no-encrypt --force";
const CHECK_ADDRESS: &str = "the server has to give an address: it may have none left. If this end's is fixed, write it into the profile \
     (ADDRESS: in a line of its own)";
const ASK: &str = "its administrator, or its log, knows more";
