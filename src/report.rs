//! What a server that has started this pppd gets to know of the call (`pptp_datapath::report`): at network up, when it asks,
//! and when the link ends.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use log::debug;
use pptp_datapath::report;
use pptp_io::{process, words};

use crate::session::{self, State};
use crate::waiting::{self, Place};
use crate::{channel, engine};

thread_local! {
    /// The server's ear.
    static REPORTER: RefCell<Option<OwnedFd>> = const { RefCell::new(None) };
    /// Whether there is one, or was.
    static IS_HEARD: Cell<bool> = const { Cell::new(false) };
}

/// A call has come whose server may ask on this socket.
pub(crate) fn begin(socket: BorrowedFd<'_>) {
    // A copy has a low number, as select(2) wants it: who starts pppd may have thousands of descriptors.
    match socket.try_clone_to_owned() {
        Ok(socket) => {
            waiting::wait_for(Place::Questions, socket.as_raw_fd(), answer);
            REPORTER.set(Some(socket));
            IS_HEARD.set(true);
        }
        Err(error) => debug!("the server cannot ask about the call: {}", words(&error)),
    }
}

/// Whether the server gets to know of the call's end.
pub(crate) fn is_heard() -> bool {
    IS_HEARD.get()
}

/// IP is up.
pub(crate) fn network_up() {
    tell();
}

/// IP goes down, and its script runs. When its server dies pppd gets SIGTERM, which it would pass on to a script that it waits
/// for; but it ends by itself.
pub(crate) fn network_down() {
    if is_heard() {
        process::outlive_parent();
    }
}

/// The link is about to end: what has passed through it will not be more.
pub(crate) fn finish() {
    if session::state() == State::Running || engine::is_gone() {
        tell();
    }
}

/// The server has said something.
fn answer() {
    match REPORTER.with_borrow(|socket| socket.as_ref().map(|socket| report::is_asked(socket.as_fd()))) {
        Some(Ok(true)) => tell(),
        Some(Ok(false)) => {}
        // Nobody asks any more: the call is over. Who has said so may still be told how it was.
        Some(Err(_)) | None => {
            waiting::wait_for_nothing(Place::Questions);
            process::outlive_parent();
            channel::hang_up();
        }
    }
}

fn tell() {
    if REPORTER.with_borrow(Option::is_none) {
        return;
    }
    let report = session::report();
    // A server that does not read, or is gone, misses it.
    REPORTER.with_borrow(|socket| socket.as_ref().map(|socket| report::send(socket.as_fd(), &report)));
}
