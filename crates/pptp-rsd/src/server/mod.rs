//! The server: all control connections and all calls in one thread.
//!
//! What is decided is in [`exchange`] and below, without a system call, and tested in virtual time; this file waits, reads,
//! writes and starts.

mod answers;
mod client;
mod deadlines;
mod desk;
mod ears;
mod engines;
mod exchange;
mod given;
mod ids;
mod lines;
mod link;
mod manager;
mod metrics;
mod news;
mod orders;
mod path;
mod presence;
mod quota;
mod refusal;
mod scrape;
mod session;
mod spawn;
mod status;
mod switchboard;
mod tally;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use log::{error, info, warn};
use pptp_core::time::Instant;
use pptp_io::children;
use pptp_io::epoll::{EventSet, Trigger};
use pptp_io::poller::{Interest, Ready};
use pptp_io::service::Service;
use pptp_io::signals::{Notice, Signals};
use pptp_io::tcp::{self, Attempt, Route};
use pptp_io::{clock, confine, daemon, listener, process, random, words};

use self::deadlines::Deadlines;
use self::desk::Desk;
use self::ears::Ears;
use self::engines::Engines;
use self::exchange::{Exchange, Work};
use self::given::Given;
use self::link::{Input, Link};
use self::manager::Manager;
use self::path::{Carrier, Decision, Scout};
use self::quota::Quota;
use self::scrape::Metrics;
use self::session::ClientId;
use self::spawn::{Pppd, Pppds};
use crate::config::Config;

/// Reads the configuration again, or says in one line why that is not possible.
pub type Reload = Box<dyn FnMut() -> Result<Config, String>>;

/// How long a client may take to read the last words, and to close.
const LINGERING: Duration = Duration::from_secs(3);

/// How long killed pppds are waited for.
const BURYING: Duration = Duration::from_secs(3);

/// How long nobody is accepted when this process has no descriptor left for one.
const SHORTAGE: Duration = Duration::from_millis(250);

/// Connections accepted before others get their turn.
const MOST_ACCEPTED: usize = 64;

/// What one read takes: no more answers come of it than the core allows for.
const READ: usize = 2048;

const SIGNALS: u64 = 0;
/// Listeners have the tokens before this one, clients those from it on, up to [`EARS`], [`desk::TOKENS`] and
/// [`scrape::TOKENS`].
const CLIENTS: u64 = 1 << 16;

/// What pppds have to tell.
const EARS: u64 = 1 << 61;
/// What engines say.
const ENGINES: u64 = EARS + 1;
/// What a scout has found.
const SCOUT: u64 = ENGINES + 1;

/// Listens, and serves nobody yet.
pub struct Server {
    config: Arc<Config>,
    sockets: Given,
    manager: Option<Manager>,
}

impl Server {
    /// Begins to listen, where the service manager has not done that.
    ///
    /// # Errors
    /// One line that names the address.
    pub fn bind(config: Config, service: Service) -> Result<Self, String> {
        let clients_by = config.vrf.as_deref();
        let mut sockets = Given::of(service.sockets)?;
        if sockets.clients.is_empty() {
            let all = config.listen.iter().map(|address| listen(*address, clients_by));
            sockets.clients = all.collect::<Result<_, _>>()?;
        }
        if let (None, Some(address)) = (&sockets.metrics, config.metrics_listen) {
            sockets.metrics = Some(listen(address, None)?);
        }
        let watchdog = service.watchdog;
        let manager = service.notifier.map(|notifier| Manager::new(notifier, watchdog, clock::now()));
        Ok(Self { config: Arc::new(config), sockets, manager })
    }

