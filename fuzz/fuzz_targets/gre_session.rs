//! Whatever comes, and whenever: frames come out in order and at most once, no buffer gets lost, every packet is counted, the
//! queue stays within its bound, and a closed window opens within the time-out.
//!
//! The first six bytes of the input configure the session; the rest are steps, a byte that says which and what it needs.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pptp_core::gre::{Config, Inbound, Packet, Reordering, SeqNum, Session};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, GreHeader, PeerCallId};

const CALL: u16 = 0xb400;

struct Driver<'a> {
    input: &'a [u8],
    config: Config,
    session: Session<Vec<u8>>,
    out: Inbound<Vec<u8>>,
    now: Instant,
    given: u64,
    taken: u64,
    last: Option<SeqNum>,
    sent: SeqNum,
}

impl Driver<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.input.split_first()?;
        self.input = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.input.split_first_chunk::<4>()?;
        self.input = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A number near the expected one.
    fn near(&mut self) -> Option<SeqNum> {
        let distance = self.byte()?.cast_signed();
        let expected = self.last.map_or(self.config.first_sequence, SeqNum::next);
        Some(expected.advanced(i32::from(distance).cast_unsigned()))
    }

    fn step(&mut self) -> Option<()> {
        match self.byte()? % 8 {
            0 => {
                let length = usize::from(self.byte()?).min(self.input.len());
                let (packet, rest) = self.input.split_at(length);
                self.input = rest;
                self.receive(packet.to_vec());
            }
            1 => {
                let sequence = self.near()?;
                self.receive_header(GreHeader::data(PeerCallId(CALL), 1, sequence.value()), &[1]);
            }
            2 => {
                let sequence = self.number()?;
                self.receive_header(GreHeader::data(PeerCallId(CALL), 1, sequence), &[1]);
            }
            3 => {
                let back = self.byte()?;
                let number = self.sent.reduced(back.into()).value();
                self.receive_header(GreHeader::ack_only(PeerCallId(CALL), number), &[]);
            }
            4 => self.send(),
            5 => self.now = self.now + Duration::from_millis(self.byte()?.into()),
            6 => self.wait(),
            _ => {
                let number = self.sent.previous().value();
                let sequence = self.near()?.value();
                self.receive_header(GreHeader::data(PeerCallId(CALL), 0, sequence).acknowledging(number), &[]);
            }
        }
        Some(())
    }

    fn receive_header(&mut self, header: GreHeader, payload: &[u8]) {
        let mut packet = vec![0; header.wire_length()];
        header.emit(&mut packet).expect("there is room for it");
        packet.extend_from_slice(payload);
        self.receive(packet);
    }

    fn receive(&mut self, buffer: Vec<u8>) {
        self.given += 1;
        let bytes = 0..buffer.len();
        self.session.receive([Packet { buffer, bytes }], self.now, &mut self.out);
    }

    fn send(&mut self) {
        let room = self.session.room();
        assert_eq!(self.session.stamp(7, self.now).is_ok(), room > 0);
        if room > 0 {
            self.sent = self.sent.next();
        }
    }

    /// Until what is due next.
    fn wait(&mut self) {
        if self.session.room() == 0 {
            return self.wait_for_room();
        }
        if let Some(due) = self.session.poll_timeout() {
            self.now = self.now.max(due);
        }
        self.expire();
    }

    fn wait_for_room(&mut self) {
        let begin = self.now;
        while self.session.room() == 0 {
            let due = self.session.poll_timeout().expect("a closed window has a deadline");
            self.now = self.now.max(due);
            assert!(self.now.since(begin) <= self.config.timeouts.maximum);
            self.expire();
        }
    }

    fn expire(&mut self) {
        self.session.handle_timeout(self.now, &mut self.out);
        self.session.poll_ack(self.now);
        assert!(self.session.poll_timeout().is_none_or(|due| due > self.now));
    }

    fn check(&mut self) {
        for frame in self.out.frames.drain(..) {
            assert!(self.last.is_none_or(|last| frame.sequence.is_after(last)));
            assert!(!frame.bytes().is_empty());
            self.last = Some(frame.sequence);
            self.taken += 1;
        }
        self.taken += self.out.spent.drain(..).count() as u64;
        let waiting = self.session.waiting() as u64;
        assert!(waiting <= self.config.reordering.packets.into());
        assert_eq!(self.given, self.taken + waiting);
        let counters = self.session.counters();
        assert_eq!(counters.received, self.given);
        assert_eq!(counters.received, counters.delivered + counters.ack_only + counters.dropped() + waiting);
    }
}

fn config(bytes: [u8; 6]) -> Config {
    let [time, packets, window, transmit, delay, first] = bytes;
    Config {
        receive_window: window.into(),
        ack_delay: Duration::from_millis(delay.into()),
        reordering: Reordering { time: Duration::from_millis(time.into()), packets: packets.into() },
        transmit_window: (transmit > 0).then(|| transmit.into()),
        first_sequence: SeqNum::ZERO.reduced(first.into()),
        ..Config::new(CallId(CALL), PeerCallId(2))
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((bytes, input)) = input.split_first_chunk::<6>() else {
        return;
    };
    let config = config(*bytes);
    let mut driver = Driver {
        input,
        session: Session::new(&config),
        out: Inbound::default(),
        now: Instant::default(),
        given: 0,
        taken: 0,
        last: None,
        sent: config.first_sequence,
        config,
    };
    while driver.step().is_some() {
        driver.check();
    }
    driver.session.abandon(&mut driver.out);
    driver.check();
    assert_eq!(driver.session.waiting(), 0);
});
