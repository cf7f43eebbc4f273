//! Keeps a panic from unwinding into pppd, which is C.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::pppd;

/// Runs `body`, the whole of a function that pppd calls; `fallback` is what pppd gets should it panic.
///
/// The panic has been reported by then, see [`report_panics`].
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    // What a panic leaves half-done is only the plugin's own state, which every callback takes as it finds it.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Sends the message of a panic to pppd's log instead of to a standard error that nobody may read.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        pppd::log_line(log::Level::Error, &format!("pptp-rs: internal error, please report it: {panic}"));
    }));
}
