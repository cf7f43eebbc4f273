//! Which packets are taken, in which order their frames come out, and what is counted.

use pptp_core::gre::{Arrival, Config, Counters, Inbound, Packet, Reordering, SeqNum, Session, call_of};
use pptp_core::wire::{CallId, GreHeader, PeerCallId};

use super::{End, ack, at, config, data, packet, reordering};

/// Which single counter of the dropped ones a packet increments in a session that has received number 0 and 2.
fn dropped_as(bytes: Vec<u8>) -> &'static str {
    let mut end = End::new(&config());
    end.take([data(0), data(2)], at(0));
    let before = *end.session.counters();
    end.take([bytes], at(0));
    let after = end.session.counters();
    assert_eq!((after.received, after.dropped()), (before.received + 1, before.dropped() + 1));
    assert_eq!(end.out.spent.len(), 1, "the buffer is free again");
    let differing = after.drops().into_iter().zip(before.drops()).filter(|(after, before)| after != before);
    differing.map(|((name, _), _)| name).next().unwrap()
}

#[test]
fn frames_in_order_come_out_at_once() {
    let mut end = End::new(&config());
    assert_eq!(end.take((0..5).map(data), at(0)), [0, 1, 2, 3, 4]);
    assert_eq!(end.session.counters().delivered, 5);
    assert_eq!(end.session.waiting(), 0);
}

#[test]
fn a_frame_is_where_it_was_in_its_buffer() {
    let (mut session, mut out) = (Session::new(&config()), Inbound::with_capacity(1));
    let mut buffer = vec![0x45; 20];
    buffer.extend(packet(&GreHeader::data(PeerCallId(1), 3, 0).acknowledging(0), &[0xff, 3, 0xc0]));
    buffer.extend([0xee; 4]);
    let bytes = 20..buffer.len();
    session.receive([Packet { buffer, bytes }], at(0), &mut out);
    let mut frame = out.frames.pop().unwrap();
    assert_eq!((frame.payload.clone(), frame.bytes()), (36..39, &[0xff, 3, 0xc0][..]));
    frame.bytes_mut()[0] = 7;
    assert_eq!(frame.buffer[36], 7);
    frame.payload = 0..1000;
    assert!(frame.bytes().is_empty() && frame.bytes_mut().is_empty(), "outside the buffer is nothing");
}

#[test]
fn the_call_of_a_packet_is_in_its_header() {
    let packet = packet(&GreHeader::data(PeerCallId(0xb401), 0, 0), &[]);
    assert_eq!(call_of(&packet), Some(CallId(0xb401)));
    for end in 0..8 {
        assert_eq!(call_of(&packet[..end]), None);
    }
}

#[test]
fn a_range_outside_its_buffer_is_malformed() {
    let (mut session, mut out) = (Session::new(&config()), Inbound::default());
    session.receive([Packet { buffer: data(0), bytes: 0..99 }], at(0), &mut out);
    assert_eq!((session.counters().malformed, out.spent.len()), (1, 1));
}

#[test]
fn every_way_to_be_dropped_has_its_counter() {
    let other_call = packet(&GreHeader::data(PeerCallId(9), 1, 1), &[0]);
    let no_numbers = packet(&GreHeader { sequence: None, ..GreHeader::data(PeerCallId(1), 0, 0) }, &[]);
    let unnumbered_payload = packet(&GreHeader { payload_length: 1, ..GreHeader::ack_only(PeerCallId(1), 0) }, &[0]);
    let empty = packet(&GreHeader::data(PeerCallId(1), 0, 1), &[]);
    assert_eq!(dropped_as(vec![]), "malformed");
    assert_eq!(dropped_as(data(1)[..12].to_vec()), "malformed");
    assert_eq!(dropped_as(other_call), "wrong-call");
    assert_eq!(dropped_as(no_numbers), "unnumbered");
    assert_eq!(dropped_as(unnumbered_payload), "unnumbered");
    assert_eq!(dropped_as(data(0)), "stale");
    assert_eq!(dropped_as(data(u32::MAX)), "stale");
    assert_eq!(dropped_as(data(2)), "duplicate");
    assert_eq!(dropped_as(data(100_000)), "implausible");
    assert_eq!(dropped_as(empty), "empty");
}

#[test]
fn what_waits_when_the_call_ends_is_abandoned_and_its_buffers_come_back() {
    let mut end = End::new(&config());
    end.take([data(1), data(3)], at(0));
    end.session.abandon(&mut end.out);
    assert_eq!((end.out.spent.len(), end.session.waiting(), end.session.poll_timeout()), (2, 0, Some(at(50))));
    assert_eq!((end.session.counters().abandoned, end.session.counters().dropped()), (2, 2));
}

#[test]
fn an_acknowledgement_alone_is_no_frame_and_no_loss() {
    let mut end = End::new(&config());
    end.send(at(0));
    assert!(end.take([ack(0)], at(1)).is_empty());
    let counters = Counters { received: 1, ack_only: 1, sent: 1, ..Counters::default() };
    assert_eq!((*end.session.counters(), end.out.spent.len()), (counters, 1));
}

