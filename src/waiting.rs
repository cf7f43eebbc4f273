//! A descriptor of the plugin's among those that pppd waits for. pppd waits with select(2) and has nothing to offer to
//! plugins, so the plugin's own select takes the place of the one that pppd calls.

use std::cell::Cell;
use std::ffi::c_int;
use std::os::fd::RawFd;

use libc::{fd_set, timeval};
use pptp_io::imports::{Replacement, replace};

use crate::guard::guard;

/// What else is waited for.
#[derive(Clone, Copy)]
struct Waited {
    fd: RawFd,
    /// Is called when it is readable. It calls no function of pppd's that waits.
    act: fn(),
}

thread_local! {
    static IS_INSTALLED: Cell<bool> = const { Cell::new(false) };
    static WAITED: Cell<Option<Waited>> = const { Cell::new(None) };
}

/// Makes pppd call this module's function.
pub(crate) fn install() {
    let all = [Replacement { name: c"select", function: select as *const () }];
    // SAFETY: it has the signature of select(2), and does the same; pppd never unloads a plugin, and has one thread.
    let replaced = unsafe { replace(&all) };
    IS_INSTALLED.set(replaced.is_ok_and(|names| !names.is_empty()));
}

/// `act` is called whenever `fd` is readable and pppd waits, until something else or nothing is waited for; whether that
/// is possible.
pub(crate) fn wait_for(fd: RawFd, act: fn()) -> bool {
    let fits = usize::try_from(fd).is_ok_and(|fd| fd < libc::FD_SETSIZE);
    let is_possible = fits && IS_INSTALLED.get();
    WAITED.set(is_possible.then_some(Waited { fd, act }));
    is_possible
}

/// Nothing is waited for any more.
pub(crate) fn wait_for_nothing() {
    WAITED.set(None);
}

unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    // Without descriptors it is a pause.
    let waited = guard(None, || WAITED.get()).filter(|_| count > 0 && !read.is_null());
    let Some(Waited { fd, act }) = waited else {
        // SAFETY: the caller's arguments of select(2).
        return unsafe { libc::select(count, read, write, except, timeout) };
    };
    // SAFETY: the caller's set of descriptors, which is not null; `fd` fits into it.
    unsafe { libc::FD_SET(fd, read) };
    // SAFETY: the caller's arguments of select(2), with one descriptor more.
    let ready = unsafe { libc::select(count.max(fd.saturating_add(1)), read, write, except, timeout) };
    // SAFETY: as above.
    if ready <= 0 || !unsafe { libc::FD_ISSET(fd, read) } {
        return ready;
    }
    // SAFETY: as above.
    unsafe { libc::FD_CLR(fd, read) };
    guard((), act);
    ready - 1
}