    /// Serves until it is told to end (SIGTERM, SIGINT) and all calls have ended, or had the time to. SIGHUP reads the
    /// configuration again.
    ///
    /// Only in a process with one thread, which has forked for the last time.
    ///
    /// # Errors
    /// This process cannot wait for anything.
    pub fn run(self, reload: Reload) -> io::Result<()> {
        let descriptors = process::raise_descriptor_limit();
        let descriptors = descriptors.inspect_err(|error| {
            warn!("cannot raise the limit of descriptors: {}", words(error));
        });
        daemon::keep_descriptors();
        let decision = Decision::configured(&self.config).unwrap_or_else(Decision::scouted);
        decision.tell();
        let (carrier, mut engines) = (decision.carrier, Engines::new(self.config.vrf.clone())?);
        if carrier == Carrier::Engine {
            engines.start();
        }
        let pppds = Pppds {
            config: Arc::clone(&self.config),
            carrier,
            engines,
            ears: Ears::new()?,
            descriptors: descriptors.ok(),
        };
        let server = Loop::new(self, pppds, reload)?;
        for failure in confine::limit_server() {
            warn!("{failure}");
        }
        server.run()
    }
}

/// The server as it runs.
struct Loop {
    config: Arc<Config>,
    exchange: Exchange<Pppds>,
    listeners: Vec<TcpListener>,
    desk: Option<Desk>,
    metrics: Option<Metrics>,
    manager: Option<Manager>,
    links: HashMap<ClientId, Link>,
    /// Links that are being opened.
    attempts: HashMap<ClientId, Attempt>,
    /// Who looks what this machine has for calls, and until when that is waited for.
    scout: Option<(Scout, Instant)>,
    /// Links that are being closed.
    closing: Deadlines<ClientId>,
    events: EventSet,
    signals: Signals,
    reload: Reload,
    /// Until when nobody is accepted.
    pause: Option<Instant>,
    /// Of lines about that.
    quota: Quota,
    /// When killed pppds are given up.
    give_up: Option<Instant>,
}

impl Loop {
    fn new(server: Server, pppds: Pppds, reload: Reload) -> io::Result<Self> {
        let Server { config, sockets: Given { clients: listeners, metrics, control }, manager } = server;
        let (signals, events) = (Signals::take()?, EventSet::new()?);
        events.add(signals.fd(), SIGNALS, Interest::Read, Trigger::Level)?;
        for (token, listener) in (SIGNALS + 1..).zip(&listeners) {
            events.add(listener.as_fd(), token, Interest::Read, Trigger::Level)?;
        }
        events.add(pppds.engines.fd(), ENGINES, Interest::Read, Trigger::Level)?;
        let metrics = metrics.map(|listener| Metrics::new(listener, &events, clock::now())).transpose()?;
        events.add(pppds.ears.fd(), EARS, Interest::Read, Trigger::Level)?;
        let exchange = Exchange::new(Arc::clone(&config), daemon::host_name(), pppds, Box::new(random::number));
        Ok(Self {
            desk: open_desk(&config, control, &events),
            config,
            exchange,
            listeners,
            metrics,
            manager,
            links: HashMap::new(),
            attempts: HashMap::new(),
            scout: None,
            closing: Deadlines::default(),
            events,
            signals,
            reload,
            pause: None,
            quota: Quota::default(),
            give_up: None,
        })
    }

    fn run(mut self) -> io::Result<()> {
        for address in self.listeners.iter().map_while(|listener| listener.local_addr().ok()) {
            info!("listening on {address}");
        }
        if let Some(Ok(address)) = self.metrics.as_ref().map(Metrics::address) {
            info!("metrics are served at {address}");
        }
        if let Some(manager) = &mut self.manager {
            manager.ready(clock::now());
        }
        while !self.is_over() {
            self.turn()?;
        }
        info!("ended");
        Ok(())
    }

