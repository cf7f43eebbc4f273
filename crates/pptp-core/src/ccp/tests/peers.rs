//! What peers do, byte by byte.

use super::super::{Ccp, Event, Reason};
use super::*;

const REQUEST: u8 = 1;
const ACK: u8 = 2;
const NAK: u8 = 3;
const REJECT: u8 = 4;
const TERMINATE: u8 = 5;
const TERMINATE_ACK: u8 = 6;
const STRONG_OPTION: [u8; 6] = [18, 6, 1, 0, 0, 0x40];
const ALL: [u8; 6] = [18, 6, 1, 0, 0, 0xe0];
const OPENED: Event = Event::Opened { send: STRONG, receive: STRONG };

fn packet(code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len() + 4).unwrap();
    [&[code, identifier, 0, length][..], data].concat()
}

fn sent(ccp: &mut Ccp) -> Vec<Vec<u8>> {
    core::iter::from_fn(|| ccp.poll_transmit()).collect()
}

fn receive(ccp: &mut Ccp, code: u8, identifier: u8, data: &[u8]) -> Vec<Vec<u8>> {
    ccp.handle_packet(&packet(code, identifier, data), at(100));
    sent(ccp)
}

/// Open and up, the first request (with identifier 1) sent.
fn started(list: &str) -> Ccp {
    let mut ccp = end(list);
    ccp.handle_open(at(0));
    ccp.handle_up(at(0));
    sent(&mut ccp);
    ccp
}

fn opened(list: &str) -> Ccp {
    let mut ccp = started(list);
    receive(&mut ccp, NAK, 1, &STRONG_OPTION);
    receive(&mut ccp, ACK, 2, &STRONG_OPTION);
    receive(&mut ccp, REQUEST, 7, &STRONG_OPTION);
    assert_eq!(events(&mut ccp), [OPENED]);
    ccp
}

/// Lets the timer expire as often as it wants to; the packets.
fn wait(ccp: &mut Ccp) -> Vec<Vec<u8>> {
    let mut packets = sent(ccp);
    while let Some(due) = ccp.poll_timeout() {
        ccp.handle_timeout(due);
        packets.extend(sent(ccp));
    }
    packets
}

/// From a capture of pppd on both ends.
#[test]
fn pptpd_as_recorded() {
    let recorded = [1, 1, 0, 10, 18, 6, 1, 0, 0, 0x40];
    let mut ccp = end("required,128");
    ccp.handle_up(at(0));
    ccp.handle_open(at(0));
    assert_eq!(sent(&mut ccp), [recorded]);
    ccp.handle_packet(&recorded, at(1));
    assert_eq!(sent(&mut ccp), [[2, 1, 0, 10, 18, 6, 1, 0, 0, 0x40]]);
    ccp.handle_packet(&[2, 1, 0, 10, 18, 6, 1, 0, 0, 0x40], at(2));
    assert_eq!(events(&mut ccp), [OPENED]);
    assert_eq!((sent(&mut ccp).len(), ccp.poll_timeout()), (0, None));
}

#[test]
fn windows_asks_for_no_key_length_and_takes_the_one_it_is_told() {
    for first in [[18, 6, 1, 0, 0, 0], [18, 6, 1, 0, 0, 1], [18, 6, 1, 0, 0, 0xe1]] {
        let mut ccp = started("required,stateless,no40,no56");
        assert_eq!(receive(&mut ccp, REQUEST, 4, &first), [packet(NAK, 4, &STRONG_OPTION)]);
        assert_eq!(receive(&mut ccp, REQUEST, 6, &STRONG_OPTION), [packet(ACK, 6, &STRONG_OPTION)]);
        assert!(receive(&mut ccp, ACK, 1, &STRONG_OPTION).is_empty());
        assert_eq!(events(&mut ccp), [OPENED]);
    }
}

#[test]
fn other_compression_is_rejected_and_mppe_is_not() {
    let mut ccp = started("required");
    let lzs = [17, 5, 0, 1, 4];
    let both = [&STRONG_OPTION[..], &lzs].concat();
    assert_eq!(receive(&mut ccp, REQUEST, 1, &both), [packet(REJECT, 1, &lzs)]);
    assert_eq!(receive(&mut ccp, REQUEST, 2, &STRONG_OPTION), [packet(ACK, 2, &STRONG_OPTION)]);
}

