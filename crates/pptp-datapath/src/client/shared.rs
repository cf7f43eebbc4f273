//! An engine that carries the calls of many pppds, as the server that starts it sees it.
//!
//! Nothing here waits for the engine: what it does not want it says later, as a line for the log.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pptp_io::seqpacket;

use super::{Batching, Engine, EngineError, Options};
use crate::codec::Message;
use crate::command::{Answer, CallEnds, Command, LogLine, Port};

/// A running engine. Dropping it (closing its socket in every process) ends it, and with it all its calls.
#[derive(Debug)]
pub struct SharedEngine(Engine);

impl SharedEngine {
    /// Forks an engine, which has no call. The caller must have only one thread, as fork(2) wants it.
    ///
    /// # Errors
    /// Out of processes, descriptors or memory.
    pub fn start() -> io::Result<Self> {
        Engine::start(Options { wipe: || {}, batching: Batching::Batched }).map(Self)
    }

    /// Readable when [`SharedEngine::next_log`] has something to say.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// See [`Command::NewPort`].
    ///
    /// # Errors
    /// The engine has ended, or has not read what it was told before.
    pub fn add_port(&mut self, port: Port, gre: BorrowedFd<'_>) -> Result<(), EngineError> {
        self.0.send(&Command::NewPort { port }, &[gre])
    }

    /// See [`Command::AddHost`]: the socket for the host's [`Engine::attach`]. Closing it takes the host away.
    ///
    /// # Errors
    /// As [`SharedEngine::add_port`], or out of descriptors.
    pub fn add_host(&mut self, port: Port, call: CallEnds) -> Result<OwnedFd, EngineError> {
        let (hosts, engines) = seqpacket::pair().map_err(EngineError::Io)?;
        self.0.send(&Command::AddHost { port, call }, &[engines.as_fd()])?;
        Ok(hosts)
    }

    /// The next line for the log, if there is one: what the engine says, or why it has not done something.
    ///
    /// # Errors
    /// It has ended.
    pub fn next_log(&mut self) -> io::Result<Option<LogLine>> {
        loop {
            match self.0.receive() {
                Ok(Message::Log(line)) => return Ok(Some(line)),
                Ok(Message::Answer(_, Answer::Refused { text, .. })) => {
                    return Ok(Some(LogLine { level: log::Level::Error, text }));
                }
                Ok(Message::Answer(..)) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
