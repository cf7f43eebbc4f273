//! The reorder queue (RFC 2637 §4.3): frames that are ahead of others wait a little, within bounds.

use std::collections::VecDeque;

use core::time::Duration;

use crate::time::Instant;

use super::config::{MAX_REORDER_PACKETS, Reordering};
use super::counters::Counters;
use super::frame::{Frame, Inbound};
use super::seq::SeqNum;

/// Frames with numbers after the next one to be delivered, at most `limit` after it.
///
/// Whatever waits does so because the next number is missing. That is given up when a frame has waited too long, or when
/// one comes that is too far ahead.
#[derive(Debug)]
pub(super) struct ReorderQueue<B> {
    next: SeqNum,
    /// The frame with number n is in slot n mod 2^k, so that the wrap of the numbers is one of the slots too.
    slots: Box<[Option<Frame<B>>]>,
    /// What waits, by time of arrival. Only the first is certain to wait still.
    arrivals: VecDeque<(Instant, SeqNum)>,
    waiting: usize,
    limit: u32,
    time: Duration,
    furthest: SeqNum,
    /// Numbers given up since the last delivery.
    missing: u32,
    has_begun: bool,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the next to be delivered.
    Next,
    /// It is this many after the next.
    Ahead(u32),
    /// It was delivered, or given up.
    Stale,
    /// A frame with this number waits.
    Duplicate,
}

/// Where frames leave the queue.
pub(super) struct Exit<'a, B> {
    pub(super) out: &'a mut Inbound<B>,
    pub(super) counters: &'a mut Counters,
}

impl<B> ReorderQueue<B> {
    pub(super) fn new(bounds: Reordering, first: SeqNum) -> Self {
        let is_on = !bounds.time.is_zero();
        let limit = if is_on { bounds.packets.min(MAX_REORDER_PACKETS) } else { 0 };
        let slots = usize::from(limit).next_power_of_two();
        Self {
            next: first,
            slots: (0..slots).map(|_| None).collect(),
            arrivals: VecDeque::with_capacity(slots.saturating_mul(2)),
            waiting: 0,
            limit: limit.into(),
            time: bounds.time,
            furthest: first.previous(),
            missing: 0,
            has_begun: false,
        }
    }

    /// The next number to be delivered.
    pub(super) const fn next(&self) -> SeqNum {
        self.next
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn place(&self, sequence: SeqNum) -> Place {
        if sequence == self.next {
            return Place::Next;
        }
        if !sequence.is_after(self.next) {
            return Place::Stale;
        }
        if self.holds(sequence) {
            return Place::Duplicate;
        }
        Place::Ahead(sequence.distance_from(self.next))
    }

    /// Begins with another number. Nothing may wait.
    pub(super) fn begin_with(&mut self, sequence: SeqNum) {
        self.next = sequence;
        self.furthest = sequence.previous();
    }

    /// Takes a frame, and delivers it and others if their turn has come.
    pub(super) fn insert(&mut self, frame: Frame<B>, now: Instant, exit: &mut Exit<'_, B>) {
        match self.place(frame.sequence) {
            Place::Stale => {
                exit.counters.stale += 1;
                exit.out.spent.push(frame.buffer);
            }
            Place::Duplicate => {
                exit.counters.duplicate += 1;
                exit.out.spent.push(frame.buffer);
            }
            Place::Next => {
                self.note_order(frame.sequence, exit);
                self.emit(frame, exit);
                self.release_next(exit);
            }
            Place::Ahead(distance) => {
                self.note_order(frame.sequence, exit);
                self.hold(frame, distance, now, exit);
            }
        }
    }

    fn note_order(&mut self, sequence: SeqNum, exit: &mut Exit<'_, B>) {
        if self.furthest.is_after(sequence) {
            exit.counters.reordered += 1;
        } else {
            self.furthest = sequence;
        }
    }

    fn hold(&mut self, frame: Frame<B>, distance: u32, now: Instant, exit: &mut Exit<'_, B>) {
        if distance > self.limit {
            self.advance_to(frame.sequence.reduced(self.limit), exit);
            self.release_next(exit);
        }
        if frame.sequence == self.next {
            self.emit(frame, exit);
            return;
        }
        self.arrivals.push_back((now, frame.sequence));
        self.waiting = self.waiting.saturating_add(1);
        if let Some(slot) = self.slot(frame.sequence) {
            *slot = Some(frame);
        }
    }

    /// Gives up every number before `target`, which is not beyond the slots by more than all that waits.
    fn advance_to(&mut self, target: SeqNum, exit: &mut Exit<'_, B>) {
        while self.waiting > 0 && target.is_after(self.next) {
            match self.take(self.next) {
                Some(frame) => self.emit(frame, exit),
                None => self.give_up(1),
            }
        }
        if target.is_after(self.next) {
            self.give_up(target.distance_from(self.next));
        }
    }

    /// When a frame has waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (arrival, _) = self.arrivals.front()?;
        Some(*arrival + self.time)
    }