#[test]
fn a_peer_that_rejects_the_option_gets_none_or_no_link() {
    let mut ccp = started("required");
    assert!(receive(&mut ccp, REJECT, 1, &ALL).is_empty());
    assert_eq!(events(&mut ccp), [Event::Failed(Reason::Rejected)]);
    assert_eq!(ccp.poll_timeout(), None);

    let mut ccp = started("optional");
    assert_eq!(receive(&mut ccp, REJECT, 1, &ALL), [packet(REQUEST, 2, &[])]);
    assert!(receive(&mut ccp, ACK, 2, &[]).is_empty());
    assert!(!ccp.may_pass_plaintext());
    assert_eq!(receive(&mut ccp, REQUEST, 9, &[]), [packet(ACK, 9, &[])]);
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::Rejected)]);
    assert!(ccp.may_pass_plaintext());
    assert_eq!(receive(&mut ccp, REQUEST, 9, &[]), [packet(ACK, 9, &[])]);
    assert_eq!(
        receive(&mut ccp, REQUEST, 10, &STRONG_OPTION),
        [packet(REQUEST, 3, &[]), packet(REJECT, 10, &STRONG_OPTION)]
    );
    assert_eq!(events(&mut ccp), []);
    assert!(ccp.may_pass_plaintext());
}

#[test]
fn a_silent_peer_is_asked_ten_times() {
    for (list, event) in
        [("required", Event::Failed(Reason::NoAnswer)), ("optional", Event::Unencrypted(Reason::NoAnswer))]
    {
        let mut ccp = end(list);
        ccp.handle_open(at(0));
        ccp.handle_up(at(0));
        ccp.handle_timeout(at(2999));
        assert_eq!(ccp.poll_timeout(), Some(at(3000)));
        let packets = wait(&mut ccp);
        assert_eq!(packets, vec![packet(REQUEST, 1, &ALL); 10]);
        assert_eq!(events(&mut ccp), [event]);
        assert_eq!(ccp.may_pass_plaintext(), list == "optional");
    }
}

#[test]
fn a_peer_without_ccp_says_so() {
    for (list, event) in [
        ("required", Event::Failed(Reason::ProtocolRejected)),
        ("optional", Event::Unencrypted(Reason::ProtocolRejected)),
    ] {
        let mut ccp = started(list);
        ccp.handle_protocol_reject();
        ccp.handle_protocol_reject();
        assert_eq!((events(&mut ccp), wait(&mut ccp).len()), (vec![event], 0));
    }
}

#[test]
fn a_terminate_request_is_an_answer() {
    for (list, event) in
        [("required", Event::Failed(Reason::Terminated)), ("optional", Event::Unencrypted(Reason::Terminated))]
    {
        let mut ccp = started(list);
        assert_eq!(receive(&mut ccp, TERMINATE, 3, b"x"), [packet(TERMINATE_ACK, 3, &[])]);
        assert_eq!((events(&mut ccp), wait(&mut ccp).len()), (vec![event], 0));
    }
}

#[test]
fn a_terminate_ack_alone_is_not() {
    let mut ccp = started("required");
    receive(&mut ccp, TERMINATE_ACK, 1, &[]);
    assert_eq!((events(&mut ccp), ccp.poll_timeout()), (vec![], Some(at(3000))));
}

#[test]
fn what_ends_encryption_ends_the_link() {
    let endings: [fn(&mut Ccp); 3] = [
        |ccp| drop(receive(ccp, TERMINATE, 3, &[])),
        |ccp| drop(receive(ccp, 7, 3, &packet(REQUEST, 1, &[]))),
        Ccp::handle_protocol_reject,
    ];
    for list in ["required", "optional"] {
        for ending in endings {
            let mut ccp = opened(list);
            ending(&mut ccp);
            assert!(matches!(events(&mut ccp)[..], [Event::Failed(_)]));
            assert!(!ccp.may_pass_plaintext());
            assert_eq!(receive(&mut ccp, REQUEST, 4, &[]), [packet(TERMINATE_ACK, 4, &[])]);
            assert_eq!((events(&mut ccp), ccp.poll_timeout()), (vec![], None));
        }
    }
}

