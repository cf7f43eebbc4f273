//! Clients of a server that are not nice to it, made by `native-strangers`.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::Machine;
use crate::machine::program;

/// They are at work.
#[derive(Debug)]
pub struct Strangers(Child);

/// What they have done.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// TCP connections.
    pub connections: u64,
    /// GRE packets.
    pub packets: u64,
}

impl Machine {
    /// Sends them, on this machine's network, to a server for so long.
    ///
    /// # Panics
    /// They cannot be started.
    #[must_use]
    pub fn strangers(&self, server: &str, time: Duration) -> Strangers {
        let mut command = self.network_command(Path::new(&program("native-strangers")));
        command.args([server, &time.as_millis().to_string()]).stdout(Stdio::piped());
        Strangers(command.spawn().unwrap())
    }
}

impl Strangers {
    /// Waits until they are done.
    ///
    /// # Panics
    /// They have failed.
    #[must_use]
    pub fn wait(self) -> Tried {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [connections, packets] = numbers[..] else { panic!("strangers: {} {text}", output.status) };
        Tried { connections, packets }
    }
}
