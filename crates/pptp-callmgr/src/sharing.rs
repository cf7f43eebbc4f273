//! How processes agree on who has the control connection to a server.
//!
//! A manager listens on a socket in a private directory, named after everything that calls must have in common to share
//! a control connection. A candidate hands its call over by sending the request with its descriptors, and may go when
//! the manager has said that it has it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pptp_core::time::Instant;
use pptp_io::confine::Account;
use pptp_io::poller::{Interest, wait};
use pptp_io::rendezvous::{Directory, Locked};
use pptp_io::{clock, netns, seqpacket};

use crate::channel::Channel;
use crate::client::{Quirk, Request};
use crate::codec::{self, Join};
use crate::reporter::Reporter;

/// How long a candidate may take to say what it wants, once it is listened to.
const HANDOVER_LIMIT: Duration = Duration::from_secs(2);

/// A manager answers when the server has answered its own start request, so this much of the time that a candidate has
/// left goes into waiting for it (one half).
const SHARE_OF_TIME: u32 = 2;

/// How often the directory may vanish in our hands.
const ATTEMPTS: usize = 10;

/// Where and as whom managers meet.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) directory: PathBuf,
    /// Whom managers become.
    pub(crate) account: Option<Account>,
}

/// Who has the control connection.
#[derive(Debug)]
pub(crate) enum Place {
    /// A manager's.
    Taken,
    /// This process, from now on.
    Ours(Listening),
}

/// The socket on which a manager is found.
#[derive(Debug)]
pub(crate) struct Listening {
    directory: Directory,
    name: String,
    listener: OwnedFd,
    account: Option<Account>,
}

/// The socket's name: everything that calls on one control connection have in common. A control connection to `server`
/// from another network namespace, another local address, with other echoes or another user's is another one.
pub(crate) fn socket_name(request: &Request, server: Ipv4Addr) -> String {
    let bind = request.bind.map_or_else(|| String::from("any"), compact);
    let mark = request.mark.map_or_else(|| String::from("none"), |mark| format!("{mark:x}"));
    let echo = format!("{}-{}", request.echo_interval.as_secs(), request.echo_timeout.as_secs());
    let quirk = request.quirk.map_or("", Quirk::name);
    format!("{:x}_{server}_{}_{bind}_{mark}_{}_{echo}_{quirk}", netns::id(), request.port, request.uid)
}

impl Meeting {
    pub(crate) fn new(directory: &Path, account: Option<Account>) -> Self {
        Self { directory: directory.to_owned(), account }
    }

    /// A connection to the manager that listens on `name`.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        let Some(directory) = Directory::open_existing(&self.directory, self.account)? else { return Ok(None) };
        // A directory that has gone meanwhile has no manager.
        let Some(locked) = directory.lock()? else { return Ok(None) };
        self.find_in(&locked, name)
    }

    /// A connection to the manager that listens on `name`, or a new socket of that name.
    pub(crate) fn find_or_listen(&self, name: &str) -> io::Result<Place> {
        for _ in 0..ATTEMPTS {
            let directory = Directory::open(&self.directory, self.account)?;
            let Some(locked) = directory.lock()? else { continue };
            if self.find_in(&locked, name)?.is_some() {
                return Ok(Place::Taken);
            }
            let listener = locked.listen(name)?;
            drop(locked);
            let (name, account) = (name.to_owned(), self.account);
            return Ok(Place::Ours(Listening { directory, name, listener, account }));
        }
        Err(io::Error::other(format!("{}: it vanishes again and again", self.directory.display())))
    }

    fn find_in(&self, locked: &Locked<'_>, name: &str) -> io::Result<Option<OwnedFd>> {
        let Some(manager) = locked.find(name)? else { return Ok(None) };
        check_peer(manager.as_fd(), self.account)?;
        Ok(Some(manager))
    }
}

impl Listening {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The next candidate that waits to be heard. Strangers are turned away.
    pub(crate) fn accept(&self) -> io::Result<OwnedFd> {
        let candidate = seqpacket::accept(self.listener.as_fd())?;
        check_peer(candidate.as_fd(), self.account)?;
        Ok(candidate)
    }

    /// Takes the socket away. Nobody can put another in its place before it is gone, because it listens until then.
    pub(crate) fn close(self) {
        let Ok(Some(locked)) = self.directory.lock() else { return };
        let _ = locked.remove(&self.name);
        drop(self.listener);
        locked.remove_directory_if_empty();
    }
}

