//! What the kernel's PPTP socket receives while MPPE is on: `ppp_generic.ko` takes packets in clear whatever was agreed on,
//! and stops encrypting, by itself and at once, when a packet of CCP begins or ends a negotiation.
//!
//! Not for a bundle, of whose packets the socket gets pieces.

use std::io;
use std::os::fd::BorrowedFd;

use log::warn;
use pptp_callmgr::client::Admission;
use pptp_io::{pppox, words};

use super::{Channel, with};
use crate::options::{Settings, Side};
use crate::{ccp, ffi, pppd};

/// Keeps from a new socket what is to be kept from it.
pub(super) fn begin(socket: BorrowedFd<'_>, settings: &Settings) -> Result<Admission, String> {
    let admission = at_first(settings);
    if admission != Admission::All {
        pppox::admit(socket, admission).map_err(|error| failure(&error))?;
    }
    Ok(admission)
}

/// What it receives before MPPE is on, and when LCP has gone down.
pub(super) fn at_first(settings: &Settings) -> Admission {
    let is_required = ccp::pppd_requires_mppe() || settings.requires_mppe();
    if is_required && !pppd::is_multilink() { Admission::NotInClear } else { Admission::All }
}

/// The peer has acknowledged what we ask for IP. It does not do that before its CCP is up, so neither of us waits for a
/// packet of CCP any more.
pub(crate) fn settle() {
    let is_encrypted = ccp::pppd_requires_mppe() || ccp::is_encrypted();
    if is_encrypted && !pppd::is_multilink() {
        change(Admission::Settled);
    }
}

/// LCP is down: all is negotiated anew.
pub(crate) fn begin_anew() {
    change(with(|channel| at_first(&channel.settings)));
}

fn change(admission: Admission) {
    let done = with(|channel| match channel.admission {
        Some(before) if before != admission => {
            channel.admission = Some(admission);
            channel.admit(admission)
        }
        _ => Ok(()),
    });
    if let Err(error) = done {
        warn!("{}", failure(&error));
    }
}

/// For the user.
fn failure(error: &io::Error) -> String {
    format!("cannot keep packets in clear from the PPTP socket: {}", words(error))
}

impl Channel {
    fn admit(&self, admission: Admission) -> io::Result<()> {
        match (&self.link, self.settings.side()) {
            (None, Ok(Side::Server { socket, .. })) => {
                ffi::borrow(socket).map_or(Ok(()), |socket| pppox::admit(socket, admission))
            }
            (None, _) => Ok(()),
            (Some(link), _) => {
                link.admit(admission);
                Ok(())
            }
        }
    }
}
