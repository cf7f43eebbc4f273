//! Local sockets that keep message boundaries and can carry descriptors (`AF_UNIX`, `SOCK_SEQPACKET`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, getsockopt, recvmsg, sendmsg,
    sockopt,
};
use nix::sys::stat::{Mode, fchmod};

use crate::sys;

/// The most descriptors that one message carries.
pub const MOST_DESCRIPTORS: usize = 4;

/// Whether `fd` is such a socket.
pub fn is_one(fd: BorrowedFd<'_>) -> bool {
    let kind = getsockopt(&fd, sockopt::SockType);
    kind.is_ok_and(|kind| kind == SockType::SeqPacket)
        && sys::socket_domain(fd).is_ok_and(|domain| domain == libc::AF_UNIX)
}

/// Two connected sockets, close-on-exec.
///
/// # Errors
/// Out of descriptors or memory.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::SeqPacket;
    Ok(nix::sys::socket::socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// One message.
#[derive(Debug)]
pub struct Received {
    /// Its length in the caller's buffer; 0: the peer has closed.
    pub length: usize,
    /// The descriptors it carried, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Sends one message without blocking.
///
/// # Errors
/// `WouldBlock`: the peer does not read. `BrokenPipe`: it has closed.
pub fn send(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &[IoSlice::new(message)], control, flags, None)?;
    Ok(())
}

/// Receives one message without blocking; one of no bytes is the end.
///
/// # Errors
/// `WouldBlock`: there is none. `InvalidData`: it did not fit into `buffer`, or its descriptors did not arrive.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    match receive_once(socket, buffer) {
        // The peer has closed its end without reading all. The kernel says so once, before what the peer has sent.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => receive_once(socket, buffer),
        result => result,
    }
}

fn receive_once(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    control.resize(control.capacity(), 0);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let (length, flags) = (message.bytes, message.flags);
    // Of descriptors that did not all arrive some may have: they are ours to close.
    let descriptors = passed(&control).map(sys::owned).collect();
    if flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
    }
    Ok(Received { length, descriptors })
}

/// The descriptors in the first control message (cmsg(3)), which is the only one.
fn passed(control: &[u8]) -> impl Iterator<Item = RawFd> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    const KIND: usize = HEADER - size_of::<i32>();
    const LEVEL: usize = KIND - size_of::<i32>();

    let number = |at: usize| control.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| i32::from_ne_bytes(*bytes));
    let is_rights = (number(LEVEL), number(KIND)) == (Some(libc::SOL_SOCKET), Some(libc::SCM_RIGHTS));
    let end = control.first_chunk().map_or(0, |bytes| usize::from_ne_bytes(*bytes));
    let content = control.get(HEADER..end).filter(|_| is_rights).unwrap_or_default();
    content.chunks_exact(size_of::<RawFd>()).filter_map(|bytes| bytes.first_chunk().copied()).map(RawFd::from_ne_bytes)
}

/// Ends both directions: what the peer sends from here on is an error to it, what it has sent before can be received.
pub fn shut_down(socket: BorrowedFd<'_>) {
    // A peer that has gone is as good as told.
    let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

/// Ends this direction: the peer reads the end, and can go on sending.
pub fn shut_down_sending(socket: BorrowedFd<'_>) {
    let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Write);
}

/// Effective uid of the process that made the other end of `socket` (for one that was connected to: that listened).
///
/// # Errors
/// Not such a socket.
pub fn peer_uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(getsockopt(&socket, sockopt::PeerCredentials)?.uid())
}

/// Bytes that were sent and that the peer has not read, with the kernel's overhead.
///
/// # Errors
/// Not such a socket.
pub fn unread_by_peer(socket: BorrowedFd<'_>) -> io::Result<usize> {
    sys::unsent(socket)
}

/// A listening socket at `path`, non-blocking.
///
/// # Errors
/// `AddrInUse`: something with that name exists.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let socket = open()?;
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    nix::sys::socket::listen(&socket, Backlog::new(16)?)?;
    Ok(socket)
}

/// As [`listen`], for this user alone (mode 0600), and in the place of a socket on which nobody listens any more.
///
/// # Errors
/// `AddrInUse`: somebody listens there, or it is no such socket.
pub fn listen_in_place(path: &Path) -> io::Result<OwnedFd> {
    remove_stale(path)?;
    listen_privately(path)
}

