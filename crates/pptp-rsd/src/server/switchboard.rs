//! All calls: who gets one, and how each ends.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use log::{info, warn};
use pptp_core::control::{CallParameters, WanErrorCounters};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, PeerCallId};
use pptp_io::children::Ending;

use super::deadlines::Deadlines;
use super::ids::CallIds;
use super::lines::{Assignment, Ends, Lines};
use super::news::{self, Inquiry, News};
use super::orders::{Outcomes, Placing};
use super::quota::Quota;
use super::refusal::Refusal;
use super::session::{ClientId, Name, Origin, Push, Session, SessionId, Stage};
use super::status::Words;
use super::tally::{Stages, Tally};
use crate::config::Config;
use crate::control::Target;
use crate::limits::{Acquaintances, Strikes};
use crate::pool::{Lease, Plan, Pool};

/// Why a call is over that nothing carries any more.
pub(super) const CUT: &str = "the engine that carried it has ended";

/// A pppd that ends earlier has carried nothing: authentication alone takes longer where it succeeds and somebody wants a tunnel.
const IN_VAIN: Duration = Duration::from_secs(3);

/// So many calls of one network may be in that age although too many were in vain.
const CHANCES: usize = 4;

/// A call that a client, or an operator, asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) client: ClientId,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) call: CallId,
    pub(super) peer_call: PeerCallId,
}

impl Wanted {
    fn ends(&self) -> Result<Ends, Refusal> {
        let (IpAddr::V4(local), IpAddr::V4(client)) = (self.local.ip(), self.peer.ip()) else {
            return Err(Refusal::NotIpv4);
        };
        Ok(Ends { local, client, call: self.call, peer_call: self.peer_call })
    }
}

/// The calls and what they take.
pub(super) struct Switchboard<L: Lines> {
    pub(super) lines: L,
    pub(super) ids: CallIds,
    pub(super) tally: Tally,
    pub(super) outcomes: Outcomes,
    config: Arc<Config>,
    pool: Pool,
    sessions: BTreeMap<SessionId, Session<L::Line, L::Process>>,
    processes: HashMap<L::Process, SessionId>,
    /// Calls from each address.
    from: HashMap<IpAddr, BTreeSet<SessionId>>,
    /// Calls in vain: each costs a process.
    in_vain: Strikes,
    acquaintances: Acquaintances,
    /// Of lines about calls that were over before they were connected.
    unconnected: Quota,
    deadlines: Deadlines<SessionId>,
    inquiry: Inquiry,
    last: u64,
}

impl<L: Lines> Switchboard<L> {
    /// `random` is the source of call ids.
    pub(super) fn new(lines: L, random: Box<dyn FnMut() -> u32 + Send>, config: Arc<Config>) -> Self {
        Self {
            ids: CallIds::new(random, lines.carriers()),
            lines,
            tally: Tally::default(),
            outcomes: Outcomes::default(),
            pool: Pool::new(Plan::of(&config)),
            in_vain: Strikes::beyond(allowed_in_vain(&config)),
            acquaintances: Acquaintances::default(),
            config,
            unconnected: Quota::default(),
            sessions: BTreeMap::new(),
            processes: HashMap::new(),
            from: HashMap::new(),
            deadlines: Deadlines::default(),
            inquiry: Inquiry::default(),
            last: 0,
        }
    }

    /// Opens the way of a call that a client asks for.
    pub(super) fn open(&mut self, wanted: &Wanted, origin: Origin, now: Instant) -> Result<SessionId, Refusal> {
        let ends = wanted.ends()?;
        self.check_limits(wanted.peer.ip(), now)?;
        let lease = self.lease()?;
        if !self.ids.claim(ends.call) {
            self.give_back(lease);
            return Err(Refusal::OurIdTaken);
        }
        let id = self.open_session((wanted, ends), lease, origin, now)?;
        self.from.entry(wanted.peer.ip()).or_default().insert(id);
        Ok(id)
    }

    /// Opens the way of a call that an operator asks for, under an id that is claimed; in any case it is no concern of the
    /// caller's any more. Addresses inside the tunnel are the other end's to give.
    pub(super) fn open_placed(
        &mut self,
        wanted: &Wanted,
        option_file: Option<PathBuf>,
        now: Instant,
    ) -> Result<SessionId, Refusal> {
        let ends = self.check_full().and_then(|()| wanted.ends());
        let ends = ends.inspect_err(|_| self.ids.release(wanted.call))?;
        self.open_session((wanted, ends), None, Origin::Placed(option_file), now)
    }

