//! Descriptors of the plugin's among those that pppd waits for. pppd waits with select(2) and has nothing to offer to
//! plugins, so the plugin's own select takes the place of the one that pppd calls.

use std::cell::Cell;
use std::ffi::c_int;
use std::os::fd::RawFd;

use libc::{fd_set, timeval};
use pptp_io::imports::{Replacement, replace};

use crate::guard::guard;

/// What is waited for at the same time.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Somebody who asks about the call.
    Questions,
    /// Another way to the server.
    Routes,
}

#[derive(Clone, Copy)]
struct Waited {
    fd: RawFd,
    /// Is called when it is readable. It calls no function of pppd's that waits.
    act: fn(),
}

/// By places.
type All = [Option<Waited>; 2];

thread_local! {
    static IS_INSTALLED: Cell<bool> = const { Cell::new(false) };
    static WAITED: Cell<All> = const { Cell::new([None; 2]) };
}

/// Makes pppd call this module's function.
pub(crate) fn install() {
    let all = [Replacement { name: c"select", function: select as *const () }];
    // SAFETY: it has the signature of select(2), and does the same; pppd never unloads a plugin, and has one thread.
    let replaced = unsafe { replace(&all) };
    IS_INSTALLED.set(replaced.is_ok_and(|names| !names.is_empty()));
}

/// `act` is called whenever `fd` is readable and pppd waits, until something else or nothing is waited for in this place; whether
/// that is possible.
pub(crate) fn wait_for(place: Place, fd: RawFd, act: fn()) -> bool {
    let fits = usize::try_from(fd).is_ok_and(|fd| fd < libc::FD_SETSIZE);
    let is_possible = fits && IS_INSTALLED.get();
    set(place, is_possible.then_some(Waited { fd, act }));
    is_possible
}

/// Nothing is waited for any more in this place.
pub(crate) fn wait_for_nothing(place: Place) {
    set(place, None);
}

fn set(place: Place, waited: Option<Waited>) {
    let [questions, routes] = WAITED.get();
    WAITED.set(match place {
        Place::Questions => [waited, routes],
        Place::Routes => [questions, waited],
    });
}

unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    // Without descriptors it is a pause.
    let is_pause = count <= 0 || read.is_null();
    let all: All = if is_pause { [None; 2] } else { guard([None; 2], || WAITED.get()) };
    for waited in all.iter().flatten() {
        // SAFETY: the caller's set of descriptors, which is not null; the descriptor fits into it.
        unsafe { libc::FD_SET(waited.fd, read) };
    }
    let highest = all.iter().flatten().map(|waited| waited.fd.saturating_add(1)).fold(count, c_int::max);
    // SAFETY: the caller's arguments of select(2), with some descriptors more.
    let mut ready = unsafe { libc::select(highest, read, write, except, timeout) };
    if ready <= 0 {
        return ready;
    }
    for waited in all.iter().flatten() {
        // SAFETY: as above.
        if unsafe { libc::FD_ISSET(waited.fd, read) } {
            // SAFETY: as above.
            unsafe { libc::FD_CLR(waited.fd, read) };
            ready -= 1;
            guard((), waited.act);
        }
    }
    ready
}