/// Whether the manager at the other end of `manager` has taken the call over.
pub(crate) fn hand_over(manager: &OwnedFd, join: &Join, plugin: &Reporter, channel: &Channel) -> bool {
    let descriptors: Vec<_> = std::iter::once(plugin.fd()).chain(channel.descriptors()).collect();
    if seqpacket::send(manager.as_fd(), &codec::encode_join(join), &descriptors).is_err() {
        return false;
    }
    let left = join.request.connect_timeout.saturating_sub(join.elapsed);
    let deadline = clock::now() + left / SHARE_OF_TIME;
    while clock::now() < deadline {
        match answer(manager) {
            Answer::Joined => return true,
            Answer::TurnedAway => return false,
            Answer::None => {}
        }
        // The plugin's socket says only that nobody waits for the call any more.
        let watched = [(manager.as_fd(), Interest::Read), (plugin.fd(), Interest::Read)];
        if wait(&watched, Some(clock::until(deadline))).is_err() || plugin.is_gone() {
            break;
        }
    }
    // From here on the manager cannot say yes any more; it may have done so a moment ago.
    seqpacket::shut_down(manager.as_fd());
    matches!(answer(manager), Answer::Joined)
}

enum Answer {
    Joined,
    TurnedAway,
    None,
}

fn answer(manager: &OwnedFd) -> Answer {
    let mut answer = [0; codec::LONGEST_MESSAGE];
    match seqpacket::receive(manager.as_fd(), &mut answer) {
        Ok(received) if answer.get(..received.length) == Some(&codec::JOINED_MESSAGE[..]) => Answer::Joined,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Answer::None,
        _ => Answer::TurnedAway,
    }
}

/// What came over the connection of a candidate.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Its call, and the candidate knows that we have it.
    Joined { join: Box<Join>, plugin: OwnedFd, channel: Channel },
    /// Nothing yet.
    Nothing,
    /// It has gone, or is of another version.
    Useless,
}

/// Takes over the call that `candidate` hands over.
pub(crate) fn take_over(candidate: BorrowedFd<'_>) -> Arrival {
    let mut message = [0; codec::LONGEST_MESSAGE];
    let received = match seqpacket::receive(candidate, &mut message) {
        Ok(received) => received,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Arrival::Nothing,
        Err(_) => return Arrival::Useless,
    };
    let Some(join) = message.get(..received.length).and_then(codec::decode_join) else { return Arrival::Useless };
    let mut descriptors = received.descriptors.into_iter();
    let Some(plugin) = descriptors.next() else { return Arrival::Useless };
    let Some(channel) = Channel::from_descriptors(descriptors) else { return Arrival::Useless };
    // A candidate that has given up waiting has closed its end, and makes the call in another way.
    match seqpacket::send(candidate, &codec::JOINED_MESSAGE, &[]) {
        Ok(()) => Arrival::Joined { join: Box::new(join), plugin, channel },
        Err(_) => Arrival::Useless,
    }
}

/// How long a candidate may take to say what it wants.
pub(crate) fn candidates_deadline(now: Instant) -> Instant {
    now + HANDOVER_LIMIT
}

fn check_peer(socket: BorrowedFd<'_>, account: Option<Account>) -> io::Result<()> {
    let uid = seqpacket::peer_uid(socket)?;
    let trusted = [Some(0), Some(own_uid()), account.map(|account| account.uid)];
    if trusted.contains(&Some(uid)) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("uid {uid} is not trusted")))
}

fn own_uid() -> u32 {
    pptp_io::process::effective_uid()
}

