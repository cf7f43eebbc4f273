//! Configure-Requests of IPCP and IPV6CP that come too early.
//!
//! A peer may begin with them as soon as it has authenticated, while IP still waits here for CCP. pppd would answer with
//! Terminate-Ack, and the peer would ask again after its restart timer, usually 3 s. They are kept instead, and given to pppd
//! when it begins itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_int;

use log::debug;

use crate::channel::admission;
use crate::ffi;

/// RFC 1661 §5
const CONFIGURE_REQUEST: u8 = 1;
const CONFIGURE_ACK: u8 = 2;

/// What pppd reads at most (its PPP_MRU).
const LONGEST: usize = 1500;

/// One protocol.
#[derive(Default)]
struct Waiting {
    /// pppd has begun to negotiate.
    is_open: bool,
    /// The last one that came before.
    request: Option<Vec<u8>>,
}

thread_local! {
    static WAITING: RefCell<BTreeMap<c_int, Waiting>> = const { RefCell::new(BTreeMap::new()) };
}

/// A packet has come; whether it is kept.
pub(crate) fn keep(protocol: c_int, packet: &[u8]) -> bool {
    let code = packet.first().copied();
    let (is_open, keeps) = WAITING.with_borrow_mut(|all| {
        let waiting = all.entry(protocol).or_default();
        let keeps = !waiting.is_open && code == Some(CONFIGURE_REQUEST) && packet.len() <= LONGEST;
        if keeps {
            waiting.request = Some(packet.to_vec());
        }
        (waiting.is_open, keeps)
    });
    if is_open && code == Some(CONFIGURE_ACK) {
        admission::settle();
    }
    keeps
}

/// pppd has begun to negotiate: gives it what was kept.
pub(crate) fn open(protocol: c_int) {
    let before = WAITING.with_borrow_mut(|all| all.insert(protocol, Waiting { is_open: true, request: None }));
    if let Some(request) = before.and_then(|before| before.request) {
        debug!("the peer's first request of protocol {protocol:#x} has waited for CCP");
        ffi::give_packet(protocol, &request);
    }
}

/// LCP is down.
pub(crate) fn lower_down(protocol: c_int) {
    WAITING.with_borrow_mut(|all| all.remove(&protocol));
    admission::begin_anew();
}
