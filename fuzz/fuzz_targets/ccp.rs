//! Whatever comes, and whenever: an end never leaves its policy, never passes data in clear that has to be encrypted, answers
//! a packet with few, and comes to rest.
//!
//! There are two ends, and the input is the network between them: the first four bytes are their policies and settings, the
//! rest are steps, a byte that says which and what it needs.
#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pptp_core::ccp::{Ccp, Event, KeyLengths, Modes, Policy, Presence, Settings};
use pptp_core::mppe::KeyLength;
use pptp_core::time::Instant;

struct End {
    ccp: Ccp,
    policy: Policy,
    encrypted: bool,
    failed: bool,
    sent: VecDeque<Vec<u8>>,
}

impl End {
    fn new(settings: Settings) -> Self {
        let policy = settings.policy;
        Self { ccp: Ccp::new(settings), policy, encrypted: false, failed: false, sent: VecDeque::new() }
    }

    /// Drains and checks; the number of packets.
    fn drain(&mut self) -> usize {
        while let Some(event) = self.ccp.poll_event() {
            self.check(event);
        }
        if self.encrypted || self.failed || self.policy.presence == Presence::Required {
            assert!(!self.ccp.may_pass_plaintext());
        }
        let mut count = 0;
        while let Some(packet) = self.ccp.poll_transmit() {
            let length = packet.get(2..4).map(|length| usize::from(length[0]) << 8 | usize::from(length[1]));
            assert_eq!(length, Some(packet.len()));
            assert!(packet.len() <= 1400);
            self.sent.push_back(packet);
            count += 1;
        }
        self.sent.truncate(64);
        count
    }

    fn check(&mut self, event: Event) {
        if event != Event::Closed {
            assert!(!self.failed, "{event:?} after a failure");
        }
        match event {
            Event::Opened { send, receive } => {
                assert!(self.policy.allows(send) && self.policy.allows(receive));
                self.encrypted = true;
            }
            Event::Unencrypted(_) => assert!(!self.encrypted && self.policy.presence != Presence::Required),
            Event::Disregarded | Event::ResetRequested | Event::ResetAcknowledged => {
                assert!(self.encrypted);
            }
            Event::Failed(_) => self.failed = true,
            Event::Closed => {}
        }
    }

    fn down(&mut self) {
        self.ccp.handle_down();
        self.encrypted = false;
        self.failed = false;
    }
}

struct Network<'a> {
    input: &'a [u8],
    ends: [End; 2],
    now: Instant,
}

impl Network<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.input.split_first()?;
        self.input = rest;
        Some(*byte)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(self.byte()?).min(self.input.len());
        let (bytes, rest) = self.input.split_at(length);
        self.input = rest;
        Some(bytes.to_vec())
    }

    fn step(&mut self) -> Option<()> {
        let byte = self.byte()?;
        let to = usize::from(byte & 1);
        match byte >> 1 & 0x0f {
            0..=4 => self.deliver(to),
            5 => drop(self.ends[1 - to].sent.pop_front()),
            6 => self.ends[1 - to].sent.rotate_left(usize::from(self.ends[1 - to].sent.len() > 1)),
            7 => self.repeat(1 - to),
            8 => {
                let bytes = self.bytes()?;
                self.ends[to].ccp.handle_packet(&bytes, self.now);
            }
            9 => self.configure(to)?,
            10 | 11 => self.wait(),
            12 => self.ends[to].ccp.request_reset(self.now),
            13 => self.ends[to].ccp.handle_protocol_reject(),
            14 => self.ends[to].down(),
            _ if byte & 0x80 == 0 => self.start(to),
            _ => self.ends[to].ccp.handle_close(self.now),
        }
        for end in &mut self.ends {
            assert!(end.drain() <= 8);
        }
        Some(())
    }

    fn start(&mut self, to: usize) {
        self.ends[to].ccp.handle_up(self.now);
        self.ends[to].ccp.handle_open(self.now);
    }

    fn deliver(&mut self, to: usize) {
        if let Some(packet) = self.ends[1 - to].sent.pop_front() {
            self.ends[to].ccp.handle_packet(&packet, self.now);
        }
    }

    fn repeat(&mut self, from: usize) {
        if let Some(packet) = self.ends[from].sent.front().cloned() {
            self.ends[from].sent.push_back(packet);
        }
    }

    /// A Configure packet with an MPPE option.
    fn configure(&mut self, to: usize) -> Option<()> {
        let (code, identifier, bits) = (self.byte()? % 16, self.byte()? % 16, self.byte()?);
        let packet = [code, identifier, 0, 10, 18, 6, bits >> 1 & 1, 0, 0, bits & 0xfd];
        self.ends[to].ccp.handle_packet(&packet, self.now);
        Some(())
    }

    fn wait(&mut self) {
        let due = self.ends.iter().filter_map(|end| end.ccp.poll_timeout()).min();
        self.now = self.now.max(due.unwrap_or(self.now)) + Duration::from_millis(u64::from(due.is_none()) * 700);
        self.ends.iter_mut().for_each(|end| end.ccp.handle_timeout(self.now));
    }

    /// Without the network, each end comes to rest.
    fn rest(&mut self) {
        for end in &mut self.ends {
            for waits in 0.. {
                let Some(due) = end.ccp.poll_timeout() else { break };
                assert!(waits <= 15, "no rest");
                end.ccp.handle_timeout(due);
                end.drain();
            }
        }
    }
}

fn settings(policy: u8, other: u8) -> Settings {
    let lengths = [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128];
    let chosen = (0..3).filter(|bit| policy >> bit & 1 == 1).map(|bit| lengths[bit]);
    let policy = Policy {
        presence: [Presence::Required, Presence::Optional, Presence::Optional, Presence::Denied]
            [usize::from(policy >> 3 & 3)],
        key_lengths: KeyLengths::new(chosen).unwrap_or(KeyLengths::ALL),
        modes: [Modes::Stateless, Modes::Stateful, Modes::Either, Modes::Either][usize::from(policy >> 5 & 3)],
    };
    Settings { max_failure: u32::from(other >> 1 & 7), ..Settings::new(policy) }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[left, left_other, right, right_other], input)) = input.split_first_chunk::<4>() else {
        return;
    };
    let ends = [End::new(settings(left, left_other)), End::new(settings(right, right_other))];
    let mut network = Network { input, ends, now: Instant::default() };
    for to in [0, 1] {
        network.start(to);
        network.ends[to].drain();
    }
    while network.step().is_some() {}
    network.rest();
});