/// Without the colons that would make IPv6 too long for a socket's name.
fn compact(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:032x}", u128::from(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            server: String::from("vpn.example"),
            phone: String::new(),
            window: 50,
            port: 1723,
            bind: None,
            mark: None,
            connect_timeout: Duration::from_secs(5),
            echo_interval: Duration::ZERO,
            echo_timeout: Duration::ZERO,
            share: true,
            quirk: None,
            uid: 0,
        }
    }

    fn channel() -> (Channel, OwnedFd) {
        let (held, far) = seqpacket::pair().unwrap();
        (Channel::from_descriptors([held]).unwrap(), far)
    }

    fn meeting(name: &str) -> Meeting {
        let directory = std::env::temp_dir().join(format!("pptp-callmgr-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        Meeting::new(&directory, None)
    }

    #[test]
    fn calls_that_differ_in_any_part_of_the_key_do_not_meet() {
        let server = Ipv4Addr::new(192, 0, 2, 1);
        let different = [
            socket_name(&request(), server),
            socket_name(&request(), Ipv4Addr::new(192, 0, 2, 2)),
            socket_name(&Request { port: 1724, ..request() }, server),
            socket_name(&Request { bind: Some(IpAddr::from([192, 0, 2, 9])), ..request() }, server),
            socket_name(&Request { mark: Some(0), ..request() }, server),
            socket_name(&Request { mark: Some(1), ..request() }, server),
            socket_name(&Request { uid: 1000, ..request() }, server),
            socket_name(&Request { echo_interval: Duration::from_secs(10), ..request() }, server),
            socket_name(&Request { echo_timeout: Duration::from_secs(10), ..request() }, server),
            socket_name(&Request { quirk: Quirk::from_name("orckit"), ..request() }, server),
        ];
        let distinct: std::collections::BTreeSet<_> = different.iter().collect();
        assert_eq!(distinct.len(), different.len());
        let same = Request { server: String::from("other.example"), window: 3, ..request() };
        assert_eq!(socket_name(&same, server), different[0]);
    }

    #[test]
    fn the_longest_name_fits_into_a_socket_address() {
        let request = Request {
            bind: Some(IpAddr::from([255; 16])),
            mark: Some(u32::MAX),
            uid: u32::MAX,
            port: 65535,
            ..request()
        };
        let name = socket_name(&request, Ipv4Addr::new(255, 255, 255, 255));
        assert!("/run/pptp-rs/".len() + name.len() < 108, "{name}");
    }

    #[test]
    fn the_second_comer_finds_the_first_and_hands_over() {
        let meeting = meeting("second");
        assert!(meeting.find("a").unwrap().is_none());
        assert!(!meeting.directory.exists());
        let Place::Ours(listening) = meeting.find_or_listen("a").unwrap() else { panic!("taken") };
        assert!(matches!(meeting.find_or_listen("a").unwrap(), Place::Taken));
        // The one that only looked has gone.
        let _ = listening.accept();
        let manager = meeting.find("a").unwrap().unwrap();
        let candidate = listening.accept().unwrap();
        assert!(matches!(take_over(candidate.as_fd()), Arrival::Nothing));

        let (socket, _plugin) = seqpacket::pair().unwrap();
        let (channel, _far) = channel();
        let join = Join { request: request(), elapsed: Duration::ZERO };
        let sent = join.clone();
        let waiting = std::thread::spawn(move || hand_over(&manager, &sent, &Reporter::new(socket), &channel));
        wait(&[(candidate.as_fd(), Interest::Read)], None).unwrap();
        let Arrival::Joined { join: taken, .. } = take_over(candidate.as_fd()) else { panic!("not taken over") };
        assert_eq!(*taken, join);
        assert!(waiting.join().unwrap());

        listening.close();
        assert!(!meeting.directory.exists());
    }

    #[test]
    fn a_manager_that_closes_makes_the_candidate_try_something_else() {
        let meeting = meeting("closing");
        let Place::Ours(listening) = meeting.find_or_listen("a").unwrap() else { panic!("taken") };
        let manager = meeting.find("a").unwrap().unwrap();
        listening.close();
        let (socket, _plugin) = seqpacket::pair().unwrap();
        let (channel, _far) = channel();
        let join = Join { request: request(), elapsed: Duration::ZERO };
        assert!(!hand_over(&manager, &join, &Reporter::new(socket), &channel));
    }

    #[test]
    fn a_candidate_of_another_version_is_not_heard() {
        let (candidate, manager) = seqpacket::pair().unwrap();
        let mut message = codec::encode_join(&Join { request: request(), elapsed: Duration::ZERO });
        message[0] = codec::VERSION + 1;
        let (socket, channel) = seqpacket::pair().unwrap();
        seqpacket::send(candidate.as_fd(), &message, &[socket.as_fd(), channel.as_fd()]).unwrap();
        assert!(matches!(take_over(manager.as_fd()), Arrival::Useless));
    }

    #[test]
    fn a_channel_has_one_descriptor_or_two() {
        let joins = |count: usize| {
            let (candidate, manager) = seqpacket::pair().unwrap();
            let message = codec::encode_join(&Join { request: request(), elapsed: Duration::ZERO });
            let sockets: Vec<_> = (0..count).map(|_| seqpacket::pair().unwrap().0).collect();
            let descriptors: Vec<_> = sockets.iter().map(OwnedFd::as_fd).collect();
            seqpacket::send(candidate.as_fd(), &message, &descriptors).unwrap();
            let Arrival::Joined { channel, .. } = take_over(manager.as_fd()) else { return None };
            Some(channel.descriptors().count())
        };
        assert_eq!((0..=4).map(joins).collect::<Vec<_>>(), [None, None, Some(1), Some(2), None]);
    }

    #[test]
    fn a_candidate_that_has_given_up_is_not_joined() {
        let (candidate, manager) = seqpacket::pair().unwrap();
        let message = codec::encode_join(&Join { request: request(), elapsed: Duration::ZERO });
        let (socket, channel) = seqpacket::pair().unwrap();
        seqpacket::send(candidate.as_fd(), &message, &[socket.as_fd(), channel.as_fd()]).unwrap();
        drop(candidate);
        assert!(matches!(take_over(manager.as_fd()), Arrival::Useless));
    }
}
