//! What pppd calls. Every function is one `guard(..)` around a safe function.

use std::ffi::{c_char, c_int, c_uchar};

use crate::guard::{guard, report_panics};
use crate::mschap::{V1, V2, Version};
use crate::{
    ccp, channel, early, environment, ffi, mschap, options, ppp_device, pppd, report, secrets, session, tunnels,
    waiting, wtmp,
};

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
    /// MS-CHAPv1.
    pub(crate) mschap: Digest,
    /// MS-CHAPv2.
    pub(crate) mschap2: Digest,
    /// CCP.
    pub(crate) ccp: Compression,
    /// The network control protocol with this number begins to negotiate.
    pub(crate) network_open: extern "C" fn(protocol: c_int),
    /// One of them is up.
    pub(crate) network_up: extern "C" fn(),
    /// One of them goes down, and its script has not run yet.
    pub(crate) network_down: extern "C" fn(),
    /// LCP is down.
    pub(crate) network_lower_down: extern "C" fn(protocol: c_int),
    /// A packet for it has come, from its code on. Nonzero: it is not to see it now.
    pub(crate) network_packet: unsafe extern "C" fn(protocol: c_int, packet: *mut c_uchar, length: c_int) -> c_int,
    /// pppd ends.
    pub(crate) exit: extern "C" fn(),
}

/// A version of MS-CHAP, as pppd's struct chap_digest_type has it: challenges and responses have their length before
/// them.
#[repr(C)]
pub(crate) struct Digest {
    /// Makes a challenge.
    pub(crate) challenge: unsafe extern "C" fn(challenge: *mut c_uchar),
    /// Whether a response is right; the message to the peer, as a text.
    pub(crate) verify: unsafe extern "C" fn(
        id: c_int,
        name: *mut c_char,
        secret: *mut c_uchar,
        secret_length: c_int,
        challenge: *mut c_uchar,
        response: *mut c_uchar,
        message: *mut c_char,
        message_room: c_int,
    ) -> c_int,
    /// Answers a challenge.
    pub(crate) respond: unsafe extern "C" fn(
        response: *mut c_uchar,
        id: c_int,
        name: *mut c_char,
        challenge: *mut c_uchar,
        secret: *mut c_char,
        secret_length: c_int,
        private: *mut c_uchar,
    ),
    /// Whether the server that accepts us knows the password too; NULL: it does not tell.
    pub(crate) success: Option<unsafe extern "C" fn(id: c_int, message: *mut c_uchar, length: c_int) -> c_int>,
    /// The server does not accept us.
    pub(crate) failure: unsafe extern "C" fn(message: *mut c_uchar, length: c_int),
}

/// CCP, as pppd's struct protent has it.
#[repr(C)]
pub(crate) struct Compression {
    /// The network phase begins, or the user wants a negotiation (SIGUSR2).
    pub(crate) open: extern "C" fn(),
    /// There is nothing to negotiate any more.
    pub(crate) close: extern "C" fn(),
    /// LCP is down.
    pub(crate) lower_down: extern "C" fn(),
    /// A packet, from its code on.
    pub(crate) packet: unsafe extern "C" fn(packet: *mut c_uchar, length: c_int),
    /// An encrypted frame came that could not be decrypted.
    pub(crate) undecryptable: extern "C" fn(),
    /// The peer has no CCP.
    pub(crate) protocol_reject: extern "C" fn(),
    /// The time of pptp_host_set_ccp_timer is over.
    pub(crate) timer: extern "C" fn(),
}

