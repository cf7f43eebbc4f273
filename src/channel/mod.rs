//! What pppd's callbacks do: one call, from the options to the hang-up.
//!
//! In client mode on the kernel's data path the call manager holds the only descriptor of the PPTP socket once pppd has
//! registered the channel; pppd sees it closed as a hang-up. On the other paths it holds a life line instead, whose other
//! end is the engine's. In server mode (`pptp_client`, `pptp_sock`) somebody else made the call; a socket of the kernel's
//! is used as it is.

pub(crate) mod admission;
mod choice;
mod client;
mod datapath;
pub(crate) mod holdoff;
mod mtu;
mod outside;
mod server;
mod userspace;
mod wait;
pub(crate) mod watch;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, RawFd};

use log::{debug, error, info};
use pptp_callmgr::client::{Admission, LISTEN_FIRST};

use crate::mschap::CcpOf;
use crate::options::{self, Path, Settings, Shape, Side};
use crate::pppd::{self, Interruption, Status};
use crate::session::{self, Ends as CallEnds};
use crate::{ccp, engine, environment, ffi, mschap, ppp_device, report, tunnels, wtmp};

use choice::{Choice, Origin};
use client::{Link, Stopped};
use mtu::Configured;
use userspace::Ends;

/// All state of the plugin.
#[derive(Default)]
struct Channel {
    settings: Settings,
    /// What pppd's own options say about packet sizes; read when all options are known.
    configured: Configured,
    /// Options that have been reported as ignored.
    ignored: BTreeSet<&'static str>,
    /// The data path, once it is chosen.
    choice: Option<Choice>,
    /// The call, unless it is a server's on a socket of the kernel's.
    link: Option<Link>,
    /// What the kernel's PPTP socket receives, if there is one.
    admission: Option<Admission>,
    /// The peer, for the log.
    peer: String,
    /// How often a young call was looked at.
    looks: u32,
    /// The peer's address that the plugin told pppd, not the user.
    remote_number: Option<String>,
    /// Whether the last call was ended by the other side.
    peer_hung_up: bool,
    /// Whether the way to the server is to be looked at, as IP has come up.
    checks_way: bool,
}

thread_local! {
    static CHANNEL: RefCell<Channel> = RefCell::default();
}

/// Runs `body` on the state.
///
/// `body` must not call a function of pppd's that may call the plugin back, as everything does that can end pppd.
fn with<T>(body: impl FnOnce(&mut Channel) -> T) -> T {
    CHANNEL.with_borrow_mut(body)
}

/// Takes an option; whether it was right.
pub(crate) fn parse_option(name: &str, value: Option<&str>) -> bool {
    let Some(option) = options::find(name) else {
        pppd::option_error(&format!("option {name} is not one of this plugin's"));
        return false;
    };
    let value = value.filter(|_| option.takes_value()).unwrap_or_default();
    if let Some(shape) = option.ignored() {
        report_ignored(option.name, shape);
    }
    if let Err(error) = with(|channel| option.apply(&mut channel.settings, value)) {
        pppd::option_error(&error.to_string());
        return false;
    }
    pppd::show_value(option.name, value);
    true
}

/// Whether a word that is no option's name is one that the plugin takes.
pub(crate) fn knows_word(word: &str) -> bool {
    options::is_speed(word)
}

/// Takes such a word; whether it was one.
pub(crate) fn parse_word(word: &str) -> bool {
    if !knows_word(word) {
        return false;
    }
    report_ignored("speed", Shape::LineSpeed);
    pppd::show_value("speed", word);
    true
}

/// Once for each name. Lines matter little: an options file for lines works as it is meant to.
fn report_ignored(name: &'static str, shape: Shape) {
    if !with(|channel| channel.ignored.insert(name)) {
        return;
    }
    match shape {
        Shape::LineFlag | Shape::LineValue | Shape::LineSpeed => {
            debug!("option {name} is ignored: PPTP has no terminal line");
        }
        Shape::ForkValue => info!("option {name} is ignored: it belongs to another PPTP plugin"),
    }
}

/// pppd opens /dev/ppp: whether it gets the plugin's own. The first time, this decides on the data path.
pub(crate) fn wants_device() -> bool {
    if ffi::is_channel() == 0 {
        return false;
    }
    choose().unwrap_or_else(|status| pppd::exit(status)) == Path::Tun
}

/// The data path.
fn choose() -> Result<Path, Status> {
    let (settings, chosen) =
        with(|channel| (channel.settings.clone(), channel.choice.as_ref().map(|choice| choice.path)));
    if let Some(path) = chosen {
        return Ok(path);
    }
    let choice = datapath::decide(&settings)?;
    let path = choice.path;
    with(|channel| channel.choice = Some(choice));
    Ok(path)
}