#[test]
fn naks_without_end_have_one() {
    let weak = [18, 6, 1, 0, 0, 0x20];
    let mut ccp = started("required,128");
    for identifier in 1..5 {
        assert_eq!(receive(&mut ccp, NAK, identifier, &weak), [packet(REQUEST, identifier + 1, &STRONG_OPTION)]);
    }
    assert!(receive(&mut ccp, NAK, 5, &weak).is_empty());
    assert_eq!(events(&mut ccp), [Event::Failed(Reason::NotAllowed)]);

    let mut ccp = started("optional,128");
    for identifier in 1..5 {
        receive(&mut ccp, NAK, identifier, &weak);
    }
    for identifier in 5..10 {
        assert_eq!(receive(&mut ccp, NAK, identifier, &weak), [packet(REQUEST, identifier + 1, &[])]);
    }
    assert_eq!(events(&mut ccp), []);
    assert!(receive(&mut ccp, NAK, 10, &weak).is_empty());
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::NotAllowed)]);
}

#[test]
fn a_peer_that_never_asks_for_mppe_is_told_five_times() {
    let mut ccp = started("required");
    for identifier in 1..6 {
        assert_eq!(receive(&mut ccp, REQUEST, identifier, &[]), [packet(NAK, identifier, &STRONG_OPTION)]);
    }
    assert!(receive(&mut ccp, REQUEST, 6, &[]).is_empty());
    assert_eq!(events(&mut ccp), [Event::Failed(Reason::NotOffered)]);
}

#[test]
fn it_gets_a_link_in_clear_even_if_it_would_encrypt_itself() {
    let mut ccp = started("optional,128");
    receive(&mut ccp, ACK, 1, &STRONG_OPTION);
    for identifier in 1..6 {
        receive(&mut ccp, REQUEST, identifier, &[]);
    }
    assert_eq!(receive(&mut ccp, REQUEST, 6, &[]), [packet(REQUEST, 2, &[]), packet(ACK, 6, &[])]);
    assert_eq!(events(&mut ccp), []);
    receive(&mut ccp, ACK, 2, &[]);
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::NotOffered)]);
}

#[test]
fn a_peer_that_insists_on_what_is_not_allowed_is_rejected_in_the_end() {
    let weak = [18, 6, 0, 0, 0, 0x20];
    let mut ccp = started("optional,128");
    for identifier in 1..6 {
        assert_eq!(receive(&mut ccp, REQUEST, identifier, &weak), [packet(NAK, identifier, &STRONG_OPTION)]);
    }
    assert_eq!(receive(&mut ccp, REQUEST, 6, &weak), [packet(REJECT, 6, &weak), packet(REQUEST, 2, &[])]);
    assert_eq!(receive(&mut ccp, REQUEST, 7, &[]), [packet(ACK, 7, &[])]);
    receive(&mut ccp, ACK, 2, &[]);
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::NotAllowed)]);
}

#[test]
fn half_encrypted_is_not_encrypted() {
    let mut ccp = started("optional,128");
    receive(&mut ccp, REQUEST, 1, &STRONG_OPTION);
    receive(&mut ccp, REJECT, 1, &STRONG_OPTION);
    assert_eq!(receive(&mut ccp, ACK, 2, &[]), [packet(TERMINATE, 3, &[])]);
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::OneWay)]);
    assert!(receive(&mut ccp, TERMINATE_ACK, 3, &[]).is_empty());
    assert_eq!(
        receive(&mut ccp, REQUEST, 2, &STRONG_OPTION),
        [packet(REQUEST, 4, &[]), packet(REJECT, 2, &STRONG_OPTION)]
    );
    assert_eq!(events(&mut ccp), []);
}

#[test]
fn an_ack_of_several_key_lengths_is_no_agreement() {
    let mut ccp = started("required");
    assert_eq!(receive(&mut ccp, ACK, 1, &ALL), [packet(REQUEST, 2, &STRONG_OPTION)]);
    receive(&mut ccp, ACK, 2, &STRONG_OPTION);
    receive(&mut ccp, REQUEST, 1, &STRONG_OPTION);
    assert_eq!(events(&mut ccp), [OPENED]);
}

#[test]
fn a_nak_of_several_key_lengths_means_the_strongest() {
    let mut ccp = started("required,40,56");
    let request = packet(REQUEST, 2, &[18, 6, 1, 0, 0, 0x80]);
    assert_eq!(receive(&mut ccp, NAK, 1, &[17, 5, 0, 1, 4, 18, 6, 0, 0, 0, 0xe1]), [request]);
}

