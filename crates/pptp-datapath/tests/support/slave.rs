//! Plays the kernel's PPP at the slave of a terminal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_io::poller::{Interest, wait};

/// After so long without a byte nothing more will come.
const QUIET: Duration = Duration::from_secs(3);

/// The slave.
pub(crate) struct Slave(File);

impl Slave {
    pub(crate) fn new(slave: OwnedFd) -> Self {
        Self(slave.into())
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    /// Bytes that do not make frames, some of them flags.
    pub(crate) fn write_garbage(&self, length: usize) -> io::Result<()> {
        let mut state = 1_u32;
        let garbage: Vec<u8> = (0..length).map(|_| random(&mut state)).collect();
        self.write(&garbage)
    }

    /// What comes within `limit`: nothing if none does.
    pub(crate) fn read(&self, limit: Duration) -> io::Result<Vec<u8>> {
        wait(&[(self.0.as_fd(), Interest::Read)], Some(limit)).map(|ready| ready[0].readable()).and_then(|is_ready| {
            let mut buffer = vec![0; 1 << 14];
            let length = if is_ready { (&self.0).read(&mut buffer)? } else { 0 };
            if is_ready && length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer.truncate(length);
            Ok(buffer)
        })
    }

    /// Writes so many frames, and at the same time waits for so many: how many came, out of order, broken.
    pub(crate) fn exchange(&self, send: u32, receive: u32) -> io::Result<String> {
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.send(send));
            let seen = self.receive(receive)?;
            sender.join().map_err(|_| io::ErrorKind::Other)??;
            Ok(seen)
        })
    }

    /// Some with the escapes of a line on which nothing was negotiated, some without.
    fn send(&self, count: u32) -> io::Result<()> {
        let mut encoder = Encoder::new();
        let mut bytes = Vec::new();
        for number in 0..count {
            encoder.set_accm(if number % 16 == 0 { Accm::ALL } else { Accm::NONE });
            encoder.encode(&frame(number), &mut bytes);
            if bytes.len() > 1 << 14 || number + 1 == count {
                self.write(&bytes)?;
                bytes.clear();
            }
        }
        Ok(())
    }

    fn receive(&self, expected: u32) -> io::Result<String> {
        let mut decoder = Decoder::new(2000);
        decoder.set_accm(Accm::NONE);
        let (mut count, mut out_of_order, mut broken) = (0, 0, 0);
        let mut next = 0;
        while count < expected {
            let bytes = self.read(QUIET)?;
            if bytes.is_empty() {
                break;
            }
            let mut rest = &bytes[..];
            while let Some(received) = decoder.decode(&mut rest) {
                // A packet that was encrypted comes without them.
                let bare = received.strip_prefix(&[0xff, 3]).unwrap_or(received);
                let number = bare.get(2..).and_then(<[u8]>::first_chunk).map_or(0, |&bytes| u32::from_be_bytes(bytes));
                count += 1;
                broken += u32::from(*bare != frame(number)[2..]);
                out_of_order += u32::from(number < next);
                next = number + 1;
            }
        }
        Ok(format!("{count} {out_of_order} {broken}"))
    }
}

fn random(state: &mut u32) -> u8 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    state.to_be_bytes()[0]
}

/// An IPv4 frame with a number, and bytes of every value that follow from it.
fn frame(number: u32) -> Vec<u8> {
    let mut state = number;
    let mut bytes = vec![0xff, 3, 0, 0x21];
    bytes.extend(number.to_be_bytes());
    let length = usize::from(random(&mut state)) * 5 + usize::from(random(&mut state)) % 100;
    bytes.extend((0..length).map(|_| random(&mut state)));
    bytes
}
