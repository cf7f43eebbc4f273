//! The command test: goes through the layers of a connection, one after the other, and says which is the first that fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use pptp_core::control::PeerInfo;

use crate::account::Account;
use crate::connect::{end, run, running};
use crate::files::Store;
use crate::layers::{self, Fault, Layer};
use crate::machine::Survey;
use crate::name::Name;
use crate::pppd::More;
use crate::probe::{self, Target};
use crate::profile::Summary;
use crate::{Failure, profiles, say};

/// Layers that pppd brings up.
const PPPD_S: [Layer; 5] = [Layer::Call, Layer::Link, Layer::Authentication, Layer::Encryption, Layer::Address];

/// What a test's pppd does otherwise than the profile says, so that it ends and changes nothing on this machine.
const HARMLESS: [&str; 13] = [
    "nodetach",
    "debug",
    "nopersist",
    "maxfail",
    "1",
    "nodefaultroute",
    "noipv6",
    "ip-up-script",
    NOTHING,
    "ip-down-script",
    NOTHING,
    "linkname",
    TEST_LINK,
];

/// The same, for pppd 2.5, which has names for all its scripts.
const HARMLESS_SINCE_2_5: [&str; 2] = ["ip-pre-up-script", NOTHING];

/// A script that does nothing.
const NOTHING: &str = "/bin/true";

/// Not that of the profile, whose pid file is for `start` and `stop`.
const TEST_LINK: &str = "pptp-rs-setup-test";

/// What has been found out, as far as it was shown.
struct Checklist {
    last: Option<Layer>,
}

impl Checklist {
    fn pass(&mut self, layer: Layer, what: &str) -> Result<(), Failure> {
        self.last = Some(layer);
        say(&layers::passed(layer, what))
    }

    /// Shows those of pppd's layers, up to this one, that are up and have not been shown.
    fn pass_reached(&mut self, account: &Account, last: Layer) -> Result<(), Failure> {
        for layer in PPPD_S.into_iter().take_while(|layer| *layer <= last) {
            if Some(layer) <= self.last {
                continue;
            }
            let Some(what) = account.reached(layer) else { break };
            self.pass(layer, &what)?;
        }
        Ok(())
    }

    fn fail(&self, fault: &Fault) -> Failure {
        say(&layers::failed(fault, self.last)).err().unwrap_or(Failure::Said)
    }
}

/// Goes through all layers.
pub(crate) fn test(name: &Name, limit: Duration) -> Result<(), Failure> {
    profiles::needs_root(Path::new("/"))?;
    let store = Store::new(Path::new("/"));
    let summary = profiles::find(&store, name)?;
    let mut list = Checklist { last: None };
    let profile = files_of(&store, name)?.judge(&summary, &store);
    list.pass(Layer::Profile, &profile.map_err(|fault| list.fail(&fault))?)?;
    let survey = Survey::make(&summary);
    let machine = survey.judge(summary.datapath.as_deref().unwrap_or("auto"));
    list.pass(Layer::Machine, &machine.map_err(|fault| list.fail(&fault))?)?;
    greet(&mut list, &summary, limit)?;
    call(&mut list, name, limit, &arguments(name, survey.version.as_deref().unwrap_or_default()))
}

/// What the files of a profile are, apart from what is in them.
struct Files {
    /// The modes of the profile's file and of the file of secrets.
    modes: [Option<u32>; 2],
    secrets: zeroize::Zeroizing<Vec<u8>>,
}

fn files_of(store: &Store, name: &Name) -> Result<Files, Failure> {
    let mode = |path| fs::metadata(path).ok().map(|data| data.permissions().mode() & 0o7777);
    Ok(Files { modes: [mode(store.peer(name)), mode(store.secrets())], secrets: store.read_secrets()? })
}

impl Files {
    fn judge(&self, summary: &Summary, store: &Store) -> Result<String, Fault> {
        let fault = |what: String, remedy: String| Err(Fault::new(Layer::Profile, what, remedy));
        let secrets = store.secrets().display().to_string();
        if let Some(running) = running(summary) {
            let remedy = "end it first (pptp-rs-setup stop): the server may allow one connection only";
            return fault(format!("it is up: {running}"), remedy.into());
        }
        if summary.server.is_none() {
            return fault("it names no server".into(), "write pptp_server HOST into it".into());
        }
        let [peer, secret] = self.modes;
        if peer.is_some_and(|mode| mode & 0o022 != 0) {
            return fault("others than root may write it".into(), "chmod 600 the file".into());
        }
        if summary.user.is_none() || summary.has_password {
            let without = if summary.has_password { "a password of its own" } else { "no user" };
            return Ok(format!("there, with {without}"));
        }
        if summary.secret(&self.secrets).is_none() {
            let what = format!("{secrets} has no password of {}", summary.user_text());
            return fault(what, "make the profile again, with --force".into());
        }
        if let Some(mode) = secret.filter(|mode| mode & 0o077 != 0) {
            return fault(
                format!("others than root may read {secrets} (mode {mode:o})"),
                format!("chmod 600 {secrets}"),
            );
        }
        Ok(format!("there, and the password of {}", summary.user_text()))
    }
}

