//! How long pppd waits before it calls again.
//!
//! pppd 2.5.x does not wait after a hang-up, as if a modem's line had been cut by its user. A server that disconnects
//! every call at once would be called in a tight loop. So a call that the other side ended is always followed by
//! `holdoff`; SIGHUP ends the waiting, as ever.

use std::ffi::c_int;
use std::sync::OnceLock;

use super::with;
use crate::ffi::{self, HoldoffHook};
use crate::pppd;

/// What another plugin had put there before.
static BEFORE: OnceLock<HoldoffHook> = OnceLock::new();

/// Makes `hook` what pppd asks.
pub(crate) fn install(hook: unsafe extern "C" fn() -> c_int) {
    let before = ffi::replace_holdoff_hook(Some(hook));
    // A plugin that is loaded twice finds its own hook: the first answer is the right one.
    let _ = BEFORE.set(before);
}

/// Seconds to wait now.
pub(crate) fn seconds() -> c_int {
    let holdoff = ffi::holdoff();
    let without_us = BEFORE.get().copied().and_then(ffi::call_holdoff_hook).unwrap_or(if pppd::needs_holdoff() {
        holdoff
    } else {
        0
    });
    if with(|channel| channel.peer_hung_up) { without_us.max(holdoff) } else { without_us }
}
