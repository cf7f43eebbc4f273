//! What the kernel's own PPP can do.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::sys;

const DEVICE: &str = "/dev/ppp";

/// Where the kernel shows modules that are loaded.
const MPPE_MODULE: &str = "/sys/module/ppp_mppe";

// linux/ppp-ioctl.h
const PPPIOCNEWUNIT: libc::Ioctl = nix::request_code_readwrite!(b't', 62, size_of::<libc::c_int>());
const PPPIOCSCOMPRESS: libc::Ioctl = nix::request_code_write!(b't', 77, size_of::<sys::PppOptionData>());

/// Whether the kernel's PPP can do MPPE. It is asked with a unit of its own, which is gone at once, unless the module is seen to
/// be there; the kernel loads it by itself.
///
/// # Errors
/// There is no PPP in this kernel, or it is not ours to use.
pub fn has_mppe() -> io::Result<bool> {
    if Path::new(MPPE_MODULE).exists() {
        return Ok(true);
    }
    let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    let mut any = -1;
    sys::ioctl_int(device.as_fd(), PPPIOCNEWUNIT, &mut any)?;
    // 128 bit, stateless, and a key that nobody uses.
    let mut option = [0; 6 + 16];
    option[..6].copy_from_slice(&[18, 6, 1, 0, 0, 0x40]);
    Ok(sys::ioctl_option(device.as_fd(), PPPIOCSCOMPRESS, &mut option).is_ok())
}
