//! Links without a reset: losses, disorder, repetitions, forgeries.

use std::collections::HashSet;

use super::super::{Death, Decryptor, Encryptor, Outcome, StartKey};
use super::harness::{Reference, STATELESS, compressed_tcp, decrypt, decrypt_all, encrypt, ip, start_key};
use crate::sim::Random;

const fn dropped<T>(death: Death) -> Result<T, Outcome> {
    Err(Outcome::Dropped(death))
}

fn pair() -> (Encryptor, Decryptor) {
    (Encryptor::new(STATELESS, &start_key()), Decryptor::new(STATELESS, &start_key()))
}

/// A sender that is this many packets ahead.
fn skip(encryptor: &mut Encryptor, packets: u32) {
    for _ in 0..packets {
        encrypt(encryptor, b"\x21");
    }
}

#[test]
fn counts_wrap_many_times() {
    let (mut encryptor, mut decryptor) = pair();
    for number in 0..5 * 4096 + 17 {
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 0)));
    }
    assert_eq!(decryptor.counters().dropped(), 0);
}

/// One in ten is lost, one in ten comes twice, all of them up to 100 places late.
#[test]
fn what_comes_inside_the_window_comes_out_exactly_once() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(3);
    let mut line: Vec<(u32, u32, Vec<u8>)> = Vec::new();
    for number in 0..20_000 {
        let packet = encrypt(&mut encryptor, &ip(number, 8));
        let copies = match random.below(10) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            line.push((number + random.below(100), number, packet.clone()));
        }
    }
    line.sort_by_key(|(place, ..)| *place);
    let mut sent = HashSet::new();
    let mut received = HashSet::new();
    for batch in line.chunks(64) {
        let packets: Vec<Vec<u8>> = batch.iter().map(|(.., packet)| packet.clone()).collect();
        for (result, (_, number, _)) in decrypt_all(&mut decryptor, &packets).into_iter().zip(batch) {
            if sent.insert(*number) {
                assert_eq!(result, Ok(ip(*number, 8)));
                assert!(received.insert(*number));
            } else {
                assert_eq!(result, dropped(Death::Replayed));
            }
        }
    }
    assert_eq!(sent, received);
}

#[test]
fn a_packet_that_is_too_late_is_dropped() {
    let (mut encryptor, mut decryptor) = pair();
    let packets: Vec<Vec<u8>> = (0..400).map(|number| encrypt(&mut encryptor, &ip(number, 0))).collect();
    assert_eq!(decrypt(&mut decryptor, &packets[200]), Ok(ip(200, 0)));
    assert_eq!(decrypt(&mut decryptor, &packets[399]), Ok(ip(399, 0)));
    assert_eq!(decrypt(&mut decryptor, &packets[144]), Ok(ip(144, 0)), "255 behind");
    assert_eq!(decrypt(&mut decryptor, &packets[143]), dropped(Death::Late), "256 behind");
    assert_eq!(decrypt(&mut decryptor, &packets[200]), dropped(Death::Replayed));
    assert_eq!(decryptor.counters().late, 1);
}

#[test]
fn a_count_from_before_the_first_packet_is_late() {
    let (_, mut decryptor) = pair();
    assert_eq!(decrypt(&mut decryptor, &[0x9f, 0xf0, 1, 2, 3]), dropped(Death::Late));
    assert_eq!(decrypt(&mut decryptor, &[0x9f, 0xff, 1, 2, 3]), dropped(Death::Late));
}

/// Whoever comes back with a count around the old one, but a cycle later, is believed to be where the counts say, at first:
/// the window behind and the window ahead have to pass.
#[test]
fn failures_of_almost_two_cycles_are_survived() {
    for lost in [1, 255, 256, 257, 2049, 3840, 4095, 4097, 7900] {
        let (mut encryptor, mut decryptor) = pair();
        for number in 0..300 {
            decrypt(&mut decryptor, &encrypt(&mut encryptor, &ip(number, 0))).unwrap();
        }
        skip(&mut encryptor, lost);
        let good = (0..1000).filter(|number| {
            let result = decrypt(&mut decryptor, &encrypt(&mut encryptor, &ip(*number, 0)));
            result == Ok(ip(*number, 0))
        });
        let good = good.count();
        assert!(good >= 1000 - 513, "{good} of 1000 after {lost} lost: {:?}", decryptor.counters());
        assert!(!decryptor.is_hopeless(), "{lost}");
    }
}

/// Without IP nothing is certain; the series is.
#[test]
fn other_protocols_are_followed_too() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(5);
    for number in 0..10_000 {
        let packet = encrypt(&mut encryptor, &compressed_tcp(number));
        if random.below(10) > 0 {
            assert_eq!(decrypt(&mut decryptor, &packet), Ok(compressed_tcp(number)));
        }
    }
}

