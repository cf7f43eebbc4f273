//! What pppd calls. Every function is one `guard(..)` around a safe function.

use std::ffi::{c_char, c_int};

use crate::guard::{guard, report_panics};
use crate::{channel, ffi, options, ppp_device, pppd};

/// What pppd calls: its channel's functions, and the parsers of its options. Each may be called at any time after
/// plugin_init, in pppd's only thread.
#[repr(C)]
pub(crate) struct Callbacks {
    /// An option of ours was given; argv[0] is its value. Its name is pppd's current option. 0: an error, which has
    /// been reported.
    pub(crate) parse_option: unsafe extern "C" fn(argv: *mut *mut c_char) -> c_int,
    /// A word that is no option's name: whether it is ours (apply is 0), or take it (apply is 1). 0: no.
    pub(crate) match_word: unsafe extern "C" fn(word: *mut c_char, argv: *mut *mut c_char, apply: c_int) -> c_int,
    /// All options have been given. Ends the process when they make no sense.
    pub(crate) check_options: extern "C" fn(),
    /// Makes the call; the channel's descriptor, or -1.
    pub(crate) connect: extern "C" fn() -> c_int,
    /// The channel is not used any more.
    pub(crate) disconnect: extern "C" fn(),
    /// Registers the channel; the descriptor that pppd reads, or -1.
    pub(crate) establish: extern "C" fn(channel: c_int) -> c_int,
    /// Undoes establish.
    pub(crate) disestablish: extern "C" fn(channel: c_int),
    /// Releases everything; may be called several times.
    pub(crate) cleanup: extern "C" fn(),
    /// Called in a child that is about to run a script: closes descriptors and does nothing else.
    pub(crate) close: extern "C" fn(),
    /// The time of pptp_host_set_timer is over.
    pub(crate) timer: extern "C" fn(),
}

static CALLBACKS: Callbacks = Callbacks {
    parse_option,
    match_word,
    check_options,
    connect,
    disconnect,
    establish,
    disestablish,
    cleanup,
    close,
    timer,
};

/// Makes the plugin pppd's channel.
pub(crate) fn init() {
    guard((), || {
        report_panics();
        pppd::start_logging();
        ffi::install(&CALLBACKS);
        pppd::register_options(options::table());
        channel::holdoff::install(holdoff_hook);
        ppp_device::install(channel::wants_device);
    });
}

unsafe extern "C" fn parse_option(argv: *mut *mut c_char) -> c_int {
    guard(0, || {
        let name = ffi::current_option();
        let value = options::find(&name).filter(|option| option.takes_value()).and_then(|_| {
            // SAFETY: for an option with a value, pppd passes an array with that value as its first element. For others
            // the array may be uninitialised (an option in a file), so it is not looked at.
            let value = unsafe { argv.as_ref() }.copied()?;
            // SAFETY: a value is a NUL-terminated text.
            unsafe { ffi::text(value) }
        });
        c_int::from(channel::parse_option(&name, value.as_deref()))
    })
}

unsafe extern "C" fn match_word(word: *mut c_char, _argv: *mut *mut c_char, apply: c_int) -> c_int {
    guard(0, || {
        // SAFETY: pppd passes a word of its options.
        let word = unsafe { ffi::text(word) }.unwrap_or_default();
        let matched = if apply == 0 { channel::knows_word(&word) } else { channel::parse_word(&word) };
        c_int::from(matched)
    })
}

extern "C" fn check_options() {
    // A panic in here would let pppd go on without a check; it ends instead.
    if let Err(status) = guard(Err(pppd::Status::FatalError), channel::check_options) {
        pppd::exit(status);
    }
}

extern "C" fn connect() -> c_int {
    guard(-1, channel::connect)
}

extern "C" fn disconnect() {
    guard((), channel::disconnect);
}

extern "C" fn establish(device: c_int) -> c_int {
    guard(-1, || channel::establish(device))
}

extern "C" fn disestablish(device: c_int) {
    guard((), || channel::disestablish(device));
}

extern "C" fn cleanup() {
    guard((), channel::cleanup);
}

extern "C" fn close() {
    guard((), channel::close);
}

extern "C" fn timer() {
    guard((), channel::watch::look);
}

unsafe extern "C" fn holdoff_hook() -> c_int {
    guard(0, channel::holdoff::seconds)
}
