//! The engine's process.

use std::os::fd::{AsFd, OwnedFd};

use pptp_io::poller::{Interest, wait};
use pptp_io::seqpacket;

use crate::client::Batching;
use crate::codec::{self, Message};
use crate::command::Answer;

/// The whole life of the process; `kept` is the command socket.
pub(crate) fn run(kept: Vec<OwnedFd>, _batching: Batching) {
    let Ok([commands]) = <[OwnedFd; 1]>::try_from(kept) else { return };
    let mut buffer = vec![0; codec::LONGEST_MESSAGE];
    while wait(&[(commands.as_fd(), Interest::Read)], None).is_ok() {
        let Ok(received) = seqpacket::receive(commands.as_fd(), &mut buffer) else { return };
        let Some((serial, _)) = buffer.get(..received.length).and_then(codec::decode_command) else { return };
        let refused = Answer::Refused { errno: libc::ENOSYS, text: String::from("not built into this engine") };
        let answer = codec::encode_message(&Message::Answer(serial, refused));
        let _ = seqpacket::send(commands.as_fd(), &answer, &[]);
    }
}
