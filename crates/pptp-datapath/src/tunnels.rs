//! How the client tunnels of a machine are found, and what they say of themselves.
//!
//! The plugin of each pppd that calls a server listens on a socket (`SOCK_SEQPACKET`) in the directory of the call managers,
//! named `tunnel-PID`. Who connects is told one message and then the end: `tunnel` and a [`Record`] with these fields, in this
//! order; what is not known has none, and later versions may add some.
//!
//! | field | |
//! |---|---|
//! | `interface` | its name |
//! | `state` | `connecting` until an IP protocol is up, `running`, or `waiting` for the next call |
//! | `server`, `address`, `port` | as it was given, the address that is called, TCP |
//! | `datapath`, `choice` | `kernel`, `tun` or `pty`; why, as pppd's log has it |
//! | `call-id`, `peer-call-id` | the call's |
//! | `mppe` | `none`, `MPPE-128 stateless` … ([`crate::report::Encryption`]) |
//! | `uptime` | seconds since the call is up |
//! | `local`, `remote` | IPv4 addresses inside |
//! | `bytes-received` … | [`crate::report::Statistics`] of this call |
//! | `pppd`, `linkname` | process number, pppd's option |
//!
//! Nobody waits for anybody: the plugin sends into an empty socket, and who asks has a deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use pptp_core::time::Instant;
use pptp_io::confine::Account;
use pptp_io::poller::{self, Interest};
use pptp_io::rendezvous::Directory;
use pptp_io::{clock, process, seqpacket};

use crate::record::Record;

/// The directory of the sockets.
pub const DIRECTORY: &str = "/run/pptp-rs";

/// A message is no longer.
const LONGEST: usize = 16 * 1024;

/// What a socket's name begins with.
const PREFIX: &str = "tunnel-";

/// What a message begins with.
const KIND: &str = "tunnel";

/// How many are told at once; the others wait until pppd looks again.
const MOST_AT_ONCE: usize = 16;

/// How many are asked at once.
const ASKED_AT_ONCE: usize = 256;

/// How often the directory may vanish between opening it and putting something there.
const ATTEMPTS: usize = 10;

fn name(process: u32) -> String {
    format!("{PREFIX}{process}")
}

/// The socket of a tunnel: the plugin's end.
#[derive(Debug)]
pub struct Ear {
    directory: Directory,
    listener: OwnedFd,
    process: u32,
}

impl Ear {
    /// Listens for this process in a directory that `account` owns as well, if it is given. What pppds have left that were killed
    /// is removed.
    ///
    /// # Errors
    /// The directory is not private or cannot be made.
    pub fn open(directory: &Path, account: Option<Account>) -> io::Result<Self> {
        let process = std::process::id();
        let listen = || {
            let directory = Directory::open(directory, account)?;
            let listener = directory.publish(&name(process))?;
            clear(&directory);
            Ok(Self { directory, listener, process })
        };
        let vanished =
            |result: &io::Result<Self>| result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        (1..ATTEMPTS).map(|_| listen()).find(|result| !vanished(result)).unwrap_or_else(listen)
    }

    /// Readable when somebody asks.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// pppd has forked and goes on in this process: takes its name.
    pub fn follow_process(&mut self) {
        let process = std::process::id();
        if process != self.process && self.directory.rename(&name(self.process), &name(process)).is_ok() {
            self.process = process;
        }
    }

    /// Tells all who ask. Only root and this process's own user are told.
    pub fn answer(&self, record: impl FnOnce() -> Record) {
        let accept = |_| seqpacket::accept(self.listener.as_fd()).ok();
        let askers: Vec<_> = (0..MOST_AT_ONCE).map_while(accept).filter(|asker| is_trusted(asker.as_fd())).collect();
        if askers.is_empty() {
            return;
        }
        let message = format!("{KIND}{}", record());
        for asker in askers {
            // One that has gone misses it.
            let _ = seqpacket::send(asker.as_fd(), message.as_bytes(), &[]);
        }
    }

    /// Removes the socket, if it is this process's.
    pub fn close(self) {
        if self.process == std::process::id() {
            // It listens until its name is gone: it is nobody else's leftover.
            let _ = self.directory.remove(&name(self.process));
            self.directory.remove_if_empty();
        }
    }
}

