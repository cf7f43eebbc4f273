//! Process 1 of a machine: `native-init TEST ROOT PLUGIN PROGRAMS` makes the file system out of the directory ROOT,
//! which stays as it is, says "ready", and holds the machine until its input ends.
//!
//! /run/test is the directory TEST, /run/plugin is PLUGIN, /run/bin is PROGRAMS. /run, /tmp, /dev and /etc/ppp are new.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::sys::wait::waitpid;
use nix::unistd::chroot;

type Outcome = Result<(), Box<dyn Error>>;

const DEVICES: [(&str, u64, u64); 7] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("net/tun", 10, 200),
];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [test, root, plugin, programs] = arguments.as_slice() else { return Err("four directories".into()) };
    make_files(Path::new(root), [test, plugin, programs])?;
    chroot(root.as_str())?;
    std::env::set_current_dir("/")?;
    // What its parents leave behind belongs to process 1.
    thread::spawn(|| {
        loop {
            if waitpid(None, None).is_err() {
                thread::sleep(Duration::from_millis(10));
            }
        }
    });
    std::io::stdout().write_all(b"ready\n")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn make_files(root: &Path, [test, plugin, programs]: [&str; 3]) -> Outcome {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    if root != Path::new("/") {
        bind(root, root)?;
    }
    new(root.join("run"), "tmpfs", "mode=755")?;
    for (directory, source) in [("test", test), ("plugin", plugin), ("bin", programs)] {
        let place = root.join("run").join(directory);
        fs::create_dir(&place)?;
        bind(Path::new(source), &place)?;
    }
    // After the bindings, which would inherit it.
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(None::<&str>, root, None::<&str>, read_only, None::<&str>)?;
    for directory in ["run/lock", "run/pppd", "run/pppd/lock"] {
        fs::create_dir(root.join(directory))?;
    }
    new(root.join("etc/ppp"), "tmpfs", "mode=755")?;
    new(root.join("tmp"), "tmpfs", "mode=1777")?;
    new(root.join("proc"), "proc", "")?;
    new(root.join("sys"), "sysfs", "")?;
    make_devices(&root.join("dev"))
}

fn make_devices(dev: &Path) -> Outcome {
    new(dev.to_path_buf(), "tmpfs", "mode=755")?;
    for directory in ["net", "pts"] {
        fs::create_dir(dev.join(directory))?;
    }
    for (name, major, minor) in DEVICES {
        mknod(&dev.join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))?;
    }
    new(dev.join("pts"), "devpts", "newinstance,ptmxmode=666")?;
    symlink("pts/ptmx", dev.join("ptmx"))?;
    Ok(())
}

fn new(place: std::path::PathBuf, kind: &str, options: &str) -> Outcome {
    let mounted = mount(Some(kind), &place, Some(kind), MsFlags::empty(), Some(options));
    mounted.map_err(|error| format!("mount {kind} on {}: {error}", place.display()).into())
}

fn bind(source: &Path, place: &Path) -> Outcome {
    let mounted = mount(Some(source), place, None::<&str>, MsFlags::MS_BIND, None::<&str>);
    mounted.map_err(|error| format!("bind {} on {}: {error}", source.display(), place.display()).into())
}
