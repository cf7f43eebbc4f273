//! What a host sees of an engine: commands, answers and lines for the log.
//!
//! Nothing here blocks longer than [`ANSWER_LIMIT`] or [`SHARED_LIMIT`], and nothing may be called from a signal handler. The socket may be
//! used by one process at a time: after a fork (pppd detaching) only parent or child goes on with it.

mod shared;

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pptp_io::poller::{Interest, wait};
use pptp_io::{clock, process, seqpacket};
use zeroize::Zeroizing;

use crate::codec::{self, Message};
use crate::command::{
    Answer, CallConfig, Channel, Command, Direction, FilterKind, Framing, Idle, Instruction, Key, Link, LogLine,
    Network, NpMode, Port, Statistics, Unit,
};
use crate::engine;

pub use shared::SharedEngine;

/// How long an engine of one's own may take to answer a command: it takes microseconds, but not on a machine with too much to do.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The same for an engine that serves others too, who may all want something at once.
pub const SHARED_LIMIT: Duration = Duration::from_secs(5);

/// How long it may take while it owes the answer to an earlier one: pppd asks a dozen things when it ends.
const LATE_LIMIT: Duration = Duration::from_millis(100);

/// Lines kept for [`Engine::next_log`]; more are dropped, the oldest first.
const MOST_LINES: usize = 256;

const PROCESS_NAME: &CStr = c"pptp-engine";

/// How the engine moves packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batching {
    /// Many at a time.
    #[default]
    Batched,
    /// One packet a system call, neither split nor merged: for comparison.
    Single,
}

/// What a new engine is given.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Erases pppd's secrets from the memory that the engine inherits; the first thing that runs in it.
    pub wipe: fn(),
    /// How it moves packets.
    pub batching: Batching,
}

/// A running engine, as one of its hosts sees it. Dropping it (closing its socket in every process) ends the engine, if this host
/// has started it, else what the host has there.
#[derive(Debug)]
pub struct Engine {
    socket: OwnedFd,
    /// How long an answer may take.
    limit: Duration,
    last_serial: u32,
    /// The last that was answered.
    answered: u32,
    lines: VecDeque<LogLine>,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum EngineError {
    /// The engine does not want to.
    Refused {
        /// What ioctl(2) should give pppd, an `E…` number.
        errno: i32,
        /// For the log.
        text: String,
    },
    /// The engine has ended or does not speak this version.
    Gone,
    /// The engine has not answered in time.
    Silent,
    /// The command could not be sent.
    Io(io::Error),
}

impl EngineError {
    /// What ioctl(2) should give pppd: an engine that is gone looks like hardware that is gone.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Refused { errno, .. } => *errno,
            Self::Gone => libc::ENXIO,
            Self::Silent => libc::ETIMEDOUT,
            Self::Io(error) => error.raw_os_error().unwrap_or(libc::EIO),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { text, .. } => write!(formatter, "{text}"),
            Self::Gone => write!(formatter, "the engine has ended"),
            Self::Silent => formatter.write_str("the engine does not answer"),
            Self::Io(error) => write!(formatter, "cannot talk to the engine: {}", pptp_io::words(error)),
        }
    }
}

impl std::error::Error for EngineError {}

impl Engine {
    /// Forks an engine. The caller must have only one thread, as fork(2) wants it.
    ///
    /// # Errors
    /// Out of processes, descriptors or memory.
    pub fn start(options: Options) -> io::Result<Self> {
        let (socket, theirs) = seqpacket::pair()?;
        let engine = process::Detached { name: PROCESS_NAME, keep: &[theirs.as_fd()], wipe: options.wipe };
        process::detach(engine, |kept| engine::run(kept, options.batching))?;
        Ok(Self { limit: ANSWER_LIMIT, ..Self::attach(socket) })
    }

