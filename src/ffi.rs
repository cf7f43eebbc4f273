//! The C shim's functions, each behind a safe one.
//!
//! The contract of all of them (`include/pppd_shim.h`): they are called from pppd's only thread, while pppd lives, and
//! every text is NUL-terminated. Only callbacks of pppd run code of the plugin, so the first holds everywhere but in
//! the call manager's process, which calls nothing of this module but [`erase_secrets`].

use std::ffi::{CStr, c_int};
use std::io;
use std::mem::ManuallyDrop;
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::dup3;
use pptp_core::mppe::StartKey;
use zeroize::Zeroizing;

use crate::entry::Callbacks;

#[expect(non_camel_case_types, unreachable_pub, reason = "bindgen writes it")]
mod shim {
    include!(concat!(env!("OUT_DIR"), "/pppd_shim.rs"));
}

mod memory;

use memory::cell;
pub(crate) use memory::{bytes, bytes_of_text, counted, put_counted, put_text, text};
pub(crate) use shim::{
    PPTP_OPTIONS_ROOM, pptp_holdoff_hook as HoldoffHook, pptp_mschap as mschap, pptp_option as RawOption,
    pptp_option_form as form, pptp_option_right as right,
};

/// See `pptp_host_install`.
pub(crate) fn install(callbacks: &'static Callbacks) {
    // SAFETY: the table is static, as the shim asks.
    unsafe { shim::pptp_host_install(callbacks) }
}

/// See `pptp_host_set_option`; nothing happens when there is no such place.
pub(crate) fn set_option(place: usize, option: &RawOption) {
    if place >= usize::try_from(PPTP_OPTIONS_ROOM).unwrap_or(0) {
        return;
    }
    // SAFETY: the place exists; `pppd::registry::register` leaks all that an option points to.
    unsafe { shim::pptp_host_set_option(place, option) }
}

/// See `pptp_host_replace_holdoff_hook`.
pub(crate) fn replace_holdoff_hook(hook: HoldoffHook) -> HoldoffHook {
    // SAFETY: the module's contract; a hook is a function of this library, which pppd never unloads.
    unsafe { shim::pptp_host_replace_holdoff_hook(hook) }
}

/// Calls a hook that another plugin left.
pub(crate) fn call_holdoff_hook(hook: HoldoffHook) -> Option<c_int> {
    // SAFETY: pppd had the hook from a plugin, and would have called it at this moment itself.
    hook.map(|hook| unsafe { hook() })
}

/// Name of the option that is being parsed.
pub(crate) fn current_option() -> String {
    // SAFETY: the module's contract.
    let name = unsafe { shim::pptp_host_current_option() };
    // SAFETY: pppd points at the name of an entry of an option table, all of which live as long as pppd.
    unsafe { text(name) }.unwrap_or_default()
}

/// LCP's options, and where they were given, if they were.
pub(crate) fn lcp_option(place: usize) -> Option<(String, Option<String>)> {
    // SAFETY: `pppd::lcp_option_is_given` stops at the end of the table, so it passes no place behind it.
    let option = unsafe { shim::pptp_host_lcp_option(place) };
    // SAFETY: pppd's option tables are static.
    let name = unsafe { text(option.name) }?;
    // SAFETY: a source is the name of a file or a literal, which pppd keeps for its option "dump".
    let source = unsafe { text(option.source) };
    Some((name, source))
}

macro_rules! text_takers {
    ($($(#[$doc:meta])* $name:ident => $shim:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(text: &CStr) {
            // SAFETY: the module's contract; the shim does not keep the text.
            unsafe { shim::$shim(text.as_ptr()) }
        }
    )*};
}

