//! A RADIUS server on a machine: FreeRADIUS, with the users of `tests/radius/users`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;

use crate::{Machine, SOON, eventually};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/radius");

const PROGRAM: &str = "/usr/sbin/freeradius";

/// A RADIUS server that pppds of its machine ask.
#[derive(Debug)]
pub struct Radius<'a> {
    machine: &'a Machine,
    /// It ends with the machine.
    _child: Child,
}

impl<'a> Radius<'a> {
    /// The options with which pppd asks it.
    pub const OPTIONS: &'static str =
        "plugin radius.so plugin radattr.so radius-config-file /run/radius/radiusclient.conf";

    /// Starts it, and tells the machine's pppds where it is.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(machine: &'a Machine) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: run scripts/setup.sh");
        machine.run("mkdir /run/radius");
        for file in ["radiusclient.conf", "servers", "dictionary.client", "port-id-map"] {
            fs::copy(format!("{FILES}/{file}"), machine.path(&format!("/run/radius/{file}"))).unwrap();
        }
        // The machine that tests has it, whichever release the machine is of.
        let mut command = machine.network_command(Path::new(PROGRAM));
        command.args(["-f", "-s", "-l", "stdout", "-d", FILES]).env("RADIUS_WORK", machine.directory());
        let log = fs::File::create(machine.directory().join("radius.log")).unwrap();
        let _child = command.stdout(log).spawn().unwrap();
        let radius = Self { machine, _child };
        radius.wait_for("Ready to process requests");
        radius
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.machine.read("/run/test/radius.log")
    }

    /// Waits until its log has this text.
    ///
    /// # Panics
    /// It has not soon.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        eventually(&format!("the RADIUS server says \"{text}\""), SOON, || self.log().contains(text).then_some(()));
    }

    /// What it has been told of a call with an Acct-Status-Type: attributes and their values.
    ///
    /// # Panics
    /// It is not told soon.
    #[track_caller]
    pub fn account(&self, status: &str) -> BTreeMap<String, String> {
        let line = format!("\tAcct-Status-Type = {status}\n");
        eventually(&format!("accounting: {status}"), SOON, || {
            let text = self.machine.read("/run/test/accounting");
            // A record ends with an empty line.
            let record =
                text.split_inclusive("\n\n").find(|record| record.contains(&line) && record.ends_with("\n\n"))?;
            let attributes = record.lines().filter_map(|line| line.trim().split_once(" = "));
            Some(attributes.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
        })
    }
}
