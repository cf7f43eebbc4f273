//! What a plugin sees of the call manager: a request, a descriptor to wait on, and the call's news.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

pub use pptp_core::control::Quirk;
pub use pptp_io::pppox::Admission;
use pptp_io::{process, seqpacket};

use crate::{candidate, codec, words};

/// Where managers are found.
const RUN_DIRECTORY: &str = "/run/pptp-rs";

const PROCESS_NAME: &CStr = c"pptp-callmgr";

/// The call that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name or address of the server, as the user typed it.
    pub server: String,
    /// The number to dial (RFC 2637 §2.7), usually empty.
    pub phone: String,
    /// Packets this end buffers (RFC 2637 §2.7 "Packet Recv. Window Size").
    pub window: u16,
    /// TCP port of the server, usually 1723.
    pub port: u16,
    /// Local address of the control connection.
    pub bind: Option<IpAddr>,
    /// Firewall mark of the control connection's packets.
    pub mark: Option<u32>,
    /// From [`start`] to [`Progress::Connected`], all together.
    pub connect_timeout: Duration,
    /// Idle time before an Echo-Request (RFC 2637 §2.5); zero: never.
    pub echo_interval: Duration,
    /// How long an Echo-Reply may take.
    pub echo_timeout: Duration,
    /// Whether the call may join a control connection that another pppd opened, and others may join this one's.
    pub share: bool,
    /// The peer's known peculiarity.
    pub quirk: Option<Quirk>,
    /// Real uid of who runs pppd: calls of different users share nothing.
    pub uid: u32,
}

/// [`Request::window`], unless the user says otherwise, as the next three are.
pub const WINDOW: u16 = 50;

/// [`Request::connect_timeout`]: longer than a SYN needs that is lost three times (1 + 2 + 4 s) plus a slow server; shorter than
/// the patience of who waits for it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// [`Request::echo_interval`] (RFC 2637 §3.1.4).
pub const ECHO_INTERVAL: Duration = Duration::from_secs(60);

/// [`Request::echo_timeout`] (RFC 2637 §3.1.4).
pub const ECHO_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer than [`Request::connect_timeout`] whoever asked for the call waits: the manager knows better what took so long.
pub const GRACE: Duration = Duration::from_millis(500);

/// How long the server may speak first on a call that is up.
///
/// Servers like pptpd start their PPP when the call is up, and lose what arrives before; pppd's next try would come 3 s later.
/// They speak as soon as they can listen. The wait is for those that never speak first.
pub const LISTEN_FIRST: Duration = Duration::from_millis(500);

/// A call that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// This end's address, as the control connection uses it.
    pub local: Ipv4Addr,
    /// The server's address.
    pub peer: Ipv4Addr,
    /// This end's id for the call.
    pub call_id: u16,
    /// The server's id for the call.
    pub peer_call_id: u16,
    /// Packets the server buffers.
    pub peer_window: u16,
    /// The line speed the server named, bit/s.
    pub connect_speed: u32,
    /// MTU of the path to the server in bytes (`IP_MTU` of the control connection's socket); 0: unknown.
    pub outer_mtu: u16,
    /// Whether the control connection was there before this call.
    pub shared: bool,
    /// Host name the server gave (RFC 2637 §2.2), control characters escaped.
    pub peer_host: String,
    /// Vendor name the server gave, control characters escaped.
    pub peer_vendor: String,
}

impl CallInfo {
    /// One line for the log: the call to `server`, as the user typed it, is up.
    pub fn announcement(&self, server: &str) -> String {
        let Self { peer, call_id, peer_call_id, peer_window, connect_speed, .. } = self;
        let shared = if self.shared { ", on a control connection that was there" } else { "" };
        format!(
            "PPTP call to {} is up: call id {call_id}, peer's {peer_call_id}, peer's window {peer_window}, speed {connect_speed} \
             bit/s{shared}",
            words::server_name(server, *peer)
        )
    }
}

/// What kind of thing went wrong before the call was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The server's name has no address.
    Resolve,
    /// No TCP connection.
    Connect,
    /// Somebody did not answer in time.
    Timeout,
    /// The server said no.
    Refused,
    /// The server broke the protocol or hung up.
    Protocol,
    /// Something on this machine.
    Local,
}

/// Why there is no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the program.
    pub kind: FailureKind,
    /// For the user: one whole line that names host, address and code.
    pub text: String,
}

/// News of a call. `Failed` or `Ended` is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line for pppd's log.
    Log {
        /// How important it is.
        level: log::Level,
        /// The line, without a newline.
        text: String,
    },
    /// The call is up and the channel is connected.
    Connected(CallInfo),
    /// There will be no call.
    Failed(Failure),
    /// The call was up and is over.
    Ended {
        /// Why: one whole line for the user.
        text: String,
    },
}

/// Why there is no call: one whole line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// There has never been one.
    Failed(String),
    /// It was up.
    Ended(String),
}

impl Over {
    /// The line.
    pub fn into_text(self) -> String {
        match self {
            Self::Failed(text) | Self::Ended(text) => text,
        }
    }
}

/// A call that is being set up or is up. Dropping it (closing its descriptor in every process) clears the call.
#[derive(Debug)]
pub struct Call {
    socket: OwnedFd,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SettingUp,
    Up,
    Over,
}

