//! The line to one plugin.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use log::Level;
use pptp_io::pppox::Admission;
use pptp_io::seqpacket;

use crate::client::{Failure, Progress};
use crate::codec;

/// A plugin that leaves this much unread gets no more log lines, so that there is room for what matters.
const MOST_UNREAD: usize = 64 * 1024;

/// Tells a plugin the news of its call. Never blocks.
#[derive(Debug)]
pub(crate) struct Reporter {
    socket: OwnedFd,
}

/// Whether a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Sent,
    /// The plugin has gone or does not read.
    Failed,
}

/// What a plugin says to its manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It has closed its end.
    Gone,
    /// What its PPTP socket is to receive.
    Admit(Admission),
    /// Nothing, or nothing that makes sense.
    Nothing,
}

impl Reporter {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Readable when the plugin has gone or has said something.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the plugin has closed its end. It has nothing to say before its call is up.
    pub(crate) fn is_gone(&self) -> bool {
        self.hear() == Word::Gone
    }

    /// What the plugin says next.
    pub(crate) fn hear(&self) -> Word {
        let mut buffer = [0; 64];
        match seqpacket::receive(self.socket.as_fd(), &mut buffer) {
            Ok(received) if received.length == 0 => Word::Gone,
            Ok(received) => {
                let message = buffer.get(..received.length);
                message.and_then(codec::decode_admission).map_or(Word::Nothing, Word::Admit)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::InvalidData => Word::Nothing,
                _ => Word::Gone,
            },
        }
    }

    /// Sends a log line, unless the plugin is far behind.
    pub(crate) fn log(&self, level: Level, text: String) {
        if seqpacket::unread_by_peer(self.socket.as_fd()).is_ok_and(|unread| unread <= MOST_UNREAD) {
            let _ = self.tell(&Progress::Log { level, text });
        }
    }

    /// Sends the last message of a call that was not connected.
    pub(crate) fn fail(&self, failure: Failure) {
        let _ = self.tell(&Progress::Failed(failure));
    }

    pub(crate) fn tell(&self, progress: &Progress) -> Delivery {
        match seqpacket::send(self.socket.as_fd(), &codec::encode_progress(progress), &[]) {
            Ok(()) => Delivery::Sent,
            Err(_) => Delivery::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_does_not_read_still_gets_the_last_word() {
        let (manager, plugin) = seqpacket::pair().unwrap();
        let reporter = Reporter::new(manager);
        for number in 0..10_000 {
            reporter.log(Level::Debug, format!("line {number}"));
        }
        assert_eq!(reporter.tell(&Progress::Ended { text: String::from("over") }), Delivery::Sent);
        assert!(!reporter.is_gone());
        drop(plugin);
        assert!(reporter.is_gone());
    }

    #[test]
    fn what_a_plugin_said_is_heard_before_it_is_gone() {
        let (manager, plugin) = seqpacket::pair().unwrap();
        let reporter = Reporter::new(manager);
        assert_eq!(reporter.hear(), Word::Nothing);
        let messages = [b"nonsense".to_vec(), codec::encode_admission(Admission::Settled)];
        for message in messages {
            seqpacket::send(plugin.as_fd(), &message, &[]).unwrap();
        }
        drop(plugin);
        let words = [reporter.hear(), reporter.hear(), reporter.hear()];
        assert_eq!(words, [Word::Nothing, Word::Admit(Admission::Settled), Word::Gone]);
    }
}