fn is_trusted(socket: BorrowedFd<'_>) -> bool {
    seqpacket::peer_uid(socket).is_ok_and(|uid| [0, process::effective_uid()].contains(&uid))
}

/// What came of asking a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its fields.
    Told(Record),
    /// Nothing, within the time: pppd is stopped, or waits for something else.
    Silence,
}

/// Asks all tunnels at the same time, and gives each one's process and answer, in the order of processes. What pppds have left
/// that were killed is removed.
///
/// # Errors
/// The directory is not private, or cannot be read.
pub fn ask_all(directory: &Path, account: Option<Account>, patience: Duration) -> io::Result<Vec<(u32, Answer)>> {
    let Some(directory) = Directory::open_existing(directory, account)? else { return Ok(Vec::new()) };
    let mut processes: Vec<u32> = processes(&directory)?;
    processes.sort_unstable();
    let groups = processes.chunks(ASKED_AT_ONCE);
    Ok(groups.flat_map(|group| ask(&directory, group, clock::now() + patience)).collect())
}

/// Removes the sockets of processes that are no more. A process of another namespace is one of those to this one, so it is
/// its socket that decides; others are not asked, who would have to answer.
fn clear(directory: &Directory) {
    let all = processes(directory).unwrap_or_default();
    for dead in all.into_iter().filter(|&number| !process::exists(number)) {
        // The next may.
        let _ = directory.remove_abandoned(&name(dead));
    }
}

fn processes(directory: &Directory) -> io::Result<Vec<u32>> {
    let number = |name: &String| name.strip_prefix(PREFIX)?.parse().ok();
    Ok(directory.names()?.iter().filter_map(number).collect())
}

fn ask(directory: &Directory, processes: &[u32], deadline: Instant) -> Vec<(u32, Answer)> {
    let asked = processes.iter().filter_map(|&process| match directory.connect(&name(process)) {
        Ok(socket) => is_trusted(socket.as_fd()).then_some((process, Some(socket))),
        // Too many have asked before that were not told.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some((process, None)),
        Err(error) => {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                let _ = directory.remove_abandoned(&name(process));
            }
            None
        }
    });
    let asked: Vec<_> = asked.collect();
    let told = hear(asked.iter().map(|(_, socket)| socket.as_ref()).collect(), deadline);
    asked.iter().zip(told).filter_map(|((process, _), heard)| Some((*process, heard.answer()?))).collect()
}

/// What has come so far.
#[derive(Debug)]
enum Heard {
    Nothing,
    Told(Record),
    /// It has ended meanwhile, or speaks otherwise.
    Useless,
}

impl Heard {
    fn answer(self) -> Option<Answer> {
        match self {
            Self::Nothing => Some(Answer::Silence),
            Self::Told(record) => Some(Answer::Told(record)),
            Self::Useless => None,
        }
    }
}

fn hear(sockets: Vec<Option<&OwnedFd>>, deadline: Instant) -> Vec<Heard> {
    let mut heard: Vec<Heard> = sockets.iter().map(|_| Heard::Nothing).collect();
    loop {
        let open: Vec<_> = std::iter::zip(&sockets, &mut heard)
            .filter_map(|(socket, heard)| {
                socket.filter(|_| matches!(heard, Heard::Nothing)).map(|socket| (socket, heard))
            })
            .collect();
        let left = clock::until(deadline);
        if open.is_empty() || left.is_zero() {
            return heard;
        }
        let watched: Vec<_> = open.iter().map(|(socket, _)| (socket.as_fd(), Interest::Read)).collect();
        let Ok(ready) = poller::wait(&watched, Some(left)) else { return heard };
        for ((socket, heard), _) in open.into_iter().zip(ready).filter(|(_, ready)| ready.readable()) {
            *heard = receive(socket);
        }
    }
}

fn receive(socket: &OwnedFd) -> Heard {
    let mut buffer = vec![0; LONGEST];
    match seqpacket::receive(socket.as_fd(), &mut buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
        Ok(received) => buffer.get(..received.length).and_then(read).map_or(Heard::Useless, Heard::Told),
        Err(_) => Heard::Useless,
    }
}

