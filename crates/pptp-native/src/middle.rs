//! A man in the middle: he reads, changes, holds back, repeats and invents PPP frames between client and server.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use pptp_io::gre_socket::{Receiver, Sender};
use pptp_io::poller::{Interest, wait};

use crate::Machine;
use crate::ppp::{Frame, open, seal};
use crate::relaying::{gre, pass_control_connections};

/// Where to a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// What becomes of a frame: the frames that go on in its place.
type Rule = Box<dyn FnMut(Way, Frame) -> Vec<Frame> + Send>;

/// Every packet that he sends has a fresh GRE sequence number, so that no receiver's session takes it for an old one.
/// Nobody gets acknowledgments: no sender here waits for them.
#[derive(Debug)]
pub struct Middle {
    shared: Arc<Shared>,
    over: Arc<AtomicBool>,
}

struct Shared {
    sockets: [OwnedFd; 2],
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    rule: Rule,
    seen: Vec<(Way, Frame)>,
    /// By where to they go.
    lines: [Line; 2],
}

/// The call as one end knows it, and the sequence number that it sees next.
#[derive(Default)]
struct Line {
    call: Option<u16>,
    sequence: u32,
}

impl Middle {
    /// Starts on a machine between the two: his address and the client's, his address and the server's.
    pub(crate) fn start(machine: &Machine, addresses: [&str; 4]) -> Self {
        let network = machine.network_namespace();
        let [local, client, other_local, server] = addresses.map(|address| address.parse().unwrap());
        // Sockets belong to the network that they are made in, and threads to that of the thread that starts them.
        let born = thread::spawn(move || Self::start_here(&network, [local, client, other_local, server]));
        born.join().unwrap()
    }

    fn start_here(network: &File, [local, client, other_local, server]: [Ipv4Addr; 4]) -> Self {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        let sockets = [gre(other_local, server).unwrap(), gre(local, client).unwrap()];
        pass_control_connections(local, server).unwrap();
        let state = State { rule: pass(), seen: Vec::new(), lines: Default::default() };
        let shared = Arc::new(Shared { sockets, state: Mutex::new(state) });
        let over = Arc::new(AtomicBool::new(false));
        let (theirs, ends) = (Arc::clone(&shared), Arc::clone(&over));
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                theirs.relay();
            }
        });
        Self { shared, over }
    }

    /// From now on `rule` says what becomes of each frame.
    pub fn rewrite(&self, rule: impl FnMut(Way, Frame) -> Vec<Frame> + Send + 'static) {
        self.shared.state().rule = Box::new(rule);
    }

    /// From now on every frame goes on as it came.
    pub fn pass(&self) {
        self.shared.state().rule = pass();
    }

    /// Sends a frame of his own.
    ///
    /// # Panics
    /// No frame has gone there before, so that the call is not known.
    pub fn inject(&self, way: Way, frame: &Frame) {
        let mut state = self.shared.state();
        assert!(state.lines[way.index()].call.is_some(), "no call {way:?}");
        self.shared.send(&mut state, way, frame);
    }

    /// What both ends have sent since the beginning, as they sent it.
    #[must_use]
    pub fn seen(&self) -> Vec<(Way, Frame)> {
        self.shared.state().seen.clone()
    }

    /// What was sent in one direction with this protocol.
    #[must_use]
    pub fn seen_of(&self, way: Way, protocol: u16) -> Vec<Frame> {
        let seen = self.seen().into_iter();
        seen.filter(|(its, frame)| *its == way && frame.is(protocol)).map(|(_, frame)| frame).collect()
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    const fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }

    const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A rule that has failed is reported by its test.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn relay(&self) {
        let [up, down] = &self.sockets;
        let interests = [(up.as_fd(), Interest::Read), (down.as_fd(), Interest::Read)];
        wait(&interests, Some(Duration::from_millis(100))).unwrap();
        for way in Way::BOTH {
            self.relay_from(way);
        }
    }

    /// Passes on what has come from the end that `from` leads to.
    fn relay_from(&self, from: Way) {
        let mut buffers = vec![vec![0; 2048]; 16];
        let mut receiver = Receiver::new(16);
        let Ok(lengths) = receiver.receive(self.sockets[from.index()].as_fd(), &mut buffers) else { return };
        let lengths: Vec<_> = lengths.collect();
        let mut state = self.state();
        for (buffer, length) in buffers.iter().zip(lengths) {
            let Some((call, frame)) = open(&buffer[20..length.unwrap_or(20)]) else { continue };
            let way = from.back();
            let line = &mut state.lines[way.index()];
            if line.call.replace(call) != Some(call) {
                line.sequence = 0;
            }
            state.seen.push((way, frame.clone()));
            for frame in (state.rule)(way, frame) {
                self.send(&mut state, way, &frame);
            }
        }
    }

    fn send(&self, state: &mut State, way: Way, frame: &Frame) {
        let line = &mut state.lines[way.index()];
        let packet = seal(line.call.unwrap_or_default(), line.sequence, frame);
        line.sequence = line.sequence.wrapping_add(1);
        let socket = self.sockets[way.index()].as_fd();
        let mut sender = Sender::new(1);
        // Either the socket is full, or there is news of an earlier packet.
        let mut is_sent = || sender.send(socket, std::iter::once((packet.as_slice(), None))).is_ok();
        for _ in 0..100 {
            if is_sent() {
                return;
            }
            let _ = wait(&[(socket, Interest::Write)], Some(Duration::from_millis(10)));
        }
    }
}

fn pass() -> Rule {
    Box::new(|_, frame| vec![frame])
}
