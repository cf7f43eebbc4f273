//! How a server hands a call over to the pppd that it starts (`pptp_client IP pptp_sock FD`).
//!
//! FD is one end of a pair of `SOCK_SEQPACKET` sockets, and inherited. The server puts one message on the other end before
//! it starts pppd: the offer. It keeps its end, which is closed from the other side when pppd is gone, and the other
//! end of the life line, which it closes to hang up. An FD that is an `AF_PPPOX` socket has nothing to do with this.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use pptp_io::poller::{Interest, wait};
use pptp_io::{clock, seqpacket};

use crate::codec;
use crate::command::{CallConfig, Port};

/// A call that a server has accepted.
#[derive(Debug)]
pub struct Offer {
    /// What the control connection agreed on. Transmit window and reordering are for this end to choose.
    pub call: CallConfig,
    /// How its packets are carried.
    pub gre: Gre<OwnedFd>,
    /// Becomes readable, at its end, when the call is over.
    pub life_line: OwnedFd,
}

/// How a call's packets are carried.
#[derive(Clone, Copy, Debug)]
pub enum Gre<D> {
    /// By whatever engine there is, through a raw GRE socket that gets this call's packets and is connected to the client.
    Socket(D),
    /// By an engine of the server's.
    Engine {
        /// A host's socket of it ([`crate::client::Engine::attach`]).
        host: D,
        /// On which the host may have a channel for this call.
        port: Port,
    },
}

/// Puts an offer on the server's end of the pair, without blocking.
///
/// # Errors
/// `BrokenPipe`: the other end is closed.
pub fn send(
    socket: BorrowedFd<'_>,
    call: &CallConfig,
    gre: Gre<BorrowedFd<'_>>,
    life_line: BorrowedFd<'_>,
) -> io::Result<()> {
    let (carrier, port) = match gre {
        Gre::Socket(socket) => (socket, None),
        Gre::Engine { host, port } => (host, Some(port)),
    };
    seqpacket::send(socket, &codec::encode_offer(call, port), &[carrier, life_line])
}

