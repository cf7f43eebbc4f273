//! Pseudo-terminals whose slave is a PPP channel of the kernel's (the ppp line discipline).

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::sys;

/// linux/tty.h: the ppp line discipline.
const N_PPP: libc::c_int = 3;

const DEVICE: &str = "/dev/ppp";

/// asm-generic/ioctls.h: the number of a master's slave.
const TIOCGPTN: libc::Ioctl = nix::request_code_read!(b'T', 0x30, size_of::<libc::c_uint>());

// linux/ppp-ioctl.h: a terminal's channel, and what makes an open /dev/ppp that channel.
const PPPIOCGCHAN: libc::Ioctl = nix::request_code_read!(b't', 55, size_of::<libc::c_int>());
const PPPIOCATTCHAN: libc::Ioctl = nix::request_code_write!(b't', 56, size_of::<libc::c_int>());
// The characters below 0x20 that the kernel escapes, and that it drops unless they are escaped.
const PPPIOCSASYNCMAP: libc::Ioctl = nix::request_code_write!(b't', 87, size_of::<libc::c_int>());
const PPPIOCSRASYNCMAP: libc::Ioctl = nix::request_code_write!(b't', 84, size_of::<libc::c_int>());

/// A raw terminal (no echo, no translation, 8 bits), close-on-exec: its master, non-blocking, and its slave.
///
/// # Errors
/// `NotFound`: no /dev/ptmx; `ENOSPC`: out of terminals.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags)?;
    nix::pty::unlockpt(&master)?;
    let slave_flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let slave = sys::ioctl_descriptor(master.as_fd(), libc::TIOCGPTPEER, slave_flags)?;
    let mut settings = tcgetattr(&slave)?;
    cfmakeraw(&mut settings);
    tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
    Ok((master.into(), slave))
}

/// The path of a master's slave.
///
/// # Errors
/// No master.
pub fn path(master: BorrowedFd<'_>) -> io::Result<String> {
    let mut number = 0;
    sys::ioctl_int(master, TIOCGPTN, &mut number)?;
    Ok(format!("/dev/pts/{number}"))
}

/// Makes a slave a PPP channel. Needs `CAP_NET_ADMIN`.
///
/// # Errors
/// `InvalidInput`: the kernel has no ppp_async. `PermissionDenied`.
pub fn set_ppp_discipline(slave: BorrowedFd<'_>) -> io::Result<()> {
    let mut discipline = N_PPP;
    sys::ioctl_int(slave, libc::TIOCSETD, &mut discipline)
}

/// Lets the line discipline of a slave escape no more than the framing itself needs, and expect no more: a pseudo-terminal
/// passes every character on. To be repeated when LCP has negotiated maps, which the kernel takes from the frames that pass.
/// Needs `CAP_NET_ADMIN`.
///
/// # Errors
/// The slave is no PPP channel, or there is no /dev/ppp.
pub fn escape_nothing(slave: BorrowedFd<'_>) -> io::Result<()> {
    let (mut channel, mut none) = (0, 0);
    sys::ioctl_int(slave, PPPIOCGCHAN, &mut channel)?;
    // The terminal itself does not know these requests.
    let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    sys::ioctl_int(device.as_fd(), PPPIOCATTCHAN, &mut channel)?;
    sys::ioctl_int(device.as_fd(), PPPIOCSASYNCMAP, &mut none)?;
    sys::ioctl_int(device.as_fd(), PPPIOCSRASYNCMAP, &mut none)
}

/// Reads what was written to the slave: how many bytes, at most 4096 with the terminals of today.
///
/// # Errors
/// `WouldBlock`: there is nothing. `EIO`: there is nothing, and nobody has the slave open.
pub fn read(master: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(master, buffer)?)
}

/// Writes as many of `bytes` as the terminal takes: how many of the first.
///
/// # Errors
/// `WouldBlock`: the terminal is full. `EIO`: nobody has the slave open.
pub fn write(master: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(nix::unistd::write(master, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_terminal_that_is_no_channel_has_nothing_to_escape() {
        let (_master, slave) = open().unwrap();
        assert_eq!(escape_nothing(slave.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }

    #[test]
    fn a_slave_has_a_path() {
        let (master, slave) = open().unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", slave.as_raw_fd())).unwrap();
        assert_eq!(link.to_str(), Some(&*path(master.as_fd()).unwrap()));
    }

    #[test]
    fn bytes_pass_unchanged_both_ways() {
        let (master, slave) = open().unwrap();
        let bytes = [0x7e, b'\r', b'\n', 3, 4, 0x11, 0x13, 0xff, 0];
        let mut buffer = [0; 32];
        nix::unistd::write(&master, &bytes).unwrap();
        let length = nix::unistd::read(&slave, &mut buffer).unwrap();
        assert_eq!(buffer[..length], bytes);
        nix::unistd::write(&slave, &bytes).unwrap();
        let length = nix::unistd::read(&master, &mut buffer).unwrap();
        assert_eq!(buffer[..length], bytes);
    }
}
