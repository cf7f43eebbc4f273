//! A call whose GRE packets the engine carries, as a channel for pppd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use pptp_callmgr::client::CallInfo;
use pptp_datapath::client::{Engine, EngineError};
use pptp_datapath::command::{CallConfig, Channel, Framing, Port, TransmitWindow};
use pptp_datapath::offer;
use pptp_io::{pty, seqpacket, words};

use crate::ccp::Encrypter;
use crate::options::{Path, Settings};
use crate::{engine, ppp_device, pppd, session};

/// The call's own, all for the engine.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) gre: Gre,
    /// Its other end is closed when the call is over.
    pub(super) life_line: OwnedFd,
}

/// Where its packets come and go.
#[derive(Debug)]
pub(super) enum Gre {
    Socket(OwnedFd),
    /// A server's engine has a socket, on which we may have a channel.
    Port(Port),
}

impl Ends {
    /// Those of a call that a server offers; its engine, if it has one, is this pppd's from here on.
    pub(super) fn offered(gre: offer::Gre<OwnedFd>, life_line: OwnedFd) -> Result<Self, String> {
        let gre = match gre {
            offer::Gre::Socket(socket) => Gre::Socket(socket),
            offer::Gre::Engine { host, port } => {
                engine::attach(host)?;
                Gre::Port(port)
            }
        };
        Ok(Self { gre, life_line })
    }

    /// Tells the engine of the channel.
    fn open(
        &self,
        engine: &mut Engine,
        channel: Channel,
        (call, framing): (CallConfig, Framing),
        frames: BorrowedFd<'_>,
    ) -> Result<(), EngineError> {
        let life_line = self.life_line.as_fd();
        match &self.gre {
            Gre::Socket(gre) => engine.new_channel(channel, call, framing, [gre.as_fd(), frames, life_line]),
            Gre::Port(port) => engine.new_channel_on((channel, *port), call, framing, [frames, life_line]),
        }
    }
}

/// The two ends of a life line.
pub(super) fn life_line() -> io::Result<(OwnedFd, OwnedFd)> {
    seqpacket::pair()
}

/// The call of the control connection, with this end's choices.
pub(super) fn describe(info: &CallInfo, settings: &Settings) -> CallConfig {
    let call = CallConfig {
        local: info.local,
        peer: info.peer,
        call_id: info.call_id,
        peer_call_id: info.peer_call_id,
        peer_window: info.peer_window,
        receive_window: settings.window,
        transmit_window: TransmitWindow::Off,
        reorder_time: settings.reorder_time,
        reorder_packets: settings.reorder_packets,
    };
    with_choices(call, settings)
}

/// A call that somebody else has made, with this end's choices.
pub(super) fn with_choices(call: CallConfig, settings: &Settings) -> CallConfig {
    let transmit_window = if settings.transmit_window { TransmitWindow::On } else { TransmitWindow::Off };
    let (reorder_time, reorder_packets) = (settings.reorder_time, settings.reorder_packets);
    CallConfig { transmit_window, reorder_time, reorder_packets, ..call }
}

/// The descriptor to which pppd attaches.
pub(super) fn make_device(path: Path, call: CallConfig, ends: Ends) -> Result<OwnedFd, String> {
    match path {
        Path::Pty => make_line(call, &ends),
        Path::Kernel | Path::Tun => {
            let attach: ppp_device::Attach = Box::new(move |engine, channel, frames| {
                session::carries(channel);
                ends.open(engine, channel, (call, Framing::Datagrams), frames)
            });
            ppp_device::offer_line(attach).map_err(|error| format!("cannot make a channel: {}", words(&error)))
        }
    }
}

/// A terminal with the engine at its other end.
fn make_line(call: CallConfig, ends: &Ends) -> Result<OwnedFd, String> {
    static NEXT: AtomicU32 = AtomicU32::new(1);

    let failed = |error: io::Error| format!("cannot make a PPP terminal: {}", words(&error));
    let (master, slave) = pty::open().map_err(failed)?;
    pty::set_ppp_discipline(slave.as_fd()).map_err(failed)?;
    pty::escape_nothing(slave.as_fd()).map_err(failed)?;
    let channel = Channel(NEXT.fetch_add(1, Ordering::Relaxed));
    let refused = |error: EngineError| format!("the engine does not take the call: {error}");
    let framed = (call, Framing::Hdlc);
    engine::ask(|engine| ends.open(engine, channel, framed, master.as_fd())).map_err(refused)?;
    session::carries(channel);
    if encrypts_terminals() {
        ppp_device::encrypt(channel).map_err(refused)?;
    }
    Ok(slave)
}

/// Who encrypts (MPPE) on this path.
pub(super) fn encrypter(path: Path) -> Encrypter {
    match path {
        Path::Tun => Encrypter::Engine,
        Path::Pty if encrypts_terminals() => Encrypter::Engine,
        Path::Pty | Path::Kernel => Encrypter::Kernel,
    }
}

/// Whether the engine encrypts (MPPE) what passes through a terminal. What passes there of a bundle are pieces of packets,
/// and without the calls that tell of it there are no keys: then the kernel does it.
fn encrypts_terminals() -> bool {
    !pppd::is_multilink() && ppp_device::obstacle().is_none()
}
