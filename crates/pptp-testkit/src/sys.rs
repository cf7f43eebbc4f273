//! The system calls that std does not make: all unsafe code of the crate.

use std::fs::File;
use std::io;
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// `sockaddr_pppox` of `linux/if_pppox.h`, packed as there: family, protocol, `pptp_addr`, padding of its union.
pub(crate) const SOCKADDR_PPPOX_LENGTH: usize = 30;
const PX_PROTO_PPTP: libc::c_int = 2;
const IPPROTO_GRE: libc::c_int = 47;

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(result: libc::c_int) -> io::Result<OwnedFd> {
    let fd = checked(result)?;
    // SAFETY: every caller passes the result of a call that returns a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes closing `stream` send RST: SO_LINGER with a time of 0.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = u32::try_from(size_of::<libc::linger>()).map_err(io::Error::other)?;
    let value = ptr::from_ref(&linger).cast();
    // SAFETY: `value` points to `length` octets that live until the call returns.
    checked(unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length) })?;
    Ok(())
}

/// A PPTP socket of the kernel (module `pptp`), inherited by the programs that this process starts.
pub(crate) fn pptp_socket() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(unsafe { libc::socket(libc::AF_PPPOX, libc::SOCK_STREAM, PX_PROTO_PPTP) })
}

/// The octets of a `sockaddr_pppox`; the call id is in host order, as pptp.ko wants it.
pub(crate) fn pptp_address(address: SocketAddrV4, call_id: u16) -> [u8; SOCKADDR_PPPOX_LENGTH] {
    let mut octets = [0; SOCKADDR_PPPOX_LENGTH];
    let family = u16::try_from(libc::AF_PPPOX).unwrap_or_default().to_ne_bytes();
    let parts = [(0, &family[..]), (2, &PX_PROTO_PPTP.to_ne_bytes()), (6, &call_id.to_ne_bytes())];
    for (offset, part) in parts.into_iter().chain([(10, &address.ip().octets()[..])]) {
        octets.iter_mut().skip(offset).zip(part).for_each(|(octet, value)| *octet = *value);
    }
    octets
}

/// Binds a PPTP socket to our address and call id.
pub(crate) fn bind(socket: &OwnedFd, address: &[u8; SOCKADDR_PPPOX_LENGTH]) -> io::Result<()> {
    let (fd, pointer) = (socket.as_raw_fd(), address.as_ptr().cast());
    // SAFETY: the pointer is to 30 octets, the size of sockaddr_pppox, alive until the call returns; the kernel copies.
    checked(unsafe { libc::bind(fd, pointer, 30) })?;
    Ok(())
}

/// Connects a PPTP socket to the peer's address and call id.
pub(crate) fn connect(socket: &OwnedFd, address: &[u8; SOCKADDR_PPPOX_LENGTH]) -> io::Result<()> {
    let (fd, pointer) = (socket.as_raw_fd(), address.as_ptr().cast());
    // SAFETY: the pointer is to 30 octets, the size of sockaddr_pppox, alive until the call returns; the kernel copies.
    checked(unsafe { libc::connect(fd, pointer, 30) })?;
    Ok(())
}

/// A raw socket that receives and sends GRE.
pub(crate) fn gre_socket() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, IPPROTO_GRE) })
}

/// A pseudo terminal: its master and its slave, both raw.
pub(crate) fn pseudo_terminal() -> io::Result<(File, OwnedFd)> {
    let (mut master, mut slave): (RawFd, RawFd) = (-1, -1);
    let (master_place, slave_place) = (ptr::from_mut(&mut master), ptr::from_mut(&mut slave));
    // SAFETY: both pointers are to live integers; null for name, termios and size asks for the defaults.
    checked(unsafe { libc::openpty(master_place, slave_place, ptr::null_mut(), ptr::null(), ptr::null()) })?;
    let (master, slave) = (owned(master)?, owned(slave)?);
    for fd in [&master, &slave] {
        // SAFETY: the call takes no pointers.
        checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    make_raw(&slave)?;
    Ok((File::from(master), slave))
}

/// No echo, no translation: what the peer sends before pppd has set the line up must not be sent back to it.
fn make_raw(terminal: &OwnedFd) -> io::Result<()> {
    let fd = terminal.as_raw_fd();
    // SAFETY: termios is plain numbers, for which zeros are valid.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    let place = ptr::from_mut(&mut settings);
    // SAFETY: the pointer is to a live termios, which the call fills.
    checked(unsafe { libc::tcgetattr(fd, place) })?;
    // SAFETY: the pointer is to a live and filled termios.
    unsafe { libc::cfmakeraw(place) };
    // SAFETY: the pointer is to a live and filled termios, which the call only reads.
    checked(unsafe { libc::tcsetattr(fd, libc::TCSANOW, place) })?;
    Ok(())
}

/// Lets the program that `command` starts get SIGTERM when the thread that starts it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let before_exec = || {
        // SAFETY: the call takes no pointers; it is async-signal-safe.
        checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
        Ok(())
    };
    // SAFETY: the closure makes one async-signal-safe call and allocates nothing unless that fails.
    unsafe { command.pre_exec(before_exec) };
}

/// Lets the program that `command` starts, and no other, inherit `fd`.
pub(crate) fn pass_on(command: &mut Command, fd: RawFd) {
    let before_exec = move || {
        // SAFETY: the call takes no pointers; it is async-signal-safe.
        checked(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
        Ok(())
    };
    // SAFETY: the closure makes one async-signal-safe call and allocates nothing unless that fails.
    unsafe { command.pre_exec(before_exec) };
}

/// Asks a child of ours to end.
pub(crate) fn terminate(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: the call takes no pointers; the caller still holds the child, so its number is not another's.
    unsafe { libc::kill(pid, libc::SIGTERM) };
}
