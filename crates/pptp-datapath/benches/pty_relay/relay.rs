//! A process between a terminal and GRE, and both ends of what it relays.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use pptp_core::gre::{Config, Session};
use pptp_core::hdlc::{Accm, Decoder, Encoder};
use pptp_core::sim::Random;
use pptp_core::wire::{CallId, PeerCallId};
use pptp_datapath::client::{Batching, Engine, Options};
use pptp_datapath::command::{CallConfig, Channel, Framing, TransmitWindow};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::poller::{Interest, wait};
use pptp_io::{clock, pty, seqpacket};

use super::{FRAME_LENGTH, control};

/// Both relays are clients at this address.
const CLIENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ENGINES_PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PPTP_LINUX_PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// The peer's id for either call.
const PEER_ID: CallId = CallId(7);

/// Packets on their way at most. A socket's usual buffer, which pptp-linux has, holds less than a hundred.
const OUTSTANDING: usize = 64;

/// Packets that the peer sends at a time.
const TRAIN: usize = 16;

/// After so long without a packet none will come.
const QUIET: Duration = Duration::from_secs(10);

/// A relay and its two ends.
pub(crate) struct Relay {
    pub(crate) process: i32,
    /// The kernel's PPP.
    slave: File,
    /// The peer.
    gre: OwnedFd,
    session: Session<()>,
    frame: Vec<u8>,
    _owned: Owned,
}

#[expect(dead_code, reason = "what lives as long as the relay")]
enum Owned {
    Engine(Engine, OwnedFd),
    Child(Killed),
}

/// A process that does not outlive the measurement.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Relay {
    /// The engine, alone in its namespace.
    pub(crate) fn engine() -> Self {
        let mut engine = Engine::start(Options { wipe: || {}, batching: Batching::Batched }).unwrap();
        let call_id = CallId(1);
        let (master, slave) = pty::open().unwrap();
        let (life_line, theirs) = seqpacket::pair().unwrap();
        let gre = gre_between(CLIENT, ENGINES_PEER, Calls::Only(call_id.0));
        let call = CallConfig {
            local: CLIENT,
            peer: ENGINES_PEER,
            call_id: call_id.0,
            peer_call_id: PEER_ID.0,
            peer_window: 64,
            receive_window: 64,
            transmit_window: TransmitWindow::Off,
            reorder_time: Duration::from_millis(30),
            reorder_packets: 100,
        };
        let descriptors = [gre.as_fd(), master.as_fd(), theirs.as_fd()];
        engine.new_channel(Channel(1), call, Framing::Hdlc, descriptors).unwrap();
        Self::new(engine_process(), slave, ENGINES_PEER, call_id, Owned::Engine(engine, life_line))
    }

    /// pptp(8) as pppd runs it for its option `pty`, with a call that is up.
    pub(crate) fn pptp_linux() -> Self {
        let calls = control::serve(PPTP_LINUX_PEER, PEER_ID);
        let (master, slave) = pty::open().unwrap();
        // pppd's terminal blocks.
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR)).unwrap();
        let mut pptp = Command::new("setsid");
        pptp.args([
            "/usr/sbin/pptp",
            &PPTP_LINUX_PEER.to_string(),
            "--nolaunchpppd",
            "--nohostroute",
            "--loglevel",
            "0",
        ]);
        let child = pptp.stdin(master.try_clone().unwrap()).stdout(master).spawn().expect("setsid is in util-linux");
        // Its copies of the terminal are in the command.
        drop(pptp);
        let process = i32::try_from(child.id()).unwrap();
        let owned = Owned::Child(Killed(child));
        let call_id = calls.recv_timeout(QUIET).expect("pptp is in pptp-linux");
        let mut relay = Self::new(process, slave, PPTP_LINUX_PEER, call_id, owned);
        // It says nothing when it is ready.
        relay.up(1);
        relay
    }

    fn new(process: i32, slave: OwnedFd, peer: Ipv4Addr, call_id: CallId, owned: Owned) -> Self {
        let mut random = Random::new(1);
        let mut frame: Vec<u8> = (0..FRAME_LENGTH).map(|_| random.next_u64().to_be_bytes()[0]).collect();
        frame[..4].copy_from_slice(&[0xff, 3, 0, 0x21]);
        Self {
            process,
            slave: slave.into(),
            gre: gre_between(peer, CLIENT, Calls::Only(PEER_ID.0)),
            session: Session::new(&Config::new(PEER_ID, PeerCallId(call_id.0))),
            frame,
            _owned: owned,
        }
    }

    /// So many frames from the slave to the peer, one write for each as the kernel has it.
    pub(crate) fn up(&mut self, frames: usize) {
        let mut encoder = Encoder::new();
        encoder.set_accm(Accm::NONE);
        let mut bytes = Vec::new();
        encoder.encode(&self.frame, &mut bytes);
        let arrived = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| count_packets(&self.gre, frames, &arrived));
            for number in 0..frames {
                hold_back(number, &arrived);
                (&self.slave).write_all(&bytes).unwrap();
            }
        });
    }

    /// So many frames from the peer to the slave.
    pub(crate) fn down(&mut self, frames: usize) {
        let arrived = AtomicUsize::new(0);
        let (slave, gre) = (&self.slave, &self.gre);
        let (session, frame) = (&mut self.session, &self.frame);
        thread::scope(|scope| {
            scope.spawn(|| count_frames(slave, frames, &arrived));
            for number in (0..frames).step_by(TRAIN) {
                hold_back(number + TRAIN, &arrived);
                let packets: Vec<Vec<u8>> =
                    (number..frames.min(number + TRAIN)).map(|_| packet(session, frame)).collect();
                send(gre, &packets);
            }
        });
    }
}

