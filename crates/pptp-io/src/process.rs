//! A process of our own, forked from pppd, that shares nothing with it but what it is given.
//!
//! There is no exec: the new process runs the plugin's code. So it sheds pppd first: its signal handlers (they delete
//! routes and pid files), its descriptors (a copy of the far end of a socket means that the near end never reads the
//! end), its session and its secrets. It never runs pppd's functions, and it leaves by `_exit`.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, setsid};

use crate::poller::{Interest, wait};
use crate::seqpacket;
use crate::sys::{self, Disposition, Fork};

/// Signals that say "go away" to a terminal's or a service's processes. Ours goes when its sockets close.
const IGNORED: [i32; 7] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2, libc::SIGPIPE];

/// How a panic in the new process shows in its exit status.
const PANICKED: i32 = 70;

/// What the new process is given.
#[derive(Clone, Copy, Debug)]
pub struct Detached<'a> {
    /// Its name in ps(1), at most 15 bytes.
    pub name: &'a CStr,
    /// The only descriptors it keeps, besides 0, 1 and 2 on /dev/null.
    pub keep: &'a [BorrowedFd<'a>],
    /// Erases secrets from the memory that it inherits.
    pub wipe: fn(),
}

/// Runs `body` in a new process that is nobody's child, and returns when that process has its name and nothing of this one's but
/// what it keeps.
///
/// `body` gets its own copies of the kept descriptors, in order. It must not use any other descriptor, not even ones it
/// captured: they are closed. When it returns, the process ends.
///
/// The caller must have only one thread, see fork(2).
///
/// # Errors
/// Out of processes or memory.
pub fn detach(new: Detached<'_>, body: impl FnOnce(Vec<OwnedFd>)) -> io::Result<()> {
    // Until the handlers are reset, no signal may reach the new process.
    let mask = block_signals()?;
    let forked = sys::fork();
    if let Ok(Fork::Child) = forked {
        sys::exit_now(fork_again(new, body));
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
    match forked? {
        Fork::Parent(child) => await_child(child),
        Fork::Child => Ok(()),
    }
}

/// Kills this process (SIGALRM) unless it is called again within `limit`, rounded up to seconds; `None`: calls it off.
///
/// For system calls that have no time-out of their own.
pub fn set_time_limit(limit: Option<Duration>) {
    sys::alarm(limit.map_or(0, |limit| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).saturating_add(1)));
}

/// Allows this process as many descriptors as it may have, and says how many that was before. No kernel gives a process more
/// than 32 bits can count.
///
/// # Errors
/// None that a correct program sees.
pub fn raise_descriptor_limit() -> io::Result<u32> {
    let (before, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(u32::try_from(before).unwrap_or(u32::MAX))
}

/// Whether there is a process of this number, which may have ended and not been waited for.
pub fn exists(number: u32) -> bool {
    let number = i32::try_from(number).unwrap_or_default();
    number > 0 && nix::sys::signal::kill(Pid::from_raw(number), None) != Err(Errno::ESRCH)
}

/// The uid that the kernel asks about when this process does something.
pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn block_signals() -> io::Result<SigSet> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    Ok(before)
}

/// The process in between: it ends soon, so that the one that stays is init's child and no zombie of pppd's.
fn fork_again(new: Detached<'_>, body: impl FnOnce(Vec<OwnedFd>)) -> i32 {
    let _ = setsid();
    let between = || -> io::Result<()> {
        let (ours, theirs) = seqpacket::pair()?;
        match sys::fork()? {
            Fork::Parent(_) => drop(theirs),
            Fork::Child => sys::exit_now(run(new, body)),
        }
        // It closes this among all that it does not keep.
        wait(&[(ours.as_fd(), Interest::Read)], None).map(drop)
    };
    match between() {
        Ok(()) => 0,
        Err(error) => error.raw_os_error().unwrap_or(libc::EAGAIN),
    }
}

/// No signal tells this process of its parent's death any more, if its parent has made that so.
pub fn outlive_parent() {
    // It takes a number, which is right.
    let _ = nix::sys::prctl::set_pdeathsig(None);
}

fn await_child(child: Pid) -> io::Result<()> {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) | Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::Exited(_, status)) => return Err(io::Error::from_raw_os_error(status)),
            Ok(WaitStatus::Signaled(..)) => return Err(io::Error::from(io::ErrorKind::Interrupted)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn run(new: Detached<'_>, body: impl FnOnce(Vec<OwnedFd>)) -> i32 {
    let run = || -> io::Result<()> {
        shed_signals()?;
        let _ = nix::sys::prctl::set_name(new.name);
        // The hook is the host's too: it would report a panic with the host's functions.
        drop(std::panic::take_hook());
        (new.wipe)();
        // A password may be among them, and everybody may read /proc/PID/cmdline.
        sys::replace_arguments(new.name.to_bytes());
        forbid_core_dumps();
        // The log crate's logger belongs to the host as well.
        log::set_max_level(log::LevelFilter::Off);
        let kept = shed_descriptors(new.keep)?;
        let _ = chdir("/");
        umask(Mode::from_bits_truncate(0o077));
        body(kept);
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => 0,
        Ok(Err(_)) => 1,
        Err(_) => PANICKED,
    }
}

fn shed_signals() -> io::Result<()> {
    for signal in 1..=sys::last_signal() {
        sys::set_signal(signal, Disposition::Default);
    }
    for signal in IGNORED {
        sys::set_signal(signal, Disposition::Ignore);
    }
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

/// Memory inherited from pppd must not land on a disk, nor be read by another process of the same user.
fn forbid_core_dumps() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = nix::sys::prctl::set_dumpable(false);
}

fn shed_descriptors(keep: &[BorrowedFd<'_>]) -> io::Result<Vec<OwnedFd>> {
    let kept = keep.iter().map(|fd| sys::duplicate_above_standard(fd.as_raw_fd())).collect::<io::Result<Vec<_>>>()?;
    let null = null_device();
    for standard in 0..=2 {
        match &null {
            Ok(null) => sys::replace_standard(null.as_fd(), standard),
            Err(_) => sys::close_range(standard, standard),
        }
    }
    // Before everything is closed, so that its number is not another's when the destructor runs.
    drop(null);
    let mut numbers: Vec<RawFd> = kept.iter().map(AsRawFd::as_raw_fd).collect();
    numbers.sort_unstable();
    let mut next = 3;
    for number in numbers {
        if number > next {
            sys::close_range(next, number - 1);
        }
        next = number + 1;
    }
    sys::close_range(next, RawFd::MAX);
    Ok(kept)
}

fn null_device() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}