/// All options are known: checks that they go together and that this machine can do what they ask for.
pub(crate) fn check_options() -> Result<(), Status> {
    let settings = with(|channel| channel.settings.clone());
    settings.mppe.map_or(Ok(()), ccp::check)?;
    let path = choose()?;
    match path {
        Path::Kernel => {}
        Path::Tun => ffi::refuse_header_compression(),
        // The kernel would take the map from the peer's answer, and drop every character in it that is not escaped; but
        // the peer's frames come by GRE, and nothing in them is.
        Path::Pty => ffi::ask_for_no_asyncmap(),
    }
    if settings.requires_mppe() || pppd::wants_mppe() {
        ppp_device::require_encryption();
    }
    if let Some(choice) = with(|channel| channel.choice.clone()) {
        datapath::report(&choice, &settings);
    }
    mschap::set_up(settings.mschap, if settings.mppe.is_some() { CcpOf::Plugin } else { CcpOf::Pppd });
    if let Some(policy) = settings.mppe {
        ccp::set_up(policy, path, userspace::encrypter(path));
    }
    let configured = Configured::read();
    ffi::watch_networks();
    watch::wait();
    ffi::watch_exit();
    if pppd::is_on_demand() && settings.client.is_none() {
        tunnels::begin();
        outside::begin_on_demand(&settings);
    }
    // The path is not known yet, but `demand` makes the interface now.
    mtu::apply(settings.mtu, None, configured);
    with(|channel| channel.configured = configured);
    Ok(())
}

/// Makes the call; the channel's descriptor, or -1.
pub(crate) fn connect() -> RawFd {
    let settings = with(|channel| {
        channel.peer_hung_up = false;
        // One that was not released is given up with its call.
        channel.link = None;
        channel.admission = None;
        channel.settings.clone()
    });
    session::connecting();
    let connected = match settings.side() {
        Ok(Side::Client { server }) => {
            tunnels::begin();
            call(&settings, &server)
        }
        Ok(Side::Server { client, socket }) => take(&settings, &client, socket),
        Err(error) => Err(Stopped::Failed(error.to_string())),
    };
    if connected.is_ok() {
        watch::begin();
    }
    connected.unwrap_or_else(|stopped| {
        session::failed();
        report_stop(&stopped);
        -1
    })
}

fn call(settings: &Settings, server: &str) -> Result<RawFd, Stopped> {
    pppd::set_channel_name(&format!("pptp ({server})"));
    let path = choose().map_err(|_| Stopped::Failed(String::from("there is no data path")))?;
    let (link, call) = client::connect(settings, server, path)?;
    outside::begin(settings, call.peer);
    tell_remote_number(&call.peer.to_string());
    mtu::apply(settings.mtu, mtu::known(call.outer_mtu), with(|channel| channel.configured));
    ffi::listen_first(LISTEN_FIRST);
    let device = link.device.as_raw_fd();
    begin_session(
        settings,
        path,
        CallEnds { peer: Some(call.peer), call_ids: [call.call_id, call.peer_call_id].map(Some) },
    );
    with(|channel| {
        channel.peer = call.peer.to_string();
        channel.admission = (path == Path::Kernel).then(|| admission::at_first(settings));
        channel.link = Some(link);
    });
    Ok(device)
}

fn take(settings: &Settings, client: &str, socket: RawFd) -> Result<RawFd, Stopped> {
    pppd::set_channel_name(&format!("pptp ({client})"));
    tell_remote_number(client);
    server::keep_from_scripts(socket);
    mtu::apply(settings.mtu, server::outer_mtu(client), with(|channel| channel.configured));
    with(|channel| channel.peer = String::from(client));
    if server::check_socket(socket).map_err(Stopped::Failed)? == Origin::KernelSocket {
        let call_ids = server::call_ids(socket, settings.report);
        begin_reporting(settings.report);
        let admission = ffi::borrow(socket).map(|socket| admission::begin(socket, settings)).transpose();
        let admission = admission.map_err(Stopped::Failed)?;
        with(|channel| channel.admission = admission);
        begin_session(settings, Path::Kernel, CallEnds { peer: client.parse().ok(), call_ids });
        return Ok(socket);
    }
    let path = choose().map_err(|_| Stopped::Failed(String::from("there is no data path")))?;
    let offer = server::take_offer(socket)?;
    begin_reporting(settings.report.or(Some(socket)));
    let call = userspace::with_choices(offer.call, settings);
    let call_ends = CallEnds { peer: Some(call.peer), call_ids: [call.call_id, call.peer_call_id].map(Some) };
    let ends = Ends::offered(offer.gre, offer.life_line).map_err(Stopped::Failed)?;
    let device = userspace::make_device(path, call, ends).map_err(Stopped::Failed)?;
    let number = device.as_raw_fd();
    begin_session(settings, path, call_ends);
    with(|channel| channel.link = Some(Link::offered(path, device)));
    Ok(number)
}

/// The call is up: from here on it is known.
fn begin_session(settings: &Settings, path: Path, ends: CallEnds) {
    session::connected(ends);
    environment::begin(settings, path, ends);
}

/// The server that made the call may ask about it here.
fn begin_reporting(socket: Option<RawFd>) {
    let Some(socket) = socket else { return };
    server::keep_from_scripts(socket);
    if let Some(socket) = ffi::borrow(socket) {
        report::begin(socket);
    }
}