/// Waits until no more than [`OUTSTANDING`] of `sent` have not arrived.
fn hold_back(sent: usize, arrived: &AtomicUsize) {
    while sent > arrived.load(Ordering::Relaxed) + OUTSTANDING {
        thread::sleep(Duration::from_micros(20));
    }
}

fn packet(session: &mut Session<()>, frame: &[u8]) -> Vec<u8> {
    let length = u16::try_from(frame.len()).unwrap();
    let stamp = session.stamp(length, clock::now()).unwrap();
    [stamp.as_bytes(), frame].concat()
}

fn send(gre: &OwnedFd, packets: &[Vec<u8>]) {
    let mut sender = gre_socket::Sender::new(TRAIN);
    let mut sent = 0;
    while sent < packets.len() {
        match sender.send(gre.as_fd(), packets[sent..].iter().map(|packet| (packet.as_slice(), None))) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(20)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Counts packets that carry a frame.
fn count_packets(gre: &OwnedFd, expected: usize, arrived: &AtomicUsize) {
    let mut receiver = gre_socket::Receiver::new(64);
    let mut buffers = vec![vec![0; 2048]; 64];
    let mut count = 0;
    while count < expected {
        let ready = wait(&[(gre.as_fd(), Interest::Read)], Some(QUIET)).unwrap();
        assert!(ready[0].readable(), "{count} of {expected} packets have come");
        let Ok(lengths) = receiver.receive(gre.as_fd(), &mut buffers) else { continue };
        count += lengths.flatten().filter(|&length| length > FRAME_LENGTH).count();
        arrived.store(count, Ordering::Relaxed);
    }
}

fn count_frames(mut slave: &File, expected: usize, arrived: &AtomicUsize) {
    let mut decoder = Decoder::new(2000);
    decoder.set_accm(Accm::NONE);
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    while count < expected {
        let ready = wait(&[(slave.as_fd(), Interest::Read)], Some(QUIET)).unwrap();
        assert!(ready[0].readable(), "{count} of {expected} frames have come");
        let length = slave.read(&mut buffer).unwrap();
        let mut input = &buffer[..length];
        while decoder.decode(&mut input).is_some() {
            count += 1;
        }
        arrived.store(count, Ordering::Relaxed);
    }
    assert_eq!(decoder.counters().bad_fcs, 0);
}

fn gre_between(local: Ipv4Addr, peer: Ipv4Addr, calls: Calls) -> OwnedFd {
    let socket = gre_socket::open(None).unwrap();
    gre_socket::claim(socket.as_fd(), local, calls).unwrap();
    gre_socket::connect(socket.as_fd(), peer).unwrap();
    socket
}

/// The engine of this network namespace.
fn engine_process() -> i32 {
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok).map(|entry| entry.path());
    let mut engines = processes.filter(|process| {
        std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name == "pptp-engine\n")
            && std::fs::read_link(process.join("ns/net")).is_ok_and(|namespace| namespace == own)
    });
    engines.next().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}
