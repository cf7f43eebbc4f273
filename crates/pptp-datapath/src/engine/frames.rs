//! Frames to and from pppd: protocol and information, one datagram each, never empty.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pptp_io::epoll::Trigger;
use pptp_io::poller::Interest;
use pptp_io::seqpacket;

use super::encryption::CCP;
use super::source::Source;
use super::unit::Unit;
use super::{Engine, ppp};
use crate::command::{LogLine, Network};
use crate::filter::Way;

/// pppd's `PPP_MRU`: it has no room for more.
const LONGEST_INFORMATION: usize = 1500;

/// How many frames to read at a time.
const MOST_FRAMES: usize = 16;

/// Gives a frame to pppd. Like the kernel's, the queue is bounded; ours loses the newest.
pub(super) fn send_to_pppd(frames: BorrowedFd<'_>, protocol: u16, information: &[u8]) -> io::Result<()> {
    if information.len() > LONGEST_INFORMATION {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut frame = [0; 2 + LONGEST_INFORMATION];
    let (head, rest) = frame.split_at_mut(2);
    head.copy_from_slice(&protocol.to_be_bytes());
    let Some(place) = rest.get_mut(..information.len()) else { return Ok(()) };
    place.copy_from_slice(information);
    seqpacket::send(frames, frame.get(..2 + information.len()).unwrap_or_default(), &[])
}

/// One frame of pppd's.
enum Heard {
    Frame(u16, usize),
    Nothing,
    /// pppd has closed its end, in every process.
    End,
}

fn hear(frames: BorrowedFd<'_>, buffer: &mut [u8]) -> Heard {
    match seqpacket::receive(frames, buffer) {
        Ok(received) if received.length == 0 => Heard::End,
        Ok(received) => match buffer.first_chunk() {
            Some(&protocol) if received.length > 2 => Heard::Frame(u16::from_be_bytes(protocol), received.length),
            // Less than a protocol and a byte of it is nothing to send.
            _ => Heard::Nothing,
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData) => Heard::Nothing,
        Err(_) => Heard::End,
    }
}

/// Looks at what concerns encryption.
fn watch(unit: &mut Unit, way: Way, protocol: u16, information: &[u8]) -> Option<LogLine> {
    if protocol != CCP {
        return None;
    }
    unit.encryption.watch(way, information)
}

impl Engine {
    /// What pppd writes to a unit: control frames, and packets that it had kept while it dialled.
    pub(super) fn read_unit_frames(&mut self, index: usize) {
        let mut buffer = [0; 1 << 14];
        for _ in 0..MOST_FRAMES {
            let Some(unit) = self.units.find_mut(index) else { return };
            let (protocol, length) = match hear(unit.frames.as_fd(), &mut buffer) {
                Heard::Frame(protocol, length) => (protocol, length),
                Heard::Nothing => return,
                Heard::End => return self.remove_unit(index),
            };
            let information = buffer.get(2..length).unwrap_or_default();
            match Network::from_ppp(protocol) {
                Some(network) => self.transmit_packet(index, network, information),
                None => {
                    unit.count_control(Way::Sent, information.len());
                    let (host, channel) = (unit.host, unit.channel);
                    let news = watch(unit, Way::Sent, protocol, information);
                    self.report(host, news);
                    if let Some(channel) = channel {
                        self.transmit_frame(channel, protocol, information);
                    }
                }
            }
        }
    }

    /// What pppd writes to a channel.
    pub(super) fn read_channel_frames(&mut self, index: usize) {
        let mut buffer = [0; 1 << 14];
        for _ in 0..MOST_FRAMES {
            let Some(channel) = self.channels.find_mut(index) else { return };
            match hear(channel.frames.as_fd(), &mut buffer) {
                Heard::Frame(protocol, length) => {
                    let information = buffer.get(2..length).unwrap_or_default();
                    self.transmit_frame(index, protocol, information);
                }
                Heard::Nothing => return,
                Heard::End => return self.remove_channel(index),
            }
        }
    }

    /// Tells pppd of a channel's end with an empty frame. The descriptor stays open until pppd closes its own: what pppd
    /// still writes is lost, as in the kernel, and no broken pipe.
    pub(super) fn end_frames(&mut self, frames: OwnedFd) {
        if seqpacket::send(frames.as_fd(), &[], &[]).is_err() {
            return;
        }
        let index = self.ended.insert(frames);
        let Some(frames) = self.ended.find(index) else { return };
        let token = Source::EndedFrames(index).token();
        if self.events.add(frames.as_fd(), token, Interest::Read, Trigger::Level).is_err() {
            self.ended.remove(index);
        }
    }

    pub(super) fn read_ended_frames(&mut self, index: usize) {
        let mut buffer = [0; 1 << 14];
        for _ in 0..MOST_FRAMES {
            let Some(frames) = self.ended.find(index) else { return };
            match hear(frames.as_fd(), &mut buffer) {
                Heard::Frame(..) => {}
                Heard::Nothing => return,
                Heard::End => {
                    self.forget([frames]);
                    self.ended.remove(index);
                }
            }
        }
    }

    /// Gives a frame of the peer's that is not for the network to pppd, by the descriptor on which it expects it.
    pub(super) fn pass_to_pppd(&mut self, channel_index: usize, protocol: u16, information: &[u8]) {
        let Some(channel) = self.channels.find_mut(channel_index) else { return };
        let host = channel.host;
        let unit = channel.unit.and_then(|unit| self.units.find_mut(unit));
        let mut news = None;
        let frames = match unit {
            Some(unit) if !ppp::is_of_channel(protocol) => {
                unit.count_control(Way::Received, information.len());
                news = watch(unit, Way::Received, protocol, information);
                unit.frames.as_fd()
            }
            _ => channel.frames.as_fd(),
        };
        if send_to_pppd(frames, protocol, information).is_err() {
            channel.trouble.lost_to_pppd += 1;
        }
        self.report(host, news);
    }
}