/// What is below a call.
fn greet(list: &mut Checklist, summary: &Summary, limit: Duration) -> Result<(), Failure> {
    let target = Target::of(summary, limit).map_err(|fault| list.fail(&fault))?;
    let addresses = probe::resolve(&target).map_err(|fault| list.fail(&fault))?;
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    list.pass(Layer::Name, &format!("{} is {}", target.server, texts.join(", ")))?;
    let (stream, address) = probe::connect(&target, &addresses).map_err(|fault| list.fail(&fault))?;
    list.pass(Layer::Tcp, &format!("{address} port {}", target.port))?;
    let server = probe::greet(&target, stream).map_err(|fault| list.fail(&fault))?;
    list.pass(Layer::Control, &introduction(&server))
}

fn introduction(server: &PeerInfo) -> String {
    let known = |text: &str| if text.is_empty() { String::from("without a name") } else { format!("\"{text}\"") };
    let PeerInfo { vendor, host_name, firmware_revision, .. } = server;
    format!("vendor {}, host {}, firmware {firmware_revision:#06x}", known(vendor), known(host_name))
}

fn arguments<'a>(name: &'a Name, version: &str) -> Vec<&'a str> {
    let named = if version.starts_with("2.4.") { &[] } else { HARMLESS_SINCE_2_5.as_slice() };
    ["call", name.as_str()].iter().chain(&HARMLESS).chain(named).copied().collect()
}

/// What pppd brings up; it is ended again.
fn call(list: &mut Checklist, name: &Name, limit: Duration, arguments: &[&str]) -> Result<(), Failure> {
    let mut account = Account::default();
    let mut shown = Ok(());
    let reason = run(arguments, limit, |line| {
        account.take(line);
        if shown.is_ok() {
            shown = list.pass_reached(&account, Layer::Address);
        }
        let is_up = list.last == Some(Layer::Address);
        if is_up || account.is_hopeless() || shown.is_err() { More::Enough } else { More::Wanted }
    })?;
    shown?;
    if list.last == Some(Layer::Address) {
        return Ok(());
    }
    let Some(end) = end(reason) else {
        return Err(Failure::Failed(format!("the test of {name} was interrupted")));
    };
    account.finish();
    let fault = account.fault(end);
    list.pass_reached(&account, fault.layer)?;
    Err(list.fail(&fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, secrets: &str, modes: [Option<u32>; 2]) -> Result<String, String> {
        let secrets = zeroize::Zeroizing::new(secrets.as_bytes().to_vec());
        let judged = Files { modes, secrets }.judge(&Summary::read(text.as_bytes()), &Store::new(Path::new("/")));
        judged.map_err(|fault| fault.what)
    }

    #[test]
    fn the_files_have_to_be_root_s_alone_and_to_fit_each_other() {
        let (profile, secrets) = ("pptp_server h\nuser alice\nremotename r\n", "alice r secret *\n");
        let good = [Some(0o600), Some(0o600)];
        assert_eq!(judged(profile, secrets, good).unwrap(), "there, and the password of alice");
        assert_eq!(judged("user alice", secrets, good).unwrap_err(), "it names no server");
        let missing = judged(profile, "alice x secret *\n", good).unwrap_err();
        assert_eq!(missing, "/etc/ppp/chap-secrets has no password of alice");
        assert_eq!(judged(profile, secrets, [Some(0o660), Some(0o600)]).unwrap_err(), "others than root may write it");
        let open = judged(profile, secrets, [Some(0o644), Some(0o644)]).unwrap_err();
        assert_eq!(open, "others than root may read /etc/ppp/chap-secrets (mode 644)");
    }

    #[test]
    fn a_test_runs_no_scripts_and_sets_no_route() {
        let name = Name::new("office").unwrap();
        let words = arguments(&name, "2.4.9");
        assert_eq!(words.get(..2), Some(["call", "office"].as_slice()));
        assert!(words.contains(&"nodefaultroute") && !words.contains(&"ip-pre-up-script"));
        assert!(arguments(&name, "2.5.2").contains(&"ip-pre-up-script"));
    }
}