    /// Delivers what has waited too long, and what was before it.
    pub(super) fn expire(&mut self, now: Instant, exit: &mut Exit<'_, B>) {
        while let Some((arrival, sequence)) = self.arrivals.front().copied() {
            if arrival + self.time > now {
                return;
            }
            self.advance_to(sequence, exit);
            self.release_next(exit);
        }
    }

    /// Gives back the buffers of everything that waits.
    pub(super) fn abandon(&mut self, exit: &mut Exit<'_, B>) {
        for frame in self.slots.iter_mut().filter_map(Option::take) {
            exit.counters.abandoned += 1;
            exit.out.spent.push(frame.buffer);
        }
        self.arrivals.clear();
        self.waiting = 0;
    }

    /// Delivers what has no number missing before it.
    fn release_next(&mut self, exit: &mut Exit<'_, B>) {
        while self.waiting > 0 {
            let Some(frame) = self.take(self.next) else {
                break;
            };
            self.emit(frame, exit);
        }
        while self.arrivals.front().is_some_and(|(_, sequence)| !self.holds(*sequence)) {
            self.arrivals.pop_front();
        }
    }

    /// That a peer begins with 1 (some do) is no loss.
    fn emit(&mut self, mut frame: Frame<B>, exit: &mut Exit<'_, B>) {
        if !core::mem::replace(&mut self.has_begun, true) && self.missing == 1 {
            self.missing = 0;
        }
        self.next = frame.sequence.next();
        if frame.payload.is_empty() {
            exit.counters.empty += 1;
            exit.out.spent.push(frame.buffer);
            return;
        }
        frame.missing = core::mem::take(&mut self.missing);
        exit.counters.missing += u64::from(frame.missing);
        exit.counters.delivered += 1;
        exit.out.frames.push(frame);
    }

    fn give_up(&mut self, count: u32) {
        self.next = self.next.advanced(count);
        self.missing = self.missing.saturating_add(count);
    }

    fn holds(&self, sequence: SeqNum) -> bool {
        let slot = self.slot_index(sequence).and_then(|index| self.slots.get(index));
        slot.is_some_and(|slot| slot.as_ref().is_some_and(|frame| frame.sequence == sequence))
    }

    fn take(&mut self, sequence: SeqNum) -> Option<Frame<B>> {
        let frame = self.slot(sequence)?.take_if(|frame| frame.sequence == sequence)?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(frame)
    }

    fn slot(&mut self, sequence: SeqNum) -> Option<&mut Option<Frame<B>>> {
        let index = self.slot_index(sequence)?;
        self.slots.get_mut(index)
    }

    fn slot_index(&self, sequence: SeqNum) -> Option<usize> {
        usize::try_from(sequence.value()).ok()?.checked_rem(self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Random;

    /// The queue's own memory is what it was made with, whatever comes.
    #[test]
    fn nothing_is_allocated_once_the_queue_is_made() {
        let mut random = Random::new(1);
        for packets in [1, 2, 3, 16, 63, 64, 100] {
            let bounds = Reordering { time: Duration::from_millis(3), packets };
            let mut queue = ReorderQueue::new(bounds, SeqNum::ZERO);
            let made_with = queue.arrivals.capacity();
            let (mut out, mut counters) = (Inbound::default(), Counters::default());
            for millis in 0..2000 {
                let now = Instant::from_epoch(Duration::from_millis(millis / 4));
                let sequence = queue.next().advanced(random.below(u32::from(packets) + 3));
                let frame = Frame { sequence, missing: 0, buffer: (), payload: 0..1 };
                let mut exit = Exit { out: &mut out, counters: &mut counters };
                queue.insert(frame, now, &mut exit);
                queue.expire(now, &mut exit);
                assert!(queue.waiting() <= packets.into());
                assert_eq!(queue.slots.iter().flatten().count(), queue.waiting());
                assert!(queue.arrivals.len() <= 2 * queue.slots.len());
            }
            assert_eq!(queue.arrivals.capacity(), made_with);
            assert!(counters.delivered > 100 && counters.reordered > 50 && counters.duplicate > 0, "{counters:?}");
        }
    }
}
