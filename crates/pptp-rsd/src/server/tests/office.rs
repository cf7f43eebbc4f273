//! An exchange in virtual time, with clients that are the core's and pppds that are numbers.

use core::time::Duration;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use pptp_core::control::{self, Connection, Event, OutgoingCall};
use pptp_core::time::Instant;
use pptp_core::wire::CallId;
use pptp_datapath::report::Report;
use pptp_io::children::Ending;

use super::super::exchange::{Exchange, Work};
use super::super::lines::{Assignment, Ends, Lines};
use super::super::refusal::Refusal;
use super::super::session::ClientId;
use crate::config::Config;

/// What was done on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Open(u16),
    Start(Assignment),
    HangUp(u16),
    Ask(u32),
    Terminate(u32),
    Kill(u32),
    Close(u16),
}

pub(super) struct Machine {
    pub(super) deeds: Rc<RefCell<Vec<Deed>>>,
    pub(super) obstacle: Option<Refusal>,
    pub(super) broken_pppd: bool,
    /// The last pppd's.
    pub(super) option_file: Option<PathBuf>,
    /// What pppds have told.
    told: BTreeMap<u32, Report>,
    /// The call that nothing carries.
    pub(super) cut: Option<u16>,
    next: u32,
}

/// Says when it is closed.
pub(super) struct Wire(u16, Rc<RefCell<Vec<Deed>>>);

impl Drop for Wire {
    fn drop(&mut self) {
        self.1.borrow_mut().push(Deed::Close(self.0));
    }
}

impl Machine {
    pub(super) fn new(deeds: Rc<RefCell<Vec<Deed>>>) -> Self {
        Self { deeds, obstacle: None, broken_pppd: false, option_file: None, told: BTreeMap::new(), cut: None, next: 0 }
    }

    fn note(&self, deed: Deed) {
        self.deeds.borrow_mut().push(deed);
    }
}

impl Lines for Machine {
    type Line = Wire;
    type Process = u32;

    fn carriers(&self) -> usize {
        1
    }

    fn open(&mut self, ends: &Ends) -> Result<Wire, Refusal> {
        self.obstacle.clone().map_or(Ok(()), Err)?;
        self.note(Deed::Open(ends.call.0));
        Ok(Wire(ends.call.0, Rc::clone(&self.deeds)))
    }

    fn datapath(&self, _: &Wire) -> &'static str {
        "tun"
    }

    fn start(&mut self, _: &mut Wire, assignment: &Assignment, option_file: Option<&Path>) -> Result<u32, Refusal> {
        if self.broken_pppd {
            return Err(Refusal::Machine("no pppd".into()));
        }
        self.option_file = option_file.map(Path::to_owned);
        self.note(Deed::Start(*assignment));
        self.next += 1;
        Ok(self.next)
    }

    fn is_cut(&self, line: &Wire) -> bool {
        self.cut == Some(line.0)
    }

    fn hang_up(&mut self, line: &mut Wire, _: u32) {
        self.note(Deed::HangUp(line.0));
    }

    fn ask(&mut self, process: u32) -> bool {
        self.note(Deed::Ask(process));
        true
    }

    fn hear(&mut self, process: u32) -> Option<Report> {
        self.told.remove(&process)
    }

    fn forget(&mut self, process: u32) {
        self.told.remove(&process);
    }

    fn terminate(&mut self, process: u32) {
        self.note(Deed::Terminate(process));
    }

    fn kill(&mut self, process: u32) {
        self.note(Deed::Kill(process));
    }
}

/// The exchange, its clients and the time.
pub(super) struct Office {
    pub(super) exchange: Exchange<Machine>,
    pub(super) now: Instant,
    pub(super) clients: BTreeMap<ClientId, Connection>,
    pub(super) events: Vec<(ClientId, Event)>,
    /// Connections that the server wants opened.
    pub(super) wanted: Vec<(ClientId, SocketAddr)>,
    /// Connections that the server has closed.
    pub(super) closed: BTreeSet<ClientId>,
    deeds: Rc<RefCell<Vec<Deed>>>,
}

pub(super) const SERVER: &str = "198.51.100.1:1723";

pub(super) fn config() -> Config {
    Config { drain_timeout: Duration::from_secs(10), ..Config::default() }
}

pub(super) fn counting(step: u32) -> Box<dyn FnMut() -> u32 + Send> {
    let mut next = 0;
    Box::new(move || {
        next += step;
        next
    })
}

