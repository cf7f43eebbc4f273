//! All of this crate's `unsafe`: one operation per block. What is not here goes through `nix`.

pub(crate) mod imports;
pub(crate) mod messages;
pub(crate) mod start;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_uint, socklen_t};

/// Takes over a descriptor that the kernel has just made.
pub(crate) fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: every caller passes a descriptor that a system call has just returned to it, or that this process was given for it
    // to have, and that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// socket(2), close-on-exec.
pub(crate) fn socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointers.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    Ok(owned(fd))
}

/// bind(2) with an address in its kernel layout.
pub(crate) fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let length = address_length(address)?;
    // SAFETY: the kernel reads `length` bytes, all of which `address` has, byte by byte.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), length) })?;
    Ok(())
}

/// connect(2) with an address in its kernel layout.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let length = address_length(address)?;
    // SAFETY: the kernel reads `length` bytes, all of which `address` has, byte by byte.
    check(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) })?;
    Ok(())
}

/// getsockname(2) into an address in its kernel layout, of which as much is written as there is; how much there is.
pub(crate) fn socket_name(socket: BorrowedFd<'_>, address: &mut [u8]) -> io::Result<usize> {
    let mut length = address_length(address)?;
    let place = address.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes, for which `address` has room, and how many there are to `length`.
    check(unsafe { libc::getsockname(socket.as_raw_fd(), place, &raw mut length) })?;
    Ok(usize::try_from(length).unwrap_or(0))
}

/// accept4(2), close-on-exec, without the peer's address.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let nowhere = std::ptr::null_mut();
    // SAFETY: accept4(2) allows both address pointers to be null.
    let accepted = unsafe { libc::accept4(listener.as_raw_fd(), nowhere, nowhere.cast(), libc::SOCK_CLOEXEC) };
    Ok(owned(check(accepted)?))
}

/// The address family of a socket (`SO_DOMAIN`).
pub(crate) fn socket_domain(socket: BorrowedFd<'_>) -> io::Result<c_int> {
    let mut domain: c_int = 0;
    let mut length = INT_LENGTH;
    let value = (&raw mut domain).cast();
    // SAFETY: `value` and `length` point to live variables, and `length` says how long the value's is.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN, value, &raw mut length) })?;
    Ok(domain)
}

/// Bytes that a local socket holds for a peer that has not read them (`SIOCOUTQ`).
pub(crate) fn unsent(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: SIOCOUTQ (the same number as TIOCOUTQ) writes one int, for which `bytes` has room.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// setsockopt(2) with an int.
pub(crate) fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the kernel reads one int, which `value` is.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), INT_LENGTH) })?;
    Ok(())
}

/// Lets `socket` receive only what `program` returns non-zero for (`SO_ATTACH_FILTER`).
pub(crate) fn attach_filter(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let size = socklen_t::try_from(size_of_val(&program)).unwrap_or(0);
    let value = (&raw const program).cast();
    // SAFETY: the kernel reads a sock_fprog and the `len` instructions it points to, all of which live until it returns;
    // it writes to neither.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, value, size) })?;
    Ok(())
}

/// ioctl(2) with a number for an argument.
pub(crate) fn ioctl_number(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: every caller passes a request whose argument is a number and no pointer.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) })?;
    Ok(())
}

/// ioctl(2) with a pointer to an int that the kernel reads, writes or both.
pub(crate) fn ioctl_int(fd: BorrowedFd<'_>, request: libc::Ioctl, value: &mut c_int) -> io::Result<()> {
    // SAFETY: every caller passes a request whose argument is a pointer to an int, which `value` is.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(value)) })?;
    Ok(())
}

/// ioctl(2) with a `struct ifreq` that the kernel reads and writes.
pub(crate) fn ioctl_interface(fd: BorrowedFd<'_>, request: libc::Ioctl, value: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: every caller passes a request whose argument is a pointer to an ifreq, which `value` is.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(value)) })?;
    Ok(())
}

/// `struct ppp_option_data` of `linux/ppp-ioctl.h`.
#[repr(C)]
pub(crate) struct PppOptionData {
    pointer: *mut u8,
    length: u32,
    transmit: c_int,
}

/// ioctl(2) with a `struct ppp_option_data` that the kernel reads, for what is received.
pub(crate) fn ioctl_option(fd: BorrowedFd<'_>, request: libc::Ioctl, option: &mut [u8]) -> io::Result<()> {
    let length = u32::try_from(option.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let data = PppOptionData { pointer: option.as_mut_ptr(), length, transmit: 0 };
    // SAFETY: every caller passes a request whose argument is a pointer to such a structure; it and the option live until
    // the kernel has read them.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw const data) })?;
    Ok(())
}

/// An ioctl(2) whose argument is a number, and that gives a new descriptor.
pub(crate) fn ioctl_descriptor(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: c_int) -> io::Result<OwnedFd> {
    // SAFETY: every caller passes a request whose argument is a number and whose result is a descriptor.
    let made = check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) })?;
    Ok(owned(made))
}

/// A `struct ifreq` with nothing but an interface's name, cut to 15 bytes, and flags.
pub(crate) fn interface_request(name: &str, flags: libc::c_short) -> libc::ifreq {
    let mut bytes: [libc::c_char; libc::IFNAMSIZ] = [0; libc::IFNAMSIZ];
    for (to, from) in bytes.iter_mut().zip(name.bytes()).take(libc::IFNAMSIZ - 1) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    libc::ifreq { ifr_name: bytes, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags } }
}