text_takers! {
    /// Says what is wrong with an option.
    option_error => pptp_host_option_error;
    /// Logs a line, at the level that the name says.
    debug => pptp_host_debug;
    /// As [`debug`].
    info => pptp_host_info;
    /// As [`debug`].
    notice => pptp_host_notice;
    /// As [`debug`].
    warn => pptp_host_warn;
    /// As [`debug`].
    error => pptp_host_error;
    /// What `Connect: ppp0 <--> …` shows.
    set_channel_name => pptp_host_set_channel_name;
    /// The peer's number or address.
    set_remote_number => pptp_host_set_remote_number;
    /// Ends the link; pppd calls the plugin's CCP before this returns.
    close_link => pptp_host_close_link;
}

macro_rules! int_readers {
    ($($(#[$doc:meta])* $name:ident => $shim:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name() -> c_int {
            // SAFETY: the module's contract.
            unsafe { shim::$shim() }
        }
    )*};
}

int_readers! {
    /// Nonzero: SIGTERM or SIGINT.
    got_sigterm => pptp_host_got_sigterm;
    /// Nonzero: SIGHUP.
    got_sighup => pptp_host_got_sighup;
    /// Nonzero: the channel ended, not pppd.
    hung_up => pptp_host_hung_up;
    /// Nonzero: pppd would wait before it connects again.
    needs_holdoff => pptp_host_needs_holdoff;
    /// How long it would, in seconds.
    holdoff => pptp_host_holdoff;
    /// Nonzero: this plugin is the channel.
    is_channel => pptp_host_is_channel;
    /// Nonzero: several links are to be one.
    multilink => pptp_host_multilink;
    /// Nonzero: the interface comes before the call.
    on_demand => pptp_host_on_demand;
    /// Nonzero: the tunnel is to take the default route.
    wants_default_route => pptp_host_wants_default_route;
    /// Nonzero: MPPE is required.
    wants_mppe => pptp_host_wants_mppe;
    /// Nonzero: keys of 40 bits among others.
    asks_for_mppe_40 => pptp_host_asks_for_mppe_40;
    /// Nonzero: keys of 128 bits among others.
    asks_for_mppe_128 => pptp_host_asks_for_mppe_128;
    /// Nonzero: nothing of LCP's has come from the peer.
    lcp_is_unheard => pptp_host_lcp_is_unheard;
    /// LCP's state.
    lcp_state => pptp_host_lcp_state;
    /// Nonzero: this end has begun to end the link.
    is_terminating => pptp_host_is_terminating;
    /// pppd's exit status.
    status => pptp_host_status;
    /// Nonzero: CCP is not forbidden.
    ccp_is_enabled => pptp_host_ccp_is_enabled;
    /// Nonzero: what comes cannot be decrypted any more.
    ccp_has_lost => pptp_host_ccp_has_lost;
    /// In how many directions MS-CHAP has succeeded.
    mschap_directions => pptp_host_mschap_directions;
    /// The same, version 1 alone.
    mschap_v1_directions => pptp_host_mschap_v1_directions;
    /// Of the interface, in bytes; 0: unknown.
    mtu => pptp_host_mtu;
    /// Nonzero: pppd's own CCP is up.
    ccp_is_up => pptp_host_ccp_is_up;
    /// What it says of MPPE that is received.
    receive_mppe => pptp_host_receive_mppe;
    /// The same that is sent.
    send_mppe => pptp_host_send_mppe;
}

/// pppd ends although it persists.
pub(crate) fn quit() {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_quit() }
}

/// IPCP does without header compression.
pub(crate) fn refuse_header_compression() {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_refuse_header_compression() }
}

/// LCP does not ask for characters to be escaped.
pub(crate) fn ask_for_no_asyncmap() {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_ask_for_no_asyncmap() }
}

/// The callback `timer` is called once after so many seconds; 0: not at all.
pub(crate) fn set_timer(seconds: c_int) {
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_set_timer(seconds) }
}

/// LCP speaks when the peer has, or after so long.
pub(crate) fn listen_first(time: Duration) {
    let milliseconds = c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_listen_first(milliseconds) }
}

