//! Links with resets.

use super::super::stateful::Flush;
use super::super::{Death, Decryptor, Encryptor, Outcome};
use super::harness::{LinuxReceiver, Reference, STATEFUL, compressed_tcp, decrypt, encrypt, ip, start_key};
use crate::sim::Random;

/// Those of other senders, and ours.
const FLUSHES: [Option<Flush>; 3] = [Some(Flush::KeepsKey), Some(Flush::ChangesKey), None];

fn pair() -> (Encryptor, Decryptor) {
    (Encryptor::new(STATEFUL, &start_key()), Decryptor::new(STATEFUL, &start_key()))
}

fn peer_and_decryptor(flush: Option<Flush>) -> (Reference, Decryptor) {
    let mut peer = Reference::new(STATEFUL);
    peer.flush = flush;
    (peer, Decryptor::new(STATEFUL, &start_key()))
}

fn flushed(packet: &[u8]) -> bool {
    packet[0] & 0x80 != 0
}

#[test]
fn counts_wrap_many_times() {
    let (mut encryptor, mut decryptor) = pair();
    for number in 0..3 * 4096 + 300 {
        let packet = encrypt(&mut encryptor, &ip(number, 5));
        assert_eq!(flushed(&packet), number % 256 == 255, "flag packets are flushed, the first is not");
        assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 5)));
    }
}

/// Some peers do not set bit A on flag packets.
#[test]
fn a_flag_packet_without_bit_a_is_understood() {
    let (mut encryptor, mut decryptor) = pair();
    for number in 0..600 {
        let mut packet = encrypt(&mut encryptor, &ip(number, 5));
        packet[0] &= 0x7f;
        assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 5)));
    }
}

/// RFC 3078 §3.1: the tables were made before the first packet.
#[test]
fn a_first_packet_with_bit_a_is_understood() {
    for payload in [ip(1, 0), compressed_tcp(1)] {
        let (mut encryptor, mut decryptor) = pair();
        encryptor.handle_reset_request();
        let packet = encrypt(&mut encryptor, &payload);
        assert!(flushed(&packet));
        assert_eq!(decrypt(&mut decryptor, &packet), Ok(payload));
    }
}

#[test]
fn after_a_gap_everything_waits_for_the_reset() {
    for flush in FLUSHES {
        for lost in [1, 200, 255, 256, 257, 700, 2100, 4000] {
            let (mut peer, mut decryptor) = peer_and_decryptor(flush);
            decrypt(&mut decryptor, &peer.encrypt(&ip(0, 0))).unwrap();
            for _ in 0..lost {
                peer.encrypt(&ip(0, 0));
            }
            for number in 0..3 {
                let packet = peer.encrypt(&ip(number, 0));
                if !flushed(&packet) && lost < 2000 {
                    assert_eq!(decrypt(&mut decryptor, &packet), Err(Outcome::OutOfSync), "{lost}");
                }
            }
            peer.flush_wanted = true;
            for number in 0..1000 {
                let packet = peer.encrypt(&ip(number, 0));
                assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 0)), "{flush:?} {lost}");
            }
            // What the peer does is known: no certainty is needed.
            peer.flush_wanted = true;
            assert_eq!(
                decrypt(&mut decryptor, &peer.encrypt(&compressed_tcp(1))),
                Ok(compressed_tcp(1)),
                "{flush:?} {lost}"
            );
        }
    }
}

/// Every packet may be lost, also flag packets and flushed ones; the Reset-Request takes some packets' time.
#[test]
fn lossy_links_recover_whatever_the_peer_does_when_it_flushes() {
    for flush in FLUSHES {
        let (mut peer, mut decryptor) = peer_and_decryptor(flush);
        let mut random = Random::new(11);
        let (mut good, mut reset_at) = (0, None);
        for number in 0..20_000 {
            if reset_at == Some(number) {
                peer.flush_wanted = true;
                reset_at = None;
            }
            let packet = peer.encrypt(&ip(number, 0));
            if random.below(50) == 0 {
                continue;
            }
            match decrypt(&mut decryptor, &packet) {
                Ok(clear) => {
                    assert_eq!(clear, ip(number, 0));
                    good += 1;
                }
                Err(outcome) => {
                    assert_eq!(outcome, Outcome::OutOfSync);
                    reset_at = reset_at.or(Some(number + 5));
                }
            }
        }
        assert!(good > 16_000, "{flush:?}: {good}");
        assert_eq!(decryptor.counters().dropped(), 0);
    }
}

