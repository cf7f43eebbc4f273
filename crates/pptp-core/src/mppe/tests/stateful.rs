//! Links with resets.

use super::super::{Death, Decryptor, Encryptor, Flush, Outcome};
use super::harness::{STATEFUL, compressed_tcp, decrypt, encrypt, ip, start_key};
use crate::sim::Random;

const FLUSHES: [Flush; 2] = [Flush::KeepsKey, Flush::ChangesKey];

fn pair(flush: Flush) -> (Encryptor, Decryptor) {
    let mut encryptor = Encryptor::new(STATEFUL, &start_key());
    encryptor.set_flush(flush);
    (encryptor, Decryptor::new(STATEFUL, &start_key()))
}

fn flushed(packet: &[u8]) -> bool {
    packet[0] & 0x80 != 0
}

#[test]
fn counts_wrap_many_times() {
    let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
    for number in 0..3 * 4096 + 300 {
        let packet = encrypt(&mut encryptor, &ip(number, 5));
        assert_eq!(flushed(&packet), number % 256 == 255, "flag packets are flushed, the first is not");
        assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 5)));
    }
}

/// Some peers do not set bit A on flag packets.
#[test]
fn a_flag_packet_without_bit_a_is_understood() {
    let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
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
        let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
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
            let (mut encryptor, mut decryptor) = pair(flush);
            decrypt(&mut decryptor, &encrypt(&mut encryptor, &ip(0, 0))).unwrap();
            for _ in 0..lost {
                encrypt(&mut encryptor, &ip(0, 0));
            }
            for number in 0..3 {
                let packet = encrypt(&mut encryptor, &ip(number, 0));
                if !flushed(&packet) && lost < 2000 {
                    assert_eq!(decrypt(&mut decryptor, &packet), Err(Outcome::OutOfSync), "{lost}");
                }
            }
            encryptor.handle_reset_request();
            for number in 0..1000 {
                let packet = encrypt(&mut encryptor, &ip(number, 0));
                assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 0)), "{flush:?} {lost}");
            }
            assert_eq!(decryptor.flush(), flush, "{lost}");
        }
    }
}

/// Every packet may be lost, also flag packets and flushed ones; the Reset-Request takes some packets' time.
#[test]
fn lossy_links_recover_whatever_the_peer_does_when_it_flushes() {
    for flush in FLUSHES {
        let (mut encryptor, mut decryptor) = pair(flush);
        let mut random = Random::new(11);
        let (mut good, mut reset_at) = (0, None);
        for number in 0..20_000 {
            if reset_at == Some(number) {
                encryptor.handle_reset_request();
                reset_at = None;
            }
            let packet = encrypt(&mut encryptor, &ip(number, 0));
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
    let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
    let packets: Vec<Vec<u8>> = (0..4).map(|number| encrypt(&mut encryptor, &ip(number, 0))).collect();
    for number in 0..4 {
        assert_eq!(decrypt(&mut decryptor, &packets[number]), Ok(ip(u32::try_from(number).unwrap(), 0)));
        assert_eq!(decrypt(&mut decryptor, &packets[number]), Err(Outcome::Dropped(Death::Late)));
        assert_eq!(decrypt(&mut decryptor, &packets[number / 2]), Err(Outcome::Dropped(Death::Late)));
    }
}

#[test]
fn a_flag_packet_that_is_repeated_later_is_late() {
    let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
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
    let (mut encryptor, mut decryptor) = pair(Flush::KeepsKey);
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
    let (mut encryptor, mut decryptor) = pair(Flush::ChangesKey);
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