fn read(message: &[u8]) -> Option<Record> {
    Record::read(std::str::from_utf8(message).ok()?.strip_prefix(KIND)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    const PATIENCE: Duration = Duration::from_secs(10);

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pptp-tunnels-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn record() -> Record {
        Record::default().with("interface", "ppp0").with("choice", "data path tun: no pptp.ko é")
    }

    /// What is heard of a tunnel that answers while it is asked.
    fn ask_answering(directory: &Path, ears: &[Ear]) -> Vec<(u32, Answer)> {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    ears.iter().for_each(|ear| ear.answer(record));
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let answers = ask_all(directory, None, PATIENCE).unwrap();
            is_over.store(true, Ordering::Relaxed);
            answers
        })
    }

    #[test]
    fn a_tunnel_tells_what_it_is_and_goes_without_a_trace() {
        let directory = scratch("tells");
        assert_eq!(ask_all(&directory, None, PATIENCE).unwrap(), []);
        let ears = [Ear::open(&directory, None).unwrap()];
        assert_eq!(ask_answering(&directory, &ears), [(std::process::id(), Answer::Told(record()))]);
        ears.into_iter().for_each(Ear::close);
        assert!(!directory.exists());
    }

    #[test]
    fn one_that_does_not_answer_is_named_and_does_not_hinder_the_others() {
        let directory = scratch("silent");
        let silent = Ear::open(&directory, None).unwrap();
        std::fs::rename(directory.join(name(silent.process)), directory.join(name(1))).unwrap();
        let ears = [Ear::open(&directory, None).unwrap()];
        // Its queue is full in the end, and it is still named.
        for _ in 0..20 {
            assert_eq!(ask_all(&directory, None, Duration::ZERO).unwrap().len(), 2);
        }
        let begin = std::time::Instant::now();
        let mut answers = ask_answering_soon(&directory, &ears);
        assert!(begin.elapsed() < PATIENCE);
        assert_eq!(answers.remove(0), (1, Answer::Silence));
        assert_eq!(answers, [(std::process::id(), Answer::Told(record()))]);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    fn ask_answering_soon(directory: &Path, ears: &[Ear]) -> Vec<(u32, Answer)> {
        // Those that have asked and gone are waiting in the queue.
        (0..10).for_each(|_| ears.iter().for_each(|ear| ear.answer(record)));
        ask_answering(directory, ears)
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let directory = scratch("left");
        let ear = Ear::open(&directory, None).unwrap();
        std::fs::write(directory.join("other"), "").unwrap();
        std::fs::write(directory.join("tunnel-x"), "").unwrap();
        drop(ear);
        assert_eq!(ask_all(&directory, None, PATIENCE).unwrap(), []);
        let left: Vec<_> = Directory::open(&directory, None).unwrap().names().unwrap();
        assert!(left.len() == 2 && !left.iter().any(|name| name.ends_with(char::is_numeric)), "{left:?}");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_next_that_listens_removes_it_and_none_that_lives() {
        let directory = scratch("next");
        let gone = || {
            let mut child = std::process::Command::new("true").spawn().unwrap();
            child.wait().unwrap();
            child.id()
        };
        let [dead, foreign] = [gone(), gone()];
        assert_ne!(dead, foreign);
        let give = |ear: &Ear, number| ear.directory.rename(&name(ear.process), &name(number)).unwrap();
        let killed = Ear::open(&directory, None).unwrap();
        give(&killed, dead);
        drop(killed);
        // Of another namespace, in which its number is that of a process.
        let living = Ear::open(&directory, None).unwrap();
        give(&living, foreign);
        let next = Ear::open(&directory, None).unwrap();
        let left: std::collections::BTreeSet<_> = next.directory.names().unwrap().into_iter().collect();
        assert_eq!(left, [name(foreign), name(next.process)].into());
        assert!(next.directory.connect(&name(foreign)).is_ok());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_is_no_message_is_no_tunnel() {
        for junk in [&b""[..], b"hello", b"tunnel x", b"tunnel a=%", b"tunnel \xff", &[b'x'; LONGEST + 1]] {
            let (ours, theirs) = seqpacket::pair().unwrap();
            seqpacket::send(theirs.as_fd(), junk, &[]).unwrap();
            assert!(matches!(receive(&ours), Heard::Useless), "{junk:?}");
        }
        let (ours, theirs) = seqpacket::pair().unwrap();
        assert!(matches!(receive(&ours), Heard::Nothing));
        drop(theirs);
        assert!(matches!(receive(&ours), Heard::Useless));
    }
}
