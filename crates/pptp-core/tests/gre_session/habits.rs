//! What peers do on the wire that the RFC does not say.

use pptp_core::gre::Config;
use pptp_core::wire::{GreHeader, PeerCallId};

use super::{End, ack, at, config, data, packet, reordering};

#[test]
fn a_peer_may_begin_with_one() {
    let mut end = End::new(&reordering(10, 64));
    assert_eq!(end.take([data(1), data(2)], at(0)), []);
    assert_eq!(end.expire(at(10)), [1, 2]);
    assert_eq!(end.take([data(3)], at(10)), [3]);
    assert_eq!((end.session.counters().missing, end.session.counters().dropped()), (0, 0), "nothing was lost");
}

#[test]
fn the_first_two_may_have_changed_places() {
    let mut end = End::new(&config());
    assert_eq!(end.take([data(1), data(0), data(2)], at(0)), [0, 1, 2]);
}

#[test]
fn the_first_packets_may_be_lost() {
    let mut end = End::new(&config());
    assert_eq!(end.take([data(3)], at(0)), []);
    assert_eq!(end.expire(at(10)), [3]);
    assert_eq!(end.session.counters().missing, 3);
}

#[test]
fn number_one_is_not_accepted_twice() {
    let mut end = End::new(&config());
    assert_eq!(end.take([data(0), data(1), data(2)], at(0)), [0, 1, 2]);
    assert_eq!(end.take([data(1), data(0)], at(1)), []);
    assert_eq!(end.session.counters().stale, 2);
}

#[test]
fn a_peer_may_begin_anywhere_if_it_goes_on_there() {
    for start in [70_000, 1 << 31, u32::MAX - 1] {
        let mut end = End::new(&config());
        let numbers = [start, start.wrapping_add(1), start.wrapping_add(2)];
        assert_eq!(end.take(numbers.map(data), at(0)), numbers[1..]);
        assert_eq!(end.session.counters().implausible, 1);
    }
}

#[test]
fn an_acknowledgement_before_anything_was_sent_is_survived() {
    let mut end = End::new(&Config { transmit_window: Some(4), ..config() });
    for number in [u32::MAX, 0, 7, 1 << 31] {
        end.take([ack(number)], at(0));
    }
    assert_eq!((end.session.room(), end.session.counters().ack_only), (2, 4));
}

#[test]
fn reserved_bits_may_be_set() {
    let mut end = End::new(&config());
    let header = GreHeader { flags: 15, recursion: 7, ..GreHeader::data(PeerCallId(1), 1, 0) };
    assert_eq!(end.take([packet(&header, &[0])], at(0)), [0]);
}

#[test]
fn windows_may_be_from_nothing_to_the_largest() {
    for announced in [0, 1, 3, 16384, u16::MAX] {
        let mut end = End::new(&Config { transmit_window: Some(announced), receive_window: announced, ..config() });
        let first = (u32::from(announced) / 2).max(1);
        assert_eq!(end.session.room(), first);
        for _ in 0..first {
            end.send(at(0));
        }
        end.take([ack(first - 1)], at(1));
        assert_eq!(end.session.room(), (first + 1).min(u32::from(announced).max(1)));
    }
}

/// A peer that acknowledges nothing costs three time-outs, and then the window is put aside.
#[test]
fn a_peer_that_never_acknowledges_does_not_stop_us() {
    let mut end = End::new(&Config { transmit_window: Some(8), ..config() });
    for _ in 0..3 {
        while end.session.room() > 0 {
            end.send(at(0));
        }
        let due = end.session.poll_timeout().unwrap();
        end.expire(due);
    }
    assert_eq!(end.session.room(), u32::MAX);
    end.send(at(9000));
    assert_eq!(end.session.poll_timeout(), None);
    let counters = end.session.counters();
    assert_eq!((counters.timeouts, counters.window_suspended), (3, 1));

    end.take([ack(4)], at(9000));
    assert_eq!(end.session.room(), 1, "it acknowledges after all");
}

/// As pptp-linux's relay while it receives: it acknowledges along with data of its own only.
#[test]
fn a_peer_that_acknowledges_with_data_only_does_not_stop_us() {
    let mut end = End::new(&Config { transmit_window: Some(8), ..config() });
    for number in 0..3 {
        end.send(at(0));
        let header = GreHeader::data(PeerCallId(1), 1, number).acknowledging(number);
        end.take([packet(&header, &[1])], at(0));
        end.acknowledge(at(100));
    }
    for timeouts in 1..=3 {
        while (1..u32::MAX).contains(&end.session.room()) {
            end.send(at(100));
        }
        end.expire(end.session.poll_timeout().unwrap());
        assert_eq!(end.session.counters().timeouts, timeouts);
    }
    assert_eq!(end.session.room(), u32::MAX);
}

#[test]
fn time_outs_with_acknowledgements_between_them_do_not_put_the_window_aside() {
    let mut end = End::new(&Config { transmit_window: Some(1), ..config() });
    for number in 0..4 {
        for _ in 0..2 {
            end.send(at(0));
            end.expire(at(10_000));
        }
        let acknowledged = end.send(at(10_000)).sequence.unwrap();
        end.take([packet(&GreHeader::data(PeerCallId(1), 1, number).acknowledging(acknowledged), &[1])], at(10_000));
        end.acknowledge(at(20_000));
    }
    assert_eq!((end.session.room(), end.session.counters().timeouts), (1, 8));
}

/// A time-out means a loss then, however often.
#[test]
fn a_peer_that_does_send_lone_acknowledgements_keeps_its_window() {
    let mut end = End::new(&Config { transmit_window: Some(8), ..config() });
    end.send(at(0));
    end.take([ack(0)], at(0));
    for _ in 0..20 {
        while end.session.room() > 0 {
            end.send(at(0));
        }
        end.expire(end.session.poll_timeout().unwrap());
        assert!(end.session.room() <= 4);
    }
}
