//! Channels whose frames pass through a terminal: every frame of the call, HDLC-framed, both ways.
//!
//! Neither side is read while the other takes no more: what cannot be written to a terminal waits in the GRE socket, and
//! what a socket cannot take waits in the terminal, which holds the kernel's PPP back.
//!
//! The kernel's PPP leaves encryption (MPPE) to the channel: it sends and takes packets in clear.

use std::io;
use std::os::fd::AsFd;

use pptp_core::gre::{Frame, Session, Stamp};
use pptp_core::hdlc::Encoder;
use pptp_core::time::Instant;
use pptp_io::epoll::Trigger;
use pptp_io::poller::{Interest, Ready};
use pptp_io::pty;

use super::channel::Buffer;
use super::encryption::{CCP, Encryption, Passage};
use super::port::{Addressee, Outgoing};
use super::source::Source;
use super::{Engine, FULL_WAIT, ppp};
use crate::command::LogLine;
use crate::filter::Way;

/// How often one terminal is read before others have their turn, if there are few frames in what is read.
const MOST_READS: usize = 16;

/// How far the frames that were read have got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All are on their way.
    Everything,
    /// The rest has to wait.
    Some,
}

/// What reading a terminal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Something,
    Nothing,
    /// Nobody has the slave open.
    Gone,
}

/// The way of frames out of a terminal's channel.
struct Exit<'a> {
    session: &'a mut Session<Buffer>,
    encryption: &'a mut Encryption,
    outgoing: &'a mut Outgoing,
    addressee: Addressee,
    now: Instant,
    /// For the log.
    news: Vec<LogLine>,
}

impl Exit<'_> {
    /// Whether one more frame can go, if no more than `batch` are to wait.
    fn has_room(&self, batch: usize) -> bool {
        self.session.room() > 0 && !self.outgoing.is_blocked() && self.outgoing.waiting() < batch
    }

    /// Sends a frame, encrypted if it has to be, or drops it if it must not pass.
    fn send(&mut self, frame: &[u8]) {
        let Some((protocol, information)) = ppp::parse(frame) else { return self.send_as_it_is(frame) };
        if protocol == CCP {
            // What came before it may have to be encrypted in another way.
            self.encrypt();
            self.news.extend(self.encryption.watch(Way::Sent, information));
        }
        match self.encryption.way_out_of(protocol) {
            Passage::Clear => self.send_as_it_is(frame),
            Passage::Encrypted => self.send_encrypted(protocol, information, ppp::flags_of(frame)),
            Passage::Barred => {}
        }
    }

    fn send_as_it_is(&mut self, frame: &[u8]) {
        let Some(stamp) = self.stamp(frame.len()) else { return };
        self.outgoing.room(frame.len()).copy_from_slice(frame);
        self.outgoing.commit(frame.len(), &[], &stamp, self.addressee);
    }

    /// The header is compressed as the kernel has compressed that of the packet.
    fn send_encrypted(&mut self, protocol: u16, information: &[u8], flags: u32) {
        let (header, used) = ppp::encrypted_header(protocol, flags);
        let header = header.get(ppp::ENCRYPTED_LENGTH - used..).unwrap_or_default();
        let Some(stamp) = self.stamp(header.len() + information.len()) else { return };
        self.outgoing.room(information.len()).copy_from_slice(information);
        self.outgoing.commit(information.len(), header, &stamp, self.addressee);
        self.outgoing.mark_unencrypted(ppp::ENCRYPTED_PART + information.len());
    }

    /// There is one if there is room.
    fn stamp(&mut self, length: usize) -> Option<Stamp> {
        self.session.stamp(u16::try_from(length).unwrap_or(u16::MAX), self.now).ok()
    }

    /// Encrypts what is on its way. Nothing of it may be sent before.
    fn encrypt(&mut self) {
        self.encryption.encrypt(self.outgoing.take_unencrypted());
    }
}

impl Engine {
    pub(super) fn handle_terminal(&mut self, index: usize, ready: Ready) {
        let is_full =
            self.channels.find(index).and_then(|channel| channel.line.as_ref()).is_some_and(|line| line.is_full());
        if is_full && ready.writable() {
            self.write_terminal(index);
        }
        if ready.readable() {
            self.note_terminal(index);
        }
    }

    fn note_terminal(&mut self, index: usize) {
        let Some(line) = self.channels.find_mut(index).and_then(|channel| channel.line.as_mut()) else { return };
        if !line.is_readable {
            line.is_readable = true;
            self.busy.push(Source::ChannelFrames(index));
        }
    }

    /// Whether a frame from the terminal can go on.
    pub(super) fn may_read_terminal(&self, index: usize) -> bool {
        let Some(channel) = self.channels.find(index) else { return true };
        let Some(port) = self.ports.find(channel.port) else { return true };
        channel.session.room() > 0 && !port.outgoing.is_blocked() && port.outgoing.waiting() < self.batch
    }

    /// Sends what comes from the terminal. Whether it may have more.
    pub(super) fn read_terminal(&mut self, index: usize) -> bool {
        for _ in 0..MOST_READS {
            if self.send_from_line(index) == Sent::Some {
                return true;
            }
            match self.fill_line(index) {
                Read::Something => {}
                Read::Nothing => return false,
                Read::Gone => {
                    self.remove_channel(index);
                    return false;
                }
            }
        }
        true
    }

