//! The record of logins, for who asks last(1): each call's user on its interface, from IP up to the end of the link, as under
//! pptpd.

use std::cell::Cell;
use std::ffi::CString;

use crate::{channel, ffi};

thread_local! {
    static IS_RECORDED: Cell<bool> = const { Cell::new(false) };
}

/// IP is up.
pub(crate) fn network_up() {
    let Some(client) = channel::recorded_client() else { return };
    let user = ffi::peer_name();
    // Without a name it would be the record of an end.
    if !user.is_empty() && !IS_RECORDED.replace(true) {
        record(&user, &client);
    }
}

/// The link is about to end.
pub(crate) fn finish() {
    if IS_RECORDED.take() {
        record("", "");
    }
}

fn record(user: &str, client: &str) {
    let [line, user, client] = [&ffi::interface(), user, client].map(|text| CString::new(text).unwrap_or_default());
    ffi::record_login(&line, &user, &client);
}
