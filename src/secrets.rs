//! What the call manager and the engine must not inherit.

use crate::{ffi, mschap};

/// Overwrites passwords and keys, pppd's and the plugin's. For a process that was forked and does without them.
pub(crate) fn erase() {
    ffi::erase_secrets();
    mschap::forget();
}