/// As [`listen`], for this user alone (mode 0600).
pub(crate) fn listen_privately(path: &Path) -> io::Result<OwnedFd> {
    let socket = open()?;
    // bind(2) gives the file the socket's own mode: nobody else can connect at any moment.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    nix::sys::socket::listen(&socket, Backlog::new(16)?)?;
    Ok(socket)
}

/// A listening socket that this process was given, non-blocking from here on.
///
/// # Errors
/// `InvalidInput`: it is none of these.
pub fn adopt(socket: OwnedFd) -> io::Result<OwnedFd> {
    if !is_one(socket.as_fd()) || !getsockopt(&socket, sockopt::AcceptConn)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no listening AF_UNIX socket of SOCK_SEQPACKET"));
    }
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(socket)
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    match connect(path) {
        Err(error) if is_socket && error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

/// A connection that was waiting on `listener`, close-on-exec.
///
/// # Errors
/// `WouldBlock`: none was.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    sys::accept(listener)
}

/// A connection to the socket at `path`, without blocking.
///
/// # Errors
/// `NotFound`; `ConnectionRefused`: whoever listened is gone; `WouldBlock`: too many wait already.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket = open()?;
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

fn open() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (ours, theirs) = pair().unwrap();
        let (carried, far) = pair().unwrap();
        send(ours.as_fd(), b"hello", &[carried.as_fd()]).unwrap();
        drop(carried);
        let mut buffer = [0; 16];
        let received = receive(theirs.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], b"hello");
        assert_eq!(received.descriptors.len(), 1);
        send(far.as_fd(), b"x", &[]).unwrap();
        assert_eq!(receive(received.descriptors[0].as_fd(), &mut buffer).unwrap().length, 1);
    }

    #[test]
    fn what_was_sent_before_the_end_arrives_although_something_was_left_unread() {
        let (ours, theirs) = pair().unwrap();
        send(ours.as_fd(), b"over", &[]).unwrap();
        send(theirs.as_fd(), b"unread", &[]).unwrap();
        drop(ours);
        let mut buffer = [0; 16];
        assert_eq!(receive(theirs.as_fd(), &mut buffer).unwrap().length, 4);
        assert_eq!(receive(theirs.as_fd(), &mut buffer).unwrap().length, 0);
    }

    #[test]
    fn a_message_that_does_not_fit_is_an_error() {
        let (ours, theirs) = pair().unwrap();
        send(ours.as_fd(), b"hello", &[]).unwrap();
        let error = receive(theirs.as_fd(), &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn descriptors_that_do_not_all_arrive_are_closed() {
        let ((ours, theirs), (carried, far)) = (pair().unwrap(), pair().unwrap());
        send(ours.as_fd(), b"hello", &[carried.as_fd(); MOST_DESCRIPTORS + 1]).unwrap();
        drop(carried);
        let error = receive(theirs.as_fd(), &mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(receive(far.as_fd(), &mut [0; 16]).unwrap().length, 0);
    }

    #[test]
    fn the_end_is_an_empty_message_and_a_broken_pipe() {
        let (ours, theirs) = pair().unwrap();
        assert_eq!(receive(ours.as_fd(), &mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(theirs);
        assert_eq!(receive(ours.as_fd(), &mut [0; 4]).unwrap().length, 0);
        assert_eq!(send(ours.as_fd(), b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_peer_that_does_not_read_never_blocks_the_sender() {
        let (ours, _theirs) = pair().unwrap();
        assert_eq!(unread_by_peer(ours.as_fd()).unwrap(), 0);
        let error = (0..10_000).find_map(|_| send(ours.as_fd(), &[0; 1000], &[]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(unread_by_peer(ours.as_fd()).unwrap() > 10_000);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("pptp-io-{}-in-place", std::process::id()));
        let taken = |path: &Path| listen_in_place(path).unwrap_err().kind() == io::ErrorKind::AddrInUse;
        let listener = listen_in_place(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(taken(&path));
        drop(listener);
        drop(listen_in_place(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(taken(&path));
        std::fs::remove_file(&path).unwrap();
        let target = path.with_extension("target");
        drop(listen(&target).unwrap());
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(taken(&path) && target.exists());
        for file in [path, target] {
            std::fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn the_peers_uid_is_our_own_in_one_process() {
        let (ours, _theirs) = pair().unwrap();
        assert_eq!(peer_uid(ours.as_fd()).unwrap(), nix::unistd::geteuid().as_raw());
    }
}