#[test]
fn answers_to_nothing_change_nothing() {
    let mut ccp = started("required,128");
    for (code, identifier, data) in [
        (ACK, 2, &STRONG_OPTION[..]),
        (NAK, 0, &[18, 6, 1, 0, 0, 0x20]),
        (REJECT, 9, &STRONG_OPTION),
        (ACK, 1, &ALL),
        (ACK, 1, &[]),
        (REJECT, 1, &[17, 2]),
        (NAK, 1, &[18, 7]),
        (7, 1, &[]),
        (7, 1, &[14, 1, 0, 4]),
        (15, 1, &[]),
        (14, 1, &[]),
    ] {
        assert!(receive(&mut ccp, code, identifier, data).is_empty(), "{code} {data:?}");
    }
    ccp.handle_packet(&[1, 1, 0], at(0));
    assert_eq!((ccp.counters().unexpected, ccp.counters().malformed), (6, 6));
    receive(&mut ccp, ACK, 1, &STRONG_OPTION);
    receive(&mut ccp, REQUEST, 1, &STRONG_OPTION);
    assert_eq!(events(&mut ccp), [OPENED]);
}

/// The identifier of the request is not another packet's.
#[test]
fn what_is_sent_between_does_not_spoil_an_answer() {
    let mut ccp = started("required,128");
    let rejection = receive(&mut ccp, 13, 9, &[]);
    assert_eq!(rejection.len(), 1);
    receive(&mut ccp, REQUEST, 7, &STRONG_OPTION);
    assert_eq!(receive(&mut ccp, 13, 10, &[]).len(), 1);
    receive(&mut ccp, ACK, 1, &STRONG_OPTION);
    assert_eq!(events(&mut ccp), [OPENED]);
}

/// A rejection may be forged, and the peer may think that both have agreed.
#[test]
fn who_gives_up_what_it_has_acknowledged_says_so() {
    let mut ccp = started("optional,128");
    assert_eq!(receive(&mut ccp, REQUEST, 7, &STRONG_OPTION), [packet(ACK, 7, &STRONG_OPTION)]);
    ccp.handle_protocol_reject();
    assert_eq!(sent(&mut ccp), [packet(TERMINATE, 2, &[])]);
    assert_eq!(events(&mut ccp), [Event::Unencrypted(Reason::ProtocolRejected)]);
    let mut ccp = started("optional,128");
    ccp.handle_protocol_reject();
    assert_eq!(sent(&mut ccp), [[0; 0]; 0]);
    // Who was told has to end a link that it thinks is encrypted.
    let mut peer = opened("optional");
    receive(&mut peer, TERMINATE, 2, &[]);
    assert_eq!(events(&mut peer), [Event::Failed(Reason::Terminated)]);
}

#[test]
fn unknown_codes_are_rejected() {
    let mut ccp = started("required");
    let echo = packet(9, 5, b"abcd");
    assert_eq!(receive(&mut ccp, 9, 5, b"abcd"), [packet(7, 2, &echo)]);
}

#[test]
fn denied_waits_for_the_peer_and_rejects_mppe() {
    let mut ccp = end("deny");
    ccp.handle_open(at(0));
    ccp.handle_up(at(0));
    assert_eq!((events(&mut ccp), sent(&mut ccp).len()), (vec![Event::Unencrypted(Reason::Denied)], 0));
    assert_eq!(
        receive(&mut ccp, REQUEST, 1, &STRONG_OPTION),
        [packet(REQUEST, 1, &[]), packet(REJECT, 1, &STRONG_OPTION)]
    );
    assert_eq!(receive(&mut ccp, REQUEST, 2, &[]), [packet(ACK, 2, &[])]);
    receive(&mut ccp, ACK, 1, &[]);
    assert_eq!((events(&mut ccp), ccp.poll_timeout()), (vec![], None));
    assert!(ccp.may_pass_plaintext());
    assert_eq!(receive(&mut ccp, TERMINATE, 3, &[]), [packet(TERMINATE_ACK, 3, &[])]);
    assert_eq!((wait(&mut ccp).len(), events(&mut ccp)), (0, vec![]));
}