impl Call {
    /// Readable when [`Call::next`] has something to tell.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next piece of news, if there is one; never blocks.
    ///
    /// A manager that dies without a word gives [`Progress::Failed`] or [`Progress::Ended`] with a text that says so.
    /// After either of these there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "None means nothing yet, not the end")]
    pub fn next(&mut self) -> Option<Progress> {
        if self.stage == Stage::Over {
            return None;
        }
        let mut buffer = [0; codec::LONGEST_MESSAGE];
        let progress = match seqpacket::receive(self.socket.as_fd(), &mut buffer) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return None;
            }
            Ok(received) if received.length > 0 => {
                buffer.get(..received.length).and_then(codec::decode_progress).unwrap_or_else(|| self.broken())
            }
            Ok(_) | Err(_) => self.broken(),
        };
        match progress {
            Progress::Log { .. } => {}
            Progress::Connected(_) => self.stage = Stage::Up,
            Progress::Failed(_) | Progress::Ended { .. } => self.stage = Stage::Over,
        }
        Some(progress)
    }

    /// Logs what the manager has said since; the call, if it has come up meanwhile. Never blocks.
    ///
    /// # Errors
    /// There is no call, or not any more. That is told once.
    pub fn news(&mut self) -> Result<Option<CallInfo>, Over> {
        loop {
            match self.next() {
                None => return Ok(None),
                Some(Progress::Log { level, text }) => log::log!(level, "{text}"),
                Some(Progress::Connected(info)) => return Ok(Some(info)),
                Some(Progress::Failed(failure)) => return Err(Over::Failed(failure.text)),
                Some(Progress::Ended { text }) => return Err(Over::Ended(text)),
            }
        }
    }

    /// Asks the manager to let the PPTP socket receive only this from here on. It does so in its own time, and logs what goes
    /// wrong with that.
    ///
    /// # Errors
    /// The manager has gone, and with it the call.
    pub fn admit(&self, admission: Admission) -> io::Result<()> {
        seqpacket::send(self.socket.as_fd(), &codec::encode_admission(admission), &[])
    }

    /// What to say of a manager that does not.
    fn broken(&self) -> Progress {
        let text = String::from("the call manager ended unexpectedly");
        if self.stage == Stage::Up {
            Progress::Ended { text }
        } else {
            Progress::Failed(Failure { kind: FailureKind::Local, text })
        }
    }
}

/// What a call is to be connected to. The caller keeps its own descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a> {
    /// Held by the call manager and closed when the call ends, which hangs pppd up. A PPTP socket (`AF_PPPOX`) is also
    /// bound and connected; anything else is only held.
    pub held: BorrowedFd<'a>,
    /// A raw socket ([`pptp_io::gre_socket::open`]). By [`Progress::Connected`] it is the call's: what the server has sent
    /// since it was asked for the call is there to be read, and the call manager has closed its copy.
    pub gre: Option<BorrowedFd<'a>>,
}

/// Asks for a call: starts the process that makes it and returns at once.
///
/// `wipe` is called first thing in the new process, to erase the secrets of pppd's memory.
///
/// The process that calls this must have a single thread.
///
/// # Errors
/// The process cannot be started.
pub fn start(request: &Request, channel: Channel<'_>, wipe: fn()) -> io::Result<Call> {
    start_in(Path::new(RUN_DIRECTORY), request, channel, wipe)
}

/// Like [`start`], with another directory for the sockets by which managers are found.
///
/// # Errors
/// As [`start`].
#[doc(hidden)]
pub fn start_in(directory: &Path, request: &Request, channel: Channel<'_>, wipe: fn()) -> io::Result<Call> {
    let (ours, managers) = seqpacket::pair()?;
    let keep: Vec<_> = [managers.as_fd(), channel.held].into_iter().chain(channel.gre).collect();
    let new = process::Detached { name: PROCESS_NAME, keep: &keep, wipe };
    process::detach(new, |kept| candidate::run(directory, request, kept))?;
    Ok(Call { socket: ours, stage: Stage::SettingUp })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> (Call, OwnedFd) {
        let (socket, manager) = seqpacket::pair().unwrap();
        (Call { socket, stage: Stage::SettingUp }, manager)
    }

    #[test]
    fn a_manager_that_dies_before_the_call_is_up_has_failed() {
        let (mut call, manager) = call();
        assert_eq!(call.next(), None);
        drop(manager);
        let Some(Progress::Failed(failure)) = call.next() else { panic!("no failure") };
        assert_eq!(failure.kind, FailureKind::Local);
        assert_eq!(failure.text, "the call manager ended unexpectedly");
        assert_eq!(call.next(), None);
    }

    #[test]
    fn why_a_call_ended_is_heard_although_the_manager_has_not_read_all() {
        let (mut call, manager) = call();
        call.stage = Stage::Up;
        let ended = Progress::Ended { text: String::from("over") };
        seqpacket::send(manager.as_fd(), &codec::encode_progress(&ended), &[]).unwrap();
        call.admit(Admission::All).unwrap();
        drop(manager);
        assert_eq!(call.next(), Some(ended));
    }

    #[test]
    fn garbage_from_a_manager_is_the_end_of_it() {
        let (mut call, manager) = call();
        seqpacket::send(manager.as_fd(), b"garbage", &[]).unwrap();
        assert!(matches!(call.next(), Some(Progress::Failed(_))));
        assert_eq!(call.next(), None);
    }

    #[test]
    fn the_last_word_is_heard_after_the_manager_has_gone() {
        let (mut call, manager) = call();
        let ended = Progress::Ended { text: String::from("gone") };
        seqpacket::send(manager.as_fd(), &codec::encode_progress(&ended), &[]).unwrap();
        drop(manager);
        assert_eq!(call.next(), Some(ended));
        assert_eq!(call.next(), None);
    }
}