impl Office {
    pub(super) fn new(config: Config) -> Self {
        let deeds = Rc::default();
        let machine = Machine::new(Rc::clone(&deeds));
        Self {
            exchange: Exchange::new(Arc::new(config), "office".into(), machine, counting(1)),
            now: Instant::from_epoch(Duration::from_secs(1000)),
            clients: BTreeMap::new(),
            events: Vec::new(),
            wanted: Vec::new(),
            closed: BTreeSet::new(),
            deeds,
        }
    }

    /// A connection that says nothing.
    pub(super) fn connect(&mut self, from: &str) -> Option<ClientId> {
        let peer: SocketAddr = from.parse().unwrap();
        let id = self.exchange.handle_connect(peer, SERVER.parse().unwrap(), self.now);
        self.pump();
        id
    }

    /// A client whose control connection is to be established.
    pub(super) fn join(&mut self, from: &str) -> ClientId {
        let id = self.connect(from).unwrap();
        let config =
            control::Config { peer_call_limit: 9, echo_interval: Duration::ZERO, ..control::Config::default() };
        let connection = Connection::originate(config, counting(1), self.now);
        self.clients.insert(id, connection);
        self.pump();
        id
    }

    /// Opens the connection that the server wants, to a PNS.
    pub(super) fn open(&mut self) -> ClientId {
        let [(id, _)] = std::mem::take(&mut self.wanted)[..] else { panic!("one connection is wanted") };
        let config =
            control::Config { peer_call_limit: 9, echo_interval: Duration::ZERO, ..control::Config::default() };
        self.clients.insert(id, Connection::accept(config, counting(1), self.now));
        self.exchange.handle_open(id, SERVER.parse().unwrap(), self.now);
        self.pump();
        id
    }

    /// Asks for a call.
    pub(super) fn dial(&mut self, client: ClientId) -> CallId {
        let now = self.now;
        let connection = self.client(client);
        let call = connection.reserve_call_id().unwrap();
        connection.place_call(call, OutgoingCall::default(), now).unwrap();
        self.pump();
        call
    }

    pub(super) fn client(&mut self, client: ClientId) -> &mut Connection {
        self.clients.get_mut(&client).unwrap()
    }

    /// Lets everybody hear everything.
    pub(super) fn pump(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(work) = self.exchange.poll_work() {
                quiet = false;
                match work {
                    Work::Open(id, to) => self.wanted.push((id, to)),
                    Work::Send(id, bytes) => {
                        if let Some(client) = self.clients.get_mut(&id) {
                            client.handle_input(&bytes, self.now);
                        }
                    }
                    Work::Close(id) | Work::Drop(id) => {
                        assert!(self.closed.insert(id), "closed once");
                        if let Some(client) = self.clients.get_mut(&id) {
                            client.handle_disconnect(self.now);
                        }
                    }
                }
            }
            for (id, client) in &mut self.clients {
                while let Some(event) = client.poll_event() {
                    self.events.push((*id, event));
                }
                while let Some(bytes) = client.poll_transmit() {
                    quiet = false;
                    self.exchange.handle_input(*id, &bytes, self.now);
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.exchange.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.exchange.handle_timeout(self.now);
            self.pump();
        }
        self.now = end;
    }

    /// A pppd tells something.
    pub(super) fn tell(&mut self, process: u32, report: Report) {
        self.exchange.lines().told.insert(process, report);
        self.exchange.handle_news(process, self.now);
    }

    /// A pppd tells something and ends before anybody has listened.
    pub(super) fn tell_last(&mut self, process: u32, report: Report) {
        self.exchange.lines().told.insert(process, report);
        self.end(process, 16);
    }

    /// A pppd ends.
    pub(super) fn end(&mut self, process: u32, status: i32) {
        self.exchange.handle_process_end(process, Ending::Status(status), self.now);
        self.pump();
    }

    /// What was done since the last time.
    pub(super) fn deeds(&self) -> Vec<Deed> {
        self.deeds.take()
    }

    /// What clients have heard since the last time, established connections apart.
    pub(super) fn heard(&mut self) -> Vec<Event> {
        let events = std::mem::take(&mut self.events).into_iter().map(|(_, event)| event);
        events.filter(|event| !matches!(event, Event::Established(_))).collect()
    }

    /// The addresses of pppds that were started since the last time.
    pub(super) fn started(&self) -> Vec<Option<String>> {
        let deeds = self.deeds().into_iter();
        deeds
            .filter_map(|deed| match deed {
                Deed::Start(assignment) => Some(assignment.inside.map(|pair| pair.remote.to_string())),
                _ => None,
            })
            .collect()
    }
}
