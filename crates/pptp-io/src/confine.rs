//! Giving up what a process does not need, before it reads a byte from the network.
//!
//! The order matters: ids while there are capabilities, capabilities while prctl is allowed, the system call filter
//! last. The process must have a single thread.

use std::fs;

use caps::{CapSet, Capability};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// The system user that such processes become, if the machine has it.
pub const SERVICE_USER: &str = "pptp-rs";

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
}

/// The account of [`SERVICE_USER`], from /etc/passwd alone: a directory service could block.
pub fn service_account() -> Option<Account> {
    parse_passwd(&fs::read_to_string("/etc/passwd").ok()?, SERVICE_USER)
}

/// Gives up ids (for `account`, else root's), capabilities and all system calls but those of an event loop with sockets
/// that are already open. Returns a line for each thing that this kernel does not let us give up.
pub fn confine(account: Option<Account>) -> Vec<String> {
    confine_to(account, calls::EVENT_LOOP)
}

/// The same for a process that only moves packets between descriptors that it is given: it becomes [`SERVICE_USER`], else
/// `nobody`.
pub fn confine_engine() -> Vec<String> {
    confine_to(service_account().or_else(nobody), calls::ENGINE)
}

/// What a server does with sockets and devices of the network, and with files of configuration that are not root's.
const SERVERS: [Capability; 3] = [Capability::CAP_DAC_READ_SEARCH, Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// Without one of these it could pass descriptors on only while few are on their way, of all that processes of root pass.
const PASSING: [Capability; 2] = [Capability::CAP_SYS_RESOURCE, Capability::CAP_SYS_ADMIN];

/// What neither pppd nor a script that sets up a network has to do with.
const NOBODYS: [Capability; 16] = [
    Capability::CAP_AUDIT_CONTROL,
    Capability::CAP_AUDIT_READ,
    Capability::CAP_BLOCK_SUSPEND,
    Capability::CAP_CHECKPOINT_RESTORE,
    Capability::CAP_LEASE,
    Capability::CAP_LINUX_IMMUTABLE,
    Capability::CAP_MAC_ADMIN,
    Capability::CAP_MAC_OVERRIDE,
    Capability::CAP_PERFMON,
    Capability::CAP_SETFCAP,
    Capability::CAP_SYSLOG,
    Capability::CAP_SYS_BOOT,
    Capability::CAP_SYS_PACCT,
    Capability::CAP_SYS_RAWIO,
    Capability::CAP_SYS_TIME,
    Capability::CAP_WAKE_ALARM,
];

/// Limits a server that starts programs as root, pppd and with it any script. Its own system calls have few capabilities from
/// here on, and it can neither be dumped nor traced. The programs have all but those that none of them needs: what is permitted
/// is not cut to what is in effect, since a program that gained by exec would lose `PR_SET_PDEATHSIG`, and would gain nothing
/// where new privileges are forbidden. Returns a line for each thing that this kernel does not let us give up.
pub fn limit_server() -> Vec<String> {
    let permitted = match caps::read(None, CapSet::Permitted) {
        Ok(permitted) => permitted,
        Err(error) => return vec![format!("cannot read the capabilities of this process: {error}")],
    };
    let mut failures = Vec::new();
    let mut note = |what: &str, result: Result<(), String>| {
        if let Err(error) = result {
            failures.push(format!("cannot {what}: {error}"));
        }
    };
    // Those that this kernel does not know are in no set.
    for capability in NOBODYS.into_iter().filter(|capability| permitted.contains(capability)) {
        let dropped = caps::drop(None, CapSet::Bounding, capability);
        note(&format!("give up {capability}"), dropped.map_err(|error| error.to_string()));
    }
    let kept = permitted.iter().filter(|capability| !NOBODYS.contains(capability)).copied().collect();
    let passing = PASSING.into_iter().find(|capability| permitted.contains(capability));
    let own = SERVERS.into_iter().chain(passing).filter(|capability| permitted.contains(capability)).collect();
    // What is in effect has to be permitted at any moment.
    for (set, capabilities) in [(CapSet::Effective, &own), (CapSet::Permitted, &kept)] {
        let limited = caps::set(None, set, capabilities).map_err(|error| error.to_string());
        note("give up capabilities", limited);
    }
    note("forbid core dumps", nix::sys::prctl::set_dumpable(false).map_err(|error| error.to_string()));
    failures
}

fn nobody() -> Option<Account> {
    parse_passwd(&fs::read_to_string("/etc/passwd").ok()?, "nobody")
}

fn confine_to(account: Option<Account>, system_calls: &[libc::c_long]) -> Vec<String> {
    let mut failures = Vec::new();
    let mut note = |what: &str, result: Result<(), String>| {
        if let Err(error) = result {
            failures.push(format!("cannot {what}: {error}"));
        }
    };
    // A server has fewer of them in effect than it may have. What is missing is told below.
    let _ = caps::read(None, CapSet::Permitted).and_then(|all| caps::set(None, CapSet::Effective, &all));
    note("change the user id", drop_bounding_set().and(change_ids(account)));
    note("give up capabilities", drop_capabilities());
    note("give up setuid programs", nix::sys::prctl::set_no_new_privs().map_err(|error| error.to_string()));
    // Changing ids makes a process dumpable again on some kernels.
    note("forbid core dumps", nix::sys::prctl::set_dumpable(false).map_err(|error| error.to_string()));
    note("restrict system calls", restrict_system_calls(system_calls));
    failures
}

fn drop_bounding_set() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    caps::clear(None, CapSet::Bounding).map_err(|error| error.to_string())
}

