//! TUN devices that look like PPP interfaces, with segmentation offload.
//!
//! Every read and write has a virtio header in front (`IFF_VNET_HDR`, 10 bytes, native byte order): with offload, a packet
//! may be a train of up to 64 KiB that its reader has to cut.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::sys;

const DEVICE: &str = "/dev/net/tun";

// linux/sockios.h. The constant of libc has not everywhere the type that its ioctl takes.
const SIOCSIFTXQLEN: libc::Ioctl = 0x8943;
// linux/if_tun.h
const TUNSETIFF: libc::Ioctl = nix::request_code_write!(b'T', 202, size_of::<libc::c_int>());
const TUNSETLINK: libc::Ioctl = nix::request_code_write!(b'T', 205, size_of::<libc::c_int>());
const TUNSETOFFLOAD: libc::Ioctl = nix::request_code_write!(b'T', 208, size_of::<libc::c_uint>());
const IFF_TUN: libc::c_short = 0x0001;
const IFF_NO_PI: libc::c_short = 0x1000;
const IFF_VNET_HDR: libc::c_short = 0x4000;
/// 0x8000: a device that exists, and that no process holds, is somebody's too.
const IFF_TUN_EXCL: libc::c_short = libc::c_short::MIN;
const F_CSUM: libc::c_ulong = 0x01;
const F_TSO4: libc::c_ulong = 0x02;
const F_TSO6: libc::c_ulong = 0x04;
const F_TSO_ECN: libc::c_ulong = 0x08;
const F_USO4: libc::c_ulong = 0x20;
const F_USO6: libc::c_ulong = 0x40;
/// As long as an Ethernet device's: half of it is full after 12 ms at 40 000 packets/s, and a busy machine lets a process
/// wait that long.
const QUEUE_LENGTH: libc::c_int = 1000;
/// linux/if_arp.h: PPP. With any other type the kernel would give the interface an IPv6 link-local address of its own
/// making.
const ARPHRD_PPP: libc::c_ulong = 512;

/// What may cross the device in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offload {
    /// Single packets with complete checksums.
    None,
    /// Trains of TCP segments.
    Tcp,
    /// Trains of UDP datagrams too (Linux 6.2).
    TcpAndUdp,
}

/// Whether this process can make TUN devices: asks for one of no kind, which the kernel refuses as such only to who may have
/// one.
///
/// # Errors
/// `NotFound`, `ENODEV`: no TUN in this kernel or no /dev/net/tun. `EACCES`: it may not be opened. `EPERM`: `CAP_NET_ADMIN`
/// is missing (or the device cgroup forbids to open it).
pub fn probe() -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    let mut request = sys::interface_request("", IFF_NO_PI);
    match sys::ioctl_interface(file.as_fd(), TUNSETIFF, &mut request) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(error),
        _ => Ok(()),
    }
}

