//! One control connection: reads messages, checks them, fires the script's rules and performs their actions.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::journal::Journal;
use crate::kernel_call::{Ends, KernelCall, Plan};
use crate::layout::{Layout, by_short};
use crate::message::{Message, Taken, take};
use crate::script::{Action, Changes, Script, Value};
use crate::sys;

/// How often waits, files and children are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Pause between octets of a `bytewise` answer.
const BETWEEN_OCTETS: Duration = Duration::from_millis(2);
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// What all connections of a server share.
#[derive(Debug)]
pub struct Server {
    /// The rules.
    pub script: Script,
    /// Where the lines go.
    pub journal: Journal,
    /// What to start for a call; `None`: calls carry nothing.
    pub plan: Option<Plan>,
    /// How many calls there were.
    pub calls: AtomicU32,
}

/// One control connection.
#[derive(Debug)]
pub struct Session {
    server: Arc<Server>,
    number: u32,
    stream: TcpStream,
    state: State,
    calls: Vec<Call>,
    latest: Call,
    later: Vec<Later>,
    manner: Manner,
    next_identifier: u32,
    expected_echoes: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No Start-Control-Connection-Reply with result 1 went out.
    Idle,
    Established,
    /// A Stop-Control-Connection-Request came in.
    Stopped,
    /// The connection is to be left.
    Over,
}

#[derive(Debug, Default, Clone, Copy)]
struct Manner {
    voice: Voice,
    echoes: Voice,
    pace: Pace,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Voice {
    #[default]
    Answering,
    Mute,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Pace {
    #[default]
    Whole,
    Bytewise,
}

#[derive(Debug, Default)]
struct Call {
    ours: u16,
    theirs: u16,
    carrier: Option<KernelCall>,
}

/// Actions that wait for a moment or a file.
#[derive(Debug)]
struct Later {
    when: When,
    cause: Option<Message>,
    actions: Vec<Action>,
}

#[derive(Debug)]
enum When {
    Time(Instant),
    File(PathBuf),
}

impl When {
    fn is_due(&self) -> bool {
        match self {
            Self::Time(time) => Instant::now() >= *time,
            Self::File(path) => path.exists(),
        }
    }
}

impl Session {
    /// A connection that was just accepted, the `number`th of its server.
    #[must_use]
    pub fn new(server: Arc<Server>, number: u32, stream: TcpStream) -> Self {
        Self {
            server,
            number,
            stream,
            state: State::Idle,
            calls: Vec::new(),
            latest: Call::default(),
            later: Vec::new(),
            manner: Manner::default(),
            next_identifier: 1,
            expected_echoes: Vec::new(),
        }
    }

    /// Serves the connection until it ends.
    pub fn run(mut self) {
        let peer = self.stream.peer_addr().map_or_else(|error| error.to_string(), |peer| peer.to_string());
        self.log(&format!("accepted from {peer}"));
        let _ = self.stream.set_nodelay(true);
        let _ = self.stream.set_write_timeout(Some(WRITE_LIMIT));
        let _ = self.stream.set_read_timeout(Some(TICK));
        self.fire("accept", None);
        let mut pending = Vec::new();
        while self.state != State::Over {
            self.do_what_is_due();
            self.reap();
            if self.state != State::Over {
                self.read(&mut pending);
            }
        }
        self.log("over");
    }

    fn read(&mut self, pending: &mut Vec<u8>) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.log(&format!("EOF calls={} state={:?} rest={}", self.calls.len(), self.state, pending.len()));
                self.state = State::Over;
            }
            Ok(count) => {
                pending.extend(buffer.iter().take(count));
                self.divide(pending);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (),
            Err(error) => {
                self.log(&format!("lost: {error}"));
                self.state = State::Over;
            }
        }
    }

    fn divide(&mut self, pending: &mut Vec<u8>) {
        loop {
            match take(pending) {
                Taken::Nothing => return,
                Taken::Message(message) => self.receive(message),
                Taken::Broken(why) => {
                    self.log(&format!("bad stream: {why}"));
                    self.state = State::Over;
                    return;
                }
            }
        }
    }

