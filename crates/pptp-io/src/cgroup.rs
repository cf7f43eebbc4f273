//! Leaving the control group of the service that started us.
//!
//! A service manager that stops a service kills every process in its group. A process that several services use must
//! not be in any of theirs.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process;

/// How long systemd may take to move us; nobody waits for it.
const SYSTEMD_LIMIT: Duration = Duration::from_secs(10);

/// How this process left its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is in none that a service manager would kill.
    NotNeeded,
    /// systemd was asked to give it a scope of its own, and does so meanwhile.
    Scope,
    /// It is in the root group.
    Root,
}

/// Moves this process out of its group. Needs root; it must have a single thread.
///
/// # Errors
/// A line that says why it is still there.
pub fn leave(scope_name: &str) -> Result<Move, String> {
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    if !is_in_some_group(&groups) {
        return Ok(Move::NotNeeded);
    }
    if Path::new("/run/systemd/system").is_dir() && ask_systemd(scope_name) {
        return Ok(Move::Scope);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("/proc/self/mounts: {error}"))?;
    let root = unified_root(&mounts).ok_or("no cgroup2 file system")?;
    let processes = root.join("cgroup.procs");
    fs::write(&processes, "0").map_err(|error| format!("{}: {error}", processes.display()))?;
    Ok(Move::Root)
}

/// Whether the unified hierarchy, or systemd's own on older systems, has this process anywhere but in its root.
fn is_in_some_group(groups: &str) -> bool {
    groups.lines().any(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return false };
        (controllers.is_empty() || controllers == "name=systemd") && path != "/"
    })
}

fn unified_root(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })
}

/// Starts a busctl that asks for a transient scope with this process in it. A scope's processes get SIGTERM when the
/// machine shuts down, which ours ignores, hence the short time-out.
fn ask_systemd(scope_name: &str) -> bool {
    let Some(busctl) = ["/usr/bin/busctl", "/bin/busctl"].into_iter().find(|path| Path::new(path).exists()) else {
        return false;
    };
    let scope = format!("{scope_name}-{}.scope", std::process::id());
    let pid = std::process::id().to_string();
    let words = [
        "busctl",
        "--quiet",
        "call",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
        &scope,
        "fail",
        "3",
        "PIDs",
        "au",
        "1",
        &pid,
        "CollectMode",
        "s",
        "inactive-or-failed",
        "TimeoutStopUSec",
        "t",
        "5000000",
        "0",
    ];
    let Ok(words) = words.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>() else { return false };
    let Ok(program) = CString::new(busctl) else { return false };
    let arguments: Vec<_> = words.iter().map(CString::as_c_str).collect();
    process::run_aside(&program, &arguments, SYSTEMD_LIMIT).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_root_groups_need_not_move() {
        assert!(!is_in_some_group("9:name=systemd:/\n4:memory:/x/y\n0::/\n"));
    }

    #[test]
    fn a_process_of_a_service_has_to_move() {
        assert!(is_in_some_group("0::/system.slice/ppp.service\n"));
        assert!(is_in_some_group("1:name=systemd:/system.slice/ppp.service\n0::/\n"));
    }

    #[test]
    fn the_unified_hierarchy_is_found_among_the_mounts() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(unified_root(mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(unified_root("proc /proc proc rw 0 0\n"), None);
    }
}
