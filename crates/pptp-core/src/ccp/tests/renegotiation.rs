//! Packets that come when everything is agreed on.

use super::super::{Event, Reason};
use super::*;

const OPENED: Event = Event::Opened { send: STRONG, receive: STRONG };

fn opened(list: &str) -> Ccp {
    let mut ccp = end(list);
    ccp.handle_up(at(0));
    ccp.handle_open(at(0));
    ccp.handle_packet(&[2, 1, 0, 10, 18, 6, 1, 0, 0, 0x40], at(0));
    ccp.handle_packet(&[1, 7, 0, 10, 18, 6, 1, 0, 0, 0x40], at(0));
    while ccp.poll_transmit().is_some() {}
    assert_eq!(events(&mut ccp), [OPENED]);
    ccp
}

fn request(identifier: u8, bits: u8) -> [u8; 10] {
    [1, identifier, 0, 10, 18, 6, 1, 0, 0, bits]
}

#[test]
fn a_peer_that_missed_the_ack_gets_it_again() {
    let mut ccp = opened("required,128");
    for (identifier, time) in [(7, 3000), (7, 3_000_000), (8, 6000), (9, 30_000)] {
        ccp.handle_packet(&request(identifier, 0x40), at(time));
        assert_eq!(ccp.poll_transmit(), Some(vec![2, identifier, 0, 10, 18, 6, 1, 0, 0, 0x40]));
        assert_eq!((ccp.poll_transmit(), ccp.poll_timeout()), (None, None));
        assert_eq!(events(&mut ccp), [Event::Disregarded]);
    }
}

#[test]
fn a_new_negotiation_ends_the_link() {
    for (packet, time) in [(request(8, 0x40), 30_001), (request(7, 0x60), 1), (request(7, 0x20), 1)] {
        for list in ["required,128", "optional,128"] {
            let mut ccp = opened(list);
            ccp.handle_packet(&packet, at(time));
            assert_eq!(events(&mut ccp), [Event::Failed(Reason::Renegotiated)]);
            assert!(!ccp.may_pass_plaintext());
            assert_eq!((ccp.poll_transmit(), ccp.poll_timeout()), (None, None));
        }
    }
}

#[test]
fn doubled_answers_change_nothing() {
    let mut ccp = opened("optional,128");
    for packet in [
        &[2, 1, 0, 10, 18, 6, 1, 0, 0, 0x40][..],
        &[3, 1, 0, 10, 18, 6, 1, 0, 0, 0x20],
        &[4, 1, 0, 10, 18, 6, 1, 0, 0, 0x40],
        &[6, 1, 0, 4],
    ] {
        ccp.handle_packet(packet, at(1));
    }
    assert_eq!((ccp.poll_transmit(), ccp.counters().unexpected), (None, 4));
    assert_eq!(events(&mut ccp), [Event::Disregarded]);
}

#[test]
fn what_the_kernel_takes_for_an_end_is_told() {
    for packet in [&[1][..], &[1, 9, 0, 3], &[1, 9, 0, 5, 18], &[5, 1, 0, 9], &[6, 1, 0, 4], &[6]] {
        let mut ccp = opened("required,128");
        ccp.handle_packet(packet, at(1));
        assert_eq!((events(&mut ccp), ccp.poll_transmit()), (vec![Event::Disregarded], None), "{packet:?}");
    }
    for packet in [&[][..], &[2, 1, 0, 4], &[3, 1, 0, 4], &[9, 1, 0, 4], &[14, 1, 0, 9]] {
        let mut ccp = opened("required,128");
        ccp.handle_packet(packet, at(1));
        assert_eq!(events(&mut ccp), [], "{packet:?}");
    }
}
