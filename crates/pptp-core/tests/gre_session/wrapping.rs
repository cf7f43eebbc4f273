//! Everything again where the numbers wrap at 2³².

use core::time::Duration;

use pptp_core::gre::{Config, Reordering, SeqNum};

use super::link::Link;
use super::pair::{Pair, Traffic};
use super::{End, MILLISECOND, at, config, data};

/// So many numbers before the wrap.
fn before_wrap(count: u32) -> Config {
    Config { first_sequence: SeqNum::ZERO.reduced(count), ..config() }
}

#[test]
fn frames_in_order_come_out_across_the_wrap() {
    let mut end = End::new(&before_wrap(2));
    let numbers = [u32::MAX - 1, u32::MAX, 0, 1];
    assert_eq!(end.take(numbers.map(data), at(0)), numbers);
}

#[test]
fn frames_are_put_in_order_across_the_wrap() {
    let mut end = End::new(&before_wrap(2));
    let disorder = [1, u32::MAX, 0, 3, u32::MAX - 1, 2];
    assert_eq!(end.take(disorder.map(data), at(0)), [u32::MAX - 1, u32::MAX, 0, 1, 2, 3]);
}

#[test]
fn what_is_stale_and_repeated_is_known_across_the_wrap() {
    let mut end = End::new(&before_wrap(2));
    assert_eq!(end.take([u32::MAX - 1, 1, 1].map(data), at(0)), [u32::MAX - 1]);
    assert_eq!(end.expire(at(10)), [1]);
    assert_eq!(end.take([0, u32::MAX, u32::MAX - 1, 1, 2].map(data), at(10)), [2]);
    let counters = end.session.counters();
    assert_eq!((counters.duplicate, counters.stale, counters.missing), (1, 4, 2));
}

#[test]
fn a_gap_larger_than_the_queue_is_passed_over_across_the_wrap() {
    let mut end = End::new(&Config { reordering: Reordering { time: MILLISECOND * 10, packets: 7 }, ..before_wrap(5) });
    assert_eq!(end.take([u32::MAX - 4, u32::MAX - 2, 90].map(data), at(0)), [u32::MAX - 4, u32::MAX - 2]);
    assert_eq!(end.expire(at(10)), [90]);
    assert_eq!(end.session.counters().missing, 1 + 2 + 90);
}

#[test]
fn two_sessions_go_on_across_the_wrap() {
    let traffic = Traffic { frames: 400, interval: Duration::from_micros(700) };
    for window in [None, Some(5), Some(60)] {
        for count in [1, 2, 3, 63, 64, 65, 200] {
            let config = Config { transmit_window: window, ..before_wrap(count) };
            let link = Link { delay: MILLISECOND * 3, reordered: 200, held_back: MILLISECOND * 4, ..Link::default() };
            let mut pair = Pair::new(&config, [traffic; 2], link, count.into());
            pair.run();
            let [left, right] = pair.counters();
            assert_eq!((left.delivered, right.delivered), (400, 400));
            assert_eq!((left.timeouts, right.timeouts), (0, 0));
        }
    }
}