/// Ends pppd now; it calls the channel's functions.
pub(crate) fn die(status: c_int) {
    // SAFETY: the module's contract; the caller holds no borrow of the plugin's state.
    unsafe { shim::pptp_host_die(status) }
}

/// pppd's exit status.
pub(crate) fn set_status(status: c_int) {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_set_status(status) }
}

/// The peer's number or address; empty: none yet.
pub(crate) fn remote_number() -> String {
    // SAFETY: the module's contract.
    let number = unsafe { shim::pptp_host_remote_number() };
    // SAFETY: null, or pppd's buffer, which is always terminated.
    unsafe { text(number) }.unwrap_or_default()
}

/// As the peer has authenticated itself; empty: it has not.
pub(crate) fn peer_name() -> String {
    // SAFETY: the module's contract.
    let name = unsafe { shim::pptp_host_peer_name() };
    // SAFETY: pppd's buffer, which is always terminated.
    unsafe { text(name) }.unwrap_or_default()
}

/// The name of the interface; empty: none yet.
pub(crate) fn interface() -> String {
    // SAFETY: the module's contract.
    let name = unsafe { shim::pptp_host_interface() };
    // SAFETY: pppd's buffer, which is always terminated.
    unsafe { text(name) }.unwrap_or_default()
}

/// What the option `linkname` says; empty: it was not given.
pub(crate) fn link_name() -> String {
    // SAFETY: the module's contract.
    let name = unsafe { shim::pptp_host_link_name() };
    // SAFETY: pppd's buffer, which is always terminated.
    unsafe { text(name) }.unwrap_or_default()
}

/// Why this end has ended a link.
pub(crate) fn close_reason() -> Option<String> {
    // SAFETY: the module's contract.
    let reason = unsafe { shim::pptp_host_close_reason() };
    // SAFETY: null, or a literal or static buffer, which pppd keeps to send it again.
    unsafe { text(reason) }
}

/// A variable of pppd's scripts; `None`: there is none.
pub(crate) fn set_variable(name: &CStr, value: Option<&CStr>) {
    let value = value.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the module's contract; pppd copies both.
    unsafe { shim::pptp_host_set_variable(name.as_ptr(), value) }
}

/// Lets the callback `exit` know when pppd ends.
pub(crate) fn watch_exit() {
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_watch_exit() }
}

/// Adds to the record of logins (logwtmp(3)); without a user: the end of what was recorded for this line.
pub(crate) fn record_login(line: &CStr, user: &CStr, host: &CStr) {
    // SAFETY: the module's contract; three texts that are only read.
    unsafe { shim::pptp_host_record_login(line.as_ptr(), user.as_ptr(), host.as_ptr()) }
}

/// The addresses that IPCP has agreed on: ours and the peer's; 0.0.0.0: none.
pub(crate) fn inside_addresses() -> [Ipv4Addr; 2] {
    // SAFETY: the module's contract.
    let local = unsafe { shim::pptp_host_local_address() };
    // SAFETY: the module's contract.
    let remote = unsafe { shim::pptp_host_remote_address() };
    [local, remote].map(Ipv4Addr::from)
}

/// The receive unit that LCP asks for, in bytes.
pub(crate) fn wanted_mru() -> &'static std::cell::Cell<c_int> {
    // SAFETY: the module's contract.
    let mru = unsafe { shim::pptp_host_wanted_mru() };
    // SAFETY: a member of a global of pppd's, aligned and initialised, which only pppd's one thread touches.
    unsafe { cell(mru) }
}

/// The transmit unit that LCP allows, in bytes.
pub(crate) fn allowed_mru() -> &'static std::cell::Cell<c_int> {
    // SAFETY: the module's contract.
    let mru = unsafe { shim::pptp_host_allowed_mru() };
    // SAFETY: as for `wanted_mru`.
    unsafe { cell(mru) }
}