#[test]
fn frames_that_overtook_others_wait_for_them() {
    let mut end = End::new(&config());
    assert_eq!(end.take([data(0), data(2), data(4), data(3)], at(0)), [0]);
    assert_eq!(end.session.waiting(), 3);
    assert_eq!(end.take([data(1)], at(9)), [1, 2, 3, 4]);
    let counters = end.session.counters();
    assert_eq!((counters.reordered, counters.missing, counters.dropped()), (2, 0, 0));
}

#[test]
fn frames_wait_no_longer_than_the_reorder_time() {
    let mut end = End::new(&reordering(10, 64));
    assert_eq!(end.take([data(0), data(8)], at(0)), [0]);
    end.take([data(3)], at(5));
    end.take([data(12)], at(7));
    assert_eq!(end.session.poll_timeout(), Some(at(10)));
    assert!(end.expire(at(9)).is_empty());
    end.session.handle_timeout(at(10), &mut end.out);
    let frames: Vec<_> = end.frames().iter().map(|frame| (frame.sequence.value(), frame.missing)).collect();
    assert_eq!(frames, [(3, 2), (8, 4)], "the one that waited longest takes along what is before it");
    assert_eq!(end.session.poll_timeout(), Some(at(17)));
    assert_eq!(end.expire(at(17)), [12]);
    assert_eq!(end.take([data(4)], at(18)), [], "too late");
    assert_eq!((end.session.counters().missing, end.session.counters().stale), (9, 1));
}

#[test]
fn frames_wait_within_the_reorder_distance_only() {
    let mut end = End::new(&reordering(10, 4));
    assert_eq!(end.take([data(0), data(3), data(5)], at(0)), [0]);
    assert_eq!(end.take([data(6)], at(0)), [], "the gap may still be filled up to here");
    assert_eq!(end.take([data(2)], at(0)), [2, 3], "1 is given up: 6 is four after 2");
    assert_eq!(end.take([data(20)], at(0)), [5, 6]);
    assert_eq!(end.take([data(15), data(16), data(17)], at(0)), [16, 17]);
    assert_eq!(end.session.waiting(), 1);
}

#[test]
fn without_a_queue_frames_come_out_as_they_come_and_late_ones_never() {
    for off in [
        Reordering::OFF,
        Reordering { packets: 0, ..Reordering::default() },
        Reordering { time: core::time::Duration::ZERO, ..Reordering::default() },
    ] {
        let mut end = End::new(&Config { reordering: off, ..config() });
        assert_eq!(end.take([data(0), data(2), data(1), data(3), data(3), data(9)], at(0)), [0, 2, 3, 9]);
        let counters = end.session.counters();
        assert_eq!((counters.stale, counters.missing, end.session.waiting()), (2, 6, 0));
    }
}

#[test]
fn a_gap_is_told_with_the_frame_after_it() {
    let mut end = End::new(&Config { reordering: Reordering::OFF, ..config() });
    let empty = packet(&GreHeader::data(PeerCallId(1), 0, 5), &[]);
    end.session.receive(
        [data(0), data(3), empty, data(7)].map(|buffer| {
            let bytes = 0..buffer.len();
            Packet { buffer, bytes }
        }),
        at(0),
        &mut end.out,
    );
    let missing: Vec<_> = end.frames().iter().map(|frame| frame.missing).collect();
    assert_eq!(missing, [0, 2, 2], "an empty frame is not told of, what is missing before it is");
}

#[test]
fn a_number_far_ahead_is_believed_when_another_confirms_it() {
    let mut end = End::new(&config());
    end.take([data(0)], at(0));
    assert_eq!(end.take([data(1_000_000), data(1)], at(0)), [1], "a wrong number does no harm");
    assert_eq!(end.take([data(1_000_001), data(1_000_002)], at(0)), [], "after an outage");
    assert_eq!(end.expire(at(10)), [1_000_002]);
    assert_eq!(end.take([data(1_000_003)], at(10)), [1_000_003]);
    let counters = end.session.counters();
    assert_eq!((counters.implausible, counters.missing), (2, 1_000_000));
}

#[test]
fn the_same_wrong_number_twice_confirms_nothing() {
    let mut end = End::new(&config());
    assert_eq!(end.take([data(0), data(50_000), data(50_000), data(1)], at(0)), [0, 1]);
    assert_eq!(end.session.counters().implausible, 2);
}

#[test]
fn frames_accepted_as_a_batch_are_delivered_as_a_batch() {
    let (mut session, mut out) = (Session::new(&config()), Inbound::default());
    let packets = [data(1), data(0), data(1), data(2)];
    let accepted: Vec<_> = packets.iter().map(|packet| session.accept(packet, at(0)).unwrap()).collect();
    assert_eq!(accepted[0], Arrival { sequence: SeqNum::new(1), payload: 12..13 });
    for (arrival, packet) in accepted.into_iter().zip(packets) {
        session.deliver(arrival.in_buffer(packet, 0), at(0), &mut out);
    }
    let numbers: Vec<_> = out.frames.iter().map(|frame| frame.sequence.value()).collect();
    assert_eq!(numbers, [0, 1, 2]);
    let counters = session.counters();
    assert_eq!((counters.received, counters.delivered, counters.stale), (4, 3, 1));
}
