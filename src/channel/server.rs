//! Server mode: a call that somebody else accepted, as a socket of the kernel's or as an offer.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, RawFd};
use std::time::{Duration, Instant};

use log::warn;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use pptp_core::wire::PORT;
use pptp_datapath::offer::{self, Offer};
use pptp_datapath::report;
use pptp_io::{pppox, seqpacket, tcp, words};

use super::choice::Origin;
use super::client::{Stopped, null};
use super::wait::{HeldSignals, Woken};
use crate::ffi;

/// How long an offer may take; it is there before pppd starts.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the descriptor is, or one line that says what is wrong with it.
pub(super) fn check_socket(socket: RawFd) -> Result<Origin, String> {
    let borrowed = ffi::borrow(socket).filter(|fd| fcntl(fd, FcntlArg::F_GETFD).is_ok());
    let Some(borrowed) = borrowed else {
        return Err(format!("option pptp_sock: {socket} is not an open descriptor; allowed: a connected PPTP socket"));
    };
    if pppox::is_pppox(borrowed) {
        return Ok(Origin::KernelSocket);
    }
    if seqpacket::is_one(borrowed) {
        return Ok(Origin::Offer);
    }
    Err(format!("option pptp_sock: descriptor {socket} is not a PPTP socket (AF_PPPOX), nor one that offers a call"))
}

/// Takes the call that is offered on the descriptor, as soon as it is; a signal ends the waiting.
pub(super) fn take_offer(socket: RawFd) -> Result<Offer, Stopped> {
    let failed = |why: &str| Stopped::Failed(format!("no call on pptp_sock {socket}: {why}"));
    let borrowed = ffi::borrow(socket).ok_or_else(|| failed("it is no descriptor"))?;
    let waited = HeldSignals::hold().and_then(|signals| signals.wait(borrowed, Instant::now() + PATIENCE));
    match waited.map_err(|error| failed(&words(&error)))? {
        Woken::Readable => offer::receive(borrowed, Duration::ZERO).map_err(|error| failed(&words(&error))),
        Woken::Interrupted(interruption) => Err(Stopped::Interrupted(interruption)),
        Woken::TooLate => Err(failed(&format!("none was offered within {} s", PATIENCE.as_secs()))),
    }
}

/// This end's id of a call on a socket of the kernel's, which tells nobody the peer's: that the server may have told on the socket
/// for reports.
pub(super) fn call_ids(socket: RawFd, report: Option<RawFd>) -> [Option<u16>; 2] {
    let told = report.and_then(ffi::borrow).and_then(|report| report::take_peer_call_id(report).ok());
    [ffi::borrow(socket).and_then(|socket| pppox::call_id(socket).ok()), told]
}

/// Programs that pppd starts do not inherit the call.
pub(super) fn keep_from_scripts(socket: RawFd) {
    let Some(socket) = ffi::borrow(socket) else { return };
    if let Err(error) = fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        warn!("cannot keep the PPTP socket from scripts: {}", words(&error.into()));
    }
}

/// Closes the call's socket; its number, which pppd goes on using, stays open, on /dev/null.
pub(super) fn let_go_of(socket: RawFd) -> io::Result<()> {
    ffi::replace(socket, null()?.as_fd())
}

/// MTU in bytes of the path to the client, if it was given by its address.
pub(super) fn outer_mtu(client: &str) -> Option<u16> {
    let client: Ipv4Addr = client.parse().ok()?;
    // Nothing is sent: connecting a UDP socket only looks the route up.
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    probe.connect((client, PORT)).ok()?;
    tcp::path_mtu(probe.as_fd()).ok()
}
