//! The call as the plugin sees it: made by the call manager and waited for here, or offered by a server.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use log::info;
use nix::fcntl::OFlag;
use nix::unistd::{dup3, getuid};
use pptp_callmgr::client::{self, Admission, Call, CallInfo, Request};
use pptp_io::{gre_socket, pppox, tcp, words};

use super::admission;
use super::userspace::{self, Ends, Gre};
use super::wait::{HeldSignals, Woken};
use crate::options::{Path, Settings};
use crate::pppd::{Interruption, NOTICE};
use crate::secrets;

/// A call that is up.
pub(super) struct Link {
    /// The control connection's; `None`: a server has it.
    call: Option<Call>,
    path: Path,
    /// What pppd attaches to; a PPTP socket of the kernel's is /dev/null once pppd has done so.
    pub(super) device: OwnedFd,
}

/// Why there is no call.
#[derive(Debug)]
pub(super) enum Stopped {
    /// One line for the user.
    Failed(String),
    /// pppd was told to do something else.
    Interrupted(Interruption),
}

/// What a call needs before it is made.
enum Outfit {
    Kernel { socket: OwnedFd },
    Userspace { held: OwnedFd, gre: OwnedFd, life_line: OwnedFd },
}

/// Calls `server` and waits until the call is up, a signal comes, or the time is over.
pub(super) fn connect(settings: &Settings, server: &str, path: Path) -> Result<(Link, CallInfo), Stopped> {
    let deadline = Instant::now() + settings.connect_timeout + client::GRACE;
    let outfit = Outfit::new(path, settings).map_err(Stopped::Failed)?;
    let mut call = client::start(&request(settings, server), outfit.channel(), secrets::erase)
        .map_err(|error| Stopped::Failed(format!("cannot start the call manager: {}", words(&error))))?;
    let info = wait_for_call(&mut call, deadline, || {
        format!("no call to {server} within {} s", settings.connect_timeout.as_secs())
    })?;
    info!("{}", info.announcement(server));
    let device = match outfit {
        Outfit::Kernel { socket } => socket,
        Outfit::Userspace { gre, life_line, .. } => {
            let call = userspace::describe(&info, settings);
            let ends = Ends { gre: Gre::Socket(gre), life_line };
            userspace::make_device(path, call, ends).map_err(Stopped::Failed)?
        }
    };
    Ok((Link { call: Some(call), path, device }, info))
}

impl Outfit {
    fn new(path: Path, settings: &Settings) -> Result<Self, String> {
        if path == Path::Kernel {
            return Ok(Self::Kernel { socket: open_socket(settings)? });
        }
        let failed = |error: io::Error| format!("cannot make a GRE socket: {}", words(&error));
        let gre = gre_socket::open(settings.mark).map_err(failed)?;
        let (held, life_line) = userspace::life_line().map_err(failed)?;
        Ok(Self::Userspace { held, gre, life_line })
    }

    fn channel(&self) -> client::Channel<'_> {
        match self {
            Self::Kernel { socket } => client::Channel { held: socket.as_fd(), gre: None },
            Self::Userspace { held, gre, .. } => client::Channel { held: held.as_fd(), gre: Some(gre.as_fd()) },
        }
    }
}

fn open_socket(settings: &Settings) -> Result<OwnedFd, String> {
    let socket = pppox::open().map_err(|error| format!("cannot make a PPTP socket (AF_PPPOX): {}", words(&error)))?;
    if let Some(mark) = settings.mark {
        tcp::set_mark(socket.as_fd(), mark)
            .map_err(|error| format!("cannot set pptp_mark {mark:#x}: {}", words(&error)))?;
    }
    admission::begin(socket.as_fd(), settings)?;
    Ok(socket)
}

fn request(settings: &Settings, server: &str) -> Request {
    Request {
        server: String::from(server),
        phone: settings.phone.clone(),
        window: settings.window,
        port: settings.port,
        bind: settings.bind.map(IpAddr::V4),
        mark: settings.mark,
        connect_timeout: settings.connect_timeout,
        echo_interval: settings.echo_interval,
        echo_timeout: settings.echo_timeout,
        share: settings.share,
        quirk: settings.quirk,
        uid: getuid().as_raw(),
    }
}

/// What is put in the place of a socket of which pppd has the number.
pub(super) fn null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}

fn wait_for_call(call: &mut Call, deadline: Instant, too_late: impl Fn() -> String) -> Result<CallInfo, Stopped> {
    let failed = |error: io::Error| Stopped::Failed(format!("cannot wait for the call: {}", words(&error)));
    let signals = HeldSignals::hold().map_err(failed)?;
    loop {
        if let Some(info) = call.news().map_err(|over| Stopped::Failed(over.into_text()))? {
            return Ok(info);
        }
        match signals.wait(call.fd(), deadline).map_err(failed)? {
            Woken::Readable => {}
            Woken::Interrupted(interruption) => return Err(Stopped::Interrupted(interruption)),
            Woken::TooLate => return Err(Stopped::Failed(too_late())),
        }
    }
}

impl Link {
    /// The link of a call that a server offers.
    pub(super) fn offered(path: Path, device: OwnedFd) -> Self {
        Self { call: None, path, device }
    }

    /// Leaves a PPTP socket to the call manager: with no other descriptor of it left, pppd sees when it is closed.
    ///
    /// pppd goes on using the descriptor's number, so it stays open, on /dev/null.
    pub(super) fn let_go_of_device(&mut self) -> io::Result<()> {
        if self.path != Path::Kernel {
            return Ok(());
        }
        Ok(dup3(&null()?, &mut self.device, OFlag::O_CLOEXEC)?)
    }

    /// Lets the PPTP socket, which the call manager has, receive only this.
    pub(super) fn admit(&self, admission: Admission) {
        // A call manager that has gone has closed it.
        let _ = self.call.as_ref().map(|call| call.admit(admission));
    }

    /// Logs what the call manager said since; why the call has ended, if it has.
    pub(super) fn report(&mut self) -> Option<String> {
        let reason = self.call.as_mut()?.news().err()?.into_text();
        info!(target: NOTICE, "{reason}");
        Some(reason)
    }

    /// The numbers of the call's descriptors.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let call = self.call.as_ref().map(Call::fd);
        std::iter::once(self.device.as_fd()).chain(call).map(|fd: BorrowedFd<'_>| fd.as_raw_fd()).collect()
    }
}
