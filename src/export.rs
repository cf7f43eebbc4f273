//! The two symbols that pppd looks for. Nothing else is exported.
#![expect(unreachable_pub, reason = "they are public in C")]

use std::ffi::c_char;

use crate::entry;

/// Bytes that hold the version, its final NUL included.
pub const PPPD_VERSION_ROOM: usize = 16;

/// The version of pppd that this plugin was built for; pppd refuses any other.
// SAFETY: no other library that pppd loads may define the name; that is pppd's own rule for plugins.
#[unsafe(no_mangle)]
pub static pppd_version: [c_char; PPPD_VERSION_ROOM] = nul_terminated(env!("PPPD_VERSION"));

/// Called by pppd when it has loaded the plugin, while it parses its options.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_init() {
    entry::init();
}

const fn nul_terminated(text: &str) -> [c_char; PPPD_VERSION_ROOM] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < PPPD_VERSION_ROOM, "the version of pppd is longer than expected");
    let mut result = [0; PPPD_VERSION_ROOM];
    let mut i = 0;
    while i < bytes.len() {
        // A signed or an unsigned char, as the machine has it.
        result[i] = bytes[i] as c_char;
        i += 1;
    }
    result
}
