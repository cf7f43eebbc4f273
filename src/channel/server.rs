//! Server mode: the socket of a call that somebody else accepted.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, RawFd};

use log::warn;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use pptp_io::{pppox, tcp, words};

use crate::ffi;

/// Whether the descriptor is a PPTP socket, or one line that says what is wrong with it.
pub(super) fn check_socket(socket: RawFd) -> Result<(), String> {
    let borrowed = ffi::borrow(socket).filter(|fd| fcntl(fd, FcntlArg::F_GETFD).is_ok());
    let Some(borrowed) = borrowed else {
        return Err(format!("option pptp_sock: {socket} is not an open descriptor; allowed: a connected PPTP socket"));
    };
    if !pppox::is_pppox(borrowed) {
        return Err(format!("option pptp_sock: descriptor {socket} is not a PPTP socket (AF_PPPOX)"));
    }
    Ok(())
}

/// Programs that pppd starts do not inherit the call.
pub(super) fn keep_from_scripts(socket: RawFd) {
    let Some(socket) = ffi::borrow(socket) else { return };
    if let Err(error) = fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        warn!("cannot keep the PPTP socket from scripts: {}", words(&error.into()));
    }
}

/// MTU in bytes of the path to the client, if it was given by its address.
pub(super) fn outer_mtu(client: &str) -> Option<u16> {
    let client: Ipv4Addr = client.parse().ok()?;
    // Nothing is sent: connecting a UDP socket only looks the route up.
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    probe.connect((client, 1723)).ok()?;
    tcp::path_mtu(probe.as_fd()).ok()
}
