//! The kernel's PPTP socket: `AF_PPPOX` with `PX_PROTO_PPTP` (`linux/if_pppox.h`). IPv4 only.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::filter::Then::{Drop, Next, Pass, Skip};
use crate::filter::{
    add, and, from_index, if_at_least, if_bits, if_equal, load_byte, load_byte_at_index, load_half_at_index, program,
    shift_right, to_index,
};
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

/// The id of this end's that the socket has claimed. The kernel tells nobody the peer's: it has this one for an answer to
/// getpeername(2), too.
///
/// # Errors
/// `InvalidInput`: it is no PPTP socket, or has claimed none.
pub fn call_id(socket: BorrowedFd<'_>) -> io::Result<u16> {
    let mut name = [0; ADDRESS_LENGTH];
    let length = sys::socket_name(socket, &mut name)?;
    claimed(name.get(..length).unwrap_or_default()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// The call id in an address, if it has one.
fn claimed(address: &[u8]) -> Option<u16> {
    let (family, rest) = address.split_first_chunk()?;
    let (protocol, rest) = rest.split_first_chunk()?;
    let call_id = u16::from_ne_bytes(*rest.first_chunk()?);
    let is_pptp = u16::from_ne_bytes(*family) == AF_PPPOX && i32::from_ne_bytes(*protocol) == PX_PROTO_PPTP;
    (is_pptp && call_id != 0).then_some(call_id)
}

/// What the kernel's PPP gets to see. It would take a packet in clear whatever was agreed on, and stop encrypting by
/// itself when a packet of CCP begins or ends a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everything.
    All,
    /// No packet of a network in clear: only what is encrypted (protocol 0x00fd), and what PPP has to say (0x8000 and
    /// above).
    NotInClear,
    /// As [`Admission::NotInClear`], and of CCP only what keeps up a state (Reset-Request and Reset-Ack); nor LCP's word
    /// that the peer has no CCP (Protocol-Reject).
    Settled,
}

/// Lets the socket receive only this from here on. Any process that has the socket may do that, as often as it likes.
///
/// # Errors
/// Out of memory.
pub fn admit(socket: BorrowedFd<'_>, admission: Admission) -> io::Result<()> {
    sys::attach_filter(socket, &filter_for(admission))
}

/// The kernel runs it from the GRE header on (RFC 2637 §4.1).
fn filter_for(admission: Admission) -> Vec<libc::sock_filter> {
    const HAS_SEQUENCE: u32 = 0x10;
    const HAS_ACKNOWLEDGEMENT: u32 = 0x80;
    const WITHOUT_ACKNOWLEDGEMENT: u32 = 12;
    const COMPRESSED: u32 = 0x00fd;
    const CCP: u32 = 0x80fd;
    const LCP: u32 = 0xc021;
    const PROTOCOL_REJECT: u32 = 8;
    const RESET_REQUEST: u32 = 14;
    const RESET_ACK: u32 = 15;

    let from_first = if admission == Admission::All { Pass } else { Next };
    let when_settled = |then| if admission == Admission::Settled { then } else { Pass };
    program(&[
        load_byte(0),
        // Without a sequence number there is no payload.
        if_bits(HAS_SEQUENCE, from_first, Pass),
        load_byte(1),
        and(HAS_ACKNOWLEDGEMENT),
        shift_right(5), // its 4 bytes
        add(WITHOUT_ACKNOWLEDGEMENT),
        to_index(),
        // Address and control may be left out.
        load_half_at_index(0),
        if_equal(0xff03, Next, Skip(3)),
        from_index(),
        add(2),
        to_index(),
        // The protocol; an odd byte is all of it.
        load_byte_at_index(0),
        if_bits(1, Skip(1), Next),
        load_half_at_index(0),
        if_equal(COMPRESSED, Pass, Next),
        if_at_least(0x8000, Next, Drop),
        if_equal(CCP, when_settled(Skip(5)), Next),
        if_equal(LCP, when_settled(Next), Pass),
        // LCP's code, and the protocol that is rejected (RFC 1661 §5.7).
        load_byte_at_index(2),
        if_equal(PROTOCOL_REJECT, Next, Pass),
        load_half_at_index(6),
        if_equal(CCP, Drop, Pass),
        // CCP's code (RFC 1962 §3).
        load_byte_at_index(2),
        if_equal(RESET_REQUEST, Pass, Next),
        if_equal(RESET_ACK, Pass, Drop),
    ])
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
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
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
        assert_eq!(claimed(&bytes), Some(0x1234));
    }

    #[test]
    fn an_address_of_another_kind_or_without_an_id_has_none() {
        let local = Ipv4Addr::new(192, 0, 2, 1);
        let (mut other_family, mut other_protocol) = (address(5, local), address(5, local));
        (other_family[0], other_protocol[2]) = (2, 0);
        for bytes in [&other_family[..], &other_protocol, &address(0, local), &address(5, local)[..7], &[]] {
            assert_eq!(claimed(bytes), None, "{bytes:?}");
        }
        let (stranger, _) = UnixDatagram::pair().unwrap();
        assert_eq!(call_id(stranger.as_fd()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    /// GRE headers with a sequence number, and with an acknowledgement as well.
    const HEADERS: [&[u8]; 2] = [
        &[0x30, 1, 0x88, 0x0b, 0, 9, 0, 17, 0, 0, 0, 1],
        &[0x30, 0x81, 0x88, 0x0b, 0, 9, 0, 17, 0, 0, 0, 1, 0, 0, 0, 1],
    ];
    const ACKNOWLEDGEMENT_ALONE: &[u8] = &[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 17, 0, 0, 0, 1];
    const IN_CLEAR: [&[u8]; 6] =
        [b"\xff\x03\x00\x21ip", b"\x00\x21ip", b"\xff\x03\x21ip", b"\x21ip", b"\x57ip", b"\x02\x81mpls"];
    const REJECTION: &[u8] = b"\xff\x03\xc0\x21\x08\x4d\x00\x06\x80\xfd";
    const HARMLESS: [&[u8]; 9] = [
        b"\xff\x03\x00\xfdmppe",
        b"\x00\xfdmppe",
        b"\xff\x03\xfdmppe",
        b"\xfdmppe",
        b"\xff\x03\xc0\x21\x01lcp",
        b"\x80\x21\x01ipcp",
        b"\xc0\x21\x08\x4d\x00\x06\x80\x57",
        b"\xff\x03\x80\xfd\x0ereset",
        b"\x80\xfd\x0freset",
    ];

    /// Which of the frames a socket gets that admits only this, with either header. Any socket sees a datagram as the
    /// kernel's PPTP socket sees a packet.
    fn admitted<'a>(admission: Admission, frames: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let (near, far) = UnixDatagram::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        admit(far.as_fd(), admission).unwrap();
        let passes = |packet: &[u8]| near.send(packet).is_ok() && far.recv(&mut [0; 64]).is_ok();
        assert!(passes(ACKNOWLEDGEMENT_ALONE));
        let passes_with = |frame: &[u8]| HEADERS.map(|header| passes(&[header, frame].concat()));
        let admitted = |frame: &&&[u8]| {
            let [plain, acknowledging] = passes_with(frame);
            assert_eq!(plain, acknowledging, "{frame:02x?}");
            plain
        };
        frames.iter().filter(admitted).copied().collect()
    }

    #[test]
    fn no_packet_of_a_network_is_admitted_in_clear() {
        let negotiation: &[u8] = b"\x80\xfd\x01request";
        assert_eq!(admitted(Admission::All, &IN_CLEAR), IN_CLEAR);
        for admission in [Admission::NotInClear, Admission::Settled] {
            assert!(admitted(admission, &IN_CLEAR).is_empty());
            assert_eq!(admitted(admission, &HARMLESS), HARMLESS);
        }
        assert_eq!(admitted(Admission::NotInClear, &[negotiation, REJECTION]), [negotiation, REJECTION]);
    }

    #[test]
    fn what_is_settled_is_not_negotiated_anew() {
        for code in (0..=u8::MAX).filter(|code| ![14, 15].contains(code)) {
            let (short, long) = ([0x80, 0xfd, code], [0xff, 3, 0x80, 0xfd, code, 1, 0, 4]);
            assert!(admitted(Admission::Settled, &[&short, &long]).is_empty(), "{code}");
        }
        assert!(admitted(Admission::Settled, &[b"\x80\xfd", REJECTION]).is_empty());
    }

    #[test]
    fn a_tcp_socket_is_not_pppox() {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        assert!(!is_pppox(socket.as_fd()));
    }
}
