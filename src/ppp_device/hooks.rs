//! The functions that pppd calls instead of the C library's.
//!
//! In C some of them take a variable number of arguments. On the machines whose relocations `pptp_io::imports` knows, a
//! function that names the most it can be given is called in the same way.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use pptp_io::imports::{Replacement, replace};

use super::kernel_unit::{self, Share};
use super::requests::Reply;
use super::{device, requests, statistics};
use crate::guard::guard;

const PATH: &CStr = c"/dev/ppp";

/// `SIOCDEVPRIVATE`, as PPP interfaces have it.
const SIOCGPPPSTATS: c_ulong = 0x89f0;

/// Whether pppd's next open of /dev/ppp is answered here.
type IsWanted = fn() -> bool;

thread_local! {
    static IS_WANTED: RefCell<Result<IsWanted, String>> =
        const { RefCell::new(Err(String::new())) };
}

/// Makes pppd call the functions of this module. `is_wanted` is asked at every open of /dev/ppp.
pub(crate) fn install(is_wanted: IsWanted) {
    let all = [
        Replacement { name: c"open", function: open as *const () },
        Replacement { name: c"open64", function: open64 as *const () },
        Replacement { name: c"openat", function: openat as *const () },
        Replacement { name: c"openat64", function: openat64 as *const () },
        Replacement { name: c"__open_2", function: open_without_mode as *const () },
        Replacement { name: c"__open64_2", function: open64_without_mode as *const () },
        Replacement { name: c"ioctl", function: ioctl as *const () },
        Replacement { name: c"__ioctl_time64", function: ioctl as *const () },
        Replacement { name: c"recvmsg", function: recvmsg as *const () },
        // Where longs have 32 bits and pppd was compiled for times of 64. What has no time in it is the same by either name.
        Replacement { name: c"__recvmsg64", function: recvmsg as *const () },
    ];
    // SAFETY: each has the signature of the function whose name it takes and does the same, but for /dev/ppp; pppd never
    // unloads a plugin, and has one thread.
    let replaced = unsafe { replace(&all) };
    let has = |part: &str, names: &[&CStr]| names.iter().any(|name| name.to_string_lossy().contains(part));
    let installed = match replaced {
        Ok(names) if has("open", &names) && has("ioctl", &names) => Ok(is_wanted),
        Ok(_) => Err(String::from("this pppd calls open and ioctl in another way than by its offset table")),
        Err(error) => Err(format!("pppd's calls cannot be redirected: {}", pptp_io::words(&error))),
    };
    IS_WANTED.set(installed);
}

/// Why there can be no /dev/ppp of this module's, if there can be none.
pub(crate) fn obstacle() -> Option<String> {
    IS_WANTED.with_borrow(|installed| installed.as_ref().err().cloned())
}

/// The hooked open(2) of a path; `None`: the C library's turn.
///
/// # Safety
/// `path` is null or a terminated text.
unsafe fn open_device(path: *const c_char, flags: c_int) -> Option<c_int> {
    if path.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    if unsafe { CStr::from_ptr(path) } != PATH {
        return None;
    }
    guard(None, || {
        let is_wanted = IS_WANTED.with_borrow(|installed| installed.as_ref().ok().copied())?;
        is_wanted().then(|| device::open(flags).unwrap_or_else(refuse))
    })
}

unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's arguments of open(2), for which its contract holds.
    let opened = unsafe { open_device(path, flags) };
    // SAFETY: as above.
    opened.unwrap_or_else(|| unsafe { libc::open(path, flags, mode) })
}

unsafe extern "C" fn open_without_mode(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as `open`; flags that ask for a mode do not come this way.
    unsafe { open(path, flags, 0) }
}

/// What sets the functions with a 64 in their names apart, where a file's length has 32 bits.
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as `open`.
    unsafe { open(path, flags | libc::O_LARGEFILE, mode) }
}

unsafe extern "C" fn open64_without_mode(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as `open_without_mode`.
    unsafe { open64(path, flags, 0) }
}

unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as `openat`.
    unsafe { openat(directory, path, flags | libc::O_LARGEFILE, mode) }
}

unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as `open`; the path of /dev/ppp is absolute, so the directory does not matter to it.
    let opened = unsafe { open_device(path, flags) };
    // SAFETY: the caller's arguments of openat(2).
    opened.unwrap_or_else(|| unsafe { libc::openat(directory, path, flags, mode) })
}

unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // On some machines the C library's own type for it is an int, and the upper half is the sign.
    let number = request & 0xffff_ffff;
    let outcome = guard(None, || match () {
        // SAFETY: the caller's arguments of ioctl(2).
        () if requests::is_ppp(number) => unsafe { ppp_ioctl(fd, number, argument) },
        // SAFETY: as above; the argument of this request points to an ifreq.
        () if number == SIOCGPPPSTATS => unsafe { read_statistics(argument.cast()) },
        () => None,
    });
    match outcome {
        Some(Ok(())) => 0,
        Some(Err(errno)) => refuse(errno),
        // SAFETY: the caller's arguments of ioctl(2).
        None => unsafe { libc::ioctl(fd, number as libc::Ioctl, argument) },
    }
}

/// # Safety
/// Arguments of ioctl(2).
unsafe fn ppp_ioctl(fd: c_int, number: c_ulong, argument: *mut c_void) -> Option<Result<(), Errno>> {
    // SAFETY: by this function's contract.
    let request = || unsafe { requests::read(number, argument) };
    let Some(outcome) = device::carry_out(fd, request) else {
        return match kernel_unit::carry_out(fd, request)? {
            Share::Whole(outcome) => Some(outcome),
            // SAFETY: by this function's contract; only the request for flags has such a share.
            Share::Flags(flags) => Some(unsafe { read_flags(fd, number, argument, flags) }),
        };
    };
    Some(match outcome {
        Ok(Reply::Nothing) => Ok(()),
        // SAFETY: by this function's contract; only requests that give something back have such an outcome.
        Ok(reply) => unsafe { requests::write(reply, argument) },
        Err(errno) => Err(errno),
    })
}

/// The kernel's flags and `more`.
///
/// # Safety
/// As [`ppp_ioctl`], for a request that reads flags.
unsafe fn read_flags(fd: c_int, number: c_ulong, argument: *mut c_void, more: c_int) -> Result<(), Errno> {
    // SAFETY: by this function's contract.
    Errno::result(unsafe { libc::ioctl(fd, number as libc::Ioctl, argument) })?;
    let flags = argument.cast::<c_int>();
    // SAFETY: the kernel has just written an int there.
    let from_kernel = unsafe { flags.read_unaligned() };
    // SAFETY: as above.
    unsafe { flags.write_unaligned(from_kernel | more) };
    Ok(())
}

/// # Safety
/// `request` is null or points to an ifreq whose data are a `struct ppp_stats`.
unsafe fn read_statistics(request: *mut libc::ifreq) -> Option<Result<(), Errno>> {
    if request.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    let request = unsafe { request.read_unaligned() };
    let name: Vec<u8> =
        request.ifr_name.iter().map(|&byte| byte.to_ne_bytes()[0]).take_while(|&byte| byte != 0).collect();
    let statistics = device::statistics_of(|| if_nametoindex(name.as_slice()).ok())?;
    // SAFETY: the member that this request uses.
    let data = unsafe { request.ifr_ifru.ifru_data }.cast::<statistics::PppStats>();
    if data.is_null() {
        return Some(Err(Errno::EFAULT));
    }
    // SAFETY: by this function's contract.
    unsafe { data.write_unaligned(statistics::ppp_stats(&statistics)) };
    Some(Ok(()))
}

unsafe extern "C" fn recvmsg(fd: c_int, message: *mut libc::msghdr, flags: c_int) -> libc::ssize_t {
    // SAFETY: the caller's arguments of recvmsg(2).
    let received = unsafe { libc::recvmsg(fd, message, flags) };
    let length = usize::try_from(received).unwrap_or(0);
    if length > 0 && device::interface().is_some() {
        // SAFETY: the kernel has just taken it for a message.
        let message = unsafe { &*message };
        // SAFETY: the kernel has just written as many bytes to what the message points to.
        guard((), || unsafe { amend_received(message, length) });
    }
    received
}

/// # Safety
/// The parts of the message hold `length` bytes that were received.
unsafe fn amend_received(message: &libc::msghdr, length: usize) {
    let parts = (0..).take(message.msg_iovlen as _).map(|index: usize| {
        // SAFETY: one of as many parts as the message says it has.
        unsafe { message.msg_iov.wrapping_add(index).read() }
    });
    let places =
        parts.flat_map(|part| (0..part.iov_len).map(move |offset| part.iov_base.cast::<u8>().wrapping_add(offset)));
    let places: Vec<*mut u8> = places.take(length.min(statistics::LOOKED_AT)).collect();
    // SAFETY: bytes of the parts, by this function's contract.
    let mut bytes: Vec<u8> = places.iter().map(|&place| unsafe { place.read() }).collect();
    let Some(found) = device::statistics_of(|| statistics::interface_of(&bytes)) else { return };
    statistics::amend(&mut bytes, &found);
    for (place, byte) in places.into_iter().zip(bytes) {
        // SAFETY: as above.
        unsafe { place.write(byte) };
    }
}

/// What a failed call returns.
fn refuse(errno: Errno) -> c_int {
    errno.set();
    -1
}