impl Digest {
    const fn of<V: Version>() -> Self {
        Self {
            challenge: chap_challenge::<V>,
            verify: chap_verify::<V>,
            respond: chap_respond::<V>,
            success: None,
            failure: chap_failure::<V>,
        }
    }
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
    mschap: Digest::of::<V1>(),
    mschap2: Digest { success: Some(chap_success), ..Digest::of::<V2>() },
    ccp: Compression {
        open: ccp_open,
        close: ccp_close,
        lower_down: ccp_lower_down,
        packet: ccp_packet,
        undecryptable: ccp_undecryptable,
        protocol_reject: ccp_protocol_reject,
        timer: ccp_timer,
    },
    network_open,
    network_up,
    network_down,
    network_lower_down,
    network_packet,
    exit,
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
        waiting::install();
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

unsafe extern "C" fn chap_challenge<V: Version>(challenge: *mut c_uchar) {
    guard((), || {
        // SAFETY: pppd has room for a length and as many bytes as fit into it.
        unsafe { ffi::put_counted(challenge, &mschap::challenge::<V>()) }
    });
}

unsafe extern "C" fn chap_verify<V: Version>(
    id: c_int,
    name: *mut c_char,
    secret: *mut c_uchar,
    secret_length: c_int,
    challenge: *mut c_uchar,
    response: *mut c_uchar,
    message: *mut c_char,
    message_room: c_int,
) -> c_int {
    guard(0, || {
        let _ = id;
        // SAFETY: a text of pppd's.
        let name = unsafe { ffi::bytes_of_text(name) };
        // SAFETY: pppd passes so many bytes.
        let secret = unsafe { ffi::bytes(secret, secret_length) };
        // SAFETY: a length, and so many bytes.
        let challenge = unsafe { ffi::counted(challenge) };
        // SAFETY: as above.
        let response = unsafe { ffi::counted(response) };
        let verdict = mschap::verify::<V>(name, secret, challenge, response);
        // SAFETY: pppd has so much room.
        unsafe { ffi::put_text(message, message_room, &verdict.message) };
        c_int::from(verdict.is_right)
    })
}

unsafe extern "C" fn chap_respond<V: Version>(
    response: *mut c_uchar,
    id: c_int,
    name: *mut c_char,
    challenge: *mut c_uchar,
    secret: *mut c_char,
    secret_length: c_int,
    _private: *mut c_uchar,
) {
    guard((), || {
        // SAFETY: a text of pppd's.
        let name = unsafe { ffi::bytes_of_text(name) };
        // SAFETY: pppd passes so many bytes.
        let secret = unsafe { ffi::bytes(secret.cast(), secret_length) };
        // SAFETY: a length, and so many bytes.
        let challenge = unsafe { ffi::counted(challenge) };
        // SAFETY: pppd has room for a length and as many bytes as fit into it.
        unsafe { ffi::put_counted(response, &mschap::respond::<V>(id, name, secret, challenge)) }
    });
}

unsafe extern "C" fn chap_success(id: c_int, message: *mut c_uchar, length: c_int) -> c_int {
    guard(0, || {
        // SAFETY: pppd passes so many bytes.
        let message = unsafe { ffi::bytes(message, length) };
        c_int::from(mschap::accepts_server(id, message))
    })
}

unsafe extern "C" fn chap_failure<V: Version>(message: *mut c_uchar, length: c_int) {
    guard((), || {
        // SAFETY: pppd passes so many bytes.
        let message = unsafe { ffi::bytes(message, length) };
        mschap::report_failure::<V>(message);
    });
}

extern "C" fn ccp_open() {
    guard((), ccp::open);
}

extern "C" fn ccp_close() {
    guard((), ccp::close);
}

extern "C" fn ccp_lower_down() {
    guard((), ccp::lower_down);
}

unsafe extern "C" fn ccp_packet(packet: *mut c_uchar, length: c_int) {
    guard((), || {
        // SAFETY: pppd passes so many bytes.
        ccp::take_packet(unsafe { ffi::bytes(packet, length) });
    });
}

extern "C" fn ccp_undecryptable() {
    guard((), ccp::take_undecryptable);
}

extern "C" fn ccp_protocol_reject() {
    guard((), ccp::take_protocol_reject);
}

extern "C" fn ccp_timer() {
    guard((), ccp::time_is_over);
}

extern "C" fn network_open(protocol: c_int) {
    guard((), || early::open(protocol));
}

extern "C" fn network_up() {
    guard((), || {
        // With `updetach` it is another process from here on.
        tunnels::follow_process();
        session::network_up();
        environment::tell_encryption();
        report::network_up();
        wtmp::network_up();
        channel::network_up();
    });
}

extern "C" fn network_down() {
    guard((), channel::network_down);
}

extern "C" fn network_lower_down(protocol: c_int) {
    guard((), || {
        early::lower_down(protocol);
        secrets::forget_login();
    });
}

unsafe extern "C" fn network_packet(protocol: c_int, packet: *mut c_uchar, length: c_int) -> c_int {
    guard(0, || {
        // SAFETY: pppd passes so many bytes.
        let packet = unsafe { ffi::bytes(packet, length) };
        // The script that pppd runs before the interface is up, too, is to know how it is encrypted.
        environment::tell_encryption();
        c_int::from(early::keep(protocol, packet))
    })
}

extern "C" fn exit() {
    guard((), || {
        tunnels::finish();
        channel::exit();
    });
}

unsafe extern "C" fn holdoff_hook() -> c_int {
    guard(0, channel::holdoff::seconds)
}
