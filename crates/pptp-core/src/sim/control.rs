//! Two control connections, joined by a simulated TCP connection.

use core::time::Duration;

use crate::control::{Connection, Event};
use crate::time::Instant;

use super::stream::{Arrival, Link, Stream};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that was given first.
    Left,
    /// The other.
    Right,
}

/// An end: the connection, what it reported, and its outgoing stream.
#[derive(Debug)]
pub struct ControlEnd {
    /// The connection; after using it, let the pair run.
    pub connection: Connection,
    /// Its events, each with the time it happened.
    pub events: Vec<(Instant, Event)>,
    outgoing: Stream,
    hung_up: bool,
}

impl ControlEnd {
    fn new(connection: Connection, outgoing: Stream) -> Self {
        Self { connection, events: Vec::new(), outgoing, hung_up: false }
    }

    /// The events so far, without their times; forgets them.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).map(|(_, event)| event).collect()
    }

    /// As an owner has to: writes what is to be written, and closes the TCP connection after the last event.
    fn drain(&mut self, now: Instant) {
        while let Some(bytes) = self.connection.poll_transmit() {
            if !self.hung_up {
                self.outgoing.write(&bytes, now);
            }
        }
        while let Some(event) = self.connection.poll_event() {
            self.events.push((now, event));
        }
        if self.connection.is_closed() && !self.hung_up {
            self.hung_up = true;
            self.outgoing.close(now);
        }
    }

    fn receive(&mut self, arrival: &Arrival, now: Instant) {
        match arrival {
            Arrival::Bytes(bytes) => self.connection.handle_input(bytes, now),
            Arrival::End => self.connection.handle_disconnect(now),
        }
    }

    fn next(&self) -> Option<Instant> {
        [self.outgoing.next_arrival(), self.connection.poll_timeout()].into_iter().flatten().min()
    }
}

/// The pair, and its clock.
#[derive(Debug)]
pub struct ControlPair {
    /// One end.
    pub left: ControlEnd,
    /// The other end.
    pub right: ControlEnd,
    now: Instant,
}

impl ControlPair {
    /// Joins two connections that were made at `now` with a link of the same kind in both directions.
    pub fn new(left: Connection, right: Connection, link: Link, now: Instant) -> Self {
        let left = ControlEnd::new(left, Stream::new(link, 1));
        let right = ControlEnd::new(right, Stream::new(link, 2));
        Self { left, right, now }
    }

    /// The time of the simulation.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The end on that side.
    pub const fn end(&mut self, side: Side) -> &mut ControlEnd {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// From here on nothing that this side sends arrives.
    pub fn stall(&mut self, side: Side) {
        self.end(side).outgoing.stall();
    }

    /// Lets everything happen that is due within `time`; the clock ends exactly there.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets everything happen that is due until then; the clock ends exactly there.
    pub fn run_until(&mut self, end: Instant) {
        self.drain();
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = self.now.max(end);
    }

    fn next(&self) -> Option<Instant> {
        [self.left.next(), self.right.next()].into_iter().flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(arrival) = self.left.outgoing.read(now) {
            self.right.receive(&arrival, now);
            self.right.drain(now);
        }
        while let Some(arrival) = self.right.outgoing.read(now) {
            self.left.receive(&arrival, now);
            self.left.drain(now);
        }
        self.left.connection.handle_timeout(now);
        self.right.connection.handle_timeout(now);
        self.drain();
    }

    fn drain(&mut self) {
        self.left.drain(self.now);
        self.right.drain(self.now);
    }
}
