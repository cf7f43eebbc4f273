//! What this machine lacks for a data path, in words: each of these asks the kernel for one thing, as whoever needs it would, and
//! gives it back.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::{gre_socket, modules, ppp, pppox, pty, tun, words};

/// How long loading a module may take.
const LOADING: Duration = Duration::from_secs(3);

const PPP_DEVICE: &str = "/dev/ppp";

/// The kernel's PPTP sockets. The kernel loads the modules that it needs for one by itself, if they are there.
///
/// # Errors
/// What is missing.
pub fn pptp() -> Result<(), String> {
    pppox::open().map(drop).map_err(|error| match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT) => String::from("no pppox.ko and pptp.ko"),
        Some(libc::EPROTONOSUPPORT) => String::from("no pptp.ko"),
        _ => format!("cannot make a PPTP socket (AF_PPPOX): {}", words(&error)),
    })
}

/// The kernel's PPP; its module is loaded if need be.
///
/// # Errors
/// What is missing.
pub fn ppp_device() -> Result<(), String> {
    let open = || OpenOptions::new().read(true).write(true).open(PPP_DEVICE).map(drop);
    or_load("ppp_generic", open).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => format!("no {PPP_DEVICE} (ppp_generic.ko)"),
        _ => format!("cannot open {PPP_DEVICE}: {}", words(&error)),
    })
}

/// The kernel's MPPE.
///
/// # Errors
/// What is missing.
pub fn mppe() -> Result<(), String> {
    match ppp::has_mppe() {
        Ok(true) => Ok(()),
        Ok(false) => Err(String::from("no MPPE (ppp_mppe.ko)")),
        Err(error) => Err(format!("cannot ask /dev/ppp about MPPE: {}", words(&error))),
    }
}

/// TUN devices; their module is loaded if need be.
///
/// # Errors
/// What is missing.
pub fn tun_device() -> Result<(), String> {
    or_load("tun", tun::probe).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => String::from("no /dev/net/tun (tun.ko)"),
        Some(libc::EPERM) => {
            String::from("cannot use /dev/net/tun: it needs CAP_NET_ADMIN, and a container has to allow it")
        }
        _ => format!("cannot use /dev/net/tun: {}", words(&error)),
    })
}

/// Terminals that are PPP channels. The kernel loads the module by itself.
///
/// # Errors
/// What is missing.
pub fn line_discipline() -> Result<(), String> {
    let (_master, slave) = pty::open().map_err(|error| format!("cannot make a pseudo-terminal: {}", words(&error)))?;
    pty::set_ppp_discipline(slave.as_fd()).map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => String::from("no ppp line discipline (ppp_async.ko)"),
        _ => format!("cannot set the ppp line discipline: {}", words(&error)),
    })
}

/// Raw GRE sockets.
///
/// # Errors
/// What is missing.
pub fn raw_gre() -> Result<(), String> {
    gre_socket::open(None).map(drop).map_err(|error| no_raw_gre(&error))
}

/// Why there is no raw GRE socket.
pub fn no_raw_gre(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => String::from("no raw GRE socket: it needs CAP_NET_RAW"),
        _ => format!("no raw GRE socket: {}", words(error)),
    }
}

/// Tries again with the module, which the kernel does not load by itself where the device's file is missing.
fn or_load(module: &str, probe: impl Fn() -> io::Result<()>) -> io::Result<()> {
    probe().or_else(|error| {
        let is_missing = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ENXIO));
        if is_missing && modules::load(module, LOADING) { probe() } else { Err(error) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_no_module_can_bring_is_tried_once() {
        for (number, tries) in [(libc::EPERM, 1), (libc::ENOENT, 1)] {
            let count = Cell::new(0);
            let failed = or_load("pptp-rs-no-such-module", || {
                count.set(count.get() + 1);
                Err(io::Error::from_raw_os_error(number))
            });
            assert_eq!((failed.unwrap_err().raw_os_error(), count.get()), (Some(number), tries));
        }
    }
}
