//! Many datagrams in one system call: recvmmsg(2) and sendmmsg(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_uint, iovec, mmsghdr, msghdr, sockaddr_in};

use super::{check, socklen_t};

/// Headers for so many messages, filled anew for each call: between calls they point nowhere.
#[derive(Debug)]
pub(crate) struct Headers {
    headers: Vec<mmsghdr>,
    vectors: Vec<iovec>,
    addresses: Vec<sockaddr_in>,
}

/// What happened to one message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Its length.
    Whole(usize),
    /// It was longer than its buffer.
    Truncated,
}

/// A datagram to be sent and where to; `None`: where the socket is connected to.
pub(crate) type Outgoing<'a> = (&'a [u8], Option<sockaddr_in>);

impl Headers {
    /// For at most `messages` at a time.
    pub(crate) fn new(messages: usize) -> Self {
        Self {
            headers: Vec::with_capacity(messages),
            vectors: Vec::with_capacity(messages),
            addresses: Vec::with_capacity(messages),
        }
    }

    /// Receives without blocking, one message into each of `buffers`, and puts what came into `arrived`.
    pub(crate) fn receive<B: AsMut<[u8]>>(
        &mut self,
        socket: BorrowedFd<'_>,
        buffers: &mut [B],
        arrived: &mut Vec<Arrived>,
    ) -> io::Result<()> {
        self.clear();
        for buffer in buffers.iter_mut().take(self.vectors.capacity()) {
            self.vectors.push(vector_of(buffer.as_mut()));
        }
        self.headers.extend(self.vectors.iter_mut().map(|vector| header(vector, None)));
        let count = c_uint::try_from(self.headers.len()).unwrap_or(0);
        let headers = self.headers.as_mut_ptr();
        // SAFETY: `headers` points to `count` headers, each of which points to one vector in `self.vectors`, which is not
        // changed before the return, and that to a buffer that is borrowed mutably until then. The time-out may be null.
        let received =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
        let received = usize::try_from(check(received)?).unwrap_or(0);
        arrived.extend(self.headers.iter().take(received).map(arrival));
        self.clear();
        Ok(())
    }

    /// Sends without blocking as many of `messages` as can be sent: how many were.
    pub(crate) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        messages: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        self.clear();
        for (bytes, address) in messages.take(self.vectors.capacity()) {
            // The kernel only reads what it sends.
            self.vectors.push(iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
            self.addresses.push(address.unwrap_or(NOWHERE));
        }
        let addresses = self.addresses.iter_mut().map(|address| (address.sin_family != 0).then_some(address));
        self.headers.extend(self.vectors.iter_mut().zip(addresses).map(|(vector, to)| header(vector, to)));
        let count = c_uint::try_from(self.headers.len()).unwrap_or(0);
        let headers = self.headers.as_mut_ptr();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: `headers` points to `count` headers, each of which points to one vector and at most one address of
        // `self`, which are not changed before the return, and the vector to bytes that are borrowed for 'a.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, flags as _) };
        self.clear();
        Ok(usize::try_from(check(sent)?).unwrap_or(0))
    }

    fn clear(&mut self) {
        self.headers.clear();
        self.vectors.clear();
        self.addresses.clear();
    }
}

/// Family 0: no address.
const NOWHERE: sockaddr_in =
    sockaddr_in { sin_family: 0, sin_port: 0, sin_addr: libc::in_addr { s_addr: 0 }, sin_zero: [0; 8] };

fn vector_of(buffer: &mut [u8]) -> iovec {
    iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

fn header(vector: &mut iovec, address: Option<&mut sockaddr_in>) -> mmsghdr {
    // SAFETY: a msghdr is integers and pointers, for all of which zero is a value; some systems pad it with private fields.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    if let Some(address) = address {
        message.msg_namelen = socklen_t::try_from(size_of_val(address)).unwrap_or(0);
        message.msg_name = ptr::from_mut(address).cast();
    }
    message.msg_iov = ptr::from_mut(vector);
    message.msg_iovlen = 1;
    mmsghdr { msg_hdr: message, msg_len: 0 }
}

fn arrival(header: &mmsghdr) -> Arrived {
    if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
        return Arrived::Truncated;
    }
    Arrived::Whole(usize::try_from(header.msg_len).unwrap_or(0))
}
