//! What a configuration is checked against: names and files of the machine.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The machine as far as a configuration needs it, so that tests can do without one.
pub trait Surroundings {
    /// The addresses of a host's name; this may take as long as the resolver does, when the server starts.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;

    /// Whether it is a program.
    fn is_program(&self, path: &Path) -> bool;

    /// Whether it is a file that can be read.
    fn is_readable(&self, path: &Path) -> bool;
}

/// The machine that this process runs on.
#[derive(Clone, Debug, Default)]
pub struct ThisMachine {
    /// What the resolver has said.
    names: RefCell<HashMap<String, Vec<IpAddr>>>,
    serving: Cell<bool>,
}

impl ThisMachine {
    /// From here on no resolver is waited for: names have the addresses that they had before, and others have none.
    pub fn serve(&self) {
        self.serving.set(true);
    }
}

impl Surroundings for ThisMachine {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let mut names = self.names.borrow_mut();
        if !names.contains_key(name) && !self.serving.get() {
            let found = (name, 0).to_socket_addrs();
            names.insert(name.into(), found.map(|all| all.map(|address| address.ip()).collect()).unwrap_or_default());
        }
        names.get(name).cloned().unwrap_or_default()
    }

    fn is_program(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    }

    fn is_readable(&self, path: &Path) -> bool {
        // A pipe is not opened: that would wait for its writer.
        fs::metadata(path).is_ok_and(|about| !about.is_dir() && (!about.is_file() || fs::File::open(path).is_ok()))
    }
}
