//! Accepting TCP connections.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{Backlog, SockType, SockaddrIn, SockaddrIn6, getsockopt, setsockopt, sockopt};

use crate::{sys, tcp};

/// Listens on `address`: non-blocking, close-on-exec. One for all IPv6 addresses leaves those of IPv4 to another. With a
/// `device`, only connections that come by it are there.
///
/// # Errors
/// `AddrInUse`; `AddrNotAvailable`: the address is not this machine's; `PermissionDenied`: the port, or the device;
/// `ENODEV`: there is no such device.
pub fn listen(address: SocketAddr, device: Option<&str>) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = sys::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    // A server that starts again finds connections of the one before.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if let Some(device) = device {
        tcp::bind_to_device(socket.as_fd(), device)?;
    }
    match address {
        SocketAddr::V4(address) => nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn::from(address))?,
        SocketAddr::V6(address) => {
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
            nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrIn6::from(address))?;
        }
    }
    // As many as `net.core.somaxconn` allows: a number would be compared with the C library's, which is 128 in musl.
    nix::sys::socket::listen(&socket, Backlog::MAXALLOWABLE)?;
    Ok(TcpListener::from(socket))
}

/// A listening socket that this process was given, non-blocking from here on.
///
/// # Errors
/// `InvalidInput`: it is none, or not TCP's.
pub fn adopt(socket: OwnedFd) -> io::Result<TcpListener> {
    let is_tcp = getsockopt(&socket, sockopt::SockType)? == SockType::Stream
        && matches!(sys::socket_domain(socket.as_fd())?, libc::AF_INET | libc::AF_INET6);
    if !is_tcp || !getsockopt(&socket, sockopt::AcceptConn)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen for TCP connections"));
    }
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A connection that was waiting, non-blocking, close-on-exec and without Nagle's delay.
///
/// # Errors
/// `WouldBlock`: none was. `EMFILE`, `ENFILE`: out of descriptors, and it still waits. Others: it has gone.
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let stream = TcpStream::from(sys::accept(listener.as_fd())?);
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_can_listen_on_one_port() {
        let four = listen("0.0.0.0:0".parse().unwrap(), None).unwrap();
        let port = four.local_addr().unwrap().port();
        let six = listen(SocketAddr::new("::".parse().unwrap(), port), None).unwrap();
        assert_eq!(accept(&four).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _other = TcpStream::connect(("::1", port)).unwrap();
        assert!(accept(&four).unwrap().nodelay().unwrap());
        assert!(accept(&six).unwrap().peer_addr().unwrap().is_ipv6());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let first = listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
        assert_eq!(listen(first.local_addr().unwrap(), None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        assert!(listen("127.0.0.1:0".parse().unwrap(), Some("lo")).is_ok());
        let error = listen("127.0.0.1:0".parse().unwrap(), Some("no-such-device")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
