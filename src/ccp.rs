//! A CCP in place of pppd's, for what pppd's cannot do: MPPE only if the peer can, 56 bits, and asking for the stateful mode.
//!
//! `pptp_core::ccp` decides, and pppd's own functions carry it out, so that every data path sees what it sees of pppd's CCP:
//! keys before the packets that agree on them, flags when it is up.

use std::cell::RefCell;

use log::{debug, error, info, warn};
use pptp_core::ccp::{Ccp, Event, KeyLengths, Policy, Preparation, Presence, Settings, mppe_option};
use pptp_core::mppe::{Config, KeyLength, Mode, StartKey};
use pptp_datapath::report::Encryption;
use pptp_io::clock;
use zeroize::Zeroizing;

use crate::options::Path;
use crate::pppd::{NOTICE, Status, option_error, wants_mppe};
use crate::{ffi, mschap};

/// Bytes by which MPPE makes a packet longer: its own header, and the protocol number that gets in front of the packet.
const OVERHEAD: i32 = 4;

/// What holds for every link of this pppd.
#[derive(Clone, Copy)]
struct SetUp {
    policy: Policy,
    path: Path,
    encrypter: Encrypter,
}

/// Who encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encrypter {
    /// ppp_mppe.ko.
    Kernel,
    Engine,
}

/// To send and to receive with.
struct Keys {
    /// For 128 bits.
    long: [StartKey; 2],
    /// For 40 and 56 bits.
    short: Option<[StartKey; 2]>,
}

impl Keys {
    fn of(&self, length: KeyLength) -> Option<&[StartKey; 2]> {
        match length {
            KeyLength::Bits128 => Some(&self.long),
            KeyLength::Bits40 | KeyLength::Bits56 => self.short.as_ref(),
        }
    }
}

/// One link's, from the network phase on.
struct Link {
    ccp: Ccp,
    keys: Option<Keys>,
    /// Why MPPE is denied although the policy would allow it.
    obstacle: Option<String>,
    networks: Networks,
    /// How the peer encrypts.
    receive: Option<Config>,
    /// How we do.
    send: Option<Config>,
}

/// IP and the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Networks {
    /// pppd is about to look whether they have to wait.
    Undecided,
    Waiting,
    Started,
}

/// What has to be done next.
enum Task {
    Prepare(Preparation),
    Send(Vec<u8>),
    Take(Event),
}

thread_local! {
    static SET_UP: RefCell<Option<SetUp>> = const { RefCell::new(None) };
    static LINK: RefCell<Option<Link>> = const { RefCell::new(None) };
}

/// Whether the user's options go together with this one; if not, that has been reported.
///
/// # Errors
/// They do not.
pub(crate) fn check(policy: Policy) -> Result<(), Status> {
    if wants_mppe() {
        return Err(refuse("and pppd's require-mppe exclude each other: either the plugin negotiates MPPE, or pppd"));
    }
    if policy.presence == Presence::Required && ffi::ccp_is_enabled() == 0 {
        return Err(refuse("requires CCP, which noccp forbids"));
    }
    Ok(())
}

/// The data path is known, which can do what the policy asks for: takes the place of pppd's CCP.
pub(crate) fn set_up(policy: Policy, path: Path, encrypter: Encrypter) {
    let policy = policy.limited_to(key_lengths_of(encrypter)).unwrap_or(policy);
    SET_UP.set(Some(SetUp { policy, path, encrypter }));
    ffi::ask_for_mppe();
    ffi::take_ccp();
}

/// Whether pppd's own CCP requires MPPE.
pub(crate) fn pppd_requires_mppe() -> bool {
    SET_UP.with_borrow(Option::is_none) && wants_mppe()
}

fn refuse(why: &str) -> Status {
    option_error(&format!("option pptp_mppe {why}"));
    Status::OptionError
}

/// The kernel's MPPE has no 56 bits.
fn key_lengths_of(encrypter: Encrypter) -> KeyLengths {
    match encrypter {
        Encrypter::Kernel => {
            KeyLengths::new([KeyLength::Bits40, KeyLength::Bits128]).unwrap_or(KeyLengths::only(KeyLength::Bits128))
        }
        Encrypter::Engine => KeyLengths::ALL,
    }
}

/// The network phase begins, or the user wants a negotiation (SIGUSR2).
pub(crate) fn open() {
    let Some(SetUp { policy, path, .. }) = SET_UP.with_borrow(|set_up| *set_up) else { return };
    if LINK.with_borrow(Option::is_some) {
        info!("CCP stays as it is: MPPE's keys are good for one negotiation");
        return;
    }
    ffi::set_ccp_flags(true, false);
    ffi::hold_networks(true);
    let (policy, keys, obstacle) = match survey(policy, path) {
        Ok((policy, keys)) => (policy, keys, None),
        Err(why) if policy.presence == Presence::Required => return fail(&why),
        Err(why) => (Policy { presence: Presence::Denied, ..policy }, None, Some(why)),
    };
    let mut ccp = Ccp::new(Settings::new(policy));
    ccp.handle_up(clock::now());
    ccp.handle_open(clock::now());
    LINK.set(Some(Link { ccp, keys, obstacle, networks: Networks::Undecided, receive: None, send: None }));
    carry_out();
    let waits = with(|link| {
        if link.networks == Networks::Undecided {
            link.networks = Networks::Waiting;
        }
        link.networks == Networks::Waiting
    });
    ffi::hold_networks(waits != Some(false));
}

