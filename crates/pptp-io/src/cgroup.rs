//! Leaving the control group of the service that started us.
//!
//! A service manager that stops a service kills every process in its group. A process that several services use must
//! not be in any of theirs, so it moves to the root group, where processes of no service are.

use std::fs;
use std::path::PathBuf;

/// How this process left its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is in none that a service manager would kill.
    NotNeeded,
    /// It is in the root group.
    Root,
}

/// Moves this process out of its group. Needs root; it must have a single thread.
///
/// # Errors
/// A line that says why it is still there.
pub fn leave() -> Result<Move, String> {
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    if !is_in_some_group(&groups) {
        return Ok(Move::NotNeeded);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("/proc/self/mounts: {error}"))?;
    let roots = roots(&mounts);
    if roots.is_empty() {
        return Err(String::from("no file system of control groups that services are in"));
    }
    for root in roots {
        let processes = root.join("cgroup.procs");
        fs::write(&processes, "0").map_err(|error| format!("{}: {error}", processes.display()))?;
    }
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

/// Where the hierarchies that [`is_in_some_group`] speaks of are mounted.
fn roots(mounts: &str) -> Vec<PathBuf> {
    let root = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        let of_services = kind == "cgroup2" || kind == "cgroup" && options.split(',').any(|one| one == "name=systemd");
        of_services.then(|| PathBuf::from(place))
    };
    mounts.lines().filter_map(root).collect()
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
    fn the_hierarchies_of_services_are_found_among_the_mounts() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
                      cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n";
        assert_eq!(roots(mounts), ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"].map(PathBuf::from));
        assert!(roots("proc /proc proc rw 0 0\n").is_empty());
    }
}