    /// An engine that a server has started, by the socket that it gave us ([`SharedEngine::add_host`]).
    pub fn attach(socket: OwnedFd) -> Self {
        Self { socket, limit: SHARED_LIMIT, last_serial: 0, answered: 0, lines: VecDeque::new() }
    }

    /// The command socket: readable when there is a line for the log or when the engine has ended.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The oldest line for the log that has not been taken; never blocks.
    pub fn next_log(&mut self) -> Option<LogLine> {
        while let Ok(message) = self.receive() {
            self.sort_in(message);
        }
        self.lines.pop_front()
    }

    /// Whether the engine has ended; lines that it sent before can still be taken.
    pub fn has_ended(&mut self) -> bool {
        loop {
            match self.receive() {
                Ok(message) => self.sort_in(message),
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Sends a command with its descriptors and waits for the answer.
    ///
    /// # Errors
    /// See [`EngineError`]; [`Answer::Refused`] is one.
    pub fn ask(&mut self, command: &Command, descriptors: &[BorrowedFd<'_>]) -> Result<Answer, EngineError> {
        let limit = if self.answered == self.last_serial { self.limit } else { LATE_LIMIT };
        self.send(command, descriptors)?;
        match self.await_answer(limit)? {
            Answer::Refused { errno, text } => Err(EngineError::Refused { errno, text }),
            answer => Ok(answer),
        }
    }

    fn send(&mut self, command: &Command, descriptors: &[BorrowedFd<'_>]) -> Result<(), EngineError> {
        self.last_serial = self.last_serial.wrapping_add(1);
        // There may be a key in it.
        let message = Zeroizing::new(codec::encode_command(self.last_serial, command));
        seqpacket::send(self.socket.as_fd(), &message, descriptors).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => EngineError::Gone,
            io::ErrorKind::WouldBlock => EngineError::Silent,
            _ => EngineError::Io(error),
        })
    }

    /// See [`Command::NewUnit`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn new_unit(&mut self, unit: Unit, tun: BorrowedFd<'_>, frames: BorrowedFd<'_>) -> Result<(), EngineError> {
        self.ask(&Command::NewUnit { unit }, &[tun, frames]).map(drop)
    }

    /// See [`Command::NewChannel`]; `descriptors`: its raw GRE socket, its frames, its life line.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn new_channel(
        &mut self,
        channel: Channel,
        call: CallConfig,
        framing: Framing,
        descriptors: [BorrowedFd<'_>; 3],
    ) -> Result<(), EngineError> {
        self.ask(&Command::NewChannel { channel, call, framing, port: None }, &descriptors).map(drop)
    }

    /// The same with frames that pass on a line of somebody else's ([`Framing::AsyncLine`]); `descriptors`: its raw GRE socket,
    /// where frames come from, its life line, where frames go.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn new_line(
        &mut self,
        channel: Channel,
        call: CallConfig,
        descriptors: [BorrowedFd<'_>; 4],
    ) -> Result<(), EngineError> {
        let command = Command::NewChannel { channel, call, framing: Framing::AsyncLine, port: None };
        self.ask(&command, &descriptors).map(drop)
    }

    /// See [`Command::DropChannel`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn drop_channel(&mut self, channel: Channel) -> Result<(), EngineError> {
        self.ask(&Command::DropChannel { channel }, &[]).map(drop)
    }

    /// The same on a shared port; `descriptors`: its frames, its life line.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn new_channel_on(
        &mut self,
        (channel, port): (Channel, Port),
        call: CallConfig,
        framing: Framing,
        descriptors: [BorrowedFd<'_>; 2],
    ) -> Result<(), EngineError> {
        self.ask(&Command::NewChannel { channel, call, framing, port: Some(port) }, &descriptors).map(drop)
    }

    /// See [`Command::Connect`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn connect(&mut self, channel: Channel, unit: Unit) -> Result<(), EngineError> {
        self.ask(&Command::Connect { channel, unit }, &[]).map(drop)
    }