/// What can be negotiated on this link, and the keys for it.
fn survey(policy: Policy, path: Path) -> Result<(Policy, Option<Keys>), String> {
    if policy.presence == Presence::Denied {
        return Ok((policy, None));
    }
    if ffi::mschap_directions() > 1 {
        return Err(String::from("both ends have authenticated by MS-CHAP, so there are two sets of keys"));
    }
    let no_keys = "there are no keys for it: they come with MS-CHAP, or from RADIUS";
    let long = ffi::mppe_keys().ok_or_else(|| String::from(no_keys))?;
    ffi::clear_mppe_keys();
    let of_version_1 = mschap::take_short_key().map(|key| [key.clone(), key]);
    let short = if ffi::mschap_v1_directions() > 0 { of_version_1 } else { Some(long.clone()) };
    let lengths = key_lengths_after_login(policy, short.is_some());
    let only_long = "with pppd's MS-CHAPv1 there are keys of 128 bits only";
    let policy = policy.limited_to(lengths).ok_or_else(|| String::from(only_long))?;
    let not_allowed = "RADIUS allows no keys of these lengths";
    let allowed = allowed_by_radius().and_then(|lengths| policy.limited_to(lengths));
    let policy = allowed.ok_or_else(|| String::from(not_allowed))?;
    let probe = Config { key_length: policy.key_lengths.strongest(), mode: Mode::Stateless };
    if !prepare(probe, &StartKey::new([0; 16]), false) {
        return Err(format!("the data path {} cannot do it", path.name()));
    }
    Ok((policy, Some(Keys { long, short })))
}

/// Version 1's short keys are the same for every session: they are for who allows no others, and no peer can talk us down to
/// them.
fn key_lengths_after_login(policy: Policy, has_short: bool) -> KeyLengths {
    let avoids_short = ffi::mschap_v1_directions() > 0 && policy.key_lengths.contains(KeyLength::Bits128);
    if avoids_short || !has_short { KeyLengths::only(KeyLength::Bits128) } else { KeyLengths::ALL }
}

/// radius.so takes what its server forbids (RFC 2548 §2.4.5) from what pppd's CCP would ask for, which knows no 56 bits.
fn allowed_by_radius() -> Option<KeyLengths> {
    match (ffi::asks_for_mppe_40() != 0, ffi::asks_for_mppe_128() != 0) {
        (true, true) => Some(KeyLengths::ALL),
        (true, false) => Some(KeyLengths::only(KeyLength::Bits40)),
        (false, true) => Some(KeyLengths::only(KeyLength::Bits128)),
        (false, false) => None,
    }
}

/// Whether MPPE is on.
pub(crate) fn is_encrypted() -> bool {
    with(|link| link.receive.is_some()) == Some(true)
}

/// How each direction is encrypted; `None`: the plugin's CCP is not in use.
pub(crate) fn encryption() -> Option<Encryption> {
    SET_UP
        .with_borrow(Option::is_some)
        .then(|| with(|link| Encryption { receive: link.receive, send: link.send }).unwrap_or_default())
}

/// A packet of CCP, from its code on.
pub(crate) fn take_packet(packet: &[u8]) {
    drive(|ccp| ccp.handle_packet(packet, clock::now()));
}

/// The peer has no CCP.
pub(crate) fn take_protocol_reject() {
    drive(Ccp::handle_protocol_reject);
}

/// The time for which pppd was asked is over.
pub(crate) fn time_is_over() {
    drive(|ccp| ccp.handle_timeout(clock::now()));
}

/// An encrypted frame came that could not be decrypted.
pub(crate) fn take_undecryptable() {
    let receive = with(|link| link.receive).flatten();
    if receive.is_some() && ffi::ccp_has_lost() != 0 {
        return fail("too many packets could not be decrypted");
    }
    // Without a state, the next packet can be decrypted whatever became of this one.
    if receive.is_some_and(|config| config.mode == Mode::Stateful) {
        drive(|ccp| ccp.request_reset(clock::now()));
    }
}

/// LCP is down: what was negotiated is void, and the keys are used up.
pub(crate) fn lower_down() {
    LINK.set(None);
    ffi::set_ccp_timer(None);
}

/// There is nothing to negotiate any more.
pub(crate) fn close() {
    ffi::set_ccp_flags(false, false);
}

/// `body` must not call a function of pppd's.
fn with<T>(body: impl FnOnce(&mut Link) -> T) -> Option<T> {
    LINK.with_borrow_mut(|link| link.as_mut().map(body))
}