#[test]
fn resets_are_asked_for_and_answered() {
    let mut ccp = opened("required");
    assert_eq!(receive(&mut ccp, 14, 0x33, b"x"), [packet(15, 0x33, b"x")]);
    assert_eq!(events(&mut ccp), [Event::ResetRequested]);

    ccp.request_reset(at(200));
    ccp.request_reset(at(1199));
    assert_eq!(sent(&mut ccp), [packet(14, 3, &[])]);
    ccp.request_reset(at(1200));
    assert_eq!(sent(&mut ccp), [packet(14, 3, &[])]);
    receive(&mut ccp, 15, 2, &[]);
    receive(&mut ccp, 15, 3, &[]);
    receive(&mut ccp, 15, 3, &[]);
    assert_eq!(events(&mut ccp), [Event::ResetAcknowledged]);
    ccp.request_reset(at(1201));
    assert_eq!(sent(&mut ccp), [packet(14, 4, &[])]);
}

#[test]
fn nobody_resets_what_is_not_encrypted() {
    let mut ccp = started("optional");
    ccp.request_reset(at(0));
    assert!(receive(&mut ccp, 14, 1, &[]).is_empty());
    assert_eq!(events(&mut ccp), []);
}

#[test]
fn closing_is_answered_or_given_up() {
    let mut ccp = opened("required");
    ccp.handle_close(at(200));
    assert_eq!(sent(&mut ccp), [packet(TERMINATE, 3, &[])]);
    assert!(receive(&mut ccp, REQUEST, 8, &STRONG_OPTION).is_empty());
    receive(&mut ccp, TERMINATE_ACK, 3, &[]);
    assert_eq!((events(&mut ccp), ccp.poll_timeout()), (vec![Event::Closed], None));
    assert_eq!(receive(&mut ccp, REQUEST, 9, &[]), [packet(TERMINATE_ACK, 9, &[])]);

    let mut ccp = started("optional");
    ccp.handle_close(at(200));
    assert_eq!(wait(&mut ccp), [packet(TERMINATE, 2, &[]), packet(TERMINATE, 3, &[])]);
    assert_eq!(events(&mut ccp), [Event::Closed]);
    assert!(!ccp.may_pass_plaintext());
}

#[test]
fn a_new_link_is_a_new_beginning() {
    let mut ccp = started("required");
    receive(&mut ccp, REJECT, 1, &ALL);
    ccp.handle_open(at(1));
    ccp.handle_up(at(1));
    assert_eq!((sent(&mut ccp).len(), events(&mut ccp)), (0, vec![Event::Failed(Reason::Rejected)]));
    ccp.handle_down();
    ccp.handle_packet(&packet(REQUEST, 1, &STRONG_OPTION), at(2));
    assert_eq!((sent(&mut ccp).len(), ccp.poll_timeout()), (0, None));
    ccp.handle_up(at(3));
    assert_eq!(sent(&mut ccp), [packet(REQUEST, 2, &ALL)]);
    assert_eq!(ccp.poll_timeout(), Some(at(3003)));
}

#[test]
fn what_was_refused_on_one_link_is_asked_for_on_the_next() {
    let mut ccp = started("optional");
    assert_eq!(receive(&mut ccp, REJECT, 1, &ALL), [packet(REQUEST, 2, &[])]);
    ccp.handle_down();
    assert!(!ccp.may_pass_plaintext());
    ccp.handle_up(at(1));
    assert_eq!(sent(&mut ccp), [packet(REQUEST, 3, &ALL)]);
}

#[test]
fn before_it_is_open_nothing_is_negotiated() {
    let mut ccp = end("required");
    ccp.handle_up(at(0));
    assert_eq!(receive(&mut ccp, REQUEST, 1, &STRONG_OPTION), [packet(TERMINATE_ACK, 1, &[])]);
    ccp.handle_open(at(1));
    assert_eq!(sent(&mut ccp), [packet(REQUEST, 1, &ALL)]);
}

#[test]
fn an_owner_that_does_not_drain_loses_packets_and_no_memory() {
    let mut ccp = opened("required");
    for _ in 0..1000 {
        ccp.handle_packet(&packet(14, 1, &[]), at(200));
    }
    assert_eq!((sent(&mut ccp).len(), ccp.counters().unsent), (32, 968));
    assert_eq!(events(&mut ccp), [Event::ResetRequested]);
}
