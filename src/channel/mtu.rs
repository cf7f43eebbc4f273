//! Packet sizes: what of the outer path's MTU is left for a packet in the tunnel.
//!
//! LCP has two sizes. What it *wants* is asked of the peer as its MRU: the largest frame this end is sent. What it
//! *allows* bounds the interface's own MTU, together with the MRU of the peer. pppd's defaults, 1500 and no bound,
//! make every full packet two fragments.
//!
//! Both bound the information field of a PPP frame (RFC 1661 §2), in which MPPE puts 4 bytes of its own (RFC 3078 §3);
//! pppd takes these off the interface's MTU when it turns MPPE on, and so does a peer that keeps to the RFC.

use std::ffi::c_int;

use log::debug;

use crate::ffi;
use crate::options::Mtu;
use crate::pppd;

/// IPv4 header, GRE header with sequence and acknowledgment number (RFC 2637 §4.1), and address, control and protocol
/// of PPP: pptp.ko compresses none of them when it sends.
const OVERHEAD: u16 = 20 + 16 + 4;

/// What most paths have, if this one is not known.
const USUAL_OUTER_MTU: u16 = 1500;

/// The largest that is chosen unasked: the default of LCP (RFC 1661 §6.1), which every peer must take.
const LARGEST: u16 = 1500;

/// The smallest that pppd takes (its MINMRU).
const SMALLEST: u16 = 128;

/// What pppd's own options say. `None`: nothing, so the plugin may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Configured {
    /// Option `mru`.
    mru: Option<c_int>,
    /// Option `mtu`.
    mtu: Option<c_int>,
}

impl Configured {
    /// Reads them when all options are known.
    pub(super) fn read() -> Self {
        let given = |name, value: c_int| pppd::lcp_option_is_given(name).then_some(value);
        Self { mru: given("mru", ffi::wanted_mru().get()), mtu: given("mtu", ffi::allowed_mru().get()) }
    }
}

/// `outer_mtu`, unless it is unknown (0).
pub(super) fn known(outer_mtu: u16) -> Option<u16> {
    (outer_mtu != 0).then_some(outer_mtu)
}

/// Sets both sizes for the next negotiation.
pub(super) fn apply(option: Mtu, outer_mtu: Option<u16>, configured: Configured) {
    let chosen = c_int::from(match option {
        Mtu::Bytes(bytes) => bytes,
        Mtu::Auto => inner_mtu(outer_mtu.unwrap_or(USUAL_OUTER_MTU)),
    });
    let mru = configured.mru.unwrap_or(chosen);
    let mtu = configured.mtu.unwrap_or(chosen);
    if let Some(outer_mtu) = outer_mtu {
        debug!("MTU {mtu}, MRU {mru}: the path has {outer_mtu}, headers take {OVERHEAD}");
    }
    ffi::wanted_mru().set(mru);
    ffi::allowed_mru().set(mtu);
}

fn inner_mtu(outer_mtu: u16) -> u16 {
    outer_mtu.saturating_sub(OVERHEAD).clamp(SMALLEST, LARGEST)
}
