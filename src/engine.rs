//! The engine of this pppd: a server's, or its own, started when it is first needed and anew when it has ended.
//!
//! It is reached through pppd's memory, so that it moves with pppd when that detaches: the parent, which ends, never
//! talks to it again.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;

use log::{error, log};
use pptp_datapath::client::{Batching, Engine, EngineError, Options};
use pptp_datapath::command::Channel;

use crate::secrets;

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// Whether it is a server's, in whose place comes no other.
    static IS_SERVERS: Cell<bool> = const { Cell::new(false) };
}

/// Lets `body` talk to the engine.
///
/// `body` must not call a function of pppd's.
pub(crate) fn ask<T>(body: impl FnOnce(&mut Engine) -> Result<T, EngineError>) -> Result<T, EngineError> {
    bury();
    let result = ENGINE.with_borrow_mut(|engine| {
        let engine = match engine {
            Some(engine) => engine,
            None => engine.insert(start()?),
        };
        body(engine)
    });
    pass_log_on();
    result
}

/// Takes a server's engine, by the socket that the server gave us.
pub(crate) fn attach(socket: OwnedFd) -> Result<(), String> {
    ENGINE.with_borrow_mut(|engine| {
        if engine.is_some() {
            return Err(String::from(
                "the server's engine cannot have an interface that was there before (option demand)",
            ));
        }
        *engine = Some(Engine::attach(socket));
        IS_SERVERS.set(true);
        Ok(())
    })
}

/// Gives up an engine that has ended, which its own never does while pppd lives.
fn bury() {
    if ENGINE.with_borrow_mut(|engine| engine.as_mut().is_some_and(Engine::has_ended)) {
        pass_log_on();
        ENGINE.set(None);
        error!("the engine (process pptp-engine) has ended, and with it its interface and its call");
    }
}

/// Whether the server's engine has ended.
pub(crate) fn is_gone() -> bool {
    bury();
    IS_SERVERS.get() && ENGINE.with_borrow(Option::is_none)
}

fn start() -> Result<Engine, EngineError> {
    if IS_SERVERS.get() {
        return Err(EngineError::Gone);
    }
    Engine::start(Options { wipe: secrets::erase, batching: Batching::Batched }).map_err(EngineError::Io)
}

/// Lets an engine that runs deal with everything that has happened, and logs what it has to say.
pub(crate) fn catch_up() {
    bury();
    ENGINE.with_borrow_mut(|engine| {
        // The engine looks at commands after all else but terminals, whose end it finds when it reads them: by the second
        // answer it has. There is no such channel; the answers do not matter.
        for _ in 0..2 {
            let _ = engine.as_mut().map(|engine| engine.counters(Channel(0)));
        }
    });
    pass_log_on();
}

/// Logs what the engine has had to say.
pub(crate) fn pass_log_on() {
    let next = || ENGINE.with_borrow_mut(|engine| engine.as_mut().and_then(Engine::next_log));
    while let Some(line) = next() {
        log!(line.level, "{}", line.text);
    }
}
