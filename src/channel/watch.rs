//! What pppd does not wait for: news of the engine, and the silence of a peer whose GRE packets do not come.
//!
//! Only while a call is young: later, silence is the business of LCP's echo requests.

use std::ffi::c_int;

use log::warn;

use super::with;
use crate::options::Path;
use crate::{engine, ffi};

/// How often to look, seconds.
const INTERVAL: c_int = 1;

/// How often at most. The engine itself speaks of silence after 10 s.
const LOOKS: u32 = 12;

/// When LCP must have heard something, in looks.
const SILENCE: u32 = 10;

/// A call is up: begins to look.
pub(super) fn begin() {
    with(|channel| channel.looks = 0);
    ffi::set_timer(INTERVAL);
}

/// The call is over.
pub(super) fn end() {
    ffi::set_timer(0);
    engine::catch_up();
}

/// Looks, and sets the time for the next look.
pub(crate) fn look() {
    engine::pass_log_on();
    let (looks, path, peer) = with(|channel| {
        channel.looks += 1;
        (channel.looks, channel.choice.as_ref().map(|choice| choice.path), channel.peer.clone())
    });
    if looks == SILENCE && path == Some(Path::Kernel) && ffi::lcp_is_unheard() != 0 {
        warn!(
            "no GRE packet has come from {peer} for {SILENCE} s: a firewall or NAT on the way may not pass GRE (IP protocol \
             47); one with Linux needs nf_conntrack_pptp"
        );
    }
    if looks < LOOKS {
        ffi::set_timer(INTERVAL);
    }
}
