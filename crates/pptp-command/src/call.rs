//! One call, from the request to its end.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use log::{Level, debug, info, log, warn};
use pptp_callmgr::client::{self, CONNECT_TIMEOUT, Call, CallInfo, GRACE, LISTEN_FIRST, Over, Request, WINDOW};
use pptp_core::time::Instant;
use pptp_core::wire::PORT;
use pptp_datapath::client::{Batching, Engine, Options};
use pptp_datapath::command::{CallConfig, Channel, REORDER_PACKETS, TransmitWindow};
use pptp_io::host_route::{Destination, Keeper};
use pptp_io::poller::{self, Interest, Ready};
use pptp_io::signals::{Signals, Wish};
use pptp_io::standard::Line;
use pptp_io::{clock, gre_socket, lacks, process, seqpacket, words};

use crate::command_line::Settings;

/// How long a call goes on after a signal, unless pppd goes first. pppd passes the signal on that ends it, and has something to
/// say to the server then.
const LAST_WORDS: Duration = Duration::from_secs(1);

const CHANNEL: Channel = Channel(1);

/// Why a call is over, or has never been.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side has ended it: one line.
    HungUp(String),
    /// Whoever is at the line's other end has gone.
    LineGone,
    /// A signal, or who wanted the call does not any more.
    Told,
    /// It cannot be made, or not be carried any more: one line.
    Failed(String),
}

/// Who says something first on a call that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The server, for as long as [`LISTEN_FIRST`].
    Server,
    /// pppd, which loses what its terminal gets before it has made it a line.
    Pppd,
}

/// A call that is being made.
pub(crate) struct Attempt<'a> {
    settings: &'a Settings,
    call: Call,
    gre: OwnedFd,
    life_line: OwnedFd,
    signals: Signals<Wish>,
    line: Line,
}

/// A call that is up.
pub(crate) struct Connection {
    engine: Engine,
    call: Call,
    signals: Signals<Wish>,
    line: Line,
    /// When it ends at the latest.
    deadline: Option<Instant>,
    /// Removed with it.
    _route: Option<Keeper>,
}

impl<'a> Attempt<'a> {
    /// Asks for a call. For a process with one thread.
    pub(crate) fn start(settings: &'a Settings, line: Line) -> Result<Self, End> {
        // What is forked from here on does not inherit that.
        let signals = Signals::take_for_command().map_err(|error| trouble("cannot wait for signals", &error))?;
        let gre = gre_socket::open(settings.mark).map_err(|error| failed(&lacks::no_raw_gre(&error)))?;
        let (held, life_line) = seqpacket::pair().map_err(|error| trouble("cannot start the call manager", &error))?;
        let channel = client::Channel { held: held.as_fd(), gre: Some(gre.as_fd()) };
        let call = client::start(&request(settings), channel, || {})
            .map_err(|error| trouble("cannot start the call manager", &error))?;
        Ok(Self { settings, call, gre, life_line, signals, line })
    }

    /// Waits until the call is up. It is given up when `wisher` is closed at its other end.
    pub(crate) fn wait_for_call(&mut self, wisher: Option<BorrowedFd<'_>>) -> Result<CallInfo, End> {
        let deadline = clock::now() + CONNECT_TIMEOUT + GRACE;
        loop {
            if let Some(info) = self.call.news()? {
                info!("{}", info.announcement(&self.settings.server));
                return Ok(info);
            }
            let left = clock::until(deadline);
            if left.is_zero() {
                let seconds = CONNECT_TIMEOUT.as_secs();
                return Err(failed(&format!("no call to {} within {seconds} s", self.settings.server)));
            }
            let ready = self.wait([Some(self.call.fd()), wisher], Some(left))?;
            if ready.get(1).is_some_and(|wisher| wisher.failed()) {
                return Err(End::Told);
            }
        }
    }

    /// Gives the call to the engine, when somebody has spoken who is to speak first.
    pub(crate) fn connect(mut self, info: &CallInfo, speaker: Speaker) -> Result<Connection, End> {
        let route = self.hold_route(info);
        self.listen(speaker)?;
        self.carry(info, route)
    }

    fn listen(&mut self, speaker: Speaker) -> Result<(), End> {
        let deadline = (speaker == Speaker::Server).then(|| clock::now() + LISTEN_FIRST);
        loop {
            let left = deadline.map(clock::until);
            let voice = match speaker {
                Speaker::Server => self.gre.as_fd(),
                Speaker::Pppd => self.line.input.as_fd(),
            };
            let ready = self.wait([Some(voice), Some(self.call.fd())], left)?;
            if ready.first().is_some_and(|voice| voice.readable()) || left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
            self.call.news()?;
        }
    }

