//! Numbers, the transmit window and the time-out of what is sent.

use core::time::Duration;

use pptp_core::gre::{Config, Counters, SeqNum, Timeouts, WindowClosed};
use pptp_core::wire::{GreHeader, PeerCallId};

use super::{End, MILLISECOND, ack, at, config, data};

fn with_window(packets: u16) -> Config {
    Config { transmit_window: Some(packets), ..config() }
}

/// Sends as much as fits; gives the number of packets.
fn fill(end: &mut End, now: pptp_core::time::Instant) -> u32 {
    let room = end.session.room();
    for _ in 0..room {
        end.send(now);
    }
    assert_eq!(end.session.stamp(0, now).unwrap_err(), WindowClosed);
    room
}

#[test]
fn numbers_count_from_zero() {
    let mut end = End::new(&config());
    let numbers: Vec<_> = (0..3).map(|_| end.send(at(0)).sequence.unwrap()).collect();
    assert_eq!((numbers, end.session.counters().sent), (vec![0, 1, 2], 3));
}

#[test]
fn a_stamp_is_the_header_on_the_wire() {
    let mut end = End::new(&config());
    let stamp = end.session.stamp(0x0503, at(0)).unwrap();
    assert_eq!(stamp.as_bytes(), [0x30, 0x01, 0x88, 0x0b, 0x05, 0x03, 0, 2, 0, 0, 0, 0]);
    end.take([data(0)], at(0));
    let stamp = end.session.stamp(1, at(0)).unwrap();
    assert_eq!(stamp.as_ref(), [0x30, 0x81, 0x88, 0x0b, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]);
    end.take([data(1)], at(0));
    let stamp = end.session.poll_ack(at(50)).unwrap();
    assert_eq!(stamp.as_bytes(), [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 2, 0, 0, 0, 1]);
}

#[test]
fn without_a_window_nothing_holds_sending_back() {
    let mut end = End::new(&config());
    for _ in 0..1000 {
        end.send(at(0));
    }
    assert_eq!((end.session.room(), end.session.poll_timeout()), (u32::MAX, None));
}

#[test]
fn a_window_opens_with_acknowledgements_alone_or_along_with_data() {
    let mut end = End::new(&with_window(16));
    assert_eq!(fill(&mut end, at(0)), 8);
    end.take([ack(2)], at(5));
    assert_eq!(end.session.room(), 3);
    let header = GreHeader::data(PeerCallId(1), 1, 0).acknowledging(5);
    end.take([super::packet(&header, &[1])], at(5));
    assert_eq!(end.session.room(), 6);
    end.take([ack(5), ack(1)], at(6));
    assert_eq!(end.session.room(), 6, "repeated and old ones open nothing");
}

#[test]
fn a_dropped_packet_still_acknowledges() {
    let mut end = End::new(&with_window(16));
    fill(&mut end, at(0));
    end.take([data(0)], at(0));
    let stale = GreHeader::data(PeerCallId(1), 1, 0).acknowledging(7);
    end.take([super::packet(&stale, &[1])], at(0));
    assert_eq!((end.session.room(), end.session.counters().stale), (9, 1));
}

#[test]
fn what_was_never_sent_is_not_acknowledged() {
    let mut end = End::new(&with_window(16));
    end.take([ack(0)], at(0));
    fill(&mut end, at(0));
    end.take([ack(8), ack(1 << 30)], at(5));
    assert_eq!((end.session.room(), end.session.counters().bogus_acks), (0, 3));
    end.take([ack(u32::MAX), ack(1 << 31)], at(5));
    assert_eq!(end.session.room(), 0, "what is before the first packet says nothing");
}

#[test]
fn a_closed_window_opens_at_the_time_out_and_is_halved() {
    let mut end = End::new(&with_window(50));
    assert_eq!(fill(&mut end, at(0)), 25);
    assert_eq!(end.session.poll_timeout(), Some(at(100)));
    end.expire(at(99));
    assert_eq!(end.session.room(), 0);
    end.expire(at(100));
    assert_eq!((end.session.room(), end.session.counters().timeouts), (13, 1));
    assert_eq!(end.session.adaptive_timeout(), MILLISECOND * 200, "backed off");
    assert_eq!(fill(&mut end, at(100)), 13);
    assert_eq!(end.session.poll_timeout(), Some(at(300)));
}

#[test]
fn the_time_out_is_that_of_the_first_packet_on_its_way() {
    let mut end = End::new(&with_window(16));
    for millis in [0, 50, 90] {
        end.send(at(millis));
    }
    assert_eq!(end.session.poll_timeout(), Some(at(100)));
}

#[test]
fn no_time_out_is_longer_than_the_maximum() {
    let timeouts = Timeouts { maximum: MILLISECOND * 300, ..Timeouts::default() };
    let mut end = End::new(&Config { timeouts, ..with_window(64) });
    end.send(at(0));
    end.take([ack(0)], at(60_000));
    let mut now = at(60_000);
    for _ in 0..8 {
        fill(&mut end, now);
        let due = end.session.poll_timeout().unwrap();
        assert!(due.since(now) <= MILLISECOND * 300);
        now = due;
        end.expire(now);
    }
}

#[test]
fn the_processing_delay_seeds_the_time_out() {
    let timeouts = Timeouts { processing_delay: MILLISECOND * 600, ..Timeouts::default() };
    let mut end = End::new(&Config { timeouts, ..with_window(4) });
    fill(&mut end, at(0));
    assert_eq!(end.session.poll_timeout(), Some(at(600)));
}

#[test]
fn the_round_trip_is_measured_with_the_highest_number_acknowledged() {
    let mut end = End::new(&config());
    assert_eq!(end.session.round_trip(), None);
    for millis in [0, 10, 20] {
        end.send(at(millis));
    }
    end.take([ack(1)], at(60));
    // RTT = 100 + (50 - 100) / 8
    assert_eq!(end.session.round_trip(), Some(Duration::from_micros(93_750)));
    end.take([ack(1), ack(0), ack(9)], at(500));
    assert_eq!(end.session.round_trip(), Some(Duration::from_micros(93_750)));
}

#[test]
fn a_late_acknowledgement_still_measures() {
    let mut end = End::new(&with_window(2));
    fill(&mut end, at(0));
    end.expire(at(100));
    end.take([ack(0)], at(400));
    // RTT = 2 * 100 + (400 - 200) / 8, DEV = 200 / 4
    assert_eq!(end.session.round_trip(), Some(MILLISECOND * 225));
    assert_eq!(end.session.adaptive_timeout(), MILLISECOND * 425);
}

#[test]
fn an_acknowledgement_of_something_long_ago_measures_nothing() {
    let mut end = End::new(&config());
    for _ in 0..300 {
        end.send(at(0));
    }
    end.take([ack(43)], at(500));
    assert_eq!(end.session.round_trip(), None);
    end.take([ack(44)], at(500));
    assert!(end.session.round_trip().is_some());
}

#[test]
fn a_window_goes_on_through_the_wrap() {
    let first_sequence = SeqNum::new(u32::MAX - 3);
    let mut end = End::new(&Config { first_sequence, ..with_window(16) });
    assert_eq!(fill(&mut end, at(0)), 8);
    end.take([ack(u32::MAX)], at(10));
    assert_eq!(end.session.room(), 4);
    end.take([ack(3)], at(10));
    assert_eq!(end.session.room(), 9);
    assert_eq!(end.send(at(10)).sequence, Some(4));
    let expected = Counters { received: 2, ack_only: 2, sent: 9, ..Counters::default() };
    assert_eq!(*end.session.counters(), expected);
}