/// Ten forged packets for each of the peer's. A forged one may take the place of a packet, and 43 of 100 look like a
/// protocol; all others come through.
#[test]
fn forged_packets_do_not_desynchronise() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(7);
    let mut good = 0;
    for number in 0..2000 {
        for _ in 0..10 {
            let mut forged = [random.next_u64().to_be_bytes(), random.next_u64().to_be_bytes()].concat();
            forged[0] |= 0x90;
            decrypt(&mut decryptor, &forged).ok();
        }
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        good += u32::from(decrypt(&mut decryptor, &packet) == Ok(ip(number, 0)));
    }
    // Of counts up to 256 ahead, each is hit 10 times before its turn, about: 256 * 10 / 4096 * 43 % of them are used up.
    assert!(good > 1400, "{good} of 2000: {:?}", decryptor.counters());
    let last = (0..1000).filter(|number| {
        let packet = encrypt(&mut encryptor, &ip(*number, 0));
        decrypt(&mut decryptor, &packet) == Ok(ip(*number, 0))
    });
    assert!(last.count() > 800);
}

/// Always as far ahead as is believed: the worst that can be done to the window.
#[test]
fn a_forger_cannot_push_the_window_away() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(9);
    let mut good = 0;
    for number in 0..400_u32 {
        for step in 0..100 {
            let count = (number + 155 + step) % 4096;
            let mut forged = (0x9000 | u16::try_from(count).unwrap()).to_be_bytes().to_vec();
            forged.extend_from_slice(&random.next_u64().to_be_bytes());
            decrypt(&mut decryptor, &forged).ok();
        }
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        good += u32::from(matches!(decrypt(&mut decryptor, &packet), Ok(clear) if clear == ip(number, 0)));
    }
    assert!(good >= 155, "{good}");
    let last = (0..600).filter(|number| {
        let packet = encrypt(&mut encryptor, &ip(*number, 0));
        decrypt(&mut decryptor, &packet) == Ok(ip(*number, 0))
    });
    assert!(last.count() > 300, "{:?}", decryptor.counters());
}

/// The peer's packets must not lend confidence to forged ones between them, each as far ahead as the one before permits.
#[test]
fn a_patient_forger_cannot_push_the_window_away() {
    let (mut encryptor, mut decryptor) = pair();
    let mut random = Random::new(15);
    let mut target = 0;
    for number in 0..8000_u32 {
        if number % 40 == 0 {
            target = target.max(number + 254);
            let mut forged = (0x9000 | u16::try_from(target % 4096).unwrap()).to_be_bytes().to_vec();
            forged.extend_from_slice(&random.next_u64().to_be_bytes());
            if decrypt(&mut decryptor, &forged).is_ok() {
                target += 255;
            }
        }
        let packet = encrypt(&mut encryptor, &ip(number, 0));
        let result = decrypt(&mut decryptor, &packet);
        assert!(result == Ok(ip(number, 0)) || result == dropped(Death::Replayed), "{number}: {result:?}");
    }
    assert!(decryptor.counters().replayed <= 200, "{:?}", decryptor.counters());
}

#[test]
fn a_garbled_packet_uses_up_no_key() {
    let (mut encryptor, mut decryptor) = pair();
    let packet = encrypt(&mut encryptor, &ip(1, 0));
    let mut noise = packet.clone();
    noise[2] ^= 0x10;
    assert_eq!(decrypt(&mut decryptor, &noise), dropped(Death::Garbled));
    assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(1, 0)));
    assert_eq!(decrypt(&mut decryptor, &packet), dropped(Death::Replayed));
}

#[test]
fn a_far_count_that_nothing_confirms_is_implausible() {
    let (mut encryptor, mut decryptor) = pair();
    skip(&mut encryptor, 300);
    let packet = encrypt(&mut encryptor, &compressed_tcp(1));
    assert_eq!(decrypt(&mut decryptor, &packet), dropped(Death::Implausible));
    assert_eq!(decryptor.counters().implausible, 1);
}

#[test]
fn packets_that_do_not_say_encrypted_and_flushed_are_dropped() {
    let (mut encryptor, mut decryptor) = pair();
    let packet = encrypt(&mut encryptor, &ip(1, 0));
    for (flags, death) in [(0x80, Death::NotEncrypted), (0x10, Death::NotFlushed), (0x00, Death::NotEncrypted)] {
        let mut other = packet.clone();
        other[0] = flags;
        assert_eq!(decrypt(&mut decryptor, &other), dropped(death));
    }
    for length in 0..3 {
        assert_eq!(decrypt(&mut decryptor, &packet[..length]), dropped(Death::Malformed));
    }
    assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(1, 0)));
}

#[test]
fn clear_packets_make_it_hopeless_sixteen_in_a_row() {
    let (_, mut decryptor) = pair();
    for _ in 0..15 {
        decrypt(&mut decryptor, &[0x80, 0, 0x21, 0x45]).unwrap_err();
    }
    assert!(!decryptor.is_hopeless());
    decrypt(&mut decryptor, &[0x80, 0, 0x21, 0x45]).unwrap_err();
    assert!(decryptor.is_hopeless());
}

/// Reproduces what a peer with other keys looks like.
#[test]
fn wrong_keys_are_noticed() {
    let mut reference = Reference::new(STATELESS);
    let mut decryptor = Decryptor::new(STATELESS, &StartKey::new([1; 16]));
    for number in 0..4000 {
        decrypt(&mut decryptor, &reference.encrypt(&ip(number, 0))).ok();
    }
    assert!(decryptor.is_hopeless(), "{:?}", decryptor.counters());
}
