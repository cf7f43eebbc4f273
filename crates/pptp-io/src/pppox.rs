//! The kernel's PPTP socket: `AF_PPPOX` with `PX_PROTO_PPTP` (`linux/if_pppox.h`). IPv4 only.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::sys;

const AF_PPPOX: u16 = 24;
const PX_PROTO_PPTP: i32 = 2;

/// `struct sockaddr_pppox`, which is packed: family, protocol, then a union in which a PPTP address is a call id in
/// host order, two bytes of padding and an IPv4 address.
const ADDRESS_LENGTH: usize = 30;

/// A new PPTP socket, close-on-exec.
///
/// # Errors
/// `EAFNOSUPPORT`: no pppox.ko. `EPROTONOSUPPORT`: no pptp.ko. The kernel has tried to load them by then.
pub fn open() -> io::Result<OwnedFd> {
    sys::socket(i32::from(AF_PPPOX), libc::SOCK_STREAM, PX_PROTO_PPTP)
}

/// Whether `fd` is a PPPoX socket.
pub fn is_pppox(fd: BorrowedFd<'_>) -> bool {
    sys::socket_domain(fd).is_ok_and(|domain| domain == i32::from(AF_PPPOX))
}

/// Claims `call_id` for GRE packets that come to `local`.
///
/// # Errors
/// `EBUSY`: another socket of this machine has the id.
pub fn bind(socket: BorrowedFd<'_>, call_id: u16, local: Ipv4Addr) -> io::Result<()> {
    sys::bind(socket, &address(call_id, local))
}

/// Sends GRE packets to `peer_call_id` at `peer`. The socket can be a PPP channel from here on.
///
/// # Errors
/// `EALREADY`: another socket is connected to that peer and id. `EHOSTUNREACH`: no route.
pub fn connect(socket: BorrowedFd<'_>, peer_call_id: u16, peer: Ipv4Addr) -> io::Result<()> {
    sys::connect(socket, &address(peer_call_id, peer))
}

fn address(call_id: u16, ip: Ipv4Addr) -> [u8; ADDRESS_LENGTH] {
    let mut bytes = [0; ADDRESS_LENGTH];
    bytes[0..2].copy_from_slice(&AF_PPPOX.to_ne_bytes());
    bytes[2..6].copy_from_slice(&PX_PROTO_PPTP.to_ne_bytes());
    bytes[6..8].copy_from_slice(&call_id.to_ne_bytes());
    bytes[10..14].copy_from_slice(&ip.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// The kernel's header is the judge, where there is a C compiler to read it.
    #[test]
    fn the_address_is_laid_out_as_the_kernels_header_says() {
        let source = r#"
            #include <stddef.h>
            #include <netinet/in.h>
            #include <linux/if_pppox.h>
            typedef struct sockaddr_pppox S;
            _Static_assert(sizeof(S) == 30 && AF_PPPOX == 24 && PX_PROTO_PPTP == 2, "");
            _Static_assert(offsetof(S, sa_protocol) == 2 && sizeof(((S *)0)->sa_protocol) == 4, "");
            _Static_assert(offsetof(S, sa_addr.pptp.call_id) == 6 && offsetof(S, sa_addr.pptp.sin_addr) == 10, "");"#;
        let mut compiler = Command::new("cc")
            .args(["-std=c11", "-fsyntax-only", "-x", "c", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a C compiler is needed to build the plugin");
        compiler.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success());
    }

    #[test]
    fn an_address_carries_call_id_and_ip() {
        let bytes = address(0x1234, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(bytes[6..8], 0x1234_u16.to_ne_bytes());
        assert_eq!(bytes[10..14], [192, 0, 2, 1]);
        assert_eq!(bytes[14..], [0; 16]);
    }

    #[test]
    fn a_tcp_socket_is_not_pppox() {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        assert!(!is_pppox(std::os::fd::AsFd::as_fd(&socket)));
    }
}
