//! Whether a call can be made at all: asked once, when all options are known.

use log::warn;
use nix::errno::Errno;
use pptp_io::{pppox, words};

use super::server;
use crate::options::{Datapath, Settings, Side};
use crate::pppd::{self, Status};

/// Says what is wrong in one line, and gives the status to end with.
pub(super) fn check(settings: &Settings) -> Result<(), Status> {
    let checked = match settings.side() {
        Err(error) => Err((error.to_string(), Status::OptionError)),
        Ok(Side::Server { socket, .. }) => {
            server::check_socket(socket).map_err(|problem| (problem, Status::OptionError))
        }
        Ok(Side::Client { .. }) => check_client(settings),
    };
    checked.map_err(|(line, status)| {
        pppd::option_error(&line);
        status
    })
}

fn check_client(settings: &Settings) -> Result<(), (String, Status)> {
    if let Some(socket) = settings.socket {
        warn!("option pptp_sock {socket} is ignored: it goes with pptp_client");
    }
    match settings.datapath {
        Datapath::Auto | Datapath::Kernel => check_kernel(),
    }
}

/// The kernel loads the modules that it needs for the socket by itself, if they are there.
fn check_kernel() -> Result<(), (String, Status)> {
    let Err(error) = pppox::open() else { return Ok(()) };
    let missing = match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::EAFNOSUPPORT => "pppox.ko and pptp.ko",
        Errno::EPROTONOSUPPORT => "pptp.ko",
        _ => {
            let line = format!("cannot make a PPTP socket (AF_PPPOX): {}", words(&error));
            return Err((line, Status::NoKernelSupport));
        }
    };
    let line = format!(
        "this kernel cannot do PPTP: {missing} missing ({}). Try \"modprobe pptp\", which needs pptp.ko, pppox.ko and \
         gre.ko of the running kernel; if it has none, install its modules (often a package named \
         linux-modules-extra or kernel-modules-extra) or boot another kernel",
        words(&error)
    );
    Err((line, Status::NoKernelSupport))
}
