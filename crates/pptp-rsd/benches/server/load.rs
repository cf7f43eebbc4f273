//! The program that calls (`pptp-load` of the test kit).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The address of the first client; the network of clients is the loopback device's.
const FIRST: &str = "127.64.0.1";

/// It runs while this lives, and its connections stay.
pub(crate) struct Load {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a run of it came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) calls: f64,
    pub(crate) failed: f64,
    pub(crate) seconds: f64,
    /// Milliseconds from `connect` to the call's reply: the median, the 99th percentile, the longest.
    pub(crate) latency: [f64; 3],
}

impl Run {
    /// Calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls / self.seconds
    }
}

impl Load {
    pub(crate) fn start(program: &Path, server: &str) -> Self {
        let mut child = Command::new(program)
            .args([server, FIRST])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// So many clients connect, start, call and stay, at most `width` at a time.
    pub(crate) fn stay(&mut self, count: usize, width: usize) -> Run {
        self.run(&format!("stay {count} {width}"))
    }

    /// The same, and each clears its call and leaves.
    pub(crate) fn cycle(&mut self, count: usize, width: usize) -> Run {
        self.run(&format!("cycle {count} {width}"))
    }

    /// So many connect and say nothing.
    pub(crate) fn be_silent(&mut self, count: usize) {
        self.run(&format!("silent {count}"));
    }

    fn run(&mut self, command: &str) -> Run {
        writeln!(self.input, "{command}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let value = |name: &str| -> f64 {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("pptp-load: {command}: {line}")).parse().unwrap()
        };
        Run {
            calls: value("calls"),
            failed: value("failed"),
            seconds: value("seconds"),
            latency: ["p50", "p99", "max"].map(|name| value(name) / 1000.0),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