/// Overwrites pppd's copies of the password and of the session's keys with zeros.
pub(crate) fn erase_secrets() {
    for place in 0.. {
        // SAFETY: the module's contract; any place may be asked for.
        let secret = unsafe { shim::pptp_host_secret(place) };
        if secret.start.is_null() {
            return;
        }
        for offset in 0..secret.length {
            let byte = secret.start.wrapping_add(offset).cast::<u8>();
            // SAFETY: within the array whose start and length the shim told. Volatile: nobody reads it afterwards, so
            // an ordinary write could be left out.
            unsafe { byte.write_volatile(0) };
        }
    }
}

/// The plugin's functions become pppd's MS-CHAP of this version.
pub(crate) fn register_mschap(version: mschap::Type) {
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_register_mschap(version) }
}

/// What pppd's own MS-CHAPv1 makes of this as a client. `None`: it has none.
pub(crate) fn chapms(mut challenge: [u8; 8], secret: &CStr) -> Option<[u8; 49]> {
    let mut response = [0; 49];
    let length = c_int::try_from(secret.to_bytes().len()).ok()?;
    let secret = secret.as_ptr().cast_mut();
    // SAFETY: the module's contract; buffers of the sizes that the shim names, and a text that pppd only reads.
    let done = unsafe { shim::pptp_host_chapms(challenge.as_mut_ptr(), secret, length, response.as_mut_ptr()) };
    (done != 0).then_some(response)
}

/// What pppd's own MS-CHAPv2 makes of this as a client: its response, and what it expects of the server. `None`: it has
/// none.
pub(crate) fn chapms2(
    mut challenge: [u8; 16],
    mut peer_challenge: [u8; 16],
    user: &CStr,
    secret: &CStr,
) -> Option<([u8; 49], [u8; 41])> {
    let (mut response, mut authenticator) = ([0; 49], [0; 41]);
    let length = c_int::try_from(secret.to_bytes().len()).ok()?;
    // SAFETY: the module's contract; buffers of the sizes that the shim names, and texts that pppd only reads.
    let done = unsafe {
        shim::pptp_host_chapms2(
            challenge.as_mut_ptr(),
            peer_challenge.as_mut_ptr(),
            user.as_ptr().cast_mut(),
            secret.as_ptr().cast_mut(),
            length,
            response.as_mut_ptr(),
            authenticator.as_mut_ptr(),
        )
    };
    (done != 0).then_some((response, authenticator))
}

/// Gives pppd the keys for MPPE.
pub(crate) fn set_mppe_keys(send: &StartKey, receive: &StartKey) {
    let (mut send, mut receive) = (Zeroizing::new(*send.as_bytes()), Zeroizing::new(*receive.as_bytes()));
    // SAFETY: the module's contract; pppd copies 16 bytes of each.
    unsafe { shim::pptp_host_set_mppe_keys(send.as_mut_ptr(), receive.as_mut_ptr()) }
}

/// The keys that pppd has for MPPE: what it sends with, and what it receives with.
pub(crate) fn mppe_keys() -> Option<[StartKey; 2]> {
    let (mut send, mut receive) = (Zeroizing::new([0; 16]), Zeroizing::new([0; 16]));
    // SAFETY: the module's contract; there is room for 16 bytes of each.
    let set = unsafe { shim::pptp_host_mppe_keys(send.as_mut_ptr(), receive.as_mut_ptr()) };
    (set != 0).then(|| [StartKey::new(*send), StartKey::new(*receive)])
}

/// pppd has no keys for MPPE any more.
pub(crate) fn clear_mppe_keys() {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_clear_mppe_keys() }
}

/// pppd's CCP would ask for MPPE, with all key lengths that it knows; a plugin that logs the peer in may take some away.
pub(crate) fn ask_for_mppe() {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_ask_for_mppe() }
}

/// The plugin's CCP becomes pppd's.
pub(crate) fn take_ccp() {
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_take_ccp() }
}

/// Sends a packet of CCP.
pub(crate) fn send_ccp(packet: &[u8]) {
    // SAFETY: the module's contract; so many bytes, of which the shim makes a copy.
    unsafe { shim::pptp_host_send_ccp(packet.as_ptr(), packet.len()) }
}

