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
    /// Nothing more will be heard: what is known has to do.
    is_over: bool,
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
const NOISE: [&str; 24] = [
    "sent [",
    "rcvd [",
    "Plugin ",
    "data path ",
    "control connection to ",
    "PPTP call to ",
    "call manager: ",
    "engine: ",
    "MTU ",
    "MS-CHAPv1 is ",
    "MS-CHAPv2 is ",
    "using channel",
    "Using interface",
    "Connect: ",
    "added response ",
    "response found ",
    "peer from calling number ",
    "Connect time",
    "Sent ",
    "Terminating on signal",
    "Script ",
    "Connection terminated",
    "the call is released",
    "Exit.",
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
    /// There are no more lines.
    pub(crate) fn finish(&mut self) {
        self.is_over = true;
    }

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
                None => self.goes_without_login().then(|| "the server asks for none".into()),
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

    /// Nobody has logged in, and the link has come further; while it is on its way there, the server may still ask for a login.
    fn goes_without_login(&self) -> bool {
        match self.trouble {
            Some((Trouble::Encryption | Trouble::OwnEncryption | Trouble::Address, _)) => true,
            _ => {
                let is_asked = self.last_words.as_deref().is_some_and(is_about_login);
                self.encryption.is_some() || self.local.is_some() || self.is_over && self.is_past_login && !is_asked
            }
        }
    }

    /// Encryption is no obstacle: pppd has an address, or in the end has asked for one. While it asks, the server may still demand
    /// encryption.
    fn may_have_address(&self) -> bool {
        let is_about_it = self.last_words.as_deref().is_some_and(is_about_encryption);
        match self.trouble {
            Some((Trouble::Address, _)) => true,
            Some((Trouble::Encryption | Trouble::OwnEncryption | Trouble::Method, _)) => false,
            _ => self.local.is_some() || self.is_over && self.asks_for_address && !is_about_it,
        }
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
            // A server that hangs up at once has not been silent.
            _ if self.is_hopeless() || !self.link.is_heard && end == End::TooLate => {
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
            (_, Some(words)) => fault(&format!("the server has ended it: \"{words}\""), CHECK_WISHES),
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
        let line = line.trim_start_matches("pppd: ").trim_end_matches([':', ' ']);
        match end {
            End::TooLate if line.is_empty() => "nothing more has come: it took too long".into(),
            // A pppd that persists tries again and again.
            End::TooLate => format!("{line}; it took too long"),
            _ if !line.is_empty() => line.to_owned(),
            End::Status(status) => format!("pppd has ended with status {status}"),
            End::Killed(signal) => format!("signal {signal} has killed pppd"),
        }
    }
}

/// Whether the server's words about the end are about who logs in, and how.
fn is_about_login(words: &str) -> bool {
    words.to_ascii_lowercase().contains("authenticat")
}

fn is_about_encryption(words: &str) -> bool {
    words.contains("MPPE")
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
const CHECK_WISHES: &str = "the server and the profile have to want the same: create --force makes a profile with encryption, and --no-encrypt without";
const CHECK_ADDRESS: &str = "the server has to give an address: it may have none left. If this end's is fixed, write it into the profile \
     (ADDRESS: in a line of its own)";
const ASK: &str = "its administrator, or its log, knows more";

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to where a call is up, with pppd's option `debug`.
    const CALLED: &str = "\
Plugin /run/plugin/pptp-rs.so loaded.
data path tun: kernel: no pptp.ko
control connection to 192.0.2.1: host 'vm', vendor 'pptp-rs', firmware 0x0001
PPTP call to 192.0.2.1 is up: call id 29711, peer's 514, peer's window 64, speed 100000000 bit/s
using channel 1
Using interface ppp0
Connect: ppp0 <--> pptp (192.0.2.1)
";

    const LINKED: &str = "\
rcvd [LCP ConfReq id=0x1 <mru 1460> <asyncmap 0x0> <auth chap MS-v2> <magic 0x56fc0834> <pcomp> <accomp>]
sent [LCP ConfReq id=0x1 <mru 1460> <asyncmap 0x0> <magic 0x2fb45733> <pcomp> <accomp>]
sent [LCP ConfAck id=0x1 <mru 1460> <asyncmap 0x0> <auth chap MS-v2> <magic 0x56fc0834> <pcomp> <accomp>]
rcvd [LCP ConfAck id=0x1 <mru 1460> <asyncmap 0x0> <magic 0x2fb45733> <pcomp> <accomp>]
rcvd [CHAP Challenge id=0x69 <86effd3a9538c722fc2bd81ef9d3f173>, name = \"server\"]
sent [CHAP Response id=0x69 <3a889ee2f2eb3dfb831e8d234b5ea1d3>, name = \"alice\"]
";

    const LOGGED_IN: &str = "\
rcvd [CHAP Success id=0x69 \"S=F76C97F42914D452596F0972BC1D7FBC0AD87170 M=Access granted\"]
CHAP authentication succeeded
peer from calling number 192.0.2.1 authorized
";

    const ENCRYPTED: &str = "\
sent [CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]
rcvd [CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]
engine: what is received: MPPE 128-bit stateless
MPPE 128-bit stateless compression enabled
sent [IPCP ConfReq id=0x1 <addr 0.0.0.0>]
";

    const ENDED: &str = "Connection terminated.\nthe call is released\n";

    fn account(parts: &[&str]) -> Account {
        let mut account = Account::default();
        parts.iter().flat_map(|part| part.lines()).for_each(|line| account.take(line));
        account
    }

    fn fault(parts: &[&str], status: i32) -> (Layer, String) {
        let mut account = account(parts);
        account.finish();
        let fault = account.fault(End::Status(status));
        (fault.layer, fault.what)
    }

    fn highest(parts: &[&str]) -> Option<Layer> {
        let account = account(parts);
        Layer::ALL.into_iter().take_while(|layer| account.reached(*layer).is_some()).last()
    }

    #[test]
    fn each_layer_is_reached_when_it_is_and_not_before() {
        assert_eq!(highest(&[]), None);
        assert_eq!(highest(&[CALLED]), Some(Layer::Call));
        assert_eq!(highest(&[CALLED, LINKED]), Some(Layer::Link));
        assert_eq!(highest(&[CALLED, LINKED, LOGGED_IN]), Some(Layer::Authentication));
        assert_eq!(highest(&[CALLED, LINKED, LOGGED_IN, ENCRYPTED]), Some(Layer::Encryption));
        let addresses = "local  IP address 10.99.0.2\nremote IP address 10.99.0.1\n";
        let up = account(&[CALLED, LINKED, LOGGED_IN, ENCRYPTED, addresses]);
        assert_eq!(up.reached(Layer::Call).unwrap(), "on the data path tun");
        assert_eq!(up.reached(Layer::Encryption).unwrap(), "MPPE 128-bit stateless");
        assert_eq!(up.reached(Layer::Address).unwrap(), "ppp0, 10.99.0.2 here, 10.99.0.1 there");
        // Without encryption, and without debug.
        let up = account(&[CALLED, "CHAP authentication succeeded\n", addresses]);
        assert!(Layer::ALL.into_iter().all(|layer| up.reached(layer).is_some()));
        assert_eq!(up.reached(Layer::Encryption).unwrap(), "none");
        let up = account(&[CALLED, addresses]);
        assert_eq!(up.reached(Layer::Authentication).unwrap(), "the server asks for none");
    }

    #[test]
    fn what_the_plugin_says_of_the_call_names_the_layer() {
        for (line, layer) in [
            ("cannot resolve \"vpn.example\": Name or service not known", Layer::Name),
            ("cannot connect to 192.0.2.1 port 1723: connection refused (is a PPTP server running there?)", Layer::Tcp),
            ("no answer from 192.0.2.1 port 1723 within 30 s (firewall?)", Layer::Tcp),
            ("192.0.2.1 refused the control connection: not authorized (4)", Layer::Control),
            ("192.0.2.1 does not speak pptp: bad magic cookie", Layer::Control),
            ("192.0.2.1 refused the call: busy (4)", Layer::Call),
        ] {
            assert_eq!(fault(&["data path tun", line, "Exit."], 8), (layer, line.to_owned()));
        }
    }

    #[test]
    fn a_pppd_that_does_not_begin_says_why() {
        let said = "pppd: In file /etc/ppp/peers/office: unrecognized option 'frob'";
        let what = "In file /etc/ppp/peers/office: unrecognized option 'frob'";
        assert_eq!(fault(&[said], 2), (Layer::Profile, what.to_owned()));
        let line = "this machine cannot do PPTP: kernel: no pptp.ko; tun: no /dev/net/tun; pty: no /dev/ppp";
        assert_eq!(fault(&[line], 4), (Layer::Machine, line.to_owned()));
        let line = "Plugin pptp-rs.so is for pppd version 2.5.2, this is 2.4.9";
        // That begins as another line does which each run has.
        assert_eq!(fault(&[&format!("pppd: {line}")], 2), (Layer::Machine, line.to_owned()));
        let mut persisting = account(&["192.0.2.1 refused the call: busy (4)"]);
        persisting.finish();
        assert_eq!(persisting.fault(End::TooLate).what, "192.0.2.1 refused the call: busy (4); it took too long");
        assert_eq!(fault(&[], 127), (Layer::Call, "pppd has ended with status 127".to_owned()));
    }

    #[test]
    fn silence_is_told_from_an_answer_that_does_not_come() {
        let silence = "LCP: timeout sending Config-Requests";
        let (layer, what) = fault(&[CALLED, silence, ENDED], 16);
        assert_eq!(layer, Layer::Link);
        assert!(what.contains("no GRE packet"), "{what}");
        assert!(account(&[CALLED, silence]).is_hopeless());
        let heard = "rcvd [LCP ConfReq id=0x1 <mru 1460>]\nsent [LCP ConfAck id=0x1 <mru 1460>]";
        assert!(!account(&[CALLED, heard, silence]).is_hopeless());
        let (layer, what) = fault(&[CALLED, heard, silence, ENDED], 16);
        assert_eq!((layer, what.as_str()), (Layer::Link, "the server's packets come, but it does not answer ours"));
    }

    #[test]
    fn a_login_that_fails_is_told_by_its_reason() {
        let denied = "MS-CHAP authentication failed: Access denied\nCHAP authentication failed\n";
        let expected = (Layer::Authentication, "MS-CHAP authentication failed: Access denied".to_owned());
        assert_eq!(fault(&[CALLED, LINKED, denied, ENDED], 19), expected);
        assert_eq!(fault(&[CALLED, denied, ENDED], 19), expected);
        let (layer, what) = fault(&[CALLED, "No CHAP secret found for authenticating us to \"pptp-rs-x\""], 19);
        assert_eq!((layer, what.contains("no password")), (Layer::Authentication, true));
        let (layer, what) = fault(&[CALLED, "LCP terminated by peer (peer refused to authenticate)"], 16);
        assert_eq!((layer, what.contains("peer refused to authenticate")), (Layer::Authentication, true));
        let asked = "sent [IPCP ConfReq id=0x1 <addr 0.0.0.0>]\nLCP terminated by peer (peer refused to authenticate)";
        assert_eq!(fault(&[CALLED, LINKED, asked], 16).0, Layer::Authentication);
        assert_eq!(highest(&[CALLED, LINKED, asked]), Some(Layer::Link));
        let (layer, _) = fault(&[CALLED, LINKED, "MS-CHAPv2 mutual authentication failed."], 19);
        assert_eq!(layer, Layer::Authentication);
    }

    #[test]
    fn encryption_that_one_end_does_not_want_is_told() {
        let line = "MPPE required but peer refused";
        assert_eq!(fault(&[CALLED, LINKED, LOGGED_IN, line, ENDED], 10), (Layer::Encryption, line.to_owned()));
        let theirs =
            "sent [IPCP ConfReq id=0x1 <addr 0.0.0.0>]\nLCP terminated by peer (MPPE required but peer refused)";
        let (layer, what) = fault(&[CALLED, LINKED, LOGGED_IN, theirs, ENDED], 16);
        assert_eq!((layer, what.contains("the server has ended it")), (Layer::Encryption, true));
        let line = "MPPE required, but MS-CHAP[v2] auth not performed.";
        assert_eq!(fault(&[CALLED, LINKED, LOGGED_IN, line], 10), (Layer::Encryption, line.to_owned()));
    }

    #[test]
    fn an_address_that_is_not_given_is_told() {
        let line = "Could not determine local IP address";
        let expected = (Layer::Address, line.to_owned());
        assert_eq!(fault(&[CALLED, LINKED, LOGGED_IN, ENCRYPTED, line, ENDED], 10), expected);
        assert_eq!(fault(&[CALLED, LINKED, LOGGED_IN, line, ENDED], 10), expected);
        let rejected = "rcvd [LCP ProtRej id=0x2 80 21 01 01 00 0a]";
        assert_eq!(fault(&[CALLED, LINKED, LOGGED_IN, ENCRYPTED, rejected], 10).0, Layer::Address);
        let asked = "sent [IPCP ConfReq id=0x1 <addr 0.0.0.0>]";
        let mut late = account(&[CALLED, LINKED, LOGGED_IN, asked]);
        assert_eq!(late.reached(Layer::Encryption), None);
        late.finish();
        let fault = late.fault(End::TooLate);
        assert_eq!((fault.layer, fault.what.contains("too long")), (Layer::Address, true));
    }
}
