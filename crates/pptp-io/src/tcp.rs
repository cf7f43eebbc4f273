//! The control connection's TCP socket (RFC 2637 §3: port 1723).

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{SockaddrIn, getsockopt, setsockopt, sockopt};

use crate::sys;

/// How packets of a connection find their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The local address; `None`: the kernel chooses.
    pub bind: Option<Ipv4Addr>,
    /// The firewall mark (`SO_MARK`); needs `CAP_NET_ADMIN`.
    pub mark: Option<u32>,
}

/// A connection that is being opened.
#[derive(Debug)]
pub struct Attempt {
    socket: OwnedFd,
}

impl Attempt {
    /// Starts to connect to `server` and does not wait.
    ///
    /// # Errors
    /// `AddrNotAvailable`: the local address is not this machine's. `PermissionDenied`: the mark. Else the connection's.
    pub fn start(server: SocketAddrV4, route: Route) -> io::Result<Self> {
        Self::start_by(server, route, None)
    }

    /// The same, by `device` alone if there is one ([`bind_to_device`]).
    ///
    /// # Errors
    /// As [`Attempt::start`], and those of the device.
    pub fn start_by(server: SocketAddrV4, route: Route, device: Option<&str>) -> io::Result<Self> {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
        if let Some(device) = device {
            bind_to_device(socket.as_fd(), device)?;
        }
        if let Some(mark) = route.mark {
            set_mark(socket.as_fd(), mark)?;
        }
        if let Some(local) = route.bind {
            nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(local, 0)))?;
        }
        match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrIn::from(server)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(Self { socket }),
            Err(error) => Err(error.into()),
        }
    }

    /// Writable when [`Attempt::finish`] has something to tell.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The open connection, non-blocking and without Nagle's delay.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub fn finish(self) -> io::Result<TcpStream> {
        match getsockopt(&self.socket, sockopt::SocketError)? {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let stream = TcpStream::from(self.socket);
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Marks the packets that `socket` sends (`SO_MARK`).
///
/// # Errors
/// `PermissionDenied` without `CAP_NET_ADMIN`.
pub fn set_mark(socket: BorrowedFd<'_>, mark: u32) -> io::Result<()> {
    Ok(setsockopt(&socket, sockopt::Mark, &mark)?)
}

/// The packets of `socket` come and go by this device from here on (`SO_BINDTODEVICE`): an interface, or a VRF.
///
/// # Errors
/// `ENODEV`: there is no such device. `PermissionDenied` without `CAP_NET_RAW`.
pub fn bind_to_device(socket: BorrowedFd<'_>, device: &str) -> io::Result<()> {
    Ok(setsockopt(&socket, sockopt::BindToDevice, &OsString::from(device))?)
}

/// MTU in bytes of the path to the peer as the kernel knows it (`IP_MTU`).
///
/// # Errors
/// The socket is not connected, or not IPv4.
pub fn path_mtu(socket: BorrowedFd<'_>) -> io::Result<u16> {
    let mtu = getsockopt(&socket, sockopt::IpMtu)?;
    // A path with more (the loopback interface) is as good as one with the most that an IP packet can have.
    Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
}

/// The IPv4 address in `address`.
pub fn ipv4(address: SocketAddr) -> Option<Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::{Interest, wait};
    use std::net::TcpListener;

    fn open(server: SocketAddr, route: Route) -> io::Result<TcpStream> {
        let SocketAddr::V4(server) = server else { unreachable!("the listener is IPv4") };
        let attempt = Attempt::start(server, route)?;
        wait(&[(attempt.fd(), Interest::Write)], None)?;
        attempt.finish()
    }

    #[test]
    fn a_connection_opens_from_the_bound_address_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let route = Route { bind: Some(Ipv4Addr::new(127, 0, 0, 9)), mark: None };
        let stream = open(listener.local_addr().unwrap(), route).unwrap();
        assert_eq!(stream.local_addr().unwrap().ip().to_string(), "127.0.0.9");
        assert!(stream.nodelay().unwrap());
        assert!(path_mtu(stream.as_fd()).unwrap() > 1400);
    }

    #[test]
    fn a_closed_port_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(open(server, Route::default()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_foreign_local_address_is_an_error_at_once() {
        let route = Route { bind: Some(Ipv4Addr::new(192, 0, 2, 1)), mark: None };
        let error = Attempt::start(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1723), route).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