    /// See [`Command::SetNpMode`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn set_np_mode(&mut self, unit: Unit, network: Network, mode: NpMode) -> Result<(), EngineError> {
        self.ask(&Command::SetNpMode { unit, network, mode }, &[]).map(drop)
    }

    /// See [`Command::SetFilter`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn set_filter(&mut self, unit: Unit, kind: FilterKind, program: Vec<Instruction>) -> Result<(), EngineError> {
        self.ask(&Command::SetFilter { unit, kind, program }, &[]).map(drop)
    }

    /// See [`Command::SetCompression`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn set_compression(
        &mut self,
        link: Link,
        direction: Direction,
        option: Vec<u8>,
        key: Key,
    ) -> Result<(), EngineError> {
        self.ask(&Command::SetCompression { link, direction, option, key }, &[]).map(drop)
    }

    /// See [`Command::SetFlags`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn set_flags(&mut self, link: Link, flags: u32) -> Result<(), EngineError> {
        self.ask(&Command::SetFlags { link, flags }, &[]).map(drop)
    }

    /// See [`Command::GetFlags`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn flags(&mut self, link: Link) -> Result<u32, EngineError> {
        let Answer::Flags(flags) = self.ask(&Command::GetFlags { link }, &[])? else { return Err(EngineError::Gone) };
        Ok(flags)
    }

    /// See [`Command::GetIdle`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn idle(&mut self, unit: Unit) -> Result<Idle, EngineError> {
        let Answer::Idle(idle) = self.ask(&Command::GetIdle { unit }, &[])? else { return Err(EngineError::Gone) };
        Ok(idle)
    }

    /// See [`Command::GetStatistics`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn statistics(&mut self, unit: Unit) -> Result<Statistics, EngineError> {
        let command = Command::GetStatistics { unit };
        let Answer::Statistics(statistics) = self.ask(&command, &[])? else { return Err(EngineError::Gone) };
        Ok(statistics)
    }

    /// See [`Command::GetLastCounters`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn last_counters(&mut self, channel: Channel) -> Result<Vec<(String, u64)>, EngineError> {
        let command = Command::GetLastCounters { channel };
        let Answer::Counters(counters) = self.ask(&command, &[])? else { return Err(EngineError::Gone) };
        Ok(counters)
    }

    /// See [`Command::GetCounters`].
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn counters(&mut self, channel: Channel) -> Result<Vec<(String, u64)>, EngineError> {
        let command = Command::GetCounters { channel };
        let Answer::Counters(counters) = self.ask(&command, &[])? else { return Err(EngineError::Gone) };
        Ok(counters)
    }

    fn await_answer(&mut self, limit: Duration) -> Result<Answer, EngineError> {
        let deadline = clock::now() + limit;
        loop {
            match self.receive() {
                Ok(Message::Answer(serial, answer)) if serial == self.last_serial => {
                    self.answered = serial;
                    return Ok(answer);
                }
                Ok(message) => self.sort_in(message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let remaining = clock::until(deadline);
                    if remaining.is_zero() {
                        return Err(EngineError::Silent);
                    }
                    wait(&[(self.socket.as_fd(), Interest::Read)], Some(remaining)).map_err(EngineError::Io)?;
                }
                Err(_) => return Err(EngineError::Gone),
            }
        }
    }

    /// The next message. `WouldBlock`: there is none; every other error: the engine is of no use any more.
    fn receive(&self) -> io::Result<Message> {
        let mut buffer = vec![0; codec::LONGEST_MESSAGE];
        let received = seqpacket::receive(self.socket.as_fd(), &mut buffer)?;
        let message = buffer.get(..received.length).and_then(codec::decode_message);
        message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// A late answer to a command that was given up is nobody's.
    fn sort_in(&mut self, message: Message) {
        let line = match message {
            Message::Log(line) => line,
            Message::Answer(serial, _) => {
                self.answered = serial;
                return;
            }
        };
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}