    /// Sends the frames that were read, as far as they can go on.
    fn send_from_line(&mut self, index: usize) -> Sent {
        let Some(channel) = self.channels.find_mut(index) else { return Sent::Everything };
        let Some(port) = self.ports.find_mut(channel.port) else { return Sent::Everything };
        let Some(line) = channel.line.as_mut() else { return Sent::Everything };
        let mut exit = Exit {
            session: &mut channel.session,
            encryption: &mut channel.encryption,
            outgoing: &mut port.outgoing,
            addressee: Addressee { channel: index, to: port.number.map(|_| channel.peer) },
            now: self.now,
            news: Vec::new(),
        };
        let sent = loop {
            if !exit.has_room(self.batch) {
                break Sent::Some;
            }
            let Some(frame) = line.next_frame() else { break Sent::Everything };
            exit.send(frame);
        };
        exit.encrypt();
        let (host, news) = (channel.host, exit.news);
        self.report(host, news);
        self.touch(index);
        sent
    }

    fn fill_line(&mut self, index: usize) -> Read {
        let Some(channel) = self.channels.find_mut(index) else { return Read::Nothing };
        let Some(line) = channel.line.as_mut() else { return Read::Nothing };
        match line.fill(|room| pty::read(channel.frames.as_fd(), room)) {
            Ok(0) => Read::Gone,
            Ok(_) => Read::Something,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Read::Something,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                line.is_readable = false;
                Read::Nothing
            }
            Err(_) => Read::Gone,
        }
    }

    /// Gives a frame of the peer's to its channel's terminal as it came, if it may.
    pub(super) fn deliver_to_line(&mut self, index: usize, frame: Frame<Buffer>) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some((protocol, information)) = ppp::parse(frame.bytes()) else {
            channel.trouble.malformed_frames += 1;
            return self.down.recycle(frame.buffer);
        };
        if !channel.encryption.admits(protocol) {
            return self.down.recycle(frame.buffer);
        }
        let host = channel.host;
        let news = match protocol {
            CCP => channel.encryption.watch(Way::Received, information),
            _ => None,
        };
        self.push_to_line(index, frame);
        self.report(host, news);
    }

    /// Keeps a frame for its channel's terminal, to be written with the rest of the batch.
    pub(super) fn push_to_line(&mut self, index: usize, frame: Frame<Buffer>) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some(line) = channel.line.as_mut() else { return };
        // A batch, one more that comes with an error, and all that can wait for others: a port of one channel never gives
        // more. One of many is read on, whatever one terminal does.
        let most_frames = 2 * self.batch + usize::from(channel.reorder_packets);
        let limit = most_frames * Encoder::longest(self.down.slot_length());
        if !line.push(frame.bytes(), limit) {
            channel.trouble.lost_to_pppd += 1;
        } else if !line.is_full() && self.down.terminals.last() != Some(&index) {
            self.down.terminals.push(index);
        }
        self.down.recycle(frame.buffer);
    }

    /// Writes what the batch has brought.
    pub(super) fn write_terminals(&mut self) {
        while let Some(index) = self.down.terminals.pop() {
            self.write_terminal(index);
        }
    }

    /// Tries a full terminal again when it is time.
    pub(super) fn retry_terminal(&mut self, index: usize) {
        let line = self.channels.find(index).and_then(|channel| channel.line.as_ref());
        if line.and_then(|line| line.retry).is_some_and(|retry| retry <= self.now) {
            self.write_terminal(index);
        }
    }

    fn write_terminal(&mut self, index: usize) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        let Some(line) = channel.line.as_mut() else { return };
        let was_full = line.is_full();
        if !line.waiting().is_empty() {
            let outlet = channel.outlet.as_ref().unwrap_or(&channel.frames);
            match pty::write(outlet.as_fd(), line.waiting()) {
                Ok(length) => line.consume(length),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // Reading tells why, after the last that was written to the slave.
                Err(_) => line.discard(),
            }
        }
        let is_full = !line.waiting().is_empty();
        line.retry = is_full.then(|| self.now + FULL_WAIT);
        if is_full != was_full {
            self.hold(index, is_full);
        }
        if is_full || was_full {
            self.touch(index);
        }
    }

    /// Waits for a full terminal instead of the port of which it is the only one; and the other way round.
    fn hold(&mut self, index: usize, is_full: bool) {
        let Some(channel) = self.channels.find(index) else { return };
        let interest = if is_full { Interest::ReadWrite } else { Interest::Read };
        let token = Source::ChannelFrames(index).token();
        // It is in the set as long as the channel lives. What has an outlet of its own waits for that in any case.
        if channel.outlet.is_none() {
            let _ = self.events.change(channel.frames.as_fd(), token, interest, Trigger::Edge);
        }
        let port_index = channel.port;
        if let Some(port) = self.ports.find_mut(port_index).filter(|port| port.number.is_none()) {
            port.is_held = is_full;
        }
        self.watch_port(port_index);
    }
}
