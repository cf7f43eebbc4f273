//! Standard input and output as the two ends of a line.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};

use crate::sys;

/// What a program was given to read and to write: the same terminal or socket twice, or two pipes.
#[derive(Debug)]
pub struct Line {
    /// Standard input.
    pub input: OwnedFd,
    /// Standard output.
    pub output: OwnedFd,
}

/// Takes both, close-on-exec and non-blocking. This process has /dev/null in their place afterwards, so that the other end of the
/// line hears when the last who has been given them has closed them.
///
/// # Errors
/// One of them cannot be waited for (`InvalidInput`).
pub fn take_line() -> io::Result<Line> {
    let line = Line { input: sys::duplicate_above_standard(0)?, output: sys::duplicate_above_standard(1)? };
    for (end, name) in [(&line.input, "standard input"), (&line.output, "standard output")] {
        if !is_line(end.as_fd())? {
            let text = format!("{name} is no terminal, pipe or socket");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let flags = OFlag::from_bits_retain(fcntl(end, FcntlArg::F_GETFL)?);
        fcntl(end, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    sys::replace_standard(null.as_fd(), 0);
    sys::replace_standard(null.as_fd(), 1);
    Ok(line)
}

fn is_line(end: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = SFlag::from_bits_truncate(fstat(end)?.st_mode) & SFlag::S_IFMT;
    Ok(matches!(kind, SFlag::S_IFIFO | SFlag::S_IFSOCK) || nix::unistd::isatty(end)?)
}
