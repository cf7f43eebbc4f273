//! The data path of this pppd: chosen once, at pppd's first open of /dev/ppp, which comes before it checks its options.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use log::{info, warn};
use nix::errno::Errno;
use pptp_core::ccp::KeyLengths;
use pptp_core::mppe::KeyLength;
use pptp_io::{gre_socket, modules, ppp, pppox, pty, tun, words};

use super::choice::{Choice, Impossible, NO_56_BITS, Origin, Wish, choose};
use super::{server, userspace};
use crate::ccp::{self, Encrypter};
use crate::options::{Path, Settings, Side};
use crate::ppp_device;
use crate::pppd::{self, Status};

/// How long loading a module may take.
const LOADING: Duration = Duration::from_secs(3);

const PPP_DEVICE: &str = "/dev/ppp";

/// Chooses, or says what is wrong in one line and gives the status to end with.
pub(super) fn decide(settings: &Settings) -> Result<Choice, Status> {
    let side = settings.side().map_err(|error| refuse(&error.to_string(), Status::OptionError))?;
    let call = match side {
        Side::Client { .. } => Origin::Own,
        Side::Server { socket, .. } => {
            server::check_socket(socket).map_err(|problem| refuse(&problem, Status::OptionError))?
        }
    };
    let wish = Wish {
        datapath: settings.datapath,
        call,
        multilink: pppd::is_multilink(),
        only_56_bits: settings.wants_mppe_of(KeyLengths::only(KeyLength::Bits56)),
    };
    let wants_mppe = ccp::pppd_requires_mppe() || settings.wants_mppe_of(KeyLengths::ALL);
    choose(wish, |path| probe(path, wish, wants_mppe)).map_err(|impossible| match impossible {
        Impossible::Options(line) => refuse(&line, Status::OptionError),
        Impossible::Machine(line) => refuse(&with_remedy(line), Status::NoKernelSupport),
    })
}

/// Tells of the choice, when pppd's log is open.
pub(super) fn report(choice: &Choice, settings: &Settings) {
    info!("{}", choice.line);
    if let (Some(socket), Ok(Side::Client { .. })) = (settings.socket, settings.side()) {
        warn!("option pptp_sock {socket} is ignored: it goes with pptp_client");
    }
}

/// What is missing most often, and where it is to be had.
fn with_remedy(line: String) -> String {
    if !line.contains("pptp.ko") {
        return line;
    }
    format!(
        "{line}. Try \"modprobe pptp\", which needs pptp.ko, pppox.ko and gre.ko of the running kernel; if it has none, \
         install its modules (often a package named linux-modules-extra or kernel-modules-extra) or boot another kernel"
    )
}

fn refuse(line: &str, status: Status) -> Status {
    pppd::option_error(line);
    status
}

/// What is missing for a path.
fn probe(path: Path, Wish { call, only_56_bits, .. }: Wish, wants_mppe: bool) -> Result<(), String> {
    match path {
        Path::Kernel => {
            if call == Origin::Own {
                probe_pptp()?;
            }
            probe_ppp()?;
            if wants_mppe { probe_mppe() } else { Ok(()) }
        }
        Path::Tun => {
            ppp_device::obstacle().map_or(Ok(()), Err)?;
            probe_tun()?;
            probe_gre(call)
        }
        Path::Pty => {
            probe_ppp()?;
            probe_discipline()?;
            if wants_mppe && userspace::encrypter(path) == Encrypter::Kernel {
                if only_56_bits {
                    return Err(String::from(NO_56_BITS));
                }
                probe_mppe()?;
            }
            probe_gre(call)
        }
    }
}

/// Whether the kernel has what MPPE needs.
fn probe_mppe() -> Result<(), String> {
    match ppp::has_mppe() {
        Ok(true) => Ok(()),
        Ok(false) => Err(String::from("no MPPE (ppp_mppe.ko)")),
        Err(error) => Err(format!("cannot ask /dev/ppp about MPPE: {}", words(&error))),
    }
}

/// The kernel loads the modules that it needs for the socket by itself, if they are there.
fn probe_pptp() -> Result<(), String> {
    let Err(error) = pppox::open() else { return Ok(()) };
    Err(match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::EAFNOSUPPORT => String::from("no pppox.ko and pptp.ko"),
        Errno::EPROTONOSUPPORT => String::from("no pptp.ko"),
        _ => format!("cannot make a PPTP socket (AF_PPPOX): {}", words(&error)),
    })
}

fn probe_ppp() -> Result<(), String> {
    let open = || OpenOptions::new().read(true).write(true).open(PPP_DEVICE).map(drop);
    or_load("ppp_generic", open).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => format!("no {PPP_DEVICE} (ppp_generic.ko)"),
        _ => format!("cannot open {PPP_DEVICE}: {}", words(&error)),
    })
}

fn probe_tun() -> Result<(), String> {
    or_load("tun", tun::probe).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => String::from("no /dev/net/tun (tun.ko)"),
        Some(libc::EPERM) => {
            String::from("cannot use /dev/net/tun: it needs CAP_NET_ADMIN, and a container has to allow it")
        }
        _ => format!("cannot use /dev/net/tun: {}", words(&error)),
    })
}

/// The kernel loads this module by itself, too.
fn probe_discipline() -> Result<(), String> {
    let (_master, slave) = pty::open().map_err(|error| format!("cannot make a pseudo-terminal: {}", words(&error)))?;
    pty::set_ppp_discipline(slave.as_fd()).map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => String::from("no ppp line discipline (ppp_async.ko)"),
        _ => format!("cannot set the ppp line discipline: {}", words(&error)),
    })
}

/// Who offers a call brings the socket.
fn probe_gre(call: Origin) -> Result<(), String> {
    if call == Origin::Offer {
        return Ok(());
    }
    gre_socket::open(None).map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => String::from("no raw GRE socket: it needs CAP_NET_RAW"),
        _ => format!("no raw GRE socket: {}", words(&error)),
    })
}

/// Tries again with the module, which the kernel does not load by itself where the device's file is missing.
fn or_load(module: &str, probe: impl Fn() -> io::Result<()>) -> io::Result<()> {
    probe().or_else(|error| {
        let is_missing = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ENXIO));
        if is_missing && modules::load(module, LOADING) { probe() } else { Err(error) }
    })
}