    /// Takes the id and the lease, whatever comes of it.
    fn open_session(
        &mut self,
        (wanted, ends): (&Wanted, Ends),
        lease: Option<Lease>,
        origin: Origin,
        now: Instant,
    ) -> Result<SessionId, Refusal> {
        let line = match self.lines.open(&ends) {
            Ok(line) => line,
            Err(refusal) => {
                self.ids.release(ends.call);
                self.give_back(lease);
                return Err(refusal);
            }
        };
        self.last += 1;
        let id = SessionId(self.last);
        let name = Name { id, client: wanted.peer };
        let session = Session {
            name,
            client: wanted.client,
            ends,
            lease,
            datapath: self.lines.datapath(&line),
            line,
            stage: Stage::Open,
            begin: now,
            excused: false,
            news: News::default(),
            is_acquainted: false,
            over: None,
            line_errors: 0,
            accms: None,
            origin,
        };
        self.sessions.insert(id, session);
        Ok(id)
    }

    fn check_limits(&self, client: IpAddr, now: Instant) -> Result<(), Refusal> {
        if self.in_vain.bar(client, now) && !self.is_given_a_chance(client, now) {
            return Err(Refusal::InVain);
        }
        self.check_full()?;
        let most_for_address = self.config.max_per_address;
        if self.from.get(&client).is_some_and(|calls| calls.len() >= most_for_address) {
            return Err(Refusal::FullForAddress(most_for_address));
        }
        Ok(())
    }

    /// Whether somebody has logged in from this network, so that others there may be as good.
    pub(super) fn know(&self, client: IpAddr, now: Instant) -> bool {
        self.acquaintances.know(client, now)
    }

    /// An acquaintance that fails again and again has a few calls at a time that may yet fail. To find that out takes no longer
    /// where there are many calls of others: it may ask as fast as it likes.
    fn is_given_a_chance(&self, client: IpAddr, now: Instant) -> bool {
        let theirs = self.from.get(&client).into_iter().flatten().filter_map(|id| self.sessions.get(id));
        let undecided = theirs.filter(|session| !session.is_acquainted && now.since(session.begin) < IN_VAIN);
        self.know(client, now) && undecided.count() < CHANCES
    }

    /// Whether there is room for one more call.
    pub(super) fn check_full(&self) -> Result<(), Refusal> {
        let most = self.config.most_calls();
        if self.sessions.len() >= most { Err(Refusal::Full(most)) } else { Ok(()) }
    }

    fn lease(&mut self) -> Result<Option<Lease>, Refusal> {
        if self.config.delegate {
            return Ok(None);
        }
        self.pool.take().map(Some).ok_or(Refusal::NoAddress)
    }

    fn give_back(&mut self, lease: Option<Lease>) {
        if let Some(lease) = lease {
            self.pool.give(lease);
        }
    }

