//! One client: what it says, and when it is where it was to get to.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use pptp_testkit::layout::by_short;
use pptp_testkit::message::{Message, Taken, take};

use crate::run::Plan;

/// No message is longer than 220 octets, and few come at a time.
const READ: usize = 1024;

/// How far a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something is to come.
    Waiting,
    /// It has its call, from this moment on, and ends it.
    Called(Instant),
    /// It has what it wanted, or its call is cleared and the connection stopped.
    Done,
    /// The server has refused, or gone.
    Failed,
}

/// A client whose connection is open.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    plan: Plan,
    received: Vec<u8>,
    call: u32,
}

impl Client {
    /// Says the first words.
    pub(crate) fn begin(stream: TcpStream, plan: Plan, call: u16) -> std::io::Result<Self> {
        let mut client = Self { stream, plan, received: Vec::new(), call: call.into() };
        if plan != Plan::Silent {
            let text = ("host", "load");
            client.say("sccrq", &[("version", 0x0100), ("framing", 3), ("bearer", 3)], Some(text))?;
        }
        Ok(client)
    }

    /// Reads and answers what has come.
    pub(crate) fn go_on(&mut self) -> Progress {
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Progress::Failed,
            Ok(length) => self.received.extend(buffer.iter().take(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
            Err(_) => return Progress::Failed,
        }
        let mut progress = Progress::Waiting;
        loop {
            let message = match take(&mut self.received) {
                Taken::Nothing => return progress,
                Taken::Broken(_) => return Progress::Failed,
                Taken::Message(message) => message,
            };
            match self.answer(&message) {
                Ok(Progress::Waiting) => {}
                Ok(further) => progress = further,
                Err(_) => return Progress::Failed,
            }
        }
    }

    fn answer(&mut self, message: &Message) -> std::io::Result<Progress> {
        let accepted = message.value("result") == Some(1);
        let Some(layout) = message.layout() else { return Ok(Progress::Failed) };
        match layout.short {
            "sccrp" if accepted => {
                let rate = [("minbps", 300), ("maxbps", 100_000_000)];
                let call = [("id", self.call), ("serial", 1), ("bearer", 3), ("framing", 3), ("window", 64)];
                self.say("ocrq", &[&rate[..], &call].concat(), None)?;
            }
            "ocrp" if accepted && self.plan == Plan::Stay => return Ok(Progress::Done),
            "ocrp" if accepted => {
                let called = Progress::Called(Instant::now());
                self.say("clear", &[("id", self.call)], None)?;
                return Ok(called);
            }
            "cdn" => self.say("stop", &[("reason", 1)], None)?,
            "stop-reply" => return Ok(Progress::Done),
            "echo" => {
                let identifier = message.value("identifier").unwrap_or_default();
                self.say("echo-reply", &[("identifier", identifier), ("result", 1)], None)?;
            }
            "sccrp" | "ocrp" | "stop" => return Ok(Progress::Failed),
            _ => {}
        }
        Ok(Progress::Waiting)
    }

    fn say(&mut self, short: &str, fields: &[(&str, u32)], text: Option<(&str, &str)>) -> std::io::Result<()> {
        let layout = by_short(short).ok_or(ErrorKind::InvalidInput)?;
        let mut message = Message::new(layout);
        for (name, value) in fields {
            message.set(name, *value);
        }
        if let Some((name, text)) = text {
            message.set_text(name, text);
        }
        // A socket that has no room for these few bytes is of a server that does not read.
        self.stream.write_all(&message.bytes)
    }
}
