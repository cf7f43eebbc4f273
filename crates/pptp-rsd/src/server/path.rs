//! Which way the packets of calls go on this machine.
//!
//! To ask the kernel what it has may make it load modules, and nobody knows how long that takes: a process of its own asks, and
//! the server hears what it has found.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use log::{info, warn};
use pptp_core::time::Instant;
use pptp_io::poller::{Interest, wait};
use pptp_io::{gre_socket, lacks, process, seqpacket, words};

use crate::config::{Config, Datapath};

/// Who carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// pptp.ko.
    Kernel,
    /// An engine of this server's.
    Engine,
}

/// How long the kernel is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a scout says when nothing is lacking.
const NOTHING: &[u8] = b"nothing";

/// No other word of a scout's is longer.
const LONGEST: usize = 512;

/// Who carries the calls, and why it is not the kernel if that might have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) carrier: Carrier,
    why: Option<String>,
}

impl Decision {
    /// By the configuration alone; `None`: it leaves that to what this machine has. A `vrf` is left open to kernels of which nobody
    /// can tell whether their PPTP stays in it.
    pub(super) fn configured(config: &Config) -> Option<Self> {
        match config.datapath {
            Datapath::Kernel => Some(Self { carrier: Carrier::Kernel, why: None }),
            Datapath::Tun | Datapath::Pty => Some(Self { carrier: Carrier::Engine, why: None }),
            Datapath::Auto if config.vrf.is_some() => {
                Some(Self::engine("the kernel may not keep to a VRF, unless datapath says so"))
            }
            Datapath::Auto => None,
        }
    }

    /// By what this machine has, which may take a while.
    pub(super) fn scouted() -> Self {
        let found = Scout::send().and_then(|scout| {
            wait(&[(scout.fd(), Interest::Read)], Some(PATIENCE))?;
            Ok(scout.hear().unwrap_or_else(Self::unknown))
        });
        found.unwrap_or_else(|error| Self::not_looked(&error))
    }

    /// Nobody could look what this machine has.
    pub(super) fn not_looked(error: &io::Error) -> Self {
        Self::engine(&format!("cannot look what the kernel has: {}", words(error)))
    }

    fn unknown() -> Self {
        Self::engine(&format!("the kernel does not say within {} s what it has", PATIENCE.as_secs()))
    }

    fn lost() -> Self {
        Self::engine("the process that looks what the kernel has has ended without a word")
    }

    fn engine(why: &str) -> Self {
        Self { carrier: Carrier::Engine, why: Some(why.to_owned()) }
    }

    /// Of what the kernel lacks.
    fn found(lacks: &str) -> Self {
        let what = if lacks.starts_with("no ") { format!("the kernel has {lacks}") } else { lacks.to_owned() };
        Self::engine(&what)
    }

    /// Logs it, and what stands in its way.
    pub(super) fn tell(&self) {
        match (self.carrier, &self.why) {
            (Carrier::Kernel, _) => info!("calls are carried by the kernel"),
            (Carrier::Engine, None) => info!("calls are carried by the engines of this server"),
            (Carrier::Engine, Some(why)) => info!("calls are carried by the engines of this server: {why}"),
        }
        if let (Carrier::Engine, Err(error)) = (self.carrier, gre_socket::open(None)) {
            warn!("calls will be refused: this process can have no raw GRE socket: {}", words(&error));
        }
    }
}

/// Clients of a PPTP server want MPPE: a kernel without it is as good as one without PPTP.
fn kernel_lacks() -> Result<(), String> {
    // PPTP is what is asked for.
    lacks::pptp().map_err(|what| what.replace("pppox.ko and ", ""))?;
    lacks::ppp_device()?;
    lacks::mppe()
}

/// A process that looks what the kernel has. Nobody waits for it any more when this is dropped.
pub(super) struct Scout {
    socket: OwnedFd,
}

