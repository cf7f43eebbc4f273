//! Starting a program in a process that shares this one's memory until then (`CLONE_VM`, `CLONE_VFORK`), as posix_spawn(3) does: fork(2)
//! copies the page tables of a process that is about to throw them away, and each page that either writes meanwhile.

use std::ffi::{CStr, CString, c_char, c_void};
use std::io;
use std::os::fd::RawFd;
use std::ptr;

use libc::{c_int, sigset_t};

use super::check;

/// What the new process does before it runs the program; see [`start`].
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// Looked for in `PATH` if it has no slash.
    pub(crate) program: &'a CStr,
    /// Its arguments, the first of them its name.
    pub(crate) arguments: &'a [CString],
    /// What it has as standard input, output and error.
    pub(crate) standard: RawFd,
    /// What it is given besides.
    pub(crate) inherited: &'a [RawFd],
    /// Whose child it is, this process: a child of another's has outlived this one, and nothing tells it.
    pub(crate) parent: libc::pid_t,
}

/// The same, as the new process can use it: it must not allocate.
struct Ready<'a> {
    start: &'a Start<'a>,
    /// Pointers to the arguments, and a null pointer.
    arguments: &'a [*const c_char],
    /// Why the program does not run, an `errno`; 0: it does.
    failure: c_int,
}

/// The stack of the new process until it runs the program: execvp(3) puts paths and arguments on it.
const STACK: usize = 64 * 1024;

/// Starts a program in a process group of its own, with the signals' default actions and none held back, which gets SIGTERM when the
/// calling thread ends. Returns its process id when it runs the program.
///
/// Only for a process with one thread: that thread waits, and its memory is the new process's until then.
pub(crate) fn start(start: &Start<'_>) -> io::Result<libc::pid_t> {
    let mut pointers: Vec<*const c_char> = start.arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(ptr::null());
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let mut ready = Ready { start, arguments: &pointers, failure: 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // What a handler of ours did in the new process it would do to our memory.
    let held_back = block_all()?;
    // SAFETY: the stack grows down from the end of live memory that nothing else uses, aligned to 16 bytes; `ready` outlives
    // the new process's use of it, because this thread waits until that has run the program or ended.
    let process =
        check(unsafe { libc::clone(run, stack.as_mut_ptr_range().end.cast(), flags, (&raw mut ready).cast()) });
    restore(&held_back);
    let process = process?;
    // SAFETY: it points to a live variable, which the new process may have written when it had this memory.
    match unsafe { (&raw const ready.failure).read_volatile() } {
        0 => Ok(process),
        failure => {
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(process), None);
            Err(io::Error::from_raw_os_error(failure))
        }
    }
}

/// The new process: system calls alone, on memory that is its parent's.
extern "C" fn run(ready: *mut c_void) -> c_int {
    // SAFETY: `start` passes a `Ready` that lives, and that nobody else uses while this runs.
    let ready = unsafe { &mut *ready.cast::<Ready<'_>>() };
    let Err(error) = prepare(ready.start) else { return replace(ready) };
    ready.failure = error;
    127
}

fn prepare(start: &Start<'_>) -> Result<(), c_int> {
    for standard in 0..3 {
        // SAFETY: no pointers; the descriptors of this process are a copy of its parent's.
        number(unsafe { libc::dup2(start.standard, standard) })?;
    }
    for inherited in start.inherited {
        // SAFETY: F_SETFD takes a number, no pointer.
        number(unsafe { libc::fcntl(*inherited, libc::F_SETFD, 0) })?;
    }
    // SAFETY: no pointers.
    number(unsafe { libc::setpgid(0, 0) })?;
    // SAFETY: PR_SET_PDEATHSIG takes a number, no pointer.
    number(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
    // SAFETY: no pointers.
    if unsafe { libc::getppid() } != start.parent {
        return Err(libc::ESRCH);
    }
    // What Rust's own start has changed; handlers end with this program by themselves.
    // SAFETY: the default runs no code; the actions of this process are a copy of its parent's.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    restore(&no_signals());
    Ok(())
}

/// Runs the program; returns if that fails.
fn replace(ready: &mut Ready<'_>) -> c_int {
    // SAFETY: the name ends with a NUL, the pointers to arguments that do, too, with a null pointer; all of them live.
    unsafe { libc::execvp(ready.start.program.as_ptr(), ready.arguments.as_ptr()) };
    ready.failure = nix::errno::Errno::last_raw();
    127
}

fn number(result: c_int) -> Result<(), c_int> {
    if result == -1 { Err(nix::errno::Errno::last_raw()) } else { Ok(()) }
}

fn no_signals() -> sigset_t {
    *nix::sys::signal::SigSet::empty().as_ref()
}

/// Holds all signals back, and gives those that were held back before.
fn block_all() -> io::Result<sigset_t> {
    let all = nix::sys::signal::SigSet::all();
    Ok(*all.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?.as_ref())
}

fn restore(held_back: &sigset_t) {
    // SAFETY: the set is alive and initialized; a null pointer for the old one is allowed.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, held_back, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_process_that_has_lost_its_parent_runs_no_program() {
        let nothing = File::options().read(true).write(true).open("/dev/null").unwrap();
        let this = libc::pid_t::try_from(std::process::id()).unwrap();
        let outcome = |parent| {
            start(&Start {
                program: c"true",
                arguments: &[c"true".into()],
                standard: nothing.as_raw_fd(),
                inherited: &[],
                parent,
            })
            .map_err(|error| error.raw_os_error())
        };
        assert_eq!(outcome(this + 1), Err(Some(libc::ESRCH)));
        let child = nix::unistd::Pid::from_raw(outcome(this).unwrap());
        let ended = nix::sys::wait::WaitStatus::Exited(child, 0);
        assert_eq!(nix::sys::wait::waitpid(child, None), Ok(ended));
    }
}
