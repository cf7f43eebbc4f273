//! What pppd does not wait for: news of the engine, and the silence of a peer whose GRE packets do not come.
//!
//! Only while a call is young: later, silence is the business of LCP's echo requests. With `demand`, also whether the
//! interface still exists: pppd never makes it anew, and without it waits for packets for ever.

use std::ffi::c_int;
use std::net::Ipv4Addr;

use log::{error, warn};

use super::{outside, with};
use crate::options::{Path, Settings};
use crate::pppd::{self, Status};
use crate::{engine, ffi, ppp_device, session};

/// How often to look, seconds.
const INTERVAL: c_int = 1;

/// How often to look for the interface of `demand`, seconds.
const SLOW_INTERVAL: c_int = 3;

/// How often at most. The engine itself speaks of silence after 10 s.
const LOOKS: u32 = 12;

/// When LCP must have heard something, in looks.
const SILENCE: u32 = 10;

/// There is no call.
pub(super) fn wait() {
    with(|channel| channel.looks = LOOKS);
    ffi::set_timer(slow_interval());
}

/// A call is up: begins to look.
pub(super) fn begin() {
    with(|channel| channel.looks = 0);
    ffi::set_timer(INTERVAL);
}

/// IP is up: looks whether the way to the server is still another, when its scripts have run.
pub(super) fn check_way() {
    with(|channel| {
        channel.looks = 0;
        channel.checks_way = true;
    });
    ffi::set_timer(INTERVAL);
}

/// The call is over.
pub(super) fn end() {
    wait();
    engine::catch_up();
}

/// Looks, and sets the time for the next look.
pub(crate) fn look() {
    engine::pass_log_on();
    if slow_interval() != 0 && ppp_device::has_lost_unit() {
        error!("option demand: its interface is gone, so pppd ends");
        if with(|channel| channel.link.is_none()) {
            return pppd::die(Status::FatalError);
        }
        pppd::set_status(Status::FatalError);
        return pppd::quit();
    }
    if let Some((settings, peer)) = way_to_check() {
        outside::check(&settings, peer);
    }
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
    ffi::set_timer(if looks < LOOKS { INTERVAL } else { slow_interval() });
}

/// To where, on a client, if it is to be looked at.
fn way_to_check() -> Option<(Settings, Ipv4Addr)> {
    let (is_due, settings) = with(|channel| (std::mem::take(&mut channel.checks_way), channel.settings.clone()));
    let peer = session::call().and_then(|call| call.ends.peer)?;
    (is_due && settings.client.is_none()).then_some((settings, peer))
}

/// 0: not at all.
fn slow_interval() -> c_int {
    let path = with(|channel| channel.choice.as_ref().map(|choice| choice.path));
    if pppd::is_on_demand() && path == Some(Path::Tun) { SLOW_INTERVAL } else { 0 }
}
