//! What carries a call's packets, as candidates and managers have it.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pptp_core::wire::{CallId, PeerCallId};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::pppox::{self, Admission};

/// A plugin's descriptors besides its line to the manager, see [`crate::client::Channel`].
#[derive(Debug)]
pub(crate) struct Channel {
    held: OwnedFd,
    gre: Option<OwnedFd>,
}

impl Channel {
    /// From what [`Channel::descriptors`] gave; `None`: these are too few or too many.
    pub(crate) fn from_descriptors(descriptors: impl IntoIterator<Item = OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let (held, gre) = (descriptors.next()?, descriptors.next());
        descriptors.next().is_none().then_some(Self { held, gre })
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.held.as_fd()).chain(self.gre.as_ref().map(OwnedFd::as_fd))
    }

    /// Receives the packets of this call and no others from here on. Another id can be tried after an error.
    pub(crate) fn bind(&self, call: CallId, local: Ipv4Addr) -> io::Result<()> {
        if pppox::is_pppox(self.held.as_fd()) {
            pppox::bind(self.held.as_fd(), call.0, local)?;
        }
        match &self.gre {
            Some(gre) => gre_socket::claim(gre.as_fd(), local, Calls::Only(call.0)),
            None => Ok(()),
        }
    }

    /// Opens it to the server's end of the call. The GRE socket is the plugin's alone from here on.
    pub(crate) fn connect(&mut self, peer_call: PeerCallId, server: Ipv4Addr) -> io::Result<()> {
        if pppox::is_pppox(self.held.as_fd()) {
            pppox::connect(self.held.as_fd(), peer_call.0, server)?;
        }
        match self.gre.take() {
            Some(gre) => gre_socket::connect(gre.as_fd(), server),
            None => Ok(()),
        }
    }

    /// Lets the kernel's PPP receive only this from here on.
    pub(crate) fn admit(&self, admission: Admission) -> io::Result<()> {
        pppox::admit(self.held.as_fd(), admission)
    }

    /// What is bound and connected, for the user.
    pub(crate) fn name(&self) -> &'static str {
        if pppox::is_pppox(self.held.as_fd()) { "the PPTP socket" } else { "the GRE socket" }
    }
}
