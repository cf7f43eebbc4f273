//! The commands start and stop.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pptp_io::children::Ending;
use pptp_io::words;

use crate::account::{Account, End};
use crate::files::Store;
use crate::layers::Layer;
use crate::name::Name;
use crate::pppd::{self, More, Reason};
use crate::profile::Summary;
use crate::running::{self, Running};
use crate::{Failure, profiles, say};

/// How long a connection may take to come up: longer than all that pppd and the plugin wait for, one after the other.
const STARTING: Duration = Duration::from_secs(180);

/// How long addresses may take when there is a network.
const ADDRESSES: Duration = Duration::from_secs(10);

/// How often to look for them.
const STEP: Duration = Duration::from_millis(20);

/// How often to look whether the default route is the tunnel's, which pppd makes a moment after the addresses.
const LOOKS: u8 = 10;

const NO_DEFAULT_ROUTE: &str =
    "The default route is another's, and pppd replaces none: only the far end is reached through the tunnel\n";

/// How long pppd may take to end.
const STOPPING: Duration = Duration::from_secs(15);

/// Connects, and says by which interface.
pub(crate) fn start(name: &Name) -> Result<(), Failure> {
    let summary = find(name)?;
    if let Some(running) = running(&summary) {
        return say(&format!("{name} is up already: {running}\n"));
    }
    let mut account = Account::default();
    let reason = run(&["call", name.as_str(), "updetach"], STARTING, |line| {
        account.take(line);
        More::Wanted
    })?;
    account.finish();
    match end(reason) {
        Some(End::Status(0)) => {
            let up = came_up(&account, &summary)?;
            let routes = if lacks_default_route(&summary) { NO_DEFAULT_ROUTE } else { "" };
            say(&format!("{name} is up: {up}\n{routes}"))
        }
        Some(end) => Err(Failure::Failed(format!("{name} does not connect. {}", account.fault(end)))),
        None => Err(Failure::Failed("interrupted".into())),
    }
}

/// What there is to say of a tunnel that is up. pppd returns as soon as there is a network, and if that is IPv6, IPv4 is still on its
/// way.
fn came_up(account: &Account, summary: &Summary) -> Result<String, Failure> {
    if let Some(addresses) = account.reached(Layer::Address) {
        return Ok(addresses);
    }
    let deadline = Instant::now() + ADDRESSES;
    loop {
        let running = running(summary).ok_or_else(|| "it was up, and is down again: pppd's log says why".to_owned())?;
        let addresses = running.addresses();
        match (running.interface, addresses) {
            (Some(interface), Some((local, remote))) => {
                return Ok(format!("{interface}, {local} here, {remote} there"));
            }
            (Some(interface), None) if Instant::now() >= deadline => {
                return Ok(format!("{interface}, without an IPv4 address"));
            }
            (None, _) if Instant::now() >= deadline => return Ok("without an interface".into()),
            _ => sleep(STEP),
        }
    }
}

/// Whether the profile asks for the default route and its tunnel has not got it.
fn lacks_default_route(summary: &Summary) -> bool {
    let has_it = || running(summary).is_some_and(|running| running.has_default_route());
    let looks_again = |_| {
        sleep(STEP);
        has_it()
    };
    summary.default_route && !has_it() && !(1..LOOKS).any(looks_again)
}

/// Disconnects.
pub(crate) fn stop(name: &Name) -> Result<(), Failure> {
    let summary = find(name)?;
    let Some(running) = running(&summary) else { return say(&format!("{name} is not up\n")) };
    running::stop(&running, STOPPING).map_err(|error| format!("cannot stop {running}: {}", words(&error)))?;
    say(&format!("{name} is down\n"))
}

/// A profile that can be run here.
pub(crate) fn find(name: &Name) -> Result<Summary, Failure> {
    profiles::needs_root(Path::new("/"))?;
    let summary = profiles::find(&Store::new(Path::new("/")), name)?;
    if summary.link_name.is_none() {
        return Err(Failure::Failed(format!(
            "{name} has no linkname, by which its pppd could be found: write \"linkname {name}\" into its file"
        )));
    }
    Ok(summary)
}

/// Its pppd, if it runs.
pub(crate) fn running(summary: &Summary) -> Option<Running> {
    summary.link_name.as_deref().and_then(running::find)
}

/// [`pppd::run`], its errors in words.
pub(crate) fn run(arguments: &[&str], limit: Duration, listen: impl FnMut(&str) -> More) -> Result<Reason, Failure> {
    let failed = |error| Failure::Failed(format!("cannot run pppd: {}", words(&error)));
    pppd::run(arguments, limit, listen).map_err(failed)
}

/// How it has ended, unless this program was told to end.
pub(crate) const fn end(reason: Reason) -> Option<End> {
    match reason {
        Reason::Itself(Ending::Status(status)) => Some(End::Status(status)),
        Reason::Itself(Ending::Signal(signal)) => Some(End::Killed(signal)),
        Reason::Enough | Reason::TooLate => Some(End::TooLate),
        Reason::Interrupted => None,
    }
}
