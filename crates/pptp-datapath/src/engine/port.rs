//! A port: a raw GRE socket, whose packets belong to one channel or to many, and what is on its way out through it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use pptp_core::gre::Stamp;
use pptp_core::time::Instant;
use pptp_core::wire::GreHeader;
use pptp_io::gre_socket::Sender;
use pptp_io::poller::Interest;

use super::ppp;
use crate::command::Port as PortNumber;

/// Bytes in front of a packet: GRE header and PPP header at their longest.
pub(super) const HEADROOM: usize = GreHeader::MAX_LENGTH + ppp::ENCRYPTED_LENGTH;

/// Packets that are kept for a channel that is not there yet, and the longest of them: more than PPP says before it hears
/// something.
const MOST_KEPT: usize = 16;
const LONGEST_KEPT: usize = 2048;

/// The index of no channel.
const NOBODY: usize = usize::MAX;

/// One port.
#[derive(Debug)]
pub(super) struct Port {
    /// `None`: it is one channel's own, connected to the peer.
    pub(super) number: Option<PortNumber>,
    pub(super) socket: OwnedFd,
    /// Whose packets come, by our call ids.
    pub(super) calls: HashMap<u16, Party, BuildHasherDefault<CallHasher>>,
    pub(super) outgoing: Outgoing,
    /// Whether the socket will say when it takes packets again.
    pub(super) is_full: bool,
    /// Whether nothing is received, because its only channel has no room.
    pub(super) is_held: bool,
    /// What is waited for on the socket.
    pub(super) watched_for: Interest,
    /// Packets for calls that there are not.
    pub(super) unknown_calls: u64,
    /// Packets too short to name a call, or longer than any frame that was agreed on.
    pub(super) malformed: u64,
}

impl Port {
    pub(super) fn new(number: Option<PortNumber>, socket: OwnedFd) -> Self {
        Self {
            number,
            socket,
            calls: HashMap::default(),
            outgoing: Outgoing::default(),
            is_full: false,
            is_held: false,
            watched_for: Interest::Read,
            unknown_calls: 0,
            malformed: 0,
        }
    }

    /// What has to be waited for.
    pub(super) const fn interest(&self) -> Interest {
        match (self.is_held, self.is_full) {
            (false, false) => Interest::Read,
            (false, true) => Interest::ReadWrite,
            (true, false) => Interest::Nothing,
            (true, true) => Interest::Write,
        }
    }

    /// Sends what is on its way.
    pub(super) fn flush(&mut self, sender: &mut Sender) -> Flushed {
        let mut last_error = None;
        while let Some(channel) = self.outgoing.next_channel() {
            let sent = match sender.send(self.socket.as_fd(), self.outgoing.packets()) {
                Ok(count) => {
                    self.outgoing.sent += count;
                    last_error = None;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.outgoing.stop(Flushed::Full),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return self.outgoing.stop(Flushed::NoMemory);
                }
                Err(error) => error,
            };
            // The first time the error may be news of an earlier packet; the second time it means this one.
            if last_error.replace(channel).is_none() {
                self.outgoing.troubles.errors.push((channel, sent));
                continue;
            }
            self.outgoing.troubles.lost.push(channel);
            self.outgoing.sent += 1;
            last_error = None;
        }
        self.outgoing.clear();
        Flushed::Everything
    }
}

/// Who gets the packets of a call.
#[derive(Debug)]
pub(super) enum Party {
    /// A channel, by its index.
    Channel(usize),
    /// A channel that a host may have.
    Awaited(Box<Awaited>),
}

/// What a call's channel is to get when it is there: a peer's first words come while pppd is being started, and many peers
/// repeat them only seconds later.
#[derive(Debug)]
pub(super) struct Awaited {
    peer: Ipv4Addr,
    /// From the outer IP header on.
    pub(super) packets: Vec<Vec<u8>>,
    pub(super) strangers: u64,
}

impl Party {
    pub(super) fn awaited(peer: Ipv4Addr) -> Self {
        Self::Awaited(Box::new(Awaited { peer, packets: Vec::new(), strangers: 0 }))
    }
}

impl Awaited {
    /// The newest are lost if there are many, or if they are no first words.
    pub(super) fn keep(&mut self, source: Ipv4Addr, packet: &[u8]) {
        if source != self.peer {
            self.strangers += 1;
        } else if self.packets.len() < MOST_KEPT && packet.len() <= LONGEST_KEPT {
            self.packets.push(packet.to_vec());
        }
    }
}

/// A hash of call ids for every packet. Nobody but us chooses those that are in a table, so no peer can make them collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallHasher(u64);

impl Hasher for CallHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u16(byte.into()));
    }

    /// The table looks at the highest bits and at the lowest.
    fn write_u16(&mut self, id: u16) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(ODD).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How far a flush came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    Everything,
    /// The socket takes no more at the moment, and will say when it does.
    Full,
    /// Something below has no memory at the moment.
    NoMemory,
}

