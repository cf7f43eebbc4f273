//! The engine's process: one thread, one loop, batches both ways.
//!
//! ```text
//!  pppds <-> frames of units and channels <-> engine <-> ports (raw GRE sockets) <-> peers
//!                      TUN devices (pppN) <-> engine
//!        the kernel's PPP channels <-> terminals <-> engine
//! ```
//!
//! A packet that the engine has taken from a TUN device or a terminal is sent: while a socket takes no more, or the peer's
//! window is closed, neither is read, and its queue holds the senders back. Without traffic nothing wakes the process but
//! acknowledgements that are due.

mod channel;
mod commands;
mod decrypt;
mod encryption;
mod frames;
mod host;
mod line;
mod port;
mod ppp;
mod receive;
mod send;
mod slab;
mod source;
mod terminal;
mod unit;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pptp_core::time::Instant;
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::gre_socket::Sender;
use pptp_io::poller::{Interest, Ready};
use pptp_io::tun::Offload;
use pptp_io::{clock, confine, process};

use channel::Channel;
use host::{FIRST, Host};
use port::{Flushed, Port};
use receive::Downlink;
use send::Uplink;
use slab::Slab;
use source::Source;
use unit::Unit;

use crate::client::Batching;

/// The most packets in a batch.
const BATCH: usize = 64;

/// How long to wait at most for a socket that is full to say that it is not.
const FULL_WAIT: Duration = Duration::from_millis(20);

/// How long to wait for memory in the kernel, of which no socket tells.
const MEMORY_WAIT: Duration = Duration::from_millis(1);

/// How late a timer may be while more packets are known to wait in a socket: a gap that they fill is not given up before.
const BACKLOG_GRACE: Duration = Duration::from_millis(5);

/// The whole life of the process; `kept` is the command socket.
pub(crate) fn run(kept: Vec<OwnedFd>, batching: Batching) {
    let Ok([commands]) = <[OwnedFd; 1]>::try_from(kept) else { return };
    let Ok(engine) = Engine::new(commands, batching) else { return };
    // Five for each call.
    if let Err(error) = process::raise_descriptor_limit() {
        engine.log(FIRST, log::Level::Debug, format!("engine: descriptor limit: {}", pptp_io::words(&error)));
    }
    for failure in confine::confine_engine() {
        engine.log(FIRST, log::Level::Debug, format!("engine: {failure}"));
    }
    engine.serve();
}

struct Engine {
    hosts: Slab<Host>,
    events: EventSet,
    pending: Vec<(Source, Ready)>,
    units: Slab<Unit>,
    channels: Slab<Channel>,
    ports: Slab<Port>,
    /// Frames of channels that are no more, until pppd closes its end.
    ended: Slab<OwnedFd>,
    down: Downlink,
    up: Uplink,
    sender: Sender,
    /// TUN devices and terminals that may have something to read; whoever has waited longest is first.
    busy: Vec<Source>,
    /// Channels that may have something to send or a new deadline.
    touched: Vec<usize>,
    /// When channels have to be looked after.
    timers: BTreeSet<(Instant, usize)>,
    /// The most packets that are moved at a time.
    batch: usize,
    offload: Offload,
    now: Instant,
    is_done: bool,
    /// Whether a batch from a port was full: more may wait there.
    has_backlog: bool,
}

impl Engine {
    fn new(commands: OwnedFd, batching: Batching) -> io::Result<Self> {
        let events = EventSet::new()?;
        events.add(commands.as_fd(), Source::Commands(FIRST).token(), Interest::Read, Trigger::Level)?;
        let mut hosts = Slab::default();
        hosts.insert(Host::new(commands));
        let (batch, offload) = match batching {
            Batching::Batched => (BATCH, Offload::TcpAndUdp),
            Batching::Single => (1, Offload::None),
        };
        Ok(Self {
            hosts,
            events,
            pending: Vec::new(),
            units: Slab::default(),
            channels: Slab::default(),
            ports: Slab::default(),
            ended: Slab::default(),
            down: Downlink::new(batch),
            up: Uplink::new(),
            sender: Sender::new(batch),
            busy: Vec::new(),
            touched: Vec::new(),
            timers: BTreeSet::new(),
            batch,
            offload,
            now: clock::now(),
            is_done: false,
            has_backlog: false,
        })
    }

    fn serve(mut self) {
        while !self.is_done {
            if self.collect_events().is_err() {
                return;
            }
            self.now = clock::now();
            self.has_backlog = false;
            let mut pending = std::mem::take(&mut self.pending);
            for (source, ready) in pending.drain(..) {
                self.dispatch(source, ready);
            }
            self.pending = pending;
            self.run_timers(if self.has_backlog { BACKLOG_GRACE } else { Duration::ZERO });
            self.read_devices();
            self.settle_channels();
            self.flush_ports();
        }
    }

    fn collect_events(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        let ready = self.events.wait(timeout)?;
        self.pending.extend(ready.filter_map(|(token, ready)| Some((Source::from_token(token)?, ready))));
        // Last, so that nothing new has the number of something that has just ended and has an event left.
        self.pending.sort_by_key(|(source, _)| matches!(source, Source::Commands(_)));
        Ok(())
    }

