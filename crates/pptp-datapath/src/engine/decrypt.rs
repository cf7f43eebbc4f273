//! From encrypted frames of GRE to packets: in batches, between the session and the units or terminals.

use pptp_core::gre::Frame;
use pptp_core::mppe::{self, Outcome};

use super::channel::{Buffer, Channel};
use super::encryption::{self, CCP, Encryption};
use super::slab::Slab;
use super::unit::Unit;
use super::{Engine, ppp};
use crate::command::Network;

/// A channel's encryption: its own if it has a terminal, else its unit's.
fn encryption_of<'a>(
    channels: &'a mut Slab<Channel>,
    units: &'a mut Slab<Unit>,
    channel: usize,
) -> Option<&'a mut Encryption> {
    let channel = channels.find_mut(channel)?;
    match channel.line {
        Some(_) => Some(&mut channel.encryption),
        None => Some(&mut units.find_mut(channel.unit?)?.encryption),
    }
}

impl Engine {
    /// Whether a channel's frames have to be looked at here.
    pub(super) fn may_decrypt(&mut self, channel: usize) -> bool {
        encryption_of(&mut self.channels, &mut self.units, channel).is_some_and(|encryption| encryption.is_in_use())
    }

    /// Hands out a channel's frames, decrypted if they have to be, and empties the list.
    pub(super) fn deliver_encrypted(&mut self, channel: usize, frames: &mut Vec<Frame<Buffer>>) {
        let steers = |frame: &Frame<Buffer>| ppp::parse(frame.bytes()).is_some_and(|(protocol, _)| protocol == CCP);
        while !frames.is_empty() {
            // What comes after a frame of CCP may have to be decrypted in another way.
            let count = frames.iter().position(steers).map_or(frames.len(), |last| last + 1);
            let outcomes = self.decrypt(channel, frames.get_mut(..count).unwrap_or_default());
            for (place, frame) in frames.drain(..count).enumerate() {
                match outcomes.get(place).copied().flatten() {
                    None => self.deliver_frame(channel, frame),
                    Some(outcome) => self.deliver_decrypted(channel, frame, outcome),
                }
            }
            self.down.outcomes = outcomes;
        }
    }

    /// Decrypts those frames of a channel that are encrypted, in place; what became of each, and nothing if none is.
    fn decrypt(&mut self, channel: usize, frames: &mut [Frame<Buffer>]) -> Vec<Option<Outcome>> {
        let mut outcomes = std::mem::take(&mut self.down.outcomes);
        outcomes.clear();
        let encryption = encryption_of(&mut self.channels, &mut self.units, channel);
        let Some(encryption) = encryption.filter(|encryption| encryption.decrypts()) else { return outcomes };
        let encrypted = |frame: &Frame<Buffer>| {
            let (protocol, information) = ppp::parse(frame.bytes())?;
            (protocol == mppe::PROTOCOL).then(|| frame.payload.end - information.len()..frame.payload.end)
        };
        outcomes.extend(frames.iter().map(|frame| encrypted(frame).map(|_| Outcome::OutOfSync)));
        let datagrams = frames.iter_mut().filter_map(|frame| {
            let range = encrypted(frame)?;
            frame.buffer.get_mut(range)
        });
        let mut found = encryption.decrypt(datagrams).iter();
        for outcome in outcomes.iter_mut().flatten() {
            found.next().into_iter().for_each(|found| *outcome = *found);
        }
        if encryption.is_hopeless() {
            outcomes.iter_mut().flatten().for_each(|outcome| *outcome = Outcome::OutOfSync);
        }
        outcomes
    }

    /// Whether pppd is to hear that a frame cannot be decrypted.
    fn may_complain(&mut self, channel: usize) -> bool {
        let now = self.now;
        encryption_of(&mut self.channels, &mut self.units, channel)
            .is_some_and(|encryption| encryption.may_complain(now))
    }

    /// What comes out of an encrypted frame, or the frame itself for pppd, whose CCP then asks for a reset.
    fn deliver_decrypted(&mut self, index: usize, mut frame: Frame<Buffer>, outcome: Outcome) {
        match outcome {
            Outcome::Dropped(_) => return self.down.recycle(frame.buffer),
            Outcome::OutOfSync if !self.may_complain(index) => return self.down.recycle(frame.buffer),
            Outcome::OutOfSync if self.has_terminal(index) => return self.push_to_line(index, frame),
            Outcome::OutOfSync => {
                if let Some((protocol, information)) = ppp::parse(frame.bytes()) {
                    self.pass_to_pppd(index, protocol, information);
                }
                return self.down.recycle(frame.buffer);
            }
            Outcome::Plain => {}
        }
        let datagram = ppp::parse(frame.bytes()).map_or(0, |(_, information)| information.len());
        frame.payload = encryption::inside(frame.payload.end - datagram..frame.payload.end);
        let packet = ppp::parse(frame.bytes()).filter(|&(protocol, _)| mppe::is_encrypted(protocol));
        let Some((protocol, information)) = packet else {
            if let Some(channel) = self.channels.find_mut(index) {
                channel.trouble.malformed_frames += 1;
            }
            return self.down.recycle(frame.buffer);
        };
        if self.has_terminal(index) {
            return self.push_to_line(index, frame);
        }
        let length = information.len();
        match Network::from_ppp(protocol) {
            Some(network) => self.deliver_packet(index, network, frame, length),
            None => {
                self.pass_to_pppd(index, protocol, information);
                self.down.recycle(frame.buffer);
            }
        }
    }
}