fn drive(body: impl FnOnce(&mut Ccp)) {
    with(|link| body(&mut link.ccp));
    carry_out();
}

/// Does all that has to be done. Any of it may end the link, and then nothing is left to do.
fn carry_out() {
    while let Some(task) = with(Link::next_task).flatten() {
        match task {
            Task::Prepare(preparation) => prepare_for_link(preparation),
            Task::Send(packet) => ffi::send_ccp(&packet),
            Task::Take(event) => take(event),
        }
    }
    let due = with(|link| link.ccp.poll_timeout()).flatten();
    ffi::set_ccp_timer(due.map(clock::until));
}

impl Link {
    fn next_task(&mut self) -> Option<Task> {
        let prepare = self.ccp.poll_preparation().map(Task::Prepare);
        let send = || self.ccp.poll_transmit().map(Task::Send);
        prepare.or_else(send).or_else(|| self.ccp.poll_event().map(Task::Take))
    }
}

fn prepare_for_link(preparation: Preparation) {
    let (config, transmit) = match preparation {
        Preparation::Send(config) => (config, true),
        Preparation::Receive(config) => (config, false),
    };
    let key = with(|link| {
        let [send, receive] = link.keys.as_ref()?.of(config.key_length)?;
        Some(if transmit { send.clone() } else { receive.clone() })
    });
    let done = key.flatten().map(|key| prepare(config, &key, transmit));
    if done != Some(true) {
        fail("the data path does not take its keys");
    }
}

/// Hands an option and a key to /dev/ppp, as pppd's CCP does; whether it can do that.
fn prepare(config: Config, key: &StartKey, transmit: bool) -> bool {
    let mut option_and_key = Zeroizing::new([0; 6 + 16]);
    let (option, room) = option_and_key.split_at_mut(6);
    option.copy_from_slice(&mppe_option(config));
    room.copy_from_slice(key.as_bytes());
    ffi::set_compression(option_and_key.as_mut_slice(), transmit)
}

fn take(event: Event) {
    match event {
        Event::Opened { send, receive } => {
            with(|link| {
                (link.receive, link.send) = (Some(receive), Some(send));
                // Nothing is negotiated with them again.
                link.keys = None;
            });
            ffi::set_ccp_flags(true, true);
            report_encryption(send, receive);
            make_room();
            start_networks();
        }
        Event::Unencrypted(reason) => {
            // A direction that was acknowledged would stay encrypted: not every end of a negotiation shows in its packets.
            ffi::set_ccp_flags(false, false);
            ffi::set_ccp_flags(true, false);
            let obstacle = with(|link| link.obstacle.clone()).flatten();
            info!(target: NOTICE, "MPPE is not used: {}", obstacle.unwrap_or_else(|| reason.to_string()));
            start_networks();
        }
        Event::Failed(reason) => fail(&reason.to_string()),
        Event::Disregarded if kernel_encrypts() => {
            fail("the peer's packet makes the kernel end it, though both ends have it");
        }
        Event::Disregarded => debug!("CCP: a packet that changes nothing"),
        Event::ResetRequested => debug!("CCP: the peer has lost a packet"),
        // The engine takes note of an answer by itself, and who closes knows it.
        Event::ResetAcknowledged | Event::Closed => {}
    }
}

/// In pppd's words, for which there are scripts that look for them.
fn report_encryption(send: Config, receive: Config) {
    if send == receive {
        info!(target: NOTICE, "{send} compression enabled");
    } else {
        info!(target: NOTICE, "{receive} / {send} compression enabled");
    }
    let is_short = |config: Config| config.key_length != KeyLength::Bits128;
    if ffi::mschap_v1_directions() > 0 && (is_short(send) || is_short(receive)) {
        warn!("after MS-CHAPv1, short keys are the same for every session and for both directions: this is not safe");
    }
}

/// Makes the interface's packets so much smaller as MPPE makes them longer.
fn make_room() {
    let mtu = ffi::mtu();
    if mtu > OVERHEAD {
        ffi::set_mtu(mtu - OVERHEAD);
    }
}

fn start_networks() {
    let before = with(|link| std::mem::replace(&mut link.networks, Networks::Started));
    if before == Some(Networks::Waiting) {
        ffi::start_networks();
    }
}

/// There is no encryption, but there has to be: ends the link.
fn fail(why: &str) {
    let is_required =
        SET_UP.with_borrow(|set_up| set_up.is_some_and(|set_up| set_up.policy.presence == Presence::Required));
    let what = match (is_encrypted(), is_required) {
        (true, _) => "MPPE has ended",
        (false, true) => "MPPE is required",
        // The peer has been promised it already.
        (false, false) => "MPPE was agreed on",
    };
    let text = format!("{what}: {why}");
    error!("{text}");
    ffi::set_ccp_flags(true, false);
    ffi::close_link(&std::ffi::CString::new(text).unwrap_or_default());
}

fn kernel_encrypts() -> bool {
    SET_UP.with_borrow(|set_up| set_up.is_some_and(|set_up| set_up.encrypter == Encrypter::Kernel))
}
