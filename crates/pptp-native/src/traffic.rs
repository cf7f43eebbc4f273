//! Traffic between machines, made by `native-traffic`.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout};

use crate::network::traffic_command;
use crate::{Machine, SOON, eventually};

/// How fast datagrams are sent.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many.
    pub count: u32,
    /// How many a second.
    pub rate: u32,
    /// Their payload, bytes; at least 4.
    pub size: u32,
}

/// What the far end of a stream of datagrams has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Datagrams, each counted once.
    pub count: u32,
    /// Those that came more than once.
    pub twice: u32,
    /// Those that were not as they were sent.
    pub broken: u32,
}

/// A program that listens, where it listens, and what it will say.
struct Sink {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Sink {
    fn start(machine: &Machine, kind: &str, address: &str) -> Self {
        let mut child = traffic_command(machine, &format!("{kind}-sink {address}")).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("a sink says its port").unwrap();
        Self { child, lines, port }
    }

    fn outcome(mut self) -> String {
        let line = self.lines.next().and_then(Result::ok).unwrap_or_default();
        let _ = self.child.wait();
        line
    }
}

/// Starts `native-traffic` in a machine's network, and waits for its first line.
pub(crate) fn start(machine: &Machine, arguments: &str, first: &str) -> Child {
    let mut child = traffic_command(machine, arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), first, "{arguments}");
    child
}

fn say(machine: &Machine, arguments: &str) -> String {
    let output = traffic_command(machine, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Machine {
    /// Sends bytes by TCP to an address of another machine: they arrive as they were sent.
    ///
    /// # Panics
    /// They do not.
    pub fn send_stream(&self, to: &Self, address: &str, bytes: u32) {
        let sink = Sink::start(to, "tcp", address);
        let port: u16 = sink.port.parse().unwrap();
        let sent = say(self, &format!("tcp-source {address} {port} {bytes}"));
        assert_eq!(sink.outcome(), sent);
        // Who listens closes last, and knows it no more when it has the last acknowledgment of all.
        let local = format!(":{port:04X}");
        eventually("nothing of the stream is on its way", SOON, || {
            let sockets = to.run("cat /proc/net/tcp /proc/net/tcp6");
            let ours = |line: &str| line.split_whitespace().nth(1).is_some_and(|its| its.ends_with(&local));
            (!sockets.lines().any(ours)).then_some(())
        });
    }

    /// Sends datagrams to an address of another machine.
    ///
    /// # Panics
    /// They cannot be sent.
    #[must_use]
    pub fn send_datagrams(&self, to: &Self, address: &str, pace: Pace) -> Seen {
        let sink = Sink::start(to, "udp", address);
        let Pace { count, rate, size } = pace;
        say(self, &format!("udp-source {address} {} {count} {rate} {size}", sink.port));
        let outcome = sink.outcome();
        let numbers: Vec<u32> = outcome.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let [count, twice, broken] = numbers[..] else { panic!("the sink has said \"{outcome}\"") };
        Seen { count, twice, broken }
    }
}
