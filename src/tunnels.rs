//! This pppd as one of the client tunnels of this machine, for whoever asks (`pptp_datapath::tunnels`): from its first call, with
//! `demand` from its beginning, until it ends.

use std::cell::RefCell;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use log::debug;
use pptp_datapath::record::Record;
use pptp_datapath::tunnels::{DIRECTORY, Ear};
use pptp_io::{confine, words};

use crate::session::{self, State};
use crate::waiting::{self, Place};
use crate::{channel, ffi, pppd};

thread_local! {
    static EAR: RefCell<Option<Ear>> = const { RefCell::new(None) };
}

/// From here on the tunnel can be asked, if it is not already.
pub(crate) fn begin() {
    if EAR.with_borrow(Option::is_some) {
        return follow_process();
    }
    match Ear::open(Path::new(DIRECTORY), confine::service_account()) {
        Ok(ear) if waiting::wait_for(Place::Questions, ear.fd().as_raw_fd(), answer) => EAR.set(Some(ear)),
        // It would never answer.
        Ok(ear) => ear.close(),
        Err(error) => debug!("pptp-rsctl cannot ask about this tunnel: {}", words(&error)),
    }
}

/// pppd has gone on in another process, perhaps.
pub(crate) fn follow_process() {
    EAR.with_borrow_mut(|ear| ear.as_mut().map(Ear::follow_process));
}

/// Lets `body` wait for whoever asks.
pub(crate) fn with_ear<T>(body: impl FnOnce(Option<BorrowedFd<'_>>) -> T) -> T {
    EAR.with_borrow(|ear| body(ear.as_ref().map(Ear::fd)))
}

/// Somebody asks.
pub(crate) fn answer() {
    follow_process();
    EAR.with_borrow(|ear| ear.as_ref().map(|ear| ear.answer(record)));
}

/// pppd ends.
pub(crate) fn finish() {
    waiting::wait_for_nothing(Place::Questions);
    if let Some(ear) = EAR.take() {
        ear.close();
    }
}

fn record() -> Record {
    let (settings, choice) = channel::choices();
    let state = session::state();
    let report = session::report();
    let call = session::call();
    let [call_id, peer_call_id] = call.map_or([None; 2], |call| call.ends.call_ids);
    // Without a call its name may be another tunnel's by now.
    let interface = report.interface.filter(|_| state == State::Running || pppd::is_on_demand());
    let record = Record::default()
        .with_known("interface", interface)
        .with("state", state.name())
        .with_known("server", settings.server)
        .with_known("address", call.and_then(|call| call.ends.peer))
        .with("port", settings.port)
        .with_known("datapath", choice.as_ref().map(|choice| choice.path.name()))
        .with_known("choice", choice.map(|choice| choice.line))
        .with_known("call-id", call_id)
        .with_known("peer-call-id", peer_call_id)
        .with_known("mppe", report.encryption)
        .with_known("uptime", call.map(|call| call.begin.elapsed().as_secs()))
        .with_known("local", report.local)
        .with_known("remote", report.remote);
    let record = report.statistics.filter(|_| call.is_some()).iter().fold(record, |record, all| all.add_to(record));
    let link_name = Some(ffi::link_name()).filter(|name| !name.is_empty());
    record.with("pppd", std::process::id()).with_known("linkname", link_name)
}