    fn is_over(&self) -> bool {
        let given_up = self.give_up.is_some_and(|deadline| deadline <= clock::now());
        self.exchange.is_over() && self.links.is_empty() && self.attempts.is_empty() || given_up
    }

    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> io::Result<()> {
        let observers =
            [self.desk.as_ref().and_then(Desk::next_timeout), self.metrics.as_ref().and_then(Metrics::next_timeout)];
        let calls = self.exchange.calls().len();
        let manager = self.manager.as_ref().and_then(|manager| manager.next_timeout(calls));
        let scout = self.scout.as_ref().map(|(_, deadline)| *deadline);
        let next = [self.exchange.next_timeout(), self.closing.next(), self.pause, self.give_up, manager, scout];
        let next = next.into_iter().chain(observers);
        let timeout = next.flatten().min().map(clock::until);
        let ready: Vec<(u64, Ready)> = self.events.wait(timeout)?.collect();
        let now = clock::now();
        for (token, ready) in ready {
            match token {
                SIGNALS => self.hear_signals(now),
                EARS => self.hear_news(now),
                ENGINES => self.hear_engines(now),
                // It is heard below.
                SCOUT => {}
                observer if observer >= desk::TOKENS => self.observe((observer, ready), now),
                listener if listener < CLIENTS => self.accept(listener, now),
                client => self.serve(ClientId(client - CLIENTS), ready, now),
            }
            self.work(now);
        }
        if self.exchange.lines().engines.has_buried() {
            self.hear_engines(now);
        }
        self.exchange.handle_timeout(now);
        self.work(now);
        if let Some(desk) = &mut self.desk {
            desk.handle_news(&self.events, &self.exchange, now);
            desk.handle_timeout(now);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.handle_news(&self.events, &self.exchange, now);
            metrics.handle_timeout(now);
        }
        if let Some(manager) = &mut self.manager {
            manager.handle_timeout(now);
            manager.count(self.exchange.calls().len(), now);
        }
        while let Some(late) = self.closing.pop_expired(now) {
            self.links.remove(&late);
        }
        self.hear_scout(now);
        if self.pause.is_some_and(|until| until <= now) {
            self.pause = None;
            self.listen(Interest::Read);
        }
        if self.give_up.is_none() && self.exchange.is_ending() {
            self.give_up = Some(now + BURYING);
        }
        self.tell(now);
        Ok(())
    }

    fn hear_news(&mut self, now: Instant) {
        for process in self.exchange.lines().ears.ready() {
            self.exchange.handle_news(process, now);
        }
    }

    fn hear_signals(&mut self, now: Instant) {
        while let Some(notice) = self.signals.next() {
            match notice {
                Notice::ChildEnded => {
                    while let Some((child, ending)) = children::reap() {
                        self.exchange.handle_process_end(Pppd(child), ending, now);
                    }
                }
                Notice::Reload => {
                    if let Some(manager) = &mut self.manager {
                        // To the manager what is older than the signal answers an earlier one.
                        manager.reloading(clock::now());
                    }
                    self.reload();
                    if let Some(manager) = &mut self.manager {
                        manager.ready(clock::now());
                    }
                }
                Notice::Terminate => {
                    if let Some(manager) = &mut self.manager {
                        manager.stopping(now);
                    }
                    self.listeners.clear();
                    // Another server may come in this one's place.
                    (self.desk, self.metrics) = (None, None);
                    self.exchange.drain(now);
                }
            }
        }
    }

    fn hear_engines(&mut self, now: Instant) {
        if self.exchange.lines().engines.hear() {
            self.exchange.handle_cut(now);
        }
    }

    fn reload(&mut self) {
        let config = match (self.reload)() {
            Ok(config) => config,
            Err(why) => return error!("the configuration is not read again: {why}"),
        };
        if (&config.listen, &config.vrf) != (&self.config.listen, &self.config.vrf) {
            warn!("listen or vrf has changed: that needs a restart");
        }
        if config.metrics_listen != self.config.metrics_listen || config.control_socket != self.config.control_socket {
            warn!("metrics-listen or control-socket has changed: that needs a restart");
        }
        let config = Arc::new(config.after(&self.config));
        let lines = self.exchange.lines();
        let before = std::mem::replace(&mut lines.config, Arc::clone(&config));
        self.exchange.reconfigure(Arc::clone(&config));
        self.config = config;
        info!("the configuration is read again; calls go on as they are");
        if before.datapath != self.config.datapath {
            self.scout = None;
            match Decision::configured(&self.config) {
                Some(decision) => self.decide(&decision),
                None => self.send_scout(),
            }
        }
    }

    /// Until it is back, new calls go the way that they went.
    fn send_scout(&mut self) {
        let sent = Scout::send().and_then(|scout| {
            self.events.add(scout.fd(), SCOUT, Interest::Read, Trigger::Level)?;
            Ok(scout)
        });
        match sent {
            Ok(scout) => self.scout = Some((scout, Scout::deadline(clock::now()))),
            Err(error) => self.decide(&Decision::not_looked(&error)),
        }
    }