/// Packets in the order in which they were numbered. None is dropped: the peer would see a gap.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Grows to what a batch needs; the bytes up to `used` are of packets.
    bytes: Vec<u8>,
    used: usize,
    packets: Vec<Packet>,
    /// How many of `packets` were sent.
    sent: usize,
    /// Where in `bytes` packets are that wait to be encrypted, in order.
    unencrypted: VecDeque<Range<usize>>,
    /// When to try again, if the socket is full.
    pub(super) retry: Option<Instant>,
    troubles: Troubles,
}

/// What sending met, by the index of the channel.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) errors: Vec<(usize, io::Error)>,
    /// Whose packets could not be sent.
    pub(super) lost: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    start: usize,
    end: usize,
    channel: usize,
    to: Option<Ipv4Addr>,
}

/// Whose packet it is, and where it goes if the socket is not connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addressee {
    pub(super) channel: usize,
    pub(super) to: Option<Ipv4Addr>,
}

impl Outgoing {
    /// Packets that were not sent yet.
    pub(super) fn waiting(&self) -> usize {
        self.packets.len() - self.sent
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.retry.is_some()
    }

    /// Room for a packet of `length` bytes behind [`HEADROOM`]; it is nobody's until [`Outgoing::commit`].
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        let start = self.used + HEADROOM;
        let end = start + length;
        if self.bytes.len() < end {
            self.bytes.resize(end.next_multiple_of(1 << 14), 0);
        }
        self.bytes.get_mut(start..end).unwrap_or_default()
    }

    /// The bytes in the room that was given last.
    pub(super) fn content(&self, length: usize) -> &[u8] {
        let start = self.used + HEADROOM;
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    /// Makes the last room's `length` bytes a packet, with the headers `ppp` and `stamp` in front.
    pub(super) fn commit(&mut self, length: usize, ppp: &[u8], stamp: &Stamp, addressee: Addressee) {
        let content = self.used + HEADROOM;
        let end = content + length;
        let middle = content - ppp.len();
        let start = middle - stamp.as_bytes().len();
        put(&mut self.bytes, middle, ppp);
        put(&mut self.bytes, start, stamp.as_bytes());
        self.packets.push(Packet { start, end, channel: addressee.channel, to: addressee.to });
        self.used = end;
    }

    /// The last packet is to be encrypted, from the `length`th byte before its end on.
    pub(super) fn mark_unencrypted(&mut self, length: usize) {
        self.unencrypted.push_back(self.used - length..self.used);
    }

    /// Gives out what is to be encrypted. What is not taken stays so.
    pub(super) fn take_unencrypted(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let Self { bytes, unencrypted, .. } = self;
        let (mut rest, mut offset) = (bytes.as_mut_slice(), 0);
        std::iter::from_fn(move || {
            let range = unencrypted.pop_front()?;
            let (_, behind) = std::mem::take(&mut rest).split_at_mut_checked(range.start - offset)?;
            let (packet, behind) = behind.split_at_mut_checked(range.len())?;
            (offset, rest) = (range.end, behind);
            Some(packet)
        })
    }

    /// Adds a packet that is a header alone.
    pub(super) fn push_bare(&mut self, stamp: &Stamp, addressee: Addressee) {
        self.room(0);
        self.commit(0, &[], stamp, addressee);
    }

    /// What sending has met since this was asked.
    pub(super) fn take_troubles(&mut self) -> Troubles {
        std::mem::take(&mut self.troubles)
    }

    /// A channel is no more: what becomes of its packets is not the trouble of whoever has its index next.
    pub(super) fn disown(&mut self, channel: usize) {
        let waiting = self.packets.get_mut(self.sent..).unwrap_or_default().iter_mut();
        waiting.filter(|packet| packet.channel == channel).for_each(|packet| packet.channel = NOBODY);
    }

    fn next_channel(&self) -> Option<usize> {
        self.ready().next().map(|packet| packet.channel)
    }

    fn packets(&self) -> impl Iterator<Item = (&[u8], Option<Ipv4Addr>)> {
        self.ready().map(|packet| (self.bytes.get(packet.start..packet.end).unwrap_or_default(), packet.to))
    }

    /// What may be sent: nothing from the first packet on that should be encrypted and is not, whoever forgot that.
    fn ready(&self) -> impl Iterator<Item = &Packet> {
        let end = self.unencrypted.front().map_or(usize::MAX, |range| range.start);
        self.packets.get(self.sent..).unwrap_or_default().iter().take_while(move |packet| packet.end <= end)
    }

    /// Something has to wait. Where there is always something, nothing is ever [cleared](Self::clear): what is sent gives its room
    /// back when that is most of it.
    fn stop(&mut self, why: Flushed) -> Flushed {
        if self.sent > self.packets.len() / 2 {
            let end = self.packets.get(self.sent - 1).map_or(0, |packet| packet.end);
            self.packets.drain(..self.sent);
            self.packets
                .iter_mut()
                .for_each(|packet| (packet.start, packet.end) = (packet.start - end, packet.end - end));
            self.unencrypted.iter_mut().for_each(|range| *range = range.start - end..range.end - end);
            self.bytes.copy_within(end..self.used, 0);
            (self.sent, self.used) = (0, self.used - end);
        }
        why
    }

    fn clear(&mut self) {
        self.packets.clear();
        self.unencrypted.clear();
        self.sent = 0;
        self.used = 0;
    }
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + part.len()) {
        place.copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::super::encryption::Encryption;
    use pptp_core::gre::{Config, Session};
    use pptp_core::wire::{CallId, PeerCallId};

    /// One with a packet of each content on its way.
    fn outgoing(contents: &[&[u8]]) -> Outgoing {
        let mut session = Session::<Vec<u8>>::new(&Config::new(CallId(1), PeerCallId(2)));
        let mut outgoing = Outgoing::default();
        for content in contents {
            push(&mut outgoing, &mut session, content);
        }
        outgoing
    }

    fn push(outgoing: &mut Outgoing, session: &mut Session<Vec<u8>>, content: &[u8]) {
        let stamp = session.stamp(9, Instant::from_epoch(Duration::ZERO)).unwrap();
        outgoing.room(content.len()).copy_from_slice(content);
        outgoing.commit(content.len(), &[], &stamp, Addressee { channel: 7, to: None });
    }

    #[test]
    fn what_is_not_encrypted_yet_is_never_sent() {
        let mut outgoing = outgoing(&[b"clear", b"secret"]);
        outgoing.mark_unencrypted(6);
        assert_eq!(outgoing.packets().count(), 1);
        outgoing.sent = 1;
        assert_eq!(outgoing.next_channel(), None);
        // As when it is forgotten.
        let (near, far) = UnixDatagram::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let mut port = Port::new(None, near.into());
        port.outgoing = outgoing;
        port.outgoing.sent = 0;
        assert_eq!(port.flush(&mut Sender::new(8)), Flushed::Everything);
        let mut received = [0; 64];
        let length = far.recv(&mut received).unwrap();
        assert!(received[..length].ends_with(b"clear"));
        assert!(far.recv(&mut received).is_err());
        assert_eq!(port.outgoing.waiting(), 0);
    }

    #[test]
    fn what_is_sent_takes_no_room_while_the_rest_waits() {
        let (near, far) = UnixDatagram::pair().unwrap();
        [&near, &far].into_iter().for_each(|end| end.set_nonblocking(true).unwrap());
        let (mut session, mut sender) = (Session::new(&Config::new(CallId(1), PeerCallId(2))), Sender::new(8));
        let (mut port, mut received, mut next) = (Port::new(None, near.into()), [0; 64], 0_u32);
        // The socket is never empty, and takes one packet for each that comes.
        while next < 10_000 || port.outgoing.waiting() > 0 {
            if next < 10_000 && port.outgoing.waiting() < 100 {
                push(&mut port.outgoing, &mut session, &next.to_be_bytes());
                next += 1;
            }
            port.flush(&mut sender);
            if port.outgoing.waiting() >= 100 || next == 10_000 {
                let length = far.recv(&mut received).unwrap();
                let sequence = session_number(&received[..length]);
                assert_eq!(received[length - 4..length], sequence.to_be_bytes());
            }
        }
        assert!(port.outgoing.bytes.len() < 64 * 1024, "{}", port.outgoing.bytes.len());
    }

    fn session_number(packet: &[u8]) -> u32 {
        packet.get(8..12).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes).unwrap()
    }

    #[test]
    fn whose_call_is_over_hears_of_no_troubles() {
        let mut outgoing = outgoing(&[b"last words"]);
        outgoing.disown(7);
        assert_eq!(outgoing.next_channel(), Some(NOBODY));
        assert_eq!(outgoing.packets().count(), 1);
    }

    #[test]
    fn what_nobody_can_encrypt_is_not_sent() {
        let mut outgoing = outgoing(&[b"clear", b"secret"]);
        outgoing.mark_unencrypted(6);
        Encryption::default().encrypt(outgoing.take_unencrypted());
        assert_eq!(outgoing.packets().count(), 1);
    }

    #[test]
    fn what_has_been_encrypted_is_sent() {
        let mut outgoing = outgoing(&[b"secret"]);
        outgoing.mark_unencrypted(6);
        outgoing.take_unencrypted().for_each(|packet| packet.copy_from_slice(b"cipher"));
        assert!(outgoing.packets().next().unwrap().0.ends_with(b"cipher"));
    }
}