fn change_ids(account: Option<Account>) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = account.map_or((0, 0), |account| (account.uid, account.gid));
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let changed = setgroups(&[]).and(setresgid(gid, gid, gid)).and(setresuid(uid, uid, uid));
    changed.map_err(|error| error.to_string())
}

fn drop_capabilities() -> Result<(), String> {
    // Ambient capabilities are newer than the others (Linux 4.3): where there are none, none are left.
    let _ = caps::clear(None, CapSet::Ambient);
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn parse_passwd(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    })
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn restrict_system_calls(allowed: &[libc::c_long]) -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    let rules = allowed.iter().map(|&number| (number, Vec::new())).collect();
    // A forbidden call fails instead of killing: a C library that is newer than this list gets an error it knows.
    let forbidden = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter = SeccompFilter::new(rules, forbidden, SeccompAction::Allow, arch).map_err(|error| error.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn restrict_system_calls(_allowed: &[libc::c_long]) -> Result<(), String> {
    Err(format!("no filter for {}", std::env::consts::ARCH))
}

/// There is no filter that these could be lists for.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    pub(super) const EVENT_LOOP: &[libc::c_long] = &[];
    pub(super) const ENGINE: &[libc::c_long] = &[];
}

/// What confined processes call.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod calls {
    use libc::c_long;

    /// An event loop with open sockets.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) const EVENT_LOOP: &[c_long] = &joined::<{ BASE.len() + SOCKETS.len() }>([BASE, SOCKETS, &[]]);
    #[cfg(target_arch = "x86_64")]
    pub(super) const EVENT_LOOP: &[c_long] =
        &joined::<{ BASE.len() + SOCKETS.len() + OLD.len() }>([BASE, SOCKETS, OLD]);

    /// One that moves packets.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) const ENGINE: &[c_long] = &joined::<{ BASE.len() + PACKETS.len() }>([BASE, PACKETS, &[]]);
    #[cfg(target_arch = "x86_64")]
    pub(super) const ENGINE: &[c_long] =
        &joined::<{ BASE.len() + PACKETS.len() + 1 }>([BASE, PACKETS, &[libc::SYS_epoll_wait]]);

    /// Calls that newer architectures do not have.
    #[cfg(target_arch = "x86_64")]
    const OLD: &[c_long] = &[libc::SYS_poll, libc::SYS_unlink, libc::SYS_rmdir];

    const BASE: &[c_long] = &[
        // Descriptors that exist.
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_ioctl,
        libc::SYS_close,
        // Memory, time, the end.
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_madvise,
        libc::SYS_mprotect,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    const SOCKETS: &[c_long] = &[
        libc::SYS_accept4,
        libc::SYS_bind,
        libc::SYS_connect,
        libc::SYS_shutdown,
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_getsockopt,
        libc::SYS_setsockopt,
        libc::SYS_fcntl,
        libc::SYS_dup,
        libc::SYS_ppoll,
        // The socket file and its directory.
        libc::SYS_flock,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_unlinkat,
    ];

    const PACKETS: &[c_long] = &[libc::SYS_sendmmsg, libc::SYS_epoll_pwait, libc::SYS_epoll_ctl];

    const fn joined<const N: usize>(lists: [&[c_long]; 3]) -> [c_long; N] {
        let mut all = [0; N];
        let (mut list, mut from, mut to) = (0, 0, 0);
        while to < N {
            if from == lists[list].len() {
                list += 1;
                from = 0;
                continue;
            }
            all[to] = lists[list][from];
            from += 1;
            to += 1;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npptp-rs2:x:7:8::/:/x\npptp-rs:x:990:989:PPTP:/:/usr/sbin/nologin\n";
        assert_eq!(parse_passwd(passwd, "pptp-rs"), Some(Account { uid: 990, gid: 989 }));
        assert_eq!(parse_passwd(passwd, "pptp"), None);
        assert_eq!(parse_passwd("pptp-rs:x", "pptp-rs"), None);
    }
}
