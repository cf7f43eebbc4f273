//! The kernel's unit, where the engine encrypts what it sends and takes (the data path pty): what pppd asks of the unit
//! about MPPE goes to the engine, and the kernel's PPP sends and takes packets in clear.
//!
//! Its descriptors are the kernel's own, and are known by what the kernel says of them.

use std::cell::Cell;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::stat::{fstat, makedev};
use pptp_datapath::client::EngineError;
use pptp_datapath::command::{Channel, Link};

use super::device::{SC_MUST_COMP, must_encrypt, told};
use super::requests::Request;
use crate::engine;

/// /dev/ppp (`Documentation/admin-guide/devices.txt`).
const DEVICE: (u64, u64) = (108, 0);

/// `linux/ppp-ioctl.h`. A channel does not know this request.
const PPPIOCGUNIT: libc::Ioctl = nix::request_code_read!(b't', 86, size_of::<c_int>());

thread_local! {
    /// The engine's channel through which the unit's frames pass.
    static CHANNEL: Cell<Option<Channel>> = const { Cell::new(None) };
}

/// What the engine has to do with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    /// All: the kernel is not asked.
    Whole(Result<(), Errno>),
    /// The kernel answers, and gets these flags added to its own.
    Flags(c_int),
}

/// From now on the channel encrypts what passes between the kernel's unit and the peer.
///
/// # Errors
/// The engine's.
pub(crate) fn encrypt(channel: Channel) -> Result<(), EngineError> {
    set_flags(channel, 0)?;
    CHANNEL.set(Some(channel));
    Ok(())
}

/// There is no such channel any more.
pub(super) fn forget() {
    CHANNEL.set(None);
}

/// ioctl(2) of a descriptor of the kernel's; `None`: it is the kernel's business alone.
pub(super) fn carry_out(fd: RawFd, request: impl FnOnce() -> Request) -> Option<Share> {
    let channel = CHANNEL.get()?;
    let request = request();
    let is_ours = matches!(
        request,
        Request::SetCompression(..) | Request::OtherCompression | Request::SetFlags(_) | Request::GetFlags
    );
    if !is_ours || !is_unit(crate::ffi::borrow(fd)?) {
        return None;
    }
    match request {
        Request::SetCompression(direction, option, key) => {
            let answer = engine::ask(|engine| engine.set_compression(Link::Channel(channel), direction, option, key));
            Some(Share::Whole(told(answer).map(drop)))
        }
        Request::OtherCompression if must_encrypt() => Some(Share::Whole(Err(Errno::EINVAL))),
        Request::SetFlags(flags) => {
            // A call that has ended needs none.
            let _ = set_flags(channel, flags);
            None
        }
        Request::GetFlags => {
            let flags = engine::ask(|engine| engine.flags(Link::Channel(channel))).unwrap_or(0);
            Some(Share::Flags(c_int::from_ne_bytes(flags.to_ne_bytes())))
        }
        _ => None,
    }
}

fn set_flags(channel: Channel, flags: c_int) -> Result<(), EngineError> {
    let required = if must_encrypt() { SC_MUST_COMP } else { 0 };
    let flags = u32::from_ne_bytes(flags.to_ne_bytes()) | required;
    engine::ask(|engine| engine.set_flags(Link::Channel(channel), flags))
}

fn is_unit(fd: BorrowedFd<'_>) -> bool {
    let device = makedev(DEVICE.0, DEVICE.1);
    let is_device =
        fstat(fd).is_ok_and(|status| status.st_mode & libc::S_IFMT == libc::S_IFCHR && status.st_rdev == device);
    let mut unit: c_int = 0;
    // SAFETY: the descriptor is open as long as it is borrowed; this request writes an int to where its argument points.
    is_device && unsafe { libc::ioctl(fd.as_raw_fd(), PPPIOCGUNIT, &raw mut unit) } == 0
}