#[test]
fn repeated_and_late_packets_are_dropped_without_a_reset() {
    let (mut encryptor, mut decryptor) = pair();
    let packets: Vec<Vec<u8>> = (0..4).map(|number| encrypt(&mut encryptor, &ip(number, 0))).collect();
    for number in 0..4 {
        assert_eq!(decrypt(&mut decryptor, &packets[number]), Ok(ip(u32::try_from(number).unwrap(), 0)));
        assert_eq!(decrypt(&mut decryptor, &packets[number]), Err(Outcome::Dropped(Death::Late)));
        assert_eq!(decrypt(&mut decryptor, &packets[number / 2]), Err(Outcome::Dropped(Death::Late)));
    }
}

#[test]
fn a_flag_packet_that_is_repeated_later_is_late() {
    let (mut encryptor, mut decryptor) = pair();
    let packets: Vec<Vec<u8>> = (0..300).map(|number| encrypt(&mut encryptor, &ip(number, 0))).collect();
    for packet in &packets[..299] {
        decrypt(&mut decryptor, packet).unwrap();
    }
    assert!(flushed(&packets[255]));
    assert_eq!(decrypt(&mut decryptor, &packets[255]), Err(Outcome::Dropped(Death::Late)));
    assert_eq!(decrypt(&mut decryptor, &packets[299]), Ok(ip(299, 0)));
}

#[test]
fn a_garbled_packet_changes_nothing() {
    let (mut encryptor, mut decryptor) = pair();
    let packet = encrypt(&mut encryptor, &ip(0, 0));
    for flags in [0x10, 0x90] {
        let mut noise = packet.clone();
        (noise[0], noise[2]) = (flags, noise[2] ^ 0x10);
        assert_eq!(decrypt(&mut decryptor, &noise), Err(Outcome::Dropped(Death::Garbled)));
    }
    assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(0, 0)));
}

/// A forged packet costs at most a reset.
#[test]
fn forged_packets_cost_a_reset_and_no_more() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(13);
    let mut good = 0;
    for number in 0..20_000 {
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        match decrypt(&mut decryptor, &packet) {
            Ok(clear) => good += u32::from(clear == ip(number, 0)),
            Err(_) => encryptor.handle_reset_request(),
        }
        if number % 20 == 0 {
            let mut forged = random.next_u64().to_be_bytes().to_vec();
            forged[0] |= 0x10;
            if decrypt(&mut decryptor, &forged).is_err() {
                encryptor.handle_reset_request();
            }
        }
    }
    assert!(good > 15_000, "{good}: {:?}", decryptor.counters());
}

fn header(packet: &[u8]) -> [u8; 2] {
    [packet[0], packet[1]]
}

/// Sends so many packets that nobody receives.
fn lose(encryptor: &mut Encryptor, packets: u32) {
    (0..packets).for_each(|number| drop(encrypt(encryptor, &ip(number, 0))));
}

#[test]
fn linux_understands_a_flushed_packet_after_those_that_were_lost() {
    for before in [1, 254, 255, 3900] {
        for lost in [1, 255, 256, 700] {
            for flushed_and_lost in [0, 1, 2, 9] {
                let (mut encryptor, mut linux) = (Encryptor::new(STATEFUL, &start_key()), LinuxReceiver::new());
                for number in 0..before {
                    assert_eq!(linux.decrypt(&encrypt(&mut encryptor, &ip(number, 0))), Some(ip(number, 0)));
                }
                lose(&mut encryptor, lost);
                while flushed(&header(&encrypt(&mut encryptor, &ip(0, 0)))) {}
                assert_eq!(linux.decrypt(&encrypt(&mut encryptor, &ip(0, 0))), None);
                for _ in 0..flushed_and_lost {
                    encryptor.handle_reset_request();
                    lose(&mut encryptor, 1);
                    assert_eq!(linux.decrypt(&encrypt(&mut encryptor, &ip(0, 0))), None);
                }
                encryptor.handle_reset_request();
                for number in 0..300 {
                    let clear = linux.decrypt(&encrypt(&mut encryptor, &ip(number, 0)));
                    assert_eq!(clear, Some(ip(number, 0)), "{before} {lost} {flushed_and_lost}: {number}");
                }
            }
        }
    }
}