    /// Zero while a device is known to have more.
    fn timeout(&self) -> Option<Duration> {
        if self.busy.iter().any(|&source| self.may_read(source)) {
            return Some(Duration::ZERO);
        }
        let retries = self.ports.iter().filter_map(|(_, port)| port.outgoing.retry);
        let first_timer = self.timers.first().map(|&(deadline, _)| deadline);
        retries.chain(first_timer).min().map(clock::until)
    }

    fn dispatch(&mut self, source: Source, ready: Ready) {
        match source {
            Source::Commands(host) => self.read_command(host),
            Source::Tun(unit) => self.note_readable(unit),
            Source::UnitFrames(unit) => self.read_unit_frames(unit),
            Source::ChannelFrames(channel) if self.has_terminal(channel) => self.handle_terminal(channel, ready),
            Source::ChannelFrames(channel) => self.read_channel_frames(channel),
            Source::LifeLine(channel) => self.remove_channel(channel),
            Source::EndedFrames(index) => self.read_ended_frames(index),
            Source::Port(port) => {
                if ready.writable() {
                    self.unblock(port);
                }
                // An error has to be taken in any case, or it would be reported again and again.
                if ready.failed() || (ready.readable() && !self.is_held(port)) {
                    self.receive_from(port);
                }
            }
        }
    }

    fn note_readable(&mut self, index: usize) {
        let Some(unit) = self.units.find_mut(index) else { return };
        if !unit.is_readable {
            unit.is_readable = true;
            self.busy.push(Source::Tun(index));
        }
    }

    fn has_terminal(&self, index: usize) -> bool {
        self.channels.find(index).is_some_and(|channel| channel.line.is_some())
    }

    fn is_held(&self, index: usize) -> bool {
        self.ports.find(index).is_some_and(|port| port.is_held)
    }

    fn touch(&mut self, index: usize) {
        let Some(channel) = self.channels.find_mut(index) else { return };
        if !channel.is_touched {
            channel.is_touched = true;
            self.touched.push(index);
        }
    }

    /// Those that were due so long ago.
    fn run_timers(&mut self, grace: Duration) {
        while let Some(&(deadline, index)) = self.timers.first() {
            if deadline + grace > self.now {
                return;
            }
            self.timers.pop_first();
            let Some(channel) = self.channels.find_mut(index) else { continue };
            channel.timer = None;
            channel.session.handle_timeout(self.now, &mut self.down.inbound);
            if channel.takes_note_of_silence(self.now) {
                let (host, text) = (channel.host, silence_text(channel));
                self.log(host, log::Level::Warn, text);
            }
            self.deliver_inbound(index);
            self.write_deliveries();
            self.retry_terminal(index);
            self.touch(index);
        }
    }

    /// What has to be done for channels once after everything else: what waits for the window, then acknowledgements,
    /// then the time for the next look.
    fn settle_channels(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for index in touched.drain(..) {
            self.send_parked(index);
            self.acknowledge(index);
            let Some(channel) = self.channels.find_mut(index) else { continue };
            channel.is_touched = false;
            let deadline = channel.deadline();
            if channel.timer == deadline {
                continue;
            }
            if let Some(old) = std::mem::replace(&mut channel.timer, deadline) {
                self.timers.remove(&(old, index));
            }
            self.timers.extend(deadline.map(|deadline| (deadline, index)));
        }
        self.touched = touched;
    }

    fn flush_ports(&mut self) {
        for index in 0..self.ports.end() {
            let Some(port) = self.ports.find_mut(index) else { continue };
            let retries = port.outgoing.retry.is_some_and(|retry| retry <= self.now);
            if port.outgoing.waiting() == 0 || (port.outgoing.is_blocked() && !retries) {
                continue;
            }
            self.flush(index);
        }
    }

    fn flush(&mut self, index: usize) {
        let Some(port) = self.ports.find_mut(index) else { return };
        let flushed = port.flush(&mut self.sender);
        port.outgoing.retry = match flushed {
            Flushed::Everything => None,
            Flushed::Full => Some(self.now + FULL_WAIT),
            Flushed::NoMemory => Some(self.now + MEMORY_WAIT),
        };
        port.is_full = flushed == Flushed::Full;
        self.watch_port(index);
        self.note_troubles(index);
    }

    /// Waits for what the port can do something with.
    fn watch_port(&mut self, index: usize) {
        let Some(port) = self.ports.find_mut(index) else { return };
        let interest = port.interest();
        if std::mem::replace(&mut port.watched_for, interest) != interest {
            // It is in the set as long as the port lives.
            let _ = self.events.change(port.socket.as_fd(), Source::Port(index).token(), interest, Trigger::Level);
        }
    }

    fn unblock(&mut self, index: usize) {
        if self.ports.find(index).is_some_and(|port| port.outgoing.is_blocked()) {
            self.flush(index);
        }
    }
}

fn silence_text(channel: &Channel) -> String {
    let peer = channel.peer;
    format!(
        "no GRE packet has come from {peer} for 10 s: a firewall or NAT on the way may not pass GRE (IP protocol 47); \
         one with Linux needs nf_conntrack_pptp"
    )
}
