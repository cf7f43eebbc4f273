//! The data path of this pppd: chosen once, at pppd's first open of /dev/ppp, which comes before it checks its options.

use log::{info, warn};
use pptp_core::ccp::KeyLengths;
use pptp_core::mppe::KeyLength;
use pptp_io::lacks;

use super::choice::{Choice, Impossible, NO_56_BITS, Origin, Wish, choose};
use super::{server, userspace};
use crate::ccp::{self, Encrypter};
use crate::options::{Path, Settings, Side};
use crate::ppp_device;
use crate::pppd::{self, Status};

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
                lacks::pptp()?;
            }
            lacks::ppp_device()?;
            if wants_mppe { lacks::mppe() } else { Ok(()) }
        }
        Path::Tun => {
            ppp_device::obstacle().map_or(Ok(()), Err)?;
            lacks::tun_device()?;
            probe_gre(call)
        }
        Path::Pty => {
            lacks::ppp_device()?;
            lacks::line_discipline()?;
            if wants_mppe && userspace::encrypter(path) == Encrypter::Kernel {
                if only_56_bits {
                    return Err(String::from(NO_56_BITS));
                }
                lacks::mppe()?;
            }
            probe_gre(call)
        }
    }
}

/// Who offers a call brings the socket.
fn probe_gre(call: Origin) -> Result<(), String> {
    if call == Origin::Offer { Ok(()) } else { lacks::raw_gre() }
}