    fn hear_scout(&mut self, now: Instant) {
        let Some((scout, deadline)) = self.scout.take() else { return };
        match scout.hear() {
            Some(decision) => self.decide(&decision),
            None if deadline <= now => self.decide(&scout.give_up()),
            None => self.scout = Some((scout, deadline)),
        }
    }

    fn decide(&mut self, decision: &Decision) {
        decision.tell();
        self.exchange.lines().carrier = decision.carrier;
    }

    fn accept(&mut self, token: u64, now: Instant) {
        let index = usize::try_from(token - SIGNALS - 1).ok();
        for _ in 0..MOST_ACCEPTED {
            let Some(listener) = index.and_then(|index| self.listeners.get(index)) else { return };
            match listener::accept(listener) {
                Ok(stream) => self.begin(Link::new(stream), now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(
                        error.raw_os_error(),
                        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)
                    ) =>
                {
                    return self.pause(&error, now);
                }
                // It has gone before it was accepted.
                Err(_) => {}
            }
        }
    }

    /// Whoever waits there would wake us again and again.
    fn pause(&mut self, error: &io::Error, now: Instant) {
        if let Some(count) = self.quota.take_count(now) {
            warn!("{count} more moments in which no connection could be accepted were not logged");
        }
        if self.quota.permits(now) {
            warn!("cannot accept connections for a moment: {}", words(error));
        }
        self.pause = Some(now + SHORTAGE);
        self.listen(Interest::Nothing);
    }

    fn listen(&self, interest: Interest) {
        for (token, listener) in (SIGNALS + 1..).zip(&self.listeners) {
            if let Err(error) = self.events.change(listener.as_fd(), token, interest, Trigger::Level) {
                error!("cannot wait for connections: {}", words(&error));
            }
        }
        let desk = self.desk.as_ref().map(|desk| desk.listen(&self.events, interest));
        let metrics = self.metrics.as_ref().map(|metrics| metrics.listen(&self.events, interest));
        for error in [desk, metrics].into_iter().flatten().filter_map(Result::err) {
            error!("cannot wait for operators: {}", words(&error));
        }
    }

    /// Somebody wants to know what happens here.
    fn observe(&mut self, event: (u64, Ready), now: Instant) {
        let (events, exchange) = (&self.events, &mut self.exchange);
        let outcome = match (&mut self.desk, &mut self.metrics) {
            (_, Some(metrics)) if event.0 >= scrape::TOKENS => metrics.handle(event, events, exchange, now),
            (Some(desk), _) if event.0 < scrape::TOKENS => desk.handle(event, events, exchange, now),
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            self.pause(&error, now);
        }
    }

    /// Operators hear what has come of their orders.
    fn tell(&mut self, now: Instant) {
        while let Some((ticket, how_far)) = self.exchange.poll_progress() {
            if let Some(desk) = &self.desk {
                desk.tell_progress(ticket, how_far);
            }
        }
        while let Some(outcome) = self.exchange.poll_outcome() {
            let session = outcome.1.as_ref().ok().copied();
            let told = self.desk.as_mut().is_some_and(|desk| desk.tell(outcome, &self.events, &self.exchange, now));
            if let (false, Some(session)) = (told, session) {
                self.exchange.abandon(session, now);
                self.work(now);
            }
        }
    }

    /// Begins to connect to a PNS.
    fn open(&mut self, id: ClientId, to: SocketAddr, now: Instant) {
        let attempt = start_attempt(&self.config, to).and_then(|attempt| {
            self.events.add(attempt.fd(), token(id), Interest::Write, Trigger::Level)?;
            Ok(attempt)
        });
        match attempt {
            Ok(attempt) => {
                self.attempts.insert(id, attempt);
            }
            Err(error) => self.exchange.handle_unreachable(id, &words(&error), now),
        }
    }

