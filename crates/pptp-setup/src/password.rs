//! The password: from a file, from standard input, or typed at a terminal that does not show it. Never from the command line,
//! which everybody may read.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use pptp_io::poller::{Interest, wait};
use zeroize::Zeroizing;

/// Longest password that pppd takes, bytes.
const LONGEST: usize = 255;

/// Signals that end a program; the terminal is set right before they do.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Where the password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// The first line of this file.
    File(&'a Path),
    /// The first line of standard input, which is asked for where that is a terminal.
    Input,
}

/// Reads it.
///
/// # Errors
/// There is none, or pppd cannot take it; in words.
pub(crate) fn read(source: &Source<'_>) -> Result<Zeroizing<Vec<u8>>, String> {
    let stdin = io::stdin();
    let line = match source {
        Source::File(path) => {
            let failed = |error| format!("cannot read {}: {}", path.display(), pptp_io::words(&error));
            first_line(File::open(path).map_err(failed)?).map_err(failed)?
        }
        Source::Input if stdin.is_terminal() => ask(stdin.as_fd())
            .map_err(|error| format!("cannot read a password from the terminal: {}", pptp_io::words(&error)))?,
        // Past the buffer of standard input, which nobody erases.
        Source::Input => stdin
            .as_fd()
            .try_clone_to_owned()
            .and_then(|input| first_line(File::from(input)))
            .map_err(|error| format!("cannot read standard input: {}", pptp_io::words(&error)))?,
    };
    check(&line)?;
    Ok(line)
}

/// Whether it has letters that servers may know by other bytes.
pub(crate) fn has_doubtful_letters(password: &[u8]) -> bool {
    !password.is_ascii()
}

fn check(password: &[u8]) -> Result<(), String> {
    if password.is_empty() {
        return Err("the password is empty".into());
    }
    if password.len() > LONGEST {
        return Err(format!("the password is too long for pppd: {LONGEST} bytes fit"));
    }
    if password.contains(&0) {
        return Err("a password cannot have a NUL in it".into());
    }
    if password.starts_with(b"@/") {
        return Err("pppd takes a password that begins with @/ for the name of a file".into());
    }
    Ok(())
}

/// Up to the first end of a line.
fn first_line(mut input: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // One byte more than fits shows that it is too long, two more may be the line's end.
    let mut buffer = Zeroizing::new([0; LONGEST + 3]);
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if buffer.contains(&b'\n') {
            break;
        }
    }
    Ok(Zeroizing::new(line(buffer.get(..length).unwrap_or_default()).to_vec()))
}

fn line(bytes: &[u8]) -> &[u8] {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Asks at a terminal, which shows nothing meanwhile and is as before afterwards, whatever signal comes.
fn ask(terminal: BorrowedFd<'_>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut held = SigSet::empty();
    ENDING.iter().for_each(|signal| held.add(*signal));
    let signals = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    // Stopped, this program would leave a terminal that shows nothing.
    held.add(Signal::SIGTSTP);
    let before = held.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
    let answer = Silent::make(terminal).and_then(|_silent| {
        io::stderr().write_all(b"Password: ")?;
        wait_for_line(terminal, &signals)
    });
    let _ = io::stderr().write_all(b"\n");
    // A signal that came ends the program here.
    before.thread_set_mask()?;
    answer
}

/// A terminal that gives what is typed a line at a time: reads one.
fn wait_for_line(terminal: BorrowedFd<'_>, signals: &SignalFd) -> io::Result<Zeroizing<Vec<u8>>> {
    loop {
        let ready = wait(&[(terminal, Interest::Read), (signals.as_fd(), Interest::Read)], None)?;
        if ready.get(1).is_some_and(|ready| ready.readable()) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if ready.first().is_some_and(|ready| ready.readable()) {
            let mut buffer = Zeroizing::new([0; LONGEST + 3]);
            let length = nix::unistd::read(terminal, &mut *buffer)?;
            return Ok(Zeroizing::new(line(buffer.get(..length).unwrap_or_default()).to_vec()));
        }
    }
}

/// A terminal that does not show what is typed. Dropping it makes it what it was.
struct Silent<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn make(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        silent.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &[u8]) -> Vec<u8> {
        first_line(text).unwrap().to_vec()
    }

    #[test]
    fn the_first_line_counts_without_its_end() {
        assert_eq!(first(b"secret\nmore\n"), b"secret");
        assert_eq!(first(b"secret"), b"secret");
        assert_eq!(first(b" sec ret \r\n"), b" sec ret ");
        assert_eq!(first(b""), b"");
        let long = "x".repeat(LONGEST);
        assert_eq!(first(format!("{long}\r\n").as_bytes()), long.as_bytes());
        assert!(check(&first(format!("{long}x\r\n").as_bytes())).is_err());
    }

    #[test]
    fn what_pppd_cannot_take_is_refused() {
        for password in [b"".as_slice(), b"a\0b", b"@/etc/x", &[b'x'; 256]] {
            assert!(check(password).is_err());
        }
        for password in [b"@x".as_slice(), b"/", b" ", &[b'x'; 255]] {
            assert_eq!(check(password), Ok(()));
        }
    }

    #[test]
    fn a_terminal_shows_nothing_and_is_as_before_afterwards() {
        let (master, slave) = pptp_io::pty::open().unwrap();
        let slave_fd = slave.as_fd();
        let echoes = || tcgetattr(slave_fd).unwrap().local_flags.contains(LocalFlags::ECHO);
        let mut shown = tcgetattr(slave_fd).unwrap();
        shown.local_flags.insert(LocalFlags::ECHO);
        tcsetattr(slave_fd, SetArg::TCSANOW, &shown).unwrap();
        // What is typed before the question is thrown away.
        let typing = std::thread::spawn(move || {
            while tcgetattr(&master).unwrap().local_flags.contains(LocalFlags::ECHO) {
                std::thread::yield_now();
            }
            nix::unistd::write(&master, b"sec ret\n").unwrap();
            master
        });
        let password = ask(slave_fd).unwrap();
        assert_eq!(password.as_slice(), b"sec ret");
        assert!(echoes());
        let master = typing.join().unwrap();
        let mut shown = [0; 64];
        let ready = wait(&[(master.as_fd(), Interest::Read)], Some(std::time::Duration::from_millis(20))).unwrap();
        let length = if ready[0].readable() { nix::unistd::read(&master, &mut shown).unwrap() } else { 0 };
        assert!(!String::from_utf8_lossy(&shown[..length]).contains("sec"), "{:?}", &shown[..length]);
    }
}
