//! What pppd's scripts (ip-up, ip-down and the others) get to know of the call: variables named `PPTP_…`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::CStr;

use crate::ffi;
use crate::options::{Path, Settings};
use crate::pppd::c_text;
use crate::session::{self, Ends};

/// A name and its value; `None`: there is no such variable.
type Variable = (&'static CStr, Option<String>);

thread_local! {
    /// What pppd has been told: it writes each change to its database.
    static TOLD: RefCell<BTreeMap<&'static CStr, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// A call is up.
pub(crate) fn begin(settings: &Settings, path: Path, ends: Ends) {
    let is_client = settings.client.is_none();
    let client = |value: Option<String>| value.filter(|_| is_client);
    let [call_id, peer_call_id] = ends.call_ids;
    let role = if is_client { "client" } else { "server" };
    let variables: [Variable; 10] = [
        (c"PPTP_ROLE", Some(String::from(role))),
        (c"PPTP_SERVER", client(settings.server.clone())),
        (c"PPTP_SERVER_ADDRESS", client(ends.peer.map(|address| address.to_string()))),
        (c"PPTP_PORT", client(Some(settings.port.to_string()))),
        (c"PPTP_CLIENT", settings.client.clone()),
        (c"PPTP_DATAPATH", Some(String::from(path.name()))),
        (c"PPTP_LOCAL_CALL_ID", call_id.map(|id| id.to_string())),
        (c"PPTP_PEER_CALL_ID", peer_call_id.map(|id| id.to_string())),
        (c"PPTP_MPPE", Some(String::from("none"))),
        (c"PPTP_REASON", None),
    ];
    variables.into_iter().for_each(tell);
}

/// How the tunnel is encrypted may have changed: `none`, `128 stateless`; received and sent where they differ: `40 stateful /
/// 128 stateless`.
pub(crate) fn tell_encryption() {
    tell((c"PPTP_MPPE", Some(session::encryption().to_string().replace("MPPE-", ""))));
}

/// Why IP goes down.
pub(crate) fn tell_reason(reason: &str) {
    tell((c"PPTP_REASON", Some(String::from(reason))));
}

fn tell((name, value): Variable) {
    let is_told = TOLD.with_borrow_mut(|told| match &value {
        Some(value) => told.insert(name, value.clone()).as_ref() == Some(value),
        None => told.remove(name).is_none(),
    });
    if !is_told {
        ffi::set_variable(name, value.map(|value| c_text(&value)).as_deref());
    }
}
