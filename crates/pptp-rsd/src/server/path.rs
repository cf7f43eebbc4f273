//! Which way the packets of calls go on this machine.

use std::fs::OpenOptions;

use pptp_io::{modules, ppp, pppox};

use crate::config::Datapath;

/// Who carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// pptp.ko.
    Kernel,
    /// An engine of this server's.
    Engine,
}

/// How long loading a module may take.
const LOADING: core::time::Duration = core::time::Duration::from_secs(3);

/// What the configuration asks for; if it leaves that open, what this machine has, and why not the kernel. A `vrf` is left open
/// to kernels of which nobody can tell whether their PPTP stays in it.
pub(super) fn choose(wish: Datapath, vrf: bool) -> (Carrier, Option<&'static str>) {
    match wish {
        Datapath::Kernel => (Carrier::Kernel, None),
        Datapath::Tun | Datapath::Pty => (Carrier::Engine, None),
        Datapath::Auto if vrf => (Carrier::Engine, Some("may not keep to a VRF, unless datapath says so")),
        Datapath::Auto => kernel_lacks().map_or((Carrier::Kernel, None), |what| (Carrier::Engine, Some(what))),
    }
}

/// Clients of a PPTP server want MPPE: a kernel without it is as good as one without PPTP.
fn kernel_lacks() -> Option<&'static str> {
    if pppox::open().is_err() {
        return Some("has no pptp.ko");
    }
    let has_ppp = || OpenOptions::new().read(true).write(true).open("/dev/ppp").is_ok();
    let loads_ppp = || modules::load("ppp_generic", LOADING) && has_ppp();
    if !has_ppp() && !loads_ppp() {
        return Some("has no /dev/ppp (ppp_generic.ko)");
    }
    (!ppp::has_mppe().unwrap_or(false)).then_some("has no MPPE (ppp_mppe.ko)")
}