/// Takes the offer from pppd's end, and waits for it at most `limit`.
///
/// # Errors
/// `TimedOut`: there was none. `UnexpectedEof`: the server has closed its end. `InvalidData`: it was not an offer of this
/// version.
pub fn receive(socket: BorrowedFd<'_>, limit: Duration) -> io::Result<Offer> {
    let deadline = clock::now() + limit;
    // One byte more than the longest offer, so that a longer message is no offer.
    let mut buffer = [0; codec::LONGEST_OFFER + 1];
    let received = loop {
        match seqpacket::receive(socket, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => break other?,
        }
        let remaining = clock::until(deadline);
        if remaining.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server has not offered a call"));
        }
        wait(&[(socket, Interest::Read)], Some(remaining))?;
    };
    if received.length == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has gone before it offered a call"));
    }
    let call = buffer.get(..received.length).and_then(codec::decode_offer);
    let (call, port) = call.ok_or_else(|| invalid("the server's offer of a call is of another version"))?;
    let descriptors = <[OwnedFd; 2]>::try_from(received.descriptors);
    let [carrier, life_line] =
        descriptors.map_err(|_| invalid("the server's offer of a call lacks its descriptors"))?;
    let gre = match port {
        None => Gre::Socket(carrier),
        Some(port) => Gre::Engine { host: carrier, port },
    };
    Ok(Offer { call, gre, life_line })
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::TransmitWindow;
    use std::os::fd::AsFd;
    use std::thread;

    const AT_ONCE: Duration = Duration::ZERO;

    fn call() -> CallConfig {
        CallConfig {
            local: [192, 0, 2, 1].into(),
            peer: [192, 0, 2, 2].into(),
            call_id: 1,
            peer_call_id: 65535,
            peer_window: 64,
            receive_window: 50,
            transmit_window: TransmitWindow::On,
            reorder_time: Duration::from_millis(10),
            reorder_packets: 64,
        }
    }

    /// What comes of `message` with so many descriptors.
    fn receive_after(message: &[u8], descriptors: usize) -> io::Result<Offer> {
        let (ours, theirs) = seqpacket::pair().unwrap();
        seqpacket::send(ours.as_fd(), message, &vec![ours.as_fd(); descriptors]).unwrap();
        receive(theirs.as_fd(), AT_ONCE)
    }

    fn assert_invalid(outcome: io::Result<Offer>, words: &str) {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn an_offer_arrives_as_it_was_sent_with_its_descriptors_in_order() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        for port in [None, Some(Port(3))] {
            let ((gre, gre_end), (life_line, life_line_end)) = (seqpacket::pair().unwrap(), seqpacket::pair().unwrap());
            let carrier = port.map_or(Gre::Socket(gre.as_fd()), |port| Gre::Engine { host: gre.as_fd(), port });
            send(ours.as_fd(), &call(), carrier, life_line.as_fd()).unwrap();
            let offer = receive(theirs.as_fd(), AT_ONCE).unwrap();
            assert_eq!(offer.call, call());
            let (carrier, arrived) = match offer.gre {
                Gre::Socket(socket) => (socket, None),
                Gre::Engine { host, port } => (host, Some(port)),
            };
            assert_eq!(arrived, port);
            for (near, far) in [(&carrier, gre_end), (&offer.life_line, life_line_end)] {
                seqpacket::send(near.as_fd(), b"x", &[]).unwrap();
                assert_eq!(seqpacket::receive(far.as_fd(), &mut [0; 4]).unwrap().length, 1);
            }
        }
    }

    #[test]
    fn an_offer_may_come_a_little_later() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let waiting = thread::spawn(move || receive(theirs.as_fd(), Duration::from_secs(10)).map(|offer| offer.call));
        thread::sleep(Duration::from_millis(20));
        send(ours.as_fd(), &call(), Gre::Socket(ours.as_fd()), ours.as_fd()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), call());
    }

    #[test]
    fn an_offer_of_another_version_is_invalid() {
        let mut message = codec::encode_offer(&call(), None);
        message[0] += 1;
        assert_invalid(receive_after(&message, 2), "another version");
    }

    #[test]
    fn a_truncated_or_longer_offer_is_invalid() {
        let mut message = codec::encode_offer(&call(), None);
        for length in 1..message.len() {
            assert_invalid(receive_after(&message[..length], 2), "another version");
        }
        message.push(0);
        assert_invalid(receive_after(&message, 2), "another version");
        message.extend([0; 100]);
        assert_invalid(receive_after(&message, 2), "too long");
    }

    #[test]
    fn no_offer_is_longer_than_the_longest() {
        assert_eq!(codec::encode_offer(&call(), None).len(), codec::LONGEST_OFFER);
    }

    #[test]
    fn an_offer_with_other_than_two_descriptors_is_invalid() {
        for descriptors in [0, 1, 3] {
            assert_invalid(receive_after(&codec::encode_offer(&call(), None), descriptors), "lacks its descriptors");
        }
    }

    #[test]
    fn nothing_within_the_limit_is_a_time_out() {
        let (_ours, theirs) = seqpacket::pair().unwrap();
        for limit in [AT_ONCE, Duration::from_millis(20)] {
            let begin = std::time::Instant::now();
            assert_eq!(receive(theirs.as_fd(), limit).unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(begin.elapsed() >= limit);
        }
    }

    #[test]
    fn a_server_that_has_gone_is_the_end_unless_it_made_an_offer() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        drop(ours);
        assert_eq!(receive(theirs.as_fd(), AT_ONCE).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let (ours, theirs) = seqpacket::pair().unwrap();
        send(ours.as_fd(), &call(), Gre::Socket(ours.as_fd()), ours.as_fd()).unwrap();
        drop(ours);
        assert!(receive(theirs.as_fd(), AT_ONCE).is_ok());
        let (ours, theirs) = seqpacket::pair().unwrap();
        drop(theirs);
        let error = send(ours.as_fd(), &call(), Gre::Socket(ours.as_fd()), ours.as_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