/// What the options say, and the data path, once it is chosen.
pub(crate) fn choices() -> (Settings, Option<Choice>) {
    with(|channel| (channel.settings.clone(), channel.choice.clone()))
}

/// The data path, once it is chosen.
pub(crate) fn path() -> Option<Path> {
    with(|channel| channel.choice.as_ref().map(|choice| choice.path))
}

/// Says why there is no call, and gives pppd the exit status unless it has it already (8, no connection).
fn report_stop(stopped: &Stopped) {
    match stopped {
        Stopped::Failed(text) => error!("{text}"),
        Stopped::Interrupted(interruption) => {
            info!("connecting was interrupted by {}", signal_name(*interruption));
            pppd::set_status(Status::UserRequest);
            if *interruption == Interruption::Terminate {
                // Else pppd goes on for as long as it persists: it looks at the signal only once there is a link.
                pppd::quit();
            }
        }
    }
}

fn signal_name(interruption: Interruption) -> &'static str {
    match interruption {
        Interruption::Terminate => "a signal to terminate",
        Interruption::HangUp => "a signal to hang up (SIGHUP)",
    }
}

/// Gives pppd's scripts the peer's address, unless the user gave a number.
fn tell_remote_number(number: &str) {
    let before = pppd::remote_number();
    let ours = with(|channel| channel.remote_number.clone());
    if before.is_empty() || Some(before) == ours {
        pppd::set_remote_number(number);
        with(|channel| channel.remote_number = Some(String::from(number)));
    }
}

/// Registers the channel; the descriptor that pppd reads, or -1.
pub(crate) fn establish(device: RawFd) -> RawFd {
    let Some(unit) = pppd::establish(device) else {
        // What it has opened until then is left: a unit, and the number of a descriptor that it has closed and would close
        // once more when it tries again, whosever it is by then.
        disestablish(device);
        return -1;
    };
    let let_go = with(|channel| channel.link.as_mut().map_or(Ok(()), Link::let_go_of_device));
    if let Err(error) = let_go {
        // The call works, but its end is noticed only by LCP's echo requests.
        error!("cannot leave the PPTP socket to the call manager: {}", pptp_io::words(&error));
    }
    unit
}

/// Undoes [`establish`], and says why the call ended if the other side ended it.
pub(crate) fn disestablish(device: RawFd) {
    report::finish();
    session::note_last();
    wtmp::finish();
    ffi::disestablish(device);
    watch::end();
    let hung_up = pppd::hung_up();
    with(|channel| channel.peer_hung_up |= hung_up);
    hear_of_end();
    session::end();
}

/// Whoever has made the call says that it is over. A socket of the kernel's that it has handed over is closed, so that pppd sees
/// that: else it waits for answers of a peer that does not get its packets.
pub(crate) fn hang_up() {
    let (settings, has_link) = with(|channel| (channel.settings.clone(), channel.link.is_some()));
    let Ok(Side::Server { socket, .. }) = settings.side() else { return };
    if has_link || session::call().is_none() {
        return;
    }
    if let Err(error) = server::let_go_of(socket) {
        debug!("cannot close the PPTP socket: {}", pptp_io::words(&error));
    }
}

/// IP is up.
pub(crate) fn network_up() {
    watch::check_way();
}

/// pppd ends.
pub(crate) fn exit() {
    outside::release();
}

/// IP goes down; its script is told why.
pub(crate) fn network_down() {
    report::network_down();
    hear_of_end();
    environment::tell_reason(&session::network_down());
}

/// Takes note of what the call manager has said of the call's end, if it has.
fn hear_of_end() {
    let Some(reason) = with(|channel| channel.link.as_mut().and_then(Link::report)) else { return };
    with(|channel| channel.peer_hung_up = true);
    session::blame(&reason);
}

/// The channel is not used any more.
pub(crate) fn disconnect() {
    release();
}

/// Releases everything. pppd calls it several times, and without [`disconnect`] when it dies.
pub(crate) fn cleanup() {
    release();
}

/// The client that has called, if its logins are to be recorded.
pub(crate) fn recorded_client() -> Option<String> {
    with(|channel| channel.settings.client.clone().filter(|_| channel.settings.wtmp))
}

fn release() {
    wtmp::finish();
    hear_of_end();
    session::end();
    outside::end();
    let Some(link) = with(|channel| channel.link.take()) else { return };
    ppp_device::withdraw_line();
    drop(link);
    // A terminal ends with the link's descriptor of it: only then the engine has its last word about the call.
    engine::catch_up();
    debug!("the call is released");
}

/// In a child that is about to run a script: closes descriptors and does nothing else.
pub(crate) fn close() {
    let descriptors = with(|channel| {
        let link = channel.link.as_ref().map(Link::descriptors).unwrap_or_default();
        let socket = match channel.settings.side() {
            Ok(Side::Server { socket, .. }) => Some(socket),
            _ => None,
        };
        link.into_iter().chain(socket).collect::<Vec<_>>()
    });
    descriptors.into_iter().for_each(ffi::close_in_child);
}