    /// A connection to a PNS is open, or cannot be opened.
    fn finish(&mut self, id: ClientId, attempt: Attempt, now: Instant) {
        match attempt.finish().map(Link::new) {
            Ok(mut link) => {
                link.waited = Interest::Write;
                let addresses = link.addresses();
                self.links.insert(id, link);
                match addresses {
                    Some((_, local)) => self.exchange.handle_open(id, local, now),
                    None => self.exchange.handle_unreachable(id, "the connection has failed", now),
                }
            }
            Err(error) => self.exchange.handle_unreachable(id, &words(&error), now),
        }
    }

    fn begin(&mut self, link: Link, now: Instant) {
        let Some((peer, local)) = link.addresses() else { return };
        let Some(id) = self.exchange.handle_connect(peer, local, now) else { return };
        match self.events.add(link.fd(), token(id), Interest::Read, Trigger::Level) {
            Ok(()) => {
                self.links.insert(id, link);
            }
            Err(error) => {
                warn!("cannot wait for {peer}: {}", words(&error));
                self.exchange.handle_disconnect(id, now);
            }
        }
        self.work(now);
    }

    fn serve(&mut self, id: ClientId, ready: Ready, now: Instant) {
        if let Some(attempt) = self.attempts.remove(&id) {
            return self.finish(id, attempt, now);
        }
        if ready.writable() {
            self.flush(id, now);
        }
        if ready.readable() {
            self.read(id, now);
        }
    }

    fn read(&mut self, id: ClientId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut buffer = [0; READ];
        match (link.read(&mut buffer), link.is_closing()) {
            (Input::Bytes(bytes), false) => self.exchange.handle_input(id, bytes, now),
            (Input::Closed, false) => self.exchange.handle_disconnect(id, now),
            (Input::Closed, true) => self.drop_link(id),
            (Input::Bytes(_), true) | (Input::Nothing, _) => {}
        }
    }

    /// Does what the exchange wants done.
    fn work(&mut self, now: Instant) {
        while let Some(work) = self.exchange.poll_work() {
            match work {
                Work::Open(id, to) => self.open(id, to, now),
                Work::Send(id, message) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.queue(&message);
                    }
                    self.flush(id, now);
                }
                Work::Close(id) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.close();
                        self.closing.set(id, Some(now + LINGERING));
                    }
                    self.flush(id, now);
                }
                Work::Drop(id) => self.drop_link(id),
            }
        }
    }

    /// Writes what the client has room for, and waits for what is to come next.
    fn flush(&mut self, id: ClientId, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.flush().is_err() {
            let was_closing = link.is_closing();
            self.drop_link(id);
            if !was_closing {
                self.exchange.handle_disconnect(id, now);
            }
            return;
        }
        let interest = link.interest();
        if interest == link.waited {
            return;
        }
        link.waited = interest;
        if let Err(error) = self.events.change(link.fd(), token(id), interest, Trigger::Level) {
            error!("cannot wait for a client: {}", words(&error));
        }
    }

    fn drop_link(&mut self, id: ClientId) {
        self.closing.set(id, None);
        self.links.remove(&id);
        self.attempts.remove(&id);
    }
}

/// Without it the server serves all the same.
fn open_desk(config: &Config, given: Option<OwnedFd>, events: &EventSet) -> Option<Desk> {
    let path = &config.control_socket;
    let opened = match given {
        Some(listener) => Desk::at(listener, None, events, clock::now()),
        None => Desk::open(path, events, clock::now()),
    };
    opened
        .inspect_err(|error| warn!("pptp-rsctl will not work: cannot listen at {}: {}", path.display(), words(error)))
        .ok()
}

/// From the address on which clients are listened for, if that is one.
fn start_attempt(config: &Config, to: SocketAddr) -> io::Result<Attempt> {
    let SocketAddr::V4(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
    let mut listening = config.listen.iter().copied().filter_map(tcp::ipv4);
    let bind = listening.next().filter(|address| !address.is_unspecified());
    Attempt::start_by(to, Route { bind, mark: None }, config.vrf.as_deref())
}

fn token(id: ClientId) -> u64 {
    CLIENTS + id.0
}

fn listen(address: SocketAddr, device: Option<&str>) -> Result<TcpListener, String> {
    listener::listen(address, device).map_err(|error| {
        let by = device.map(|device| format!(" by {device}")).unwrap_or_default();
        format!("cannot listen on {address}{by}: {}", words(&error))
    })
}