impl Scout {
    /// Only in a process with one thread.
    ///
    /// # Errors
    /// Out of processes, descriptors or memory.
    pub(super) fn send() -> io::Result<Self> {
        Self::send_to(kernel_lacks)
    }

    fn send_to(look: fn() -> Result<(), String>) -> io::Result<Self> {
        let (socket, theirs) = seqpacket::pair()?;
        let scout = process::Detached { name: c"pptp-rsd-scout", keep: &[theirs.as_fd()], wipe: || {} };
        process::detach(scout, |kept| {
            process::set_time_limit(Some(PATIENCE));
            let lacks = look().err();
            let word = lacks.as_ref().map_or(NOTHING, |what| what.as_bytes());
            if let Some(server) = kept.first() {
                // A server that has gone wants to know nothing.
                let _ = seqpacket::send(server.as_fd(), word.get(..LONGEST).unwrap_or(word), &[]);
            }
        })?;
        Ok(Self { socket })
    }

    /// Readable when [`Scout::hear`] has something to tell.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Until when it is waited for, from now on.
    pub(super) fn deadline(now: Instant) -> Instant {
        now + PATIENCE
    }

    /// What follows of what it has found, if it has said anything, or has ended without a word.
    pub(super) fn hear(&self) -> Option<Decision> {
        let mut word = [0; LONGEST];
        match seqpacket::receive(self.fd(), &mut word) {
            Ok(received) => match word.get(..received.length) {
                Some(NOTHING) => Some(Decision { carrier: Carrier::Kernel, why: None }),
                Some(lacks) if !lacks.is_empty() => Some(Decision::found(&String::from_utf8_lossy(lacks))),
                _ => Some(Decision::lost()),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(Decision::lost()),
        }
    }

    /// What follows of its having said nothing in time.
    pub(super) fn give_up(self) -> Decision {
        self.hear().unwrap_or_else(Decision::unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of what a scout finds.
    fn found(look: fn() -> Result<(), String>) -> Option<Decision> {
        let scout = Scout::send_to(look).unwrap();
        wait(&[(scout.fd(), Interest::Read)], Some(Duration::from_secs(30))).unwrap();
        scout.hear()
    }

    fn engine(why: &str) -> Option<Decision> {
        Some(Decision::engine(why))
    }

    #[test]
    fn what_the_kernel_lacks_is_told_in_words() {
        assert_eq!(found(|| Ok(())), Some(Decision { carrier: Carrier::Kernel, why: None }));
        assert_eq!(found(|| Err("no pptp.ko".into())), engine("the kernel has no pptp.ko"));
        assert_eq!(found(|| Err("cannot open /dev/ppp".into())), engine("cannot open /dev/ppp"));
        assert_eq!(found(|| Err("x".repeat(LONGEST + 1))), engine(&"x".repeat(LONGEST)));
    }

    #[test]
    fn a_scout_that_does_not_come_back_is_not_waited_for() {
        let scout = Scout::send_to(|| {
            std::thread::sleep(PATIENCE);
            Ok(())
        });
        let scout = scout.unwrap();
        assert_eq!(scout.hear(), None);
        assert_eq!(Some(scout.give_up()), engine("the kernel does not say within 10 s what it has"));
        let why = "the process that looks what the kernel has has ended without a word";
        assert_eq!(found(|| std::process::abort()), engine(why));
    }

    #[test]
    fn what_is_configured_needs_no_scout() {
        let configured = |datapath, vrf: Option<&str>| {
            let config = Config { datapath, vrf: vrf.map(String::from), ..Config::default() };
            Decision::configured(&config).map(|decision| decision.carrier)
        };
        assert_eq!(configured(Datapath::Auto, None), None);
        assert_eq!(configured(Datapath::Auto, Some("red")), Some(Carrier::Engine));
        assert_eq!(configured(Datapath::Kernel, Some("red")), Some(Carrier::Kernel));
        assert_eq!([Datapath::Tun, Datapath::Pty].map(|path| configured(path, None)), [Some(Carrier::Engine); 2]);
    }
}