/// Every packet may be lost, also flag packets and flushed ones; the Reset-Request takes some packets' time.
#[test]
fn a_lossy_link_to_linux_recovers() {
    let (mut encryptor, mut linux) = (Encryptor::new(STATEFUL, &start_key()), LinuxReceiver::new());
    let mut random = Random::new(17);
    let (mut good, mut reset_at) = (0, None);
    for number in 0..20_000 {
        if reset_at.take_if(|at| *at == number).is_some() {
            encryptor.handle_reset_request();
        }
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        if random.below(50) == 0 {
            continue;
        }
        match linux.decrypt(&packet) {
            Some(clear) => {
                assert_eq!(clear, ip(number, 0));
                good += 1;
            }
            None => reset_at = reset_at.or(Some(number + 5)),
        }
    }
    assert!(good > 16_000, "{good}");
}

/// Who forges them makes the next packet a flushed one, and no more.
#[test]
fn many_reset_requests_skip_as_many_counts_as_one() {
    let mut encryptor = Encryptor::new(STATEFUL, &start_key());
    for expected in [[0x90, 0xff], [0x91, 0xff], [0x92, 0xff]] {
        (0..1000).for_each(|_| encryptor.handle_reset_request());
        assert_eq!(header(&encrypt(&mut encryptor, &ip(0, 0))), expected);
    }
    assert_eq!(header(&encrypt(&mut encryptor, &ip(0, 0))), [0x13, 0x00]);
}

#[test]
fn a_flag_packet_that_is_next_is_the_flushed_one_and_the_first_count_follows_the_last() {
    let mut encryptor = Encryptor::new(STATEFUL, &start_key());
    let mut reference = Reference::new(STATEFUL);
    for skipped in [255, 15 * 256, 3 * 256 - 1] {
        for _ in 0..skipped {
            assert_eq!(encrypt(&mut encryptor, &ip(0, 0)), reference.encrypt(&ip(0, 0)));
        }
        encryptor.handle_reset_request();
        let at_flag = encrypt(&mut encryptor, &ip(0, 0));
        reference.flush_wanted = true;
        assert_eq!(at_flag, reference.encrypt(&ip(0, 0)));
        assert!(flushed(&at_flag));
    }
}

/// Nothing but packets of which nobody can say for certain that they are right.
#[test]
fn a_lossy_link_of_our_own_recovers_without_certainty() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(19);
    let (mut good, mut reset_at) = (0, None);
    for number in 0..20_000 {
        if reset_at.take_if(|at| *at == number).is_some() {
            encryptor.handle_reset_request();
        }
        let packet = encrypt(&mut encryptor, &compressed_tcp(number));
        if random.below(50) == 0 {
            continue;
        }
        match decrypt(&mut decryptor, &packet) {
            Ok(clear) => good += u32::from(clear == compressed_tcp(number)),
            Err(_) => reset_at = reset_at.or(Some(number + 5)),
        }
    }
    assert!(good > 16_000, "{good}");
}

/// As when a Reset-Ack is lost on the way to who has asked, and he asks again.
#[test]
fn a_reset_that_linux_does_not_need_costs_one_more() {
    let (mut encryptor, mut linux) = (Encryptor::new(STATEFUL, &start_key()), LinuxReceiver::new());
    for number in 0..50 {
        encryptor.handle_reset_request();
        assert_eq!(linux.decrypt(&encrypt(&mut encryptor, &ip(number, 0))), None);
        encryptor.handle_reset_request();
        for number in 0..3 {
            assert_eq!(linux.decrypt(&encrypt(&mut encryptor, &ip(number, 0))), Some(ip(number, 0)));
        }
    }
}
