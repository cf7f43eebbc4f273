//! What holds on any link. The pair itself checks order, at most once, bounded memory, bounded waiting, timely
//! acknowledgements, and that no sender stalls longer than the time-out.

use core::time::Duration;

use proptest::prelude::*;

use pptp_core::gre::{Config, Reordering, SeqNum, Timeouts};

use super::link::Link;
use super::pair::{Habit, Pair, Traffic};
use super::{MILLISECOND, config};

prop_compose! {
    fn any_link()(
        loss in prop_oneof![Just(0), 0..400_u32],
        duplicates in prop_oneof![Just(0), 0..300_u32],
        reordered in prop_oneof![Just(0), 0..400_u32],
        held_back in 0..60_u32,
        delay in 0..120_u32,
        jitter in prop_oneof![Just(0), 0..60_u32],
    ) -> Link {
        Link {
            loss,
            duplicates,
            reordered,
            held_back: MILLISECOND * held_back,
            delay: MILLISECOND * delay,
            jitter: MILLISECOND * jitter,
        }
    }
}

prop_compose! {
    fn any_config()(
        time in 0..40_u32,
        packets in 0..80_u16,
        receive_window in prop_oneof![0..6_u16, 3..=16384_u16],
        ack_delay in 0..200_u32,
        window in proptest::option::of(prop_oneof![0..6_u16, 3..=16384_u16]),
        maximum in 100..1500_u32,
        first in prop_oneof![Just(0), Just(1), (u32::MAX - 200)..=u32::MAX, (1_u32 << 31) - 200..=1 << 31],
    ) -> Config {
        Config {
            receive_window,
            ack_delay: MILLISECOND * ack_delay,
            reordering: Reordering { time: MILLISECOND * time, packets },
            transmit_window: window,
            timeouts: Timeouts { maximum: MILLISECOND * maximum, ..Timeouts::default() },
            first_sequence: SeqNum::new(first),
            ..config()
        }
    }
}

prop_compose! {
    fn any_traffic()(frames in prop_oneof![Just(0), 1..300_u32], micros in 0..5000_u64) -> Traffic {
        Traffic { frames, interval: Duration::from_micros(micros) }
    }
}

fn any_habit() -> impl Strategy<Value = Habit> {
    prop_oneof![4 => Just(Habit::Normal), 1 => Just(Habit::NoLoneAcks), 1 => Just(Habit::Never)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_link_is_survived(
        config in any_config(),
        traffic in [any_traffic(), any_traffic()],
        link in any_link(),
        habit in any_habit(),
        seed: u64,
    ) {
        let mut pair = Pair::new(&config, traffic, link, seed);
        pair.right.habit = habit;
        pair.run();
    }

    #[test]
    fn a_link_that_only_reorders_within_the_queue_loses_nothing(
        jitter in 0..40_u32,
        window in proptest::option::of(1..100_u16),
        traffic in [any_traffic(), any_traffic()],
        seed: u64,
    ) {
        let reordering = Reordering { time: MILLISECOND * 40, packets: 300 };
        let config = Config { reordering, transmit_window: window, ..config() };
        let link = Link { jitter: MILLISECOND * jitter, delay: MILLISECOND, duplicates: 50, ..Link::default() };
        let mut pair = Pair::new(&config, traffic, link, seed);
        pair.run();
        let [left, right] = pair.counters();
        prop_assert_eq!((left.delivered, right.delivered), (right.sent, left.sent));
        prop_assert_eq!((left.missing, right.missing), (0, 0));
    }
}

#[test]
fn on_a_perfect_link_with_a_window_nothing_times_out_and_nobody_stalls() {
    let config = Config { transmit_window: Some(50), ..config() };
    let traffic = Traffic { frames: 2000, interval: Duration::from_micros(500) };
    let link = Link { delay: MILLISECOND * 2, ..Link::default() };
    let mut pair = Pair::new(&config, [traffic, Traffic { frames: 0, ..traffic }], link, 1);
    pair.run();
    let [left, right] = pair.counters();
    assert_eq!((left.timeouts, left.window_suspended, right.delivered, right.dropped()), (0, 0, 2000, 0));
}

#[test]
fn a_window_of_one_is_not_slower_than_the_round_trip() {
    let config = Config { transmit_window: Some(1), receive_window: 1, ..config() };
    let traffic = Traffic { frames: 200, interval: Duration::ZERO };
    let link = Link { delay: MILLISECOND * 5, ..Link::default() };
    let mut pair = Pair::new(&config, [traffic, Traffic { frames: 0, ..traffic }], link, 1);
    pair.run_until(super::at(2000));
    assert_eq!(pair.counters()[1].delivered, 200, "one in each 10 ms");
}

/// The receiver announced 50, so it does not know that the sender is down to one: it finds out by the silence.
#[test]
fn a_receiver_finds_out_that_the_sender_waits() {
    let config = Config { transmit_window: Some(1), receive_window: 50, ..config() };
    let traffic = Traffic { frames: 200, interval: Duration::ZERO };
    let link = Link { delay: MILLISECOND * 5, ..Link::default() };
    let mut pair = Pair::new(&config, [traffic, Traffic { frames: 0, ..traffic }], link, 1);
    pair.run_until(super::at(3000));
    assert!(pair.counters()[1].delivered > 190, "{:?}", pair.counters());
}
