//! The pppd of a profile that is up, found by the pid file that pppd writes for a link with a name.

use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::SockaddrStorage;
use nix::unistd::Pid;

use crate::profile::printable;

/// Where pppd has its pid files: Debian's, and where pppd 2.5 has them by itself.
const FOLDERS: [&str; 3] = ["/run", "/run/pppd", "/var/run/pppd"];

/// How often to look whether it has ended.
const STEP: Duration = Duration::from_millis(20);

/// A pppd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    process: i32,
    /// Its interface, once there is one.
    pub(crate) interface: Option<String>,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, interface } = self;
        match interface {
            Some(interface) => write!(f, "{interface} (pppd {process})"),
            None => write!(f, "connecting (pppd {process})"),
        }
    }
}

impl Running {
    /// The IPv4 addresses of its interface: this end's and the far end's, once there are any.
    pub(crate) fn addresses(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let interface = self.interface.as_deref()?;
        let ip = |address: Option<SockaddrStorage>| Some(address?.as_sockaddr_in()?.ip());
        let of_interface = getifaddrs().ok()?.filter(|found| found.interface_name == interface);
        of_interface.filter_map(|found| Some((ip(found.address)?, ip(found.destination)?))).next()
    }

    /// Whether its interface has an IPv4 default route.
    pub(crate) fn has_default_route(&self) -> bool {
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        self.interface.as_deref().is_some_and(|interface| is_default(&routes, interface))
    }
}

/// The pppd that has the link of this name, if it runs.
pub(crate) fn find(link_name: &str) -> Option<Running> {
    let text = FOLDERS.iter().find_map(|folder| fs::read_to_string(format!("{folder}/ppp-{link_name}.pid")).ok())?;
    let running = read(&text)?;
    // What a pppd has left that was killed may have another's number.
    let name = fs::read_to_string(format!("/proc/{}/comm", running.process)).ok()?;
    (name.trim() == "pppd").then_some(running)
}

/// Whether one of the kernel's routes (interface, destination, gateway, flags, counts, metric, mask, …) is the default by this
/// interface.
fn is_default(routes: &str, interface: &str) -> bool {
    let mut rows = routes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| matches!(row[..], [name, "00000000", _, _, _, _, _, "00000000", ..] if name == interface))
}

/// What is in a pid file: a number, and an interface.
fn read(text: &str) -> Option<Running> {
    let mut lines = text.lines();
    let process = lines.next()?.trim().parse().ok().filter(|process| *process > 1)?;
    let interface = lines.next().map(|name| printable(name.trim().as_bytes())).filter(|name| !name.is_empty());
    Some(Running { process, interface })
}

/// Asks it to end, and waits.
///
/// # Errors
/// It may not be asked, or is still there after `limit`.
pub(crate) fn stop(running: &Running, limit: Duration) -> io::Result<()> {
    let process = Pid::from_raw(running.process);
    let deadline = Instant::now() + limit;
    let mut signal = Some(Signal::SIGTERM);
    loop {
        match kill(process, signal.take()) {
            Err(Errno::ESRCH) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(()) if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
            Ok(()) => sleep(STEP),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_has_a_number_and_perhaps_an_interface() {
        let running =
            |process, interface: Option<&str>| Some(Running { process, interface: interface.map(String::from) });
        assert_eq!(read("123\nppp0\n"), running(123, Some("ppp0")));
        assert_eq!(read("123\n"), running(123, None));
        for text in ["", "x\n", "0\n", "1\n", "-5\n"] {
            assert_eq!(read(text), None);
        }
        assert_eq!(running(123, Some("ppp0")).unwrap().to_string(), "ppp0 (pppd 123)");
    }

    #[test]
    fn a_default_route_has_neither_destination_nor_mask() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
             ppp1\t0100140A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n\
             ppp2\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
        let found = ["ppp0", "ppp1", "ppp2", "ppp"].map(|interface| is_default(routes, interface));
        assert_eq!(found, [true, false, false, false]);
    }

    #[test]
    fn what_does_not_run_is_not_found() {
        assert_eq!(find("pptp-rs-there-is-no-such-link"), None);
    }
}
