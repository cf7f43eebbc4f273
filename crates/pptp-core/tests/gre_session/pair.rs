//! Two sessions and the paths between them, in virtual time. What has to hold at every moment is checked at every step.

use core::time::Duration;
use std::collections::HashMap;

use pptp_core::gre::{Config, Counters, Inbound, Packet, SeqNum, Session};
use pptp_core::time::Instant;
use pptp_core::wire::{CallId, GreHeader, PeerCallId};

use super::link::{Link, Path};

/// How an end acknowledges, whatever its session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Normal,
    /// Along with data only.
    NoLoneAcks,
    Never,
}

/// Frames that an end sends: so many, one in each interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) frames: u32,
    pub(crate) interval: Duration,
}

pub(crate) struct End {
    pub(crate) session: Session<Vec<u8>>,
    pub(crate) habit: Habit,
    /// The frames that came out, by what is written in them.
    pub(crate) delivered: Vec<u32>,
    config: Config,
    out: Inbound<Vec<u8>>,
    path: Path,
    traffic: Traffic,
    next_frame: Instant,
    offered: u32,
    sent: u32,
    first_arrivals: HashMap<u32, Instant>,
    highest: Option<SeqNum>,
    owed_since: Option<Instant>,
    stalled_since: Option<Instant>,
}

impl End {
    fn new(config: Config, path: Path, traffic: Traffic) -> Self {
        Self {
            session: Session::new(&config),
            habit: Habit::Normal,
            delivered: Vec::new(),
            config,
            out: Inbound::default(),
            path,
            traffic,
            next_frame: Instant::default(),
            offered: 0,
            sent: 0,
            first_arrivals: HashMap::new(),
            highest: None,
            owed_since: None,
            stalled_since: None,
        }
    }

    /// When something happens at this end by itself.
    fn next(&self) -> Option<Instant> {
        let frame = (self.offered < self.traffic.frames).then_some(self.next_frame);
        [frame, self.session.poll_timeout()].into_iter().flatten().min()
    }

