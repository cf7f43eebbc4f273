//! The service manager that has started this process: what it wants to be told (sd_notify(3)), and the sockets that it gives
//! (sd_listen_fds(3)).

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use crate::sys;

/// All that it puts into the environment for this.
const VARIABLES: [&str; 7] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// The first descriptor that it passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// The service manager; without one there is nothing in it.
#[derive(Debug, Default)]
pub struct Service {
    /// Where it listens.
    pub notifier: Option<Notifier>,
    /// It wants to hear of this process at least as often as this.
    pub watchdog: Option<Duration>,
    /// Sockets with their names, close-on-exec.
    pub sockets: Vec<(String, OwnedFd)>,
}

impl Service {
    /// Takes what there is, and takes it out of the environment: programs that this process starts have nothing to do with it.
    ///
    /// Only for a process with one thread that has opened nothing yet, and once.
    ///
    /// # Errors
    /// A descriptor that was announced is not there.
    pub fn take() -> io::Result<Self> {
        let [notify, watchdog_pid, watchdog, listen_pid, _, count, names] = VARIABLES.map(env::var_os);
        VARIABLES.iter().for_each(|name| sys::forget_variable(name));
        let own = |pid: &Option<OsString>| number(pid.as_deref()) == Some(process::id().into());
        let watchdog = number(watchdog.as_deref()).filter(|_| watchdog_pid.is_none() || own(&watchdog_pid));
        let count = number(count.as_deref()).filter(|_| own(&listen_pid)).unwrap_or(0);
        let names = names.unwrap_or_default();
        let mut names = names.to_str().unwrap_or_default().split(':');
        let mut sockets = Vec::new();
        for number in (FIRST..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
            sockets.push((names.next().unwrap_or_default().to_owned(), sys::inherited(number)?));
        }
        Ok(Self {
            notifier: notify.as_deref().and_then(Notifier::to),
            watchdog: watchdog.filter(|micros| *micros > 0).map(Duration::from_micros),
            sockets,
        })
    }
}

fn number(text: Option<&OsStr>) -> Option<u64> {
    text?.to_str()?.parse().ok()
}

/// Tells the service manager what happens.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notifier {
    /// To the socket of this name, `@` in place of the zero byte with which an abstract one begins. `None`: there cannot be one.
    fn to(name: &OsStr) -> Option<Self> {
        let address = match name.as_bytes().split_first()? {
            (b'@', name) => SocketAddr::from_abstract_name(name),
            (b'/', _) => SocketAddr::from_pathname(name),
            _ => return None,
        };
        let (address, socket) = (address.ok()?, UnixDatagram::unbound().ok()?);
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address })
    }

    /// Tells this, lines of `NAME=VALUE`, without blocking.
    ///
    /// # Errors
    /// `WouldBlock`: it has not read what it was told before. Else there is nobody to tell.
    pub fn tell(&self, state: &str) -> io::Result<()> {
        self.socket.send_to_addr(state.as_bytes(), &self.address).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_or_abstract() {
        let name = format!("pptp-rs-service-{}", process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        let path = env::temp_dir().join(&name);
        for (heard, name) in [
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), OsString::from(format!("@{name}"))),
            (UnixDatagram::bind(&path).unwrap(), path.clone().into()),
        ] {
            Notifier::to(&name).unwrap().tell("READY=1\n").unwrap();
            let mut buffer = [0; 99];
            let length = heard.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\n");
        }
        std::fs::remove_file(path).unwrap();
        assert!(Notifier::to(OsStr::new("vsock:2:1234")).is_none() && Notifier::to(OsStr::new("")).is_none());
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up() {
        let path = env::temp_dir().join(format!("pptp-rs-deaf-{}", process::id()));
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        let refused = (0..100_000).find_map(|_| notifier.tell("WATCHDOG=1\n").err()).unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        std::fs::remove_file(path).unwrap();
    }
}