    /// Waits for news on one of these, and says for each what there is.
    fn wait(&self, news: [Option<BorrowedFd<'_>>; 2], limit: Option<Duration>) -> Result<Vec<Ready>, End> {
        let own = ends_of(&self.line).map(|end| (end, Interest::Nothing)).chain([(self.signals.fd(), Interest::Read)]);
        let watched: Vec<_> = own.chain(news.into_iter().flatten().map(|news| (news, Interest::Read))).collect();
        let ready = wait(&watched, limit)?;
        let [input, output, signals, news @ ..] = ready.as_slice() else { return Ok(ready) };
        if input.failed() || output.failed() {
            return Err(End::LineGone);
        }
        if signals.readable() && self.signals.next() == Some(Wish::End) {
            return Err(End::Told);
        }
        Ok(news.to_vec())
    }

    fn hold_route(&self, info: &CallInfo) -> Option<Keeper> {
        if !self.settings.holds_route {
            return None;
        }
        let Settings { mark, bind, .. } = *self.settings;
        match Keeper::hold(Destination { host: info.peer, mark, source: bind }, None) {
            Ok(route) => {
                if let Some(route) = &route {
                    debug!("a route to {} until the call is over", route.text());
                }
                route
            }
            Err(error) => {
                warn!("no route of its own to {}: {}", info.peer, words(&error));
                None
            }
        }
    }

    fn carry(self, info: &CallInfo, route: Option<Keeper>) -> Result<Connection, End> {
        let Self { settings, call, gre, life_line, signals, line } = self;
        let mut engine = Engine::start(Options { wipe: || {}, batching: Batching::Batched })
            .map_err(|error| trouble("cannot start the engine", &error))?;
        let descriptors = [gre.as_fd(), line.input.as_fd(), life_line.as_fd(), line.output.as_fd()];
        engine
            .new_line(CHANNEL, describe(info, settings), descriptors)
            .map_err(|error| failed(&format!("the engine does not take the call: {error}")))?;
        Ok(Connection { engine, call, signals, line, deadline: None, _route: route })
    }
}

impl Connection {
    /// Waits for the call's end.
    pub(crate) fn run(mut self) -> End {
        let end = loop {
            match self.look() {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
        // The last words of pppd are sent, and the engine tells what it has carried.
        let _ = self.engine.drop_channel(CHANNEL);
        self.pass_log_on();
        end
    }

    /// Waits for something to happen, and deals with it.
    fn look(&mut self) -> Result<(), End> {
        let read = Interest::Read;
        let mut watched = vec![(self.call.fd(), read), (self.engine.fd(), read), (self.signals.fd(), read)];
        watched.extend(ends_of(&self.line).map(|end| (end, Interest::Nothing)));
        let left = self.deadline.map(clock::until);
        let ready = wait(&watched, left)?;
        self.pass_log_on();
        self.call.news()?;
        let line_is_gone = ready.iter().skip(3).any(|end| end.failed());
        if line_is_gone {
            return Err(End::LineGone);
        }
        if self.engine.has_ended() {
            self.pass_log_on();
            return Err(failed("the engine (process pptp-engine) has ended, and with it its call"));
        }
        match self.signals.next() {
            Some(Wish::End) if self.deadline.is_none() => self.deadline = Some(clock::now() + LAST_WORDS),
            Some(Wish::End) => return Err(End::Told),
            Some(Wish::Tell) => self.tell(),
            None if left.is_some_and(|left| left.is_zero()) => return Err(End::Told),
            None => {}
        }
        Ok(())
    }

    /// Logs what the engine has counted. At a level that is always logged: somebody has asked for it.
    fn tell(&mut self) {
        match self.engine.counters(CHANNEL) {
            Ok(counters) => {
                let words: Vec<_> = counters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                warn!("counters: {}", words.join(" "));
            }
            Err(error) => warn!("no counters: {error}"),
        }
    }

    fn pass_log_on(&mut self) {
        while let Some(line) = self.engine.next_log() {
            log!(line.level, "{}", line.text);
        }
    }
}

fn wait(watched: &[(BorrowedFd<'_>, Interest)], limit: Option<Duration>) -> Result<Vec<Ready>, End> {
    poller::wait(watched, limit).map_err(|error| trouble("cannot wait for the call", &error))
}

fn ends_of(line: &Line) -> impl Iterator<Item = BorrowedFd<'_>> {
    [line.input.as_fd(), line.output.as_fd()].into_iter()
}

fn request(settings: &Settings) -> Request {
    Request {
        server: settings.server.clone(),
        phone: settings.phone.clone(),
        window: WINDOW,
        port: PORT,
        bind: settings.bind.map(IpAddr::V4),
        mark: settings.mark,
        connect_timeout: CONNECT_TIMEOUT,
        echo_interval: settings.echo_interval,
        echo_timeout: settings.echo_timeout,
        share: true,
        quirk: settings.quirk,
        uid: process::effective_uid(),
    }
}

fn describe(info: &CallInfo, settings: &Settings) -> CallConfig {
    CallConfig {
        local: info.local,
        peer: info.peer,
        call_id: info.call_id,
        peer_call_id: info.peer_call_id,
        peer_window: info.peer_window,
        receive_window: WINDOW,
        transmit_window: TransmitWindow::Off,
        reorder_time: settings.reorder_time,
        reorder_packets: REORDER_PACKETS,
    }
}

fn failed(text: &str) -> End {
    End::Failed(String::from(text))
}

fn trouble(what: &str, error: &io::Error) -> End {
    End::Failed(format!("{what}: {}", words(error)))
}

impl From<Over> for End {
    fn from(over: Over) -> Self {
        match over {
            Over::Failed(text) => Self::Failed(text),
            Over::Ended(text) => Self::HungUp(text),
        }
    }
}

impl End {
    /// Logs why it is.
    pub(crate) fn log(&self) {
        match self {
            Self::HungUp(text) => log!(Level::Warn, "{text}"),
            Self::Failed(text) => log!(Level::Error, "{text}"),
            Self::LineGone => debug!("pppd has gone"),
            Self::Told => debug!("ended by a signal"),
        }
    }
}
