//! Clients of a server that are not nice to it, made by `native-strangers`.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::machine::program;
use crate::{Machine, Network, SERVER};

/// Where they come from; they have 198.18.0.0/16 besides.
const THERE: [&str; 2] = ["203.0.113.2", "203.0.113.1"];

/// They are at work.
#[derive(Debug)]
pub struct Strangers {
    kind: String,
    child: Child,
}

/// What they have done; which two numbers these are is the kind's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried(pub u64, pub u64);

impl Network {
    /// Another machine that reaches the server, with 65,000 addresses, none of them the client's.
    #[must_use]
    pub fn foreign_machine(&self) -> Machine {
        let machine = Machine::new("strangers", self.client.version());
        let [there, here] = THERE;
        machine.connect(&self.server, ["cable", "cable1"], THERE);
        self.server.run(&format!("ip route add 198.18.0.0/16 via {there}"));
        machine.run(&format!("ip route add {SERVER} via {here} && ip route add local 198.18.0.0/16 dev lo"));
        machine
    }
}

impl Machine {
    /// Sends strangers of this kind (`native-strangers` lists them) from this machine to the server for so long.
    ///
    /// # Panics
    /// They cannot be started.
    #[must_use]
    pub fn strangers(&self, kind: &str, time: Duration) -> Strangers {
        let mut command = self.network_command(Path::new(&program("native-strangers")));
        command.args([SERVER, &time.as_millis().to_string()]).args(kind.split_whitespace());
        Strangers { kind: String::from(kind), child: command.stdout(Stdio::piped()).spawn().unwrap() }
    }
}

impl Strangers {
    /// Waits until they are done.
    ///
    /// # Panics
    /// They have failed.
    #[must_use]
    pub fn wait(self) -> Tried {
        let output = self.child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [one, other] = numbers[..] else { panic!("strangers, {}: {} {text}", self.kind, output.status) };
        Tried(one, other)
    }
}
