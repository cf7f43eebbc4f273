//! What a login has left: neither the call manager and the engine nor the next link may have it.

use crate::{ffi, mschap};

/// Overwrites passwords and keys, pppd's and the plugin's. For a process that was forked and does without them.
pub(crate) fn erase() {
    ffi::erase_secrets();
    mschap::forget();
}

/// LCP is down: the login is void. Who replays a recorded one on another link would else be believed, and get the same keys.
pub(crate) fn forget_login() {
    ffi::clear_mppe_keys();
    mschap::forget();
}