    /// As an engine has to: the batch in, then what is due, then data, then acknowledgements.
    fn step(&mut self, batch: Vec<Vec<u8>>, now: Instant) {
        for packet in &batch {
            self.note_arrival(packet, now);
        }
        let packets = batch.into_iter().map(|buffer| {
            let bytes = 0..buffer.len();
            Packet { buffer, bytes }
        });
        self.session.receive(packets, now, &mut self.out);
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now, &mut self.out);
        }
        self.collect(now);
        while self.offered < self.traffic.frames && self.next_frame <= now {
            self.offered += 1;
            self.next_frame = self.next_frame + self.traffic.interval;
        }
        self.transmit(now);
        self.check(now);
    }

    fn note_arrival(&mut self, packet: &[u8], now: Instant) {
        let (header, payload) = GreHeader::parse(packet).unwrap();
        let Some(sequence) = header.sequence.map(SeqNum::new) else {
            return;
        };
        let id = u32::from_be_bytes(payload.try_into().unwrap());
        self.first_arrivals.entry(id).or_insert(now);
        if self.highest.is_none_or(|highest| sequence.is_after(highest)) {
            self.highest = Some(sequence);
            self.owed_since.get_or_insert(now);
        }
    }

    /// Frames come out in order and at most once, and none waited longer than the reorder time.
    fn collect(&mut self, now: Instant) {
        for frame in self.out.frames.drain(..) {
            let id = u32::from_be_bytes(frame.bytes().try_into().unwrap());
            assert!(self.delivered.last().is_none_or(|last| *last < id), "{id} after {:?}", self.delivered.last());
            assert!(now.since(self.first_arrivals[&id]) <= self.config.reordering.time, "{id} waited too long");
            self.delivered.push(id);
        }
        self.out.spent.clear();
    }

    fn transmit(&mut self, now: Instant) {
        while self.sent < self.offered {
            let Ok(stamp) = self.session.stamp(4, now) else {
                break;
            };
            self.send(&[stamp.as_bytes(), &self.sent.to_be_bytes()].concat(), now);
            self.sent += 1;
            self.stalled_since = None;
        }
        if let Some(stamp) = self.session.poll_ack(now) {
            self.send(stamp.as_bytes(), now);
        }
    }

    fn send(&mut self, packet: &[u8], now: Instant) {
        let (header, payload) = GreHeader::parse(packet).unwrap();
        if header.acknowledgement.map(SeqNum::new) == self.highest {
            self.owed_since = None;
        }
        match self.habit {
            Habit::NoLoneAcks if header.sequence.is_none() => {}
            Habit::Never if header.sequence.is_none() => {}
            Habit::Never => {
                let silent = GreHeader { acknowledgement: None, ..header };
                let mut bytes = vec![0; silent.wire_length()];
                silent.emit(&mut bytes).unwrap();
                self.path.send(&[&bytes, payload].concat(), now);
            }
            Habit::Normal | Habit::NoLoneAcks => self.path.send(packet, now),
        }
    }

    fn check(&mut self, now: Instant) {
        assert!(self.session.waiting() <= usize::from(self.config.reordering.packets), "memory is bounded");
        assert!(self.session.poll_timeout().is_none_or(|due| due > now), "what is due was done");
        let owed = self.owed_since.map_or(Duration::ZERO, |since| now.since(since));
        assert!(owed < Duration::from_millis(100), "an acknowledgement waited for {owed:?}");
        if self.sent < self.offered {
            assert_eq!(self.session.room(), 0, "sending stopped only because the window is closed");
            let stalled = now.since(*self.stalled_since.get_or_insert(now));
            assert!(stalled < self.config.timeouts.maximum, "stalled for {stalled:?}");
        }
    }

    /// What has to hold when nothing can happen any more: all was sent, nothing waits, every packet is accounted for.
    fn check_end(&self) {
        let counters = self.session.counters();
        assert_eq!((self.sent, self.session.waiting(), self.session.poll_timeout()), (self.traffic.frames, 0, None));
        assert_eq!(counters.received, counters.delivered + counters.ack_only + counters.dropped());
        assert_eq!(counters.delivered, u64::try_from(self.delivered.len()).unwrap());
        assert_eq!(counters.bogus_acks, 0);
        let Some(highest) = self.highest else {
            return;
        };
        let numbers = u64::from(highest.distance_from(self.config.first_sequence)) + 1;
        let known = counters.delivered + counters.missing;
        assert!(known == numbers || known + 1 == numbers, "{known} of {numbers}: only the first may be forgiven");
    }
}

/// The two ends.
pub(crate) struct Pair {
    pub(crate) left: End,
    pub(crate) right: End,
    now: Instant,
}

impl Pair {
    /// Both ends with the same configuration (call ids apart), traffic and link.
    pub(crate) fn new(config: &Config, traffic: [Traffic; 2], link: Link, seed: u64) -> Self {
        let [left, right] = traffic;
        let left_config = Config { call_id: CallId(1), peer_call_id: PeerCallId(2), ..config.clone() };
        let right_config = Config { call_id: CallId(2), peer_call_id: PeerCallId(1), ..config.clone() };
        Self {
            left: End::new(left_config, Path::new(link, seed), left),
            right: End::new(right_config, Path::new(link, !seed), right),
            now: Instant::default(),
        }
    }

    /// Until nothing happens any more.
    pub(crate) fn run(&mut self) {
        self.run_until(Instant::from_epoch(Duration::MAX));
        self.left.check_end();
        self.right.check_end();
    }

    /// Until that time.
    pub(crate) fn run_until(&mut self, end: Instant) {
        while let Some(next) = self.next().filter(|next| *next < end) {
            self.now = self.now.max(next);
            let to_left = core::iter::from_fn(|| self.right.path.receive(self.now)).collect();
            let to_right = core::iter::from_fn(|| self.left.path.receive(self.now)).collect();
            self.left.step(to_left, self.now);
            self.right.step(to_right, self.now);
        }
    }

    pub(crate) fn counters(&self) -> [&Counters; 2] {
        [self.left.session.counters(), self.right.session.counters()]
    }

    fn next(&self) -> Option<Instant> {
        let arrivals = [self.left.path.next_arrival(), self.right.path.next_arrival()];
        [self.left.next(), self.right.next()].into_iter().chain(arrivals).flatten().min()
    }
}