    fn receive(&mut self, message: Message) {
        self.log(&format!("got {}", message.describe()));
        for fault in message.faults().into_iter().chain(self.misplaced(&message)) {
            self.log(&format!("bad {}", fault));
        }
        let short = message.layout().map_or("unknown", |layout| layout.short);
        match short {
            "ocrq" => self.begin_call(&message),
            "clear" => self.take_call(&message),
            "stop" => self.state = State::Stopped,
            _ => (),
        }
        self.fire(short, Some(message));
    }

    /// What is wrong with a message that would be right at another time.
    fn misplaced(&mut self, message: &Message) -> Option<String> {
        let short = message.layout()?.short;
        let id = message.value("id").unwrap_or(0);
        let peer = message.value("peer");
        let known = |call: &Call| u32::from(call.theirs) == id;
        match (short, self.state) {
            ("sccrq", State::Idle) => None,
            ("sccrq", _) => Some("order: a second Start-Control-Connection-Request".to_string()),
            (_, State::Idle) => Some(format!("order: {short} before the connection is established")),
            (_, State::Stopped) => Some(format!("order: {short} after a Stop-Control-Connection-Request")),
            ("ocrq", _) if self.calls.iter().any(known) => Some(format!("call id {id} is in use")),
            ("clear", _) if u32::from(self.latest.theirs) != id && !self.calls.iter().any(known) => {
                Some(format!("no call has id {id}"))
            }
            ("sli" | "wen", _) if !self.calls.iter().any(|call| Some(u32::from(call.ours)) == peer) => {
                Some(format!("no call has peer id {}", peer.unwrap_or(0)))
            }
            ("echo-reply", _) => self.unexpected_echo(message),
            _ => None,
        }
    }

    fn unexpected_echo(&mut self, message: &Message) -> Option<String> {
        let identifier = message.value("identifier")?;
        let Some(place) = self.expected_echoes.iter().position(|expected| *expected == identifier) else {
            return Some(format!("no Echo-Request had identifier {identifier}"));
        };
        self.expected_echoes.remove(place);
        None
    }

    fn begin_call(&mut self, message: &Message) {
        let number = self.server.calls.fetch_add(1, Ordering::Relaxed);
        let theirs = u16::try_from(message.value("id").unwrap_or(0)).unwrap_or(0);
        // Recognisable in a capture, and never a number that the client might have chosen for itself by counting.
        let ours = 0x5000_u16.wrapping_add(u16::try_from(number % 0x1000).unwrap_or(0));
        self.latest = Call { ours, theirs, carrier: None };
    }

    /// A Call-Clear-Request: the call becomes the latest, for the reply, and carries nothing any more.
    fn take_call(&mut self, message: &Message) {
        let id = message.value("id").unwrap_or(0);
        if let Some(place) = self.calls.iter().position(|call| u32::from(call.theirs) == id) {
            let call = self.calls.remove(place);
            self.latest = Call { ours: call.ours, theirs: call.theirs, carrier: None };
        }
    }

    fn fire(&mut self, trigger: &str, cause: Option<Message>) {
        let actions = self.server.script.actions(trigger, self.number);
        self.perform(actions, cause);
    }

    fn do_what_is_due(&mut self) {
        while let Some(place) = self.later.iter().position(|later| later.when.is_due()) {
            let later = self.later.remove(place);
            self.perform(later.actions, later.cause);
        }
    }

    fn perform(&mut self, actions: Vec<Action>, cause: Option<Message>) {
        let mut actions = actions.into_iter();
        while let Some(action) = actions.next() {
            if self.state == State::Over {
                return;
            }
            let when = match action {
                Action::Wait(time) => When::Time(Instant::now() + time),
                Action::WaitFile(path) => When::File(path),
                other => {
                    self.act(other, cause.as_ref());
                    continue;
                }
            };
            self.later.push(Later { when, cause, actions: actions.collect() });
            return;
        }
    }

