//! The smallest enhanced GRE end (RFC 2637 §4.1) that carries a call: no window, no reordering, no lost-packet recovery.
//!
//! Frames come from and go to the master of a pty, in asynchronous framing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::hdlc::{Decoder, encode};
use crate::kernel_call::Ends;

const KEY_AND_SEQUENCE: u8 = 0x30;
const ACKNOWLEDGED_VERSION_1: u8 = 0x81;
const SEQUENCE_PRESENT: u8 = 0x10;
const ACKNOWLEDGMENT_PRESENT: u8 = 0x80;
const PACKET: usize = 65536;

/// Two threads that end when this is dropped.
#[derive(Debug)]
pub struct Relay {
    over: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
struct Shared {
    over: Arc<AtomicBool>,
    received: Arc<AtomicU32>,
    ours: u16,
    theirs: u16,
}

impl Relay {
    /// Starts relaying between `gre` and `master`.
    ///
    /// # Errors
    /// A socket or descriptor that cannot be connected or duplicated.
    pub fn start(gre: OwnedFd, master: File, ends: &Ends) -> io::Result<Self> {
        // Not UDP, but std's only socket of datagrams: connect, timeout, send and recv are the same calls.
        let gre = UdpSocket::from(gre);
        gre.connect(SocketAddr::from((*ends.peer.ip(), 0)))?;
        gre.set_read_timeout(Some(Duration::from_millis(100)))?;
        let over = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            over: Arc::clone(&over),
            received: Arc::new(AtomicU32::new(u32::MAX)),
            ours: ends.ours,
            theirs: ends.theirs,
        };
        let (down, down_gre, down_master) = (shared.clone(), gre.try_clone()?, master.try_clone()?);
        thread::spawn(move || gre_to_pty(&down, &down_gre, down_master));
        thread::spawn(move || pty_to_gre(&shared, &gre, master));
        Ok(Self { over })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn gre_to_pty(shared: &Shared, gre: &UdpSocket, mut master: File) {
    let mut packet = vec![0; PACKET];
    while !shared.over.load(Ordering::Relaxed) {
        let Ok(length) = gre.recv(&mut packet) else { continue };
        let Some((sequence, frame)) = packet.get(..length).and_then(|packet| open(packet, shared.ours)) else {
            continue;
        };
        shared.received.store(sequence, Ordering::Relaxed);
        let _ = master.write_all(&encode(frame));
    }
}

fn pty_to_gre(shared: &Shared, gre: &UdpSocket, mut master: File) {
    let mut octets = vec![0; PACKET];
    let mut decoder = Decoder::default();
    let mut sequence: u32 = 0;
    while !shared.over.load(Ordering::Relaxed) {
        let Ok(length) = master.read(&mut octets) else { break };
        for frame in decoder.frames(octets.get(..length).unwrap_or_default()) {
            let packet = seal(&frame, shared.theirs, sequence, shared.received.load(Ordering::Relaxed));
            let _ = gre.send(&packet);
            sequence = sequence.wrapping_add(1);
        }
    }
}

/// The sequence number and the frame in an IPv4 packet, if it is data for the call `ours`.
fn open(packet: &[u8], ours: u16) -> Option<(u32, &[u8])> {
    let ip_header = usize::from(packet.first()? & 0x0f) * 4;
    let gre = packet.get(ip_header..)?;
    let (flags, version) = (*gre.first()?, *gre.get(1)?);
    let call: [u8; 2] = gre.get(6..8)?.try_into().ok()?;
    if flags & SEQUENCE_PRESENT == 0 || u16::from_be_bytes(call) != ours {
        return None;
    }
    let sequence: [u8; 4] = gre.get(8..12)?.try_into().ok()?;
    let start = if version & ACKNOWLEDGMENT_PRESENT == 0 { 12 } else { 16 };
    let length: [u8; 2] = gre.get(4..6)?.try_into().ok()?;
    let frame = gre.get(start..)?.get(..usize::from(u16::from_be_bytes(length)))?;
    Some((u32::from_be_bytes(sequence), frame))
}

/// The GRE packet for a frame, with an acknowledgment of `received` unless that is `u32::MAX`.
fn seal(frame: &[u8], theirs: u16, sequence: u32, received: u32) -> Vec<u8> {
    let acknowledge = received != u32::MAX;
    let version = if acknowledge { ACKNOWLEDGED_VERSION_1 } else { 1 };
    let mut packet = vec![KEY_AND_SEQUENCE, version, 0x88, 0x0b];
    packet.extend(u16::try_from(frame.len()).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(theirs.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    if acknowledge {
        packet.extend(received.to_be_bytes());
    }
    packet.extend(frame);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_ip(gre: Vec<u8>) -> Vec<u8> {
        let mut packet = vec![0x45];
        packet.resize(20, 0);
        packet.extend(gre);
        packet
    }

    #[test]
    fn what_is_sealed_is_the_bytes_of_the_rfc() {
        assert_eq!(seal(&[0xff, 3], 7, 1, u32::MAX), [0x30, 1, 0x88, 0x0b, 0, 2, 0, 7, 0, 0, 0, 1, 0xff, 3]);
        assert_eq!(seal(&[9], 7, 1, 5), [0x30, 0x81, 0x88, 0x0b, 0, 1, 0, 7, 0, 0, 0, 1, 0, 0, 0, 5, 9]);
    }

    #[test]
    fn only_data_for_this_call_is_opened() {
        let packet = in_ip(seal(&[1, 2, 3], 7, 4, 5));
        assert_eq!(open(&packet, 7), Some((4, &[1, 2, 3][..])));
        assert_eq!(open(&packet, 8), None);
        assert_eq!(open(&in_ip(vec![0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1]), 7), None);
    }

    #[test]
    fn a_truncated_packet_is_dropped() {
        let packet = in_ip(seal(&[1, 2, 3], 7, 4, 5));
        for length in 0..packet.len() {
            assert_eq!(open(&packet[..length], 7), None, "{length}");
        }
    }
}
