//! A relay for PPTP: what comes by TCP is passed on as it is, what comes by GRE is harmed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pptp_io::gre_socket::{Receiver, Sender};
use pptp_io::poller::{Interest, wait};
use pptp_native::relaying::{gre, pass_control_connections};

use super::{random, say};

/// How much later a packet is that others overtake.
const OVERTAKEN: Duration = Duration::from_millis(5);

/// What happens to packets.
#[derive(Clone, Copy)]
struct Harm {
    /// Per cent of all.
    lost: u64,
    doubled: u64,
    overtaken: u64,
    /// Of every packet, and how much more or less it may be.
    delay: Duration,
    jitter: Duration,
}

pub(super) fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let [local, client, other_local, server, ref numbers @ ..] = *words else { return Err("four addresses".into()) };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [lost, doubled, overtaken, delay, jitter] = numbers[..] else { return Err("five numbers".into()) };
    let [delay, jitter] = [delay, jitter].map(Duration::from_millis);
    let harm = Harm { lost, doubled, overtaken, delay, jitter };
    let ends = [gre(local.parse()?, client.parse()?)?, gre(other_local.parse()?, server.parse()?)?];
    pass_control_connections(local.parse()?, server.parse()?)?;
    say("ready")?;
    Relay { ends, harm, late: BinaryHeap::new(), state: 1 }.run()?;
    Ok(())
}

/// When to which end; packets of one time keep their order.
type Late = Reverse<(Instant, u64, usize, Vec<u8>)>;

struct Relay {
    ends: [OwnedFd; 2],
    harm: Harm,
    late: BinaryHeap<Late>,
    state: u64,
}

impl Relay {
    fn run(mut self) -> io::Result<()> {
        let mut buffers = vec![vec![0; 2048]; 16];
        let mut number = 0;
        loop {
            let next = self.late.peek().map(|Reverse((when, ..))| when.saturating_duration_since(Instant::now()));
            let [one, two] = &self.ends;
            wait(&[(one.as_fd(), Interest::Read), (two.as_fd(), Interest::Read)], next)?;
            for end in 0..2 {
                let lengths: Vec<_> = match Receiver::new(16).receive(self.ends[end].as_fd(), &mut buffers) {
                    Ok(lengths) => lengths.collect(),
                    Err(_) => continue,
                };
                for (buffer, length) in buffers.iter().zip(lengths) {
                    number += 1;
                    self.take(1 - end, number, &buffer[20..length.unwrap_or(20)]);
                }
            }
            self.send_what_is_due();
        }
    }

    fn take(&mut self, to: usize, number: u64, packet: &[u8]) {
        let Harm { lost, doubled, overtaken, .. } = self.harm;
        if self.chance(lost) {
            return;
        }
        for _ in 0..=u8::from(self.chance(doubled)) {
            let extra = if self.chance(overtaken) { OVERTAKEN } else { Duration::ZERO };
            let when = Instant::now() + self.delay() + extra;
            self.late.push(Reverse((when, number, to, packet.to_vec())));
        }
    }

    fn delay(&mut self) -> Duration {
        let Harm { delay, jitter, .. } = self.harm;
        let spread = u64::try_from(jitter.as_micros()).unwrap_or(0) * 2 + 1;
        delay.saturating_sub(jitter) + Duration::from_micros(random(&mut self.state) % spread)
    }

    fn chance(&mut self, percent: u64) -> bool {
        random(&mut self.state) % 100 < percent
    }

    fn send_what_is_due(&mut self) {
        while let Some(Reverse((when, ..))) = self.late.peek() {
            if *when > Instant::now() {
                return;
            }
            let Some(Reverse((_, _, to, packet))) = self.late.pop() else { return };
            // A socket that is full is one more loss.
            let _ = Sender::new(1).send(self.ends[to].as_fd(), std::iter::once((packet.as_slice(), None)));
        }
    }
}
