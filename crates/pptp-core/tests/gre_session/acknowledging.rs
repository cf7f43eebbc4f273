//! When and how a session acknowledges.

use core::time::Duration;

use pptp_core::gre::{Config, MAX_ACK_DELAY, SeqNum};

use super::{End, at, config, data};

#[test]
fn nothing_is_acknowledged_before_something_came() {
    let mut end = End::new(&config());
    assert_eq!((end.acknowledge(at(0)), end.session.poll_timeout()), (None, None));
    assert_eq!(end.send(at(0)).acknowledgement, None);
}

#[test]
fn a_data_packet_acknowledges_the_highest_number_every_time() {
    let mut end = End::new(&config());
    end.take([data(0), data(2)], at(0));
    for _ in 0..3 {
        assert_eq!(end.send(at(0)).acknowledgement, Some(2));
    }
    assert_eq!(end.acknowledge(at(1000)), None, "all is told");
    end.take([data(1)], at(1000));
    assert_eq!(end.send(at(1000)).acknowledgement, Some(2));
}

#[test]
fn an_acknowledgement_never_waits_longer_than_100_milliseconds() {
    for (delay, due) in [(0, 0), (20, 20), (100, 100), (5000, 100)] {
        let mut end = End::new(&Config { ack_delay: Duration::from_millis(delay), ..config() });
        end.take([data(0)], at(0));
        assert_eq!(end.session.poll_timeout(), Some(at(due)));
        assert_eq!(end.acknowledge(at(due)), Some(0));
        assert_eq!((end.session.poll_timeout(), end.session.counters().acks_sent), (None, 1));
    }
    assert_eq!(MAX_ACK_DELAY, Duration::from_millis(100));
}

#[test]
fn an_acknowledgement_does_not_wait_when_the_peers_window_fills() {
    let mut end = End::new(&Config { receive_window: 3, ..config() });
    end.take([data(0)], at(0));
    assert_eq!(end.acknowledge(at(0)), Some(0));
}

#[test]
fn duplicates_and_what_is_dropped_are_not_acknowledged() {
    let mut end = End::new(&config());
    end.take([data(0)], at(0));
    end.acknowledge(at(50));
    end.take([data(0), data(u32::MAX), data(1_000_000)], at(60));
    assert_eq!((end.session.poll_timeout(), end.acknowledge(at(999))), (None, None));
}

#[test]
fn what_waits_in_the_reorder_queue_is_acknowledged() {
    let mut end = End::new(&config());
    end.take([data(0), data(3)], at(0));
    assert_eq!(end.acknowledge(at(50)), Some(3));
}

#[test]
fn a_session_that_begins_elsewhere_acknowledges_there() {
    let mut end = End::new(&Config { first_sequence: SeqNum::new(u32::MAX), ..config() });
    end.take([data(u32::MAX)], at(0));
    assert_eq!(end.acknowledge(at(50)), Some(u32::MAX));
}