    /// Starts pppd, with what is known of the call by then. The session is gone if that fails.
    pub(super) fn start(&mut self, id: SessionId, peer_window: u16, now: Instant) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let inside = session.lease.as_ref().map(Lease::pair);
        let assignment = Assignment { ends: session.ends, inside, peer_window };
        let option_file = match &session.origin {
            Origin::Outgoing | Origin::Incoming => None,
            Origin::Placed(option_file) => option_file.as_deref(),
        };
        match self.lines.start(&mut session.line, &assignment, option_file) {
            Ok(process) => {
                (session.stage, session.begin) = (Stage::Up(process), now);
                self.processes.insert(process, id);
                self.tally.calls += 1;
                info!("{}: pppd {process} is started, {}", session.name, described(&assignment));
                Ok(())
            }
            Err(refusal) => {
                self.remove(id);
                Err(refusal)
            }
        }
    }

    /// Whether pppd was started for it.
    pub(super) fn is_started(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.process().is_some())
    }

    pub(super) fn connected(&self, id: SessionId, parameters: &CallParameters) {
        if let Some(session) = self.sessions.get(&id) {
            info!("{}: call connected: {parameters}", session.name);
        }
    }

    /// The client says which characters are to be escaped.
    pub(super) fn note_link_info(&mut self, id: SessionId, accms: [u32; 2]) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.accms = Some(accms);
        }
    }

    /// An order is carried out, or is not, and this is why.
    pub(super) fn answer(&mut self, placing: &Placing, outcome: Result<SessionId, String>) {
        let count = if outcome.is_ok() { &mut self.tally.placed } else { &mut self.tally.not_placed };
        *count += 1;
        self.outcomes.push(placing, outcome);
    }

    /// The client reports line errors.
    pub(super) fn note_errors(&mut self, id: SessionId, counters: &WanErrorCounters) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let WanErrorCounters {
            crc_errors,
            framing_errors,
            hardware_overruns,
            buffer_overruns,
            timeout_errors,
            alignment_errors,
        } = *counters;
        let all = [crc_errors, framing_errors, hardware_overruns, buffer_overruns, timeout_errors, alignment_errors];
        session.line_errors = all.into_iter().map(u64::from).sum();
    }

    /// The call is over, and so is what was made for it.
    pub(super) fn hang_up(&mut self, id: SessionId, reason: &str, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match session.stage {
            Stage::Open => {
                if self.unconnected.permits(now) {
                    info!("{}: call over before it was connected: {reason}", session.name);
                }
                self.remove(id);
            }
            Stage::Up(process) => {
                info!("{}: call over: {reason}", session.name);
                session.over = Some(reason.to_owned());
                self.lines.hang_up(&mut session.line, process);
                session.stage = Stage::Ending(process, Push::HungUp);
                self.deadlines.set(id, Push::HungUp.patience().map(|patience| now + patience));
            }
            Stage::Ending(..) => {}
        }
    }

    /// The call is over, and that is not the client's doing.
    pub(super) fn disconnect(&mut self, id: SessionId, why: &str, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.excused = true;
            self.hang_up(id, why, now);
        }
    }

    /// A pppd has ended. Whose call it leaves without, if it was not over.
    pub(super) fn process_ended(
        &mut self,
        process: L::Process,
        ending: Ending,
        now: Instant,
    ) -> Option<(ClientId, CallId)> {
        self.hear(process, now);
        self.lines.forget(process);
        let id = self.processes.remove(&process)?;
        let session = self.sessions.get_mut(&id)?;
        if session.news.report().is_cut && session.over.is_none() {
            // An engine that ends closes what it has of its calls before the socket by which we would notice.
            info!("{}: call over: {CUT}", session.name);
            (session.over, session.excused) = (Some(CUT.to_owned()), true);
        }
        let words = Words(ending);
        let age = now.since(session.begin);
        let seconds = age.as_secs();
        info!("{}: pppd {process} has ended after {seconds} s: {words}", session.name);
        info!("{}", session.epitaph(&words.to_string(), now));
        if session.line_errors > 0 {
            info!("{}: the client has reported {} line errors", session.name, session.line_errors);
        }
        if age < IN_VAIN && !session.excused && session.origin.is_clients() {
            self.in_vain.add(session.name.client.ip(), now);
        }
        let left = session.call().map(|call| (session.client, call));
        if session.is_acquainted {
            self.acquaintances.leave(session.name.client.ip(), now);
        }
        self.remove(id);
        left
    }

    fn remove(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.deadlines.set(id, None);
        self.inquiry.answered(id);
        if let Some(process) = session.process() {
            self.processes.remove(&process);
        }
        if session.origin.is_clients() {
            self.forget_address(session.name.client.ip(), id);
        }
        self.ids.release(session.ends.call);
        self.give_back(session.lease);
    }

    fn forget_address(&mut self, address: IpAddr, id: SessionId) {
        let Some(calls) = self.from.get_mut(&address) else { return };
        calls.remove(&id);
        if calls.is_empty() {
            self.from.remove(&address);
        }
    }

    /// A pppd may have told something of its session.
    pub(super) fn hear(&mut self, process: L::Process, now: Instant) {
        while let Some(report) = self.lines.hear(process) {
            let Some(id) = self.processes.get(&process) else { continue };
            let Some(session) = self.sessions.get_mut(id) else { continue };
            let passed = session.news.take(report, now);
            if !session.is_acquainted && session.origin.is_clients() && session.news.is_network_up() {
                session.is_acquainted = true;
                self.acquaintances.come(session.name.client.ip(), now);
            }
            news::add(&mut self.tally.traffic, &passed);
            self.inquiry.answered(*id);
        }
    }

    /// Asks all sessions for news, or one.
    pub(super) fn inquire(&mut self, which: Option<SessionId>) {
        let all = self.sessions.iter().filter(|(id, _)| which.is_none_or(|which| which == **id));
        for (id, session) in all {
            let Stage::Up(process) = session.stage else { continue };
            if !self.inquiry.owes(*id) && self.lines.ask(process) {
                self.inquiry.asked(*id);
            }
        }
    }

    /// Whether everybody who was asked has answered.
    pub(super) fn has_news(&self) -> bool {
        self.inquiry.is_over()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next().into_iter().chain(self.unconnected.deadline()).min()
    }

    /// Insists where a pppd did not end.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.pop_expired(now) {
            self.push(id, Push::next, now);
        }
        if let Some(count) = self.unconnected.take_count(now) {
            warn!("{count} more lines about calls that were over before they were connected were not logged");
        }
    }

    /// Ends every pppd at once.
    pub(super) fn kill_all(&mut self, now: Instant) {
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.hang_up(id, "the server ends", now);
            self.push(id, |_| Push::Killed, now);
        }
    }

    fn push(&mut self, id: SessionId, next: impl FnOnce(Push) -> Push, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Stage::Ending(process, push) = session.stage else { return };
        let next = next(push);
        session.stage = Stage::Ending(process, next);
        if next == Push::Killed {
            warn!("{}: pppd {process} does not end; it is killed", session.name);
            self.lines.kill(process);
        } else {
            warn!("{}: pppd {process} does not notice that the call is over; it is told", session.name);
            self.lines.terminate(process);
        }
        self.deadlines.set(id, next.patience().map(|patience| now + patience));
    }

    /// Calls and pppds that have not ended.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// The session with this number, or the next one that there is.
    pub(super) fn session_from(&self, first: SessionId) -> Option<&Session<L::Line, L::Process>> {
        self.sessions.range(first..).next().map(|(_, session)| session)
    }

    /// The sessions that are meant.
    pub(super) fn matching(&self, target: &Target) -> Vec<SessionId> {
        let all = self.sessions.iter().filter(|(id, session)| match target {
            Target::Session(wanted) => id.0 == *wanted,
            Target::Address(address) => session.is_of(*address),
            Target::User(name) => session.news.user() == Some(name),
        });
        all.map(|(id, _)| *id).collect()
    }

    /// The sessions whose packets nothing carries any more.
    pub(super) fn cut(&self) -> Vec<SessionId> {
        let cut = self.sessions.iter().filter(|(_, session)| self.lines.is_cut(&session.line));
        cut.map(|(id, _)| *id).collect()
    }

    /// Whose call a session is, while the call lasts.
    pub(super) fn call_of(&self, id: SessionId) -> Option<(ClientId, CallId)> {
        let session = self.sessions.get(&id)?;
        session.call().map(|call| (session.client, call))
    }

    pub(super) fn stages(&self) -> Stages {
        let mut stages = Stages::default();
        for session in self.sessions.values() {
            match session.stage {
                Stage::Open => stages.waiting += 1,
                Stage::Up(_) => stages.running += 1,
                Stage::Ending(..) => stages.ending += 1,
            }
        }
        stages
    }

    /// Limits and addresses for calls from here on.
    pub(super) fn reconfigure(&mut self, config: Arc<Config>) {
        self.pool.change(Plan::of(&config));
        self.in_vain.change(allowed_in_vain(&config));
        self.config = config;
    }
}

/// All clients of one address may fail at once, and again when they try again.
fn allowed_in_vain(config: &Config) -> u32 {
    u32::try_from(config.max_per_address.saturating_mul(2)).unwrap_or(u32::MAX)
}

fn described(assignment: &Assignment) -> String {
    let Assignment { ends, inside, .. } = assignment;
    let inside = inside.map_or(String::from("of pppd's choice"), |pair| format!("{}:{}", pair.local, pair.remote));
    format!("call id {}, peer's call id {}, addresses {inside}", ends.call.0, ends.peer_call.0)
}
