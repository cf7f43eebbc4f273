//! The server's addresses. The resolver may block as long as it likes: it has a thread of its own.

use std::io;
use std::net::{Ipv4Addr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;

use pptp_core::time::Instant;
use pptp_io::poller::{Interest, wait};
use pptp_io::{clock, seqpacket, tcp};

use crate::candidate::Stop;
use crate::client::{Failure, FailureKind, Request};
use crate::reporter::Reporter;
use crate::words;

/// No more addresses of one name are tried.
const MOST_ADDRESSES: usize = 16;

/// What a resolver's thread leaves behind.
type Answer = io::Result<Vec<Ipv4Addr>>;

/// The IPv4 addresses of the server, at least one, in the resolver's order.
pub(crate) fn resolve(request: &Request, plugin: &Reporter, deadline: Instant) -> Result<Vec<Ipv4Addr>, Stop> {
    if let Ok(address) = request.server.parse() {
        return Ok(vec![address]);
    }
    let (done, thread_done) = seqpacket::pair().map_err(|error| cannot_resolve(request, &error))?;
    let (sender, receiver) = mpsc::channel();
    let (server, port) = (request.server.clone(), request.port);
    let thread = thread::Builder::new()
        .name(String::from("pptp-resolver"))
        .spawn(move || {
            let _ = sender.send(look_up(&server, port));
            drop(thread_done);
        })
        .map_err(|error| cannot_resolve(request, &error))?;
    let Some(answer) = await_answer(&receiver, &done, plugin, deadline).map_err(|end| end.into_stop(request))? else {
        return Err(cannot_resolve(request, &io::Error::other("the resolver crashed")));
    };
    // It has nothing left to do; privileges are dropped per thread, so it must be gone by then.
    let _ = thread.join();
    let addresses = answer.map_err(|error| cannot_resolve(request, &error))?;
    if addresses.is_empty() {
        let text = format!("{:?} has no IPv4 address, and PPTP in the kernel has no IPv6", request.server);
        return Err(Stop::Failed(Failure { kind: FailureKind::Resolve, text }));
    }
    Ok(addresses)
}

/// `None`: the thread ended without an answer.
fn await_answer(
    receiver: &mpsc::Receiver<Answer>,
    done: &OwnedFd,
    plugin: &Reporter,
    deadline: Instant,
) -> Result<Option<Answer>, WaitEnd> {
    loop {
        let waiting = [(done.as_fd(), Interest::Read), (plugin.fd(), Interest::Read)];
        wait(&waiting, Some(clock::until(deadline))).map_err(WaitEnd::Broken)?;
        match receiver.try_recv() {
            Ok(answer) => return Ok(Some(answer)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) if plugin.is_gone() => return Err(WaitEnd::PluginGone),
            Err(TryRecvError::Empty) if clock::now() >= deadline => return Err(WaitEnd::Deadline),
            Err(TryRecvError::Empty) => {}
        }
    }
}

/// Why a wait ended without what it was for.
enum WaitEnd {
    PluginGone,
    Deadline,
    Broken(io::Error),
}

impl WaitEnd {
    fn into_stop(self, request: &Request) -> Stop {
        match self {
            Self::PluginGone => Stop::PluginGone,
            Self::Deadline => Stop::Failed(too_late(request)),
            Self::Broken(error) => Stop::cannot_wait(error),
        }
    }
}

fn look_up(server: &str, port: u16) -> Answer {
    let mut addresses = Vec::new();
    for address in (server, port).to_socket_addrs()?.filter_map(tcp::ipv4) {
        if !addresses.contains(&address) && addresses.len() < MOST_ADDRESSES {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn cannot_resolve(request: &Request, error: &io::Error) -> Stop {
    let text = error.to_string();
    let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    let text = format!("cannot resolve {:?}: {reason}", request.server);
    Stop::Failed(Failure { kind: FailureKind::Resolve, text })
}

fn too_late(request: &Request) -> Failure {
    let limit = words::seconds(request.connect_timeout);
    let text = format!("cannot resolve {:?}: no answer from the name server within {limit}", request.server);
    Failure { kind: FailureKind::Resolve, text }
}