    fn act(&mut self, action: Action, cause: Option<&Message>) {
        match action {
            Action::Nothing | Action::Wait(_) | Action::WaitFile(_) => (),
            Action::Reply(changes) => self.reply(cause, &changes),
            Action::Half(octets) => self.half(cause, octets),
            Action::Send(layout, changes) => self.send_message(layout, &changes, cause),
            Action::Mute => self.manner.voice = Voice::Mute,
            Action::MuteEcho => self.manner.echoes = Voice::Mute,
            Action::Bytewise => self.manner.pace = Pace::Bytewise,
            Action::Garbage(count) => self.send(&garbage(count), &format!("{count} octets of garbage")),
            Action::Raw(octets) => self.send(&octets, &format!("{} raw octets", octets.len())),
            Action::Storm(count) => self.storm(count),
            Action::Close => self.leave("closed"),
            Action::Reset => {
                let _ = sys::reset_on_close(&self.stream);
                self.leave("reset");
            }
            Action::Exit => {
                self.log("exit");
                std::process::exit(0);
            }
        }
    }

    fn leave(&mut self, how: &str) {
        self.log(how);
        self.state = State::Over;
        if how == "closed" {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }

    fn reply(&mut self, cause: Option<&Message>, changes: &Changes) {
        let Some(layout) = cause.and_then(reply_layout) else {
            self.log("bad script: there is no reply to this");
            return;
        };
        if layout.short == "echo-reply" && self.manner.echoes == Voice::Mute {
            self.log("kept back Echo-Reply");
            return;
        }
        self.send_message(layout, changes, cause);
    }

    fn half(&mut self, cause: Option<&Message>, octets: Option<usize>) {
        let Some(layout) = cause.and_then(reply_layout) else {
            self.log("bad script: there is no reply to this");
            return;
        };
        let mut bytes = self.draft(layout, cause).bytes;
        let whole = bytes.len();
        bytes.truncate(octets.unwrap_or(whole / 2));
        self.send(&bytes, &format!("{} of {whole} octets of {}", bytes.len(), layout.name));
    }

    fn send_message(&mut self, layout: &'static Layout, changes: &Changes, cause: Option<&Message>) {
        let mut message = self.draft(layout, cause);
        for (name, value) in changes {
            let value = match value {
                Value::Number(number) => *number,
                Value::Ours => u32::from(self.latest.ours),
                Value::Theirs => u32::from(self.latest.theirs),
            };
            let Some(field) = layout.field(name) else {
                self.log(&format!("bad script: {} has no {name}", layout.name));
                continue;
            };
            message.write(field, value);
        }
        if layout.short == "ocrp" && message.value("result") == Some(1) && !self.connect_call() {
            return;
        }
        self.send(&message.bytes, &message.describe());
        self.note_sent(layout, &message);
    }

    /// What a message that went out changes here.
    fn note_sent(&mut self, layout: &Layout, message: &Message) {
        match layout.short {
            "sccrp" if message.value("result") == Some(1) && self.state == State::Idle => {
                self.state = State::Established
            }
            "echo" => self.expected_echoes.extend(message.value("identifier")),
            "ocrp" if message.value("result") == Some(1) => self.fire("call-up", None),
            _ => (),
        }
    }

    /// Opens the latest call, unless it is open.
    fn connect_call(&mut self) -> bool {
        let (ours, theirs) = (self.latest.ours, self.latest.theirs);
        if self.calls.iter().any(|call| call.ours == ours) {
            return true;
        }
        let carrier = match self.start_carrier(ours, theirs) {
            Ok(carrier) => carrier,
            Err(error) => {
                self.log(&format!("bad carrier: {error}"));
                return false;
            }
        };
        self.calls.push(Call { ours, theirs, carrier });
        true
    }

    fn start_carrier(&self, ours: u16, theirs: u16) -> std::io::Result<Option<KernelCall>> {
        let Some(plan) = &self.server.plan else { return Ok(None) };
        let (local, peer) = (v4(self.stream.local_addr()?)?, v4(self.stream.peer_addr()?)?);
        let number = self.server.calls.load(Ordering::Relaxed);
        KernelCall::start(plan, &Ends { number, local, peer, ours, theirs }).map(Some)
    }

    /// A pppd that ended takes its call with it.
    fn reap(&mut self) {
        let ended = |call: &mut Call| call.carrier.as_mut().and_then(KernelCall::ended);
        let Some((place, status)) =
            self.calls.iter_mut().enumerate().find_map(|(place, call)| Some((place, ended(call)?)))
        else {
            return;
        };
        self.log(&format!("pppd ended status={status}"));
        let call = self.calls.remove(place);
        self.latest = Call { ours: call.ours, theirs: call.theirs, carrier: None };
        if let Some(layout) = by_short("cdn") {
            self.send_message(layout, &vec![("result".to_string(), Value::Number(1))], None);
        }
    }

    /// A correct message of this type, as an answer to `cause` where it is one.
    fn draft(&mut self, layout: &Layout, cause: Option<&Message>) -> Message {
        let mut message = Message::new(layout);
        let identifier = cause.filter(|_| layout.short == "echo-reply").and_then(|cause| cause.value("identifier"));
        for (name, value) in [
            ("version", 0x0100),
            ("framing", 3),
            ("bearer", 3),
            ("channels", 1),
            ("firmware", 1),
            ("result", if layout.short == "cdn" { 3 } else { 1 }),
            ("reason", 3),
            ("window", 64),
            ("speed", 10_000_000),
            ("sendaccm", u32::MAX),
            ("receiveaccm", u32::MAX),
            ("id", u32::from(self.latest.ours)),
            ("peer", u32::from(self.latest.theirs)),
            ("identifier", identifier.unwrap_or(self.next_identifier)),
        ] {
            message.set(name, value);
        }
        if layout.short == "cdn" && cause.is_some_and(|cause| cause.value("code") == Some(12)) {
            message.set("result", 4);
        }
        if layout.short == "echo" {
            self.next_identifier = self.next_identifier.wrapping_add(1);
        }
        message.set_text("host", "fake-pptp-server");
        message.set_text("vendor", "pptp-testkit");
        message
    }

    fn storm(&mut self, count: u32) {
        let Some(layout) = by_short("echo") else { return };
        let mut bytes = Vec::new();
        for _ in 0..count {
            let message = self.draft(layout, None);
            self.note_sent(layout, &message);
            bytes.extend(message.bytes);
        }
        self.send(&bytes, &format!("{count} Echo-Requests"));
    }

    fn send(&mut self, bytes: &[u8], what: &str) {
        if self.manner.voice == Voice::Mute {
            self.log(&format!("kept back {what}"));
            return;
        }
        let written = match self.manner.pace {
            Pace::Whole => self.stream.write_all(bytes),
            Pace::Bytewise => bytes.iter().try_for_each(|octet| {
                thread::sleep(BETWEEN_OCTETS);
                self.stream.write_all(std::slice::from_ref(octet))
            }),
        };
        match written {
            Ok(()) => self.log(&format!("sent {what}")),
            Err(error) => self.log(&format!("not sent {what}: {error}")),
        }
    }

    fn log(&self, text: &str) {
        self.server.journal.line(format_args!("#{} {text}", self.number));
    }
}

fn reply_layout(cause: &Message) -> Option<&'static Layout> {
    by_short(match cause.layout()?.short {
        "sccrq" => "sccrp",
        "stop" => "stop-reply",
        "echo" => "echo-reply",
        "ocrq" => "ocrp",
        "icrq" => "icrp",
        "clear" => "cdn",
        _ => return None,
    })
}

/// Octets that look like nothing, the same in every run; the first two are a length no message has.
fn garbage(count: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    [0xde, 0xad].into_iter().chain(noise).take(count).collect()
}

fn v4(address: SocketAddr) -> std::io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(std::io::Error::other("calls need IPv4")),
    }
}
