//! Streams through many tunnels that are counted to the last datagram, made by `native-steady`.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::Machine;
use crate::network::program_command;

const PORT: &str = "7000";

/// They flow from the server's end of each tunnel to the client's and back.
#[derive(Debug)]
pub struct Steady {
    ends: [Child; 2],
    inputs: Vec<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What has become of the datagrams since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Those that have come back.
    pub answered: u64,
    /// Those that have come back more than once.
    pub twice: u64,
    /// The longest time that one took, milliseconds.
    pub longest: u64,
}

impl Steady {
    /// Begins: `rate` datagrams a second from `from` to each address, behind the tunnels of `to`.
    ///
    /// # Panics
    /// It does not begin.
    #[must_use]
    pub fn start(from: &Machine, to: &Machine, rate: u32, addresses: &[String]) -> Self {
        let interfaces = to.interfaces().join(" ");
        let (mut answering, _) = start(to, &format!("answer {PORT} {interfaces}"));
        let (mut asking, lines) = start(from, &format!("ask {PORT} {rate} {}", addresses.join(" ")));
        let inputs = [&mut asking, &mut answering].into_iter().filter_map(|end| end.stdin.take()).collect();
        let mut steady = Self { ends: [asking, answering], inputs, lines };
        steady.say("begin");
        steady
    }

    fn say(&mut self, line: &str) {
        writeln!(self.inputs[0], "{line}").unwrap();
    }

    /// Waits until all is back that is on its way, counts, and goes on.
    ///
    /// # Panics
    /// The stream has ended.
    #[track_caller]
    pub fn count(&mut self) -> Flow {
        self.say("count");
        let line = self.lines.next().expect("the streams flow").unwrap();
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [sent, answered, twice, longest] = numbers[..] else { panic!("the streams say \"{line}\"") };
        Flow { sent, answered, twice, longest }
    }
}

fn start(machine: &Machine, arguments: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = program_command(machine, "native-steady", arguments);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("ready"), "{arguments}");
    (child, lines)
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.inputs.clear();
        for end in &mut self.ends {
            let _ = end.wait();
        }
    }
}