/// Makes the TUN device `name`, down, without addresses, ARPHRD_PPP; its descriptor is non-blocking and close-on-exec, and
/// the device lives as long as it. Needs `CAP_NET_ADMIN`.
///
/// # Errors
/// `NotFound`: no TUN in this kernel or no /dev/net/tun. `AlreadyExists`: the name is taken. `InvalidInput`: it is no
/// name.
pub fn create(name: &str) -> io::Result<OwnedFd> {
    if name.is_empty() || name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let tun = OwnedFd::from(OpenOptions::new().read(true).write(true).custom_flags(flags).open(DEVICE)?);
    let mut request = sys::interface_request(name, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    sys::ioctl_interface(tun.as_fd(), TUNSETIFF, &mut request).map_err(|error| match error.raw_os_error() {
        Some(libc::EBUSY) => io::Error::from_raw_os_error(libc::EEXIST),
        // So the kernel says when the name belongs to a device of another kind, like a ppp0 of its own PPP.
        Some(libc::EINVAL) if nix::net::if_::if_nametoindex(name).is_ok() => io::Error::from_raw_os_error(libc::EEXIST),
        _ => error,
    })?;
    sys::ioctl_number(tun.as_fd(), TUNSETLINK, ARPHRD_PPP)?;
    set_queue_length(name)?;
    Ok(tun)
}

fn set_queue_length(name: &str) -> io::Result<()> {
    let any = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut request = sys::interface_request(name, 0);
    request.ifr_ifru.ifru_metric = QUEUE_LENGTH;
    sys::ioctl_interface(any.as_fd(), SIOCSIFTXQLEN, &mut request)
}

/// Turns on the most that this kernel has of `wanted`, and says what that is.
///
/// # Errors
/// Not a TUN device.
pub fn set_offload(tun: BorrowedFd<'_>, wanted: Offload) -> io::Result<Offload> {
    let tcp = F_CSUM | F_TSO4 | F_TSO6 | F_TSO_ECN;
    let choices = [(Offload::TcpAndUdp, tcp | F_USO4 | F_USO6), (Offload::Tcp, tcp), (Offload::None, 0)];
    let mut result = Err(io::ErrorKind::InvalidInput.into());
    for (offload, features) in choices.into_iter().filter(|&(offload, _)| offload <= wanted) {
        result = sys::ioctl_number(tun, TUNSETOFFLOAD, features).map(|()| offload);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Reads one packet, behind its virtio header, into `buffer`: how many bytes.
///
/// # Errors
/// `WouldBlock`: there is none. `EBADFD`: the device is gone.
pub fn read(tun: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(tun, buffer)?)
}

/// Writes one packet, behind its virtio header, that lies in `parts`.
///
/// # Errors
/// `EIO`: the interface is down. `EINVAL`: no packet, or a virtio header that this kernel does not know. `EBADFD`: the
/// device is gone.
pub fn write(tun: BorrowedFd<'_>, parts: &[io::IoSlice<'_>]) -> io::Result<()> {
    nix::sys::uio::writev(tun, parts)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_or_empty_is_refused() {
        for name in ["", "a-name-of-sixteen"] {
            assert_eq!(create(name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_device_is_ppp_and_offers_offload_and_its_name_is_taken() {
        assert!(nix::unistd::geteuid().is_root(), "this test has to run as root");
        let name = format!("tt{}", std::process::id());
        let tun = create(&name).unwrap();
        let kind = std::fs::read_to_string(format!("/sys/class/net/{name}/type")).unwrap();
        assert_eq!(kind.trim(), "512");
        let queue = std::fs::read_to_string(format!("/sys/class/net/{name}/tx_queue_len")).unwrap();
        assert_eq!(queue.trim(), "1000");
        assert!(set_offload(tun.as_fd(), Offload::TcpAndUdp).unwrap() >= Offload::Tcp);
        assert_eq!(set_offload(tun.as_fd(), Offload::None).unwrap(), Offload::None);
        assert_eq!(read(tun.as_fd(), &mut [0; 100]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut header_and_packet = [0; 10 + 40];
        header_and_packet[10] = 0x45;
        let down = write(tun.as_fd(), &[io::IoSlice::new(&header_and_packet)]).unwrap_err();
        assert_eq!(down.raw_os_error(), Some(libc::EIO));
        assert_eq!(create(&name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn probing_misses_the_capability_to_make_devices() {
        assert!(nix::unistd::geteuid().is_root(), "this test has to run as root");
        // Capabilities are a thread's.
        let probed = std::thread::spawn(|| {
            let before = probe();
            caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_NET_ADMIN).unwrap();
            (before.is_ok(), probe().unwrap_err().raw_os_error())
        });
        assert_eq!(probed.join().unwrap(), (true, Some(libc::EPERM)));
    }

    #[test]
    fn the_name_of_a_device_of_another_kind_is_taken_too() {
        assert!(nix::unistd::geteuid().is_root(), "this test has to run as root");
        assert_eq!(create("lo").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
