//! One control connection: reads messages, checks them, fires the script's rules and performs their actions.

mod answer;
mod calls;

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use crate::journal::Journal;
use crate::kernel_call::Plan;
use crate::message::{Message, Taken, take};
use crate::script::{Action, Script};
use calls::Call;

/// How often waits, files and children are looked at.
const TICK: Duration = Duration::from_millis(5);
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
    /// The client's ids that it asked a call for, or was given one for, and has not cleared.
    clearable: Vec<u32>,
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
            clearable: Vec::new(),
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
            ("clear", _) if !self.clearable.contains(&id) => Some(format!("no call has id {id}")),
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

    fn log(&self, text: &str) {
        self.server.journal.line(format_args!("#{} {text}", self.number));
    }
}
