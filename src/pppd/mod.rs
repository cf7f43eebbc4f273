//! What the plugin asks of pppd, in Rust's words.

mod log;
mod registry;

use std::ffi::CString;
use std::os::fd::RawFd;

use crate::ffi;

pub(crate) use log::{NOTICE, log_line, start_logging};
pub(crate) use registry::{register_options, show_value};

/// pppd's exit statuses (pppd(8), "EXIT STATUS"), as far as they are ours to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Status {
    /// Something that should not happen.
    FatalError = 1,
    /// The options make no sense.
    OptionError = 2,
    /// The kernel cannot do what is asked for.
    NoKernelSupport = 4,
    /// A signal told pppd to end.
    UserRequest = 5,
}

/// A signal that ends an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// SIGTERM or SIGINT: pppd ends.
    Terminate,
    /// SIGHUP: this attempt ends.
    HangUp,
}

/// Ends the process before it has done anything, as pppd itself does when its options are wrong.
pub(crate) fn exit(status: Status) -> ! {
    std::process::exit(status as i32)
}

/// Ends pppd while it has no link, cleaning up as it does itself: what it ends with by itself is not its status then.
pub(crate) fn die(status: Status) {
    ffi::die(status as i32);
}

/// The status with which pppd ends if it ends now.
pub(crate) fn set_status(status: Status) {
    ffi::set_status(status as i32);
}

/// Says what is wrong with the options.
pub(crate) fn option_error(text: &str) {
    ffi::option_error(&c_text(text));
}

/// The signal that pppd got and has not acted on.
pub(crate) fn interruption() -> Option<Interruption> {
    if ffi::got_sigterm() != 0 {
        Some(Interruption::Terminate)
    } else if ffi::got_sighup() != 0 {
        Some(Interruption::HangUp)
    } else {
        None
    }
}

/// Makes pppd end although it may persist.
pub(crate) fn quit() {
    ffi::quit();
}

/// Whether the user requires MPPE.
pub(crate) fn wants_mppe() -> bool {
    ffi::wants_mppe() != 0
}

/// Whether several links are to be one bundle.
pub(crate) fn is_multilink() -> bool {
    ffi::multilink() != 0
}

/// Whether pppd makes the interface first and calls when there are packets for it.
pub(crate) fn is_on_demand() -> bool {
    ffi::on_demand() != 0
}

/// Whether the link ended because the channel did.
pub(crate) fn hung_up() -> bool {
    ffi::hung_up() != 0
}

/// Whether pppd would wait before it connects again.
pub(crate) fn needs_holdoff() -> bool {
    ffi::needs_holdoff() != 0
}

/// What `Connect: ppp0 <--> …` shows.
pub(crate) fn set_channel_name(name: &str) {
    ffi::set_channel_name(&c_text(name));
}

/// The peer's number or address for pppd's scripts, empty if there is none.
pub(crate) fn remote_number() -> String {
    ffi::remote_number()
}

/// Tells pppd the peer's number or address.
pub(crate) fn set_remote_number(number: &str) {
    ffi::set_remote_number(&c_text(number));
}

/// The descriptor that pppd reads once the channel is registered with /dev/ppp.
pub(crate) fn establish(channel: RawFd) -> Option<RawFd> {
    let unit = ffi::establish(channel);
    (unit >= 0).then_some(unit)
}

/// Whether the user gave this option of LCP's (`mtu`, `mru`).
pub(crate) fn lcp_option_is_given(name: &str) -> bool {
    let options = (0..).map_while(ffi::lcp_option);
    options.into_iter().any(|(option, source)| option == name && source.is_some())
}

/// A text for C: without NUL bytes.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