/// Gives /dev/ppp an option of CCP with a key behind it; whether it takes it.
pub(crate) fn set_compression(option_and_key: &mut [u8], transmit: bool) -> bool {
    let Ok(length) = c_int::try_from(option_and_key.len()) else { return false };
    // SAFETY: the module's contract; so many bytes, which pppd passes on to an ioctl.
    unsafe { shim::pptp_host_set_compression(option_and_key.as_mut_ptr(), length, transmit.into()) > 0 }
}

/// Tells /dev/ppp whether CCP is open, and up.
pub(crate) fn set_ccp_flags(is_open: bool, is_up: bool) {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_set_ccp_flags(is_open.into(), is_up.into()) }
}

/// The callback `ccp_timer` is called once after this time; `None`: not at all.
pub(crate) fn set_ccp_timer(after: Option<Duration>) {
    let seconds = after.map_or(-1, |after| c_int::try_from(after.as_secs()).unwrap_or(c_int::MAX));
    let microseconds = after.map_or(0, |after| c_int::try_from(after.subsec_micros()).unwrap_or(0));
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_set_ccp_timer(seconds, microseconds) }
}

/// Whether IP waits for CCP when the network phase begins.
pub(crate) fn hold_networks(hold: bool) {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_hold_networks(hold.into()) }
}

/// IP waits no longer.
pub(crate) fn start_networks() {
    // SAFETY: the module's contract; the caller holds no borrow of the plugin's state.
    unsafe { shim::pptp_host_start_networks() }
}

/// Lets the callbacks `network_…` see what IPCP and IPV6CP get.
pub(crate) fn watch_networks() {
    // SAFETY: the module's contract; the callbacks are installed before anything is called.
    unsafe { shim::pptp_host_watch_networks() }
}

/// Gives the protocol with this number a packet.
pub(crate) fn give_packet(protocol: c_int, packet: &[u8]) {
    // SAFETY: the module's contract; so many bytes, of which the shim makes a copy.
    unsafe { shim::pptp_host_give_packet(protocol, packet.as_ptr(), packet.len()) }
}

/// Sets the interface's MTU, in bytes.
pub(crate) fn set_mtu(mtu: c_int) {
    // SAFETY: the module's contract.
    unsafe { shim::pptp_host_set_mtu(mtu) }
}

/// Registers the channel with /dev/ppp; the descriptor that pppd reads, or -1.
pub(crate) fn establish(channel: RawFd) -> RawFd {
    // SAFETY: the module's contract; no pointers.
    unsafe { shim::pptp_host_establish(channel) }
}

/// Undoes [`establish`].
pub(crate) fn disestablish(channel: RawFd) {
    // SAFETY: the module's contract; no pointers.
    unsafe { shim::pptp_host_disestablish(channel) }
}

/// A descriptor that somebody else opened and that stays open for as long as it is borrowed.
pub(crate) fn borrow(fd: RawFd) -> Option<BorrowedFd<'static>> {
    if fd < 0 {
        return None;
    }
    // SAFETY: not -1; the descriptor was given to pppd by who started it ("pptp_sock"), or pppd passes it to a system call
    // that goes on for as long as the borrow is used. No Rust code owns it; if it is closed, what is done with it fails.
    Some(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Puts a copy of `new` in the place of a descriptor that was given to pppd.
pub(crate) fn replace(fd: RawFd, new: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the number was given to pppd by who started it, and no Rust code owns it. This owner never closes it.
    let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(dup3(new, &mut place, OFlag::O_CLOEXEC)?)
}

/// Closes a descriptor in a process that is about to run another program, where its owner never runs again.
pub(crate) fn close_in_child(fd: RawFd) {
    // SAFETY: the callback `close` runs in a child that pppd has forked to run a script, and leaves this library behind;
    // the Rust owner of the descriptor is in the parent, and its copy in this process is never dropped.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}