/// The two sides of fork(2).
pub(crate) enum Fork {
    /// The process that called; the id of the other.
    Parent(nix::unistd::Pid),
    /// The new process.
    Child,
}

/// fork(2).
///
/// Only a process with a single thread may call it: in the child of another, every lock that some other thread held,
/// the allocator's among them, stays locked for ever.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: pppd has one thread, and so has everything else that calls this crate's `process::detach`, by its
    // documented contract; so the child may run any code.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Fork::Parent(child)),
        nix::unistd::ForkResult::Child => Ok(Fork::Child),
    }
}

/// _exit(2): no destructor, no atexit handler, no buffered output of the process that we were forked from.
pub(crate) fn exit_now(status: c_int) -> ! {
    // SAFETY: _exit(2) has no precondition and does not return.
    unsafe { libc::_exit(status) }
}

/// What a signal does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disposition {
    Default,
    Ignore,
}

/// Sets what `signal` does. Signals that cannot be changed (KILL, STOP, the C library's own) keep what they do.
pub(crate) fn set_signal(signal: c_int, disposition: Disposition) {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: neither disposition runs code in this process.
    unsafe { libc::signal(signal, handler) };
}

/// The highest signal number.
pub(crate) fn last_signal() -> c_int {
    libc::SIGRTMAX()
}

/// alarm(2): SIGALRM after `seconds`, 0 for none. It outlives exec.
pub(crate) fn alarm(seconds: c_uint) {
    // SAFETY: alarm(2) takes no pointers.
    unsafe { libc::alarm(seconds) };
}

/// Closes the descriptors `first..=last` of this process.
///
/// Only for a process that has just been forked: what its parent's code owns is never used in it.
pub(crate) fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: no pointers; whoever owns these descriptors does not run in this process, as the caller promises. By
    // number, because older C libraries have no wrapper.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 {
        return;
    }
    // Linux before 5.9.
    for fd in open_descriptors().into_iter().filter(|fd| (first..=last).contains(fd)) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
}

/// prlimit(2): how many descriptors a process may have (`RLIMIT_NOFILE`), below what it may raise that to.
pub(crate) fn limit_descriptors(pid: libc::pid_t, limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the kernel reads the new limit, which lives until the call returns; a null pointer for the old one is allowed.
    check(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) })?;
    Ok(())
}

/// Keeps a descriptor of this process from the programs that it starts. It may be anybody's: nothing else changes.
pub(crate) fn close_on_exec(fd: RawFd) {
    // SAFETY: F_SETFD takes a number, no pointer; one that is not open is an error and nothing else.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Makes `target` (0, 1 or 2) the same as `fd`.
pub(crate) fn replace_standard(fd: BorrowedFd<'_>, target: RawFd) {
    // SAFETY: no pointers; the standard descriptors have no owner.
    unsafe { libc::dup2(fd.as_raw_fd(), target) };
}

/// Takes over a descriptor that this process was started with, close-on-exec from here on.
///
/// Only for a number that whoever has started this process says is passed on to it, before this process opens anything, and once.
pub(crate) fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD takes a number, no pointer; one that is not open is an error and nothing else.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(owned(fd))
}

/// Removes a variable from this process's environment.
///
/// Only for a process with one thread.
pub(crate) fn forget_variable(name: &str) {
    // SAFETY: there is no other thread that could read the environment, as the caller promises.
    unsafe { std::env::remove_var(name) };
}

/// A copy of `fd` with a number of 3 or more, close-on-exec.
pub(crate) fn duplicate_above_standard(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number, no pointer.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    Ok(owned(copy))
}

/// Overwrites the arguments this process was started with by `shown` and zeros, as far as there is room.
///
/// Only for a process that has just been forked: pppd's options point into these bytes, and none of its code runs here.
pub(crate) fn replace_arguments(shown: &[u8]) {
    let Some((start, end)) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(argument_area) else {
        return;
    };
    for (offset, address) in (start..end).enumerate() {
        let byte = shown.get(offset).copied().unwrap_or(0);
        // SAFETY: the kernel says that its copy of the arguments, in this process's writable stack, is at start..end;
        // the caller promises that no code of this process reads them as anything but bytes.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(byte) };
    }
}

/// Where /proc/PID/stat says that the arguments are: arg_start and arg_end, fields 48 and 49 of proc(5).
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    // The name, field 2, may contain anything; the last bracket ends it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(48 - 3);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (start != 0 && start < end).then_some((start, end))
}

const INT_LENGTH: socklen_t = 4;

/// The result of a libc call that returns -1 and sets `errno`.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn address_length(address: &[u8]) -> io::Result<socklen_t> {
    socklen_t::try_from(address.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// The descriptors of this process, one of which was only open for this look; without /proc all that there can be.
pub(crate) fn open_descriptors() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        let (limit, _) =
            nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap_or((1024, 0));
        return (0..RawFd::try_from(limit).unwrap_or(RawFd::MAX).min(1 << 20)).collect();
    };
    entries.map_while(Result::ok).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_descriptors_are_found() {
        let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap();
        assert!(open_descriptors().contains(&socket.as_raw_fd()));
    }
}
