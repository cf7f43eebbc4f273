//! The engines that carry calls for this server's pppds: one for each processor, each with one GRE socket for each of this
//! machine's addresses that clients call.
//!
//! The lowest bits of our ids for calls tell whose they are, and the sockets of an engine get nothing else. An engine that has
//! ended is started anew when a call is to be its.

use core::time::Duration;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use log::{error, log, warn};
use pptp_datapath::client::{EngineError, SharedEngine};
use pptp_datapath::command::{CallEnds, Port};
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::poller::Interest;
use pptp_io::{tcp, words};

use super::lines::Ends;
use super::refusal::Refusal;

/// Each GRE packet is shown to the sockets of all engines: with more of them it costs more than it gains.
const MOST: usize = 16;

/// Addresses of this machine that are called. Nobody has so many.
const MOST_PORTS: usize = 256;

pub(super) struct Engines {
    /// By which all packets come and go, if there is one.
    device: Option<String>,
    places: Vec<Place>,
    /// Wakes when one of them has something to say.
    events: EventSet,
    /// Whether one was buried of which [`Engines::hear`] has not told.
    has_buried: bool,
}

/// Where an engine runs.
#[derive(Default)]
struct Place {
    running: Option<Running>,
    /// How many have ended here.
    ended: u64,
}

struct Running {
    engine: SharedEngine,
    /// The addresses of its ports, in the order of their numbers.
    ports: Vec<Ipv4Addr>,
}

/// One of the engines that there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EngineId {
    place: usize,
    ended_before: u64,
}

/// What an engine has ready for a call.
pub(super) struct Seat {
    /// With this pppd has its channel. What comes for the call is kept until then.
    pub(super) host: OwnedFd,
    pub(super) port: Port,
    pub(super) engine: EngineId,
}

impl Engines {
    /// As many as this process has processors; none of them runs. Packets come and go by `device` alone if there is one.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub(super) fn new(device: Option<String>) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = (0..processors.min(MOST)).map(|_| Place::default()).collect();
        Ok(Self { device, places, events: EventSet::new()?, has_buried: false })
    }

    /// Starts those that do not run: later this process has more in its memory that they would get a copy of.
    pub(super) fn start(&mut self) {
        for index in 0..self.places.len() {
            if let Err(error) = self.running(index) {
                warn!("cannot start an engine: {}", words(&error));
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// Readable when [`Engines::hear`] has something to do.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.events.fd()
    }

    /// Whether there is something to hear that no descriptor tells of.
    pub(super) fn has_buried(&self) -> bool {
        self.has_buried
    }

    /// Logs what they have to say, and buries those that have ended. Whether there were any.
    pub(super) fn hear(&mut self) -> bool {
        let has_buried = std::mem::take(&mut self.has_buried);
        self.bury() || has_buried
    }

    fn bury(&mut self) -> bool {
        let Ok(ready) = self.events.wait(Some(Duration::ZERO)) else { return false };
        let indices: Vec<u64> = ready.map(|(index, _)| index).collect();
        let ended = indices.into_iter().filter_map(|index| usize::try_from(index).ok()).filter(|&index| {
            let place = self.places.get_mut(index);
            place.is_some_and(|place| place.hear(index))
        });
        ended.count() > 0
    }

    pub(super) fn has_ended(&self, engine: EngineId) -> bool {
        self.places.get(engine.place).is_none_or(|place| place.ended != engine.ended_before)
    }

    /// Has an engine keep what comes for a call from here on, and take the call from whoever gets the seat.
    pub(super) fn seat(&mut self, ends: &Ends) -> Result<Seat, Refusal> {
        let index = usize::from(ends.call.0 & mask(self.count()));
        if index >= self.count() {
            // It was not drawn as one of an engine's, since these are taken.
            return Err(Refusal::OurIdTaken);
        }
        let seat = self.seat_at(index, ends).or_else(|error| {
            // One that has just ended takes no call, and nobody has heard of that yet.
            let has_ended = self.places.get_mut(index).is_some_and(|place| place.hear(index));
            self.has_buried |= has_ended;
            if has_ended { self.seat_at(index, ends) } else { Err(error) }
        });
        seat.map_err(|error| Refusal::Machine(format!("no engine can take the call: {}", described(&error))))
    }

    fn seat_at(&mut self, index: usize, ends: &Ends) -> Result<Seat, EngineError> {
        let calls = Calls::Matching { mask: mask(self.count()), value: u16::try_from(index).unwrap_or(0) };
        let Ends { local, client, call, peer_call } = *ends;
        let device = self.device.clone();
        let (running, engine) = self.running(index).map_err(EngineError::Io)?;
        let port = running.port(local, || open_gre(local, calls, device.as_deref()))?;
        let call = CallEnds { local, peer: client, call_id: call.0, peer_call_id: peer_call.0 };
        Ok(Seat { host: running.engine.add_host(port, call)?, port, engine })
    }

    /// The engine of a place that there is, started if it has to be.
    fn running(&mut self, index: usize) -> io::Result<(&mut Running, EngineId)> {
        let Some(Place { running, ended }) = self.places.get_mut(index) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let running = match running {
            Some(running) => running,
            None => running.insert(Running::start(index, &self.events)?),
        };
        Ok((running, EngineId { place: index, ended_before: *ended }))
    }
}

impl Place {
    /// Whether its engine has ended.
    fn hear(&mut self, index: usize) -> bool {
        let Some(running) = &mut self.running else { return false };
        loop {
            match running.engine.next_log() {
                Ok(Some(line)) => log!(line.level, "engine {index}: {}", line.text.trim_start_matches("engine: ")),
                Ok(None) => return false,
                Err(_) => break,
            }
        }
        error!("engine {index} has ended, and so do its calls; the next call starts another");
        self.running = None;
        self.ended += 1;
        true
    }
}

impl Running {
    fn start(index: usize, events: &EventSet) -> io::Result<Self> {
        let engine = SharedEngine::start()?;
        events.add(engine.fd(), u64::try_from(index).unwrap_or(0), Interest::Read, Trigger::Level)?;
        Ok(Self { engine, ports: Vec::new() })
    }

    /// Its port with this address.
    fn port(&mut self, address: Ipv4Addr, open: impl FnOnce() -> io::Result<OwnedFd>) -> Result<Port, EngineError> {
        let number = |index| Port(u32::try_from(index).unwrap_or(u32::MAX));
        if let Some(index) = self.ports.iter().position(|&port| port == address) {
            return Ok(number(index));
        }
        if self.ports.len() >= MOST_PORTS {
            return Err(EngineError::Io(io::Error::other("too many addresses of this machine are in use")));
        }
        let socket = open().map_err(EngineError::Io)?;
        let port = number(self.ports.len());
        self.engine.add_port(port, socket.as_fd())?;
        self.ports.push(address);
        Ok(port)
    }
}

/// A GRE socket for these calls to an address, by `device` alone if there is one.
fn open_gre(address: Ipv4Addr, calls: Calls, device: Option<&str>) -> io::Result<OwnedFd> {
    let gre = gre_socket::open(None)?;
    if let Some(device) = device {
        tcp::bind_to_device(gre.as_fd(), device)?;
    }
    gre_socket::claim(gre.as_fd(), address, calls)?;
    Ok(gre)
}

fn described(error: &EngineError) -> String {
    match error {
        EngineError::Io(error) => words(error),
        other => other.to_string(),
    }
}

/// The bits of a call id that tell whose it is, of so many engines.
pub(super) fn mask(engines: usize) -> u16 {
    u16::try_from(engines.next_power_of_two() - 1).unwrap_or(u16::MAX)
}
