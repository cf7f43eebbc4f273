//! Batches give byte for byte what the simplest implementation gives, packet by packet.

use proptest::prelude::*;

use super::super::stateful::Flush;
use super::super::{Config, Decryptor, Encryptor, HEADER_LENGTH, KeyLength, Mode};
use super::harness::{Reference, decrypt, decrypt_all, ip, start_key, with_room};

fn configs() -> impl Strategy<Value = Config> {
    let lengths = prop::sample::select(vec![KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128]);
    let modes = prop::sample::select(vec![Mode::Stateless, Mode::Stateful]);
    (lengths, modes).prop_map(|(key_length, mode)| Config { key_length, mode })
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..1600),
        (any::<u32>(), 0_usize..1500).prop_map(|(number, filler)| ip(number, filler)),
    ]
}

/// Those of other senders, and ours.
fn flushes() -> impl Strategy<Value = Option<Flush>> {
    prop::sample::select(vec![Some(Flush::KeepsKey), Some(Flush::ChangesKey), None])
}

/// What happens to packets on the way.
#[derive(Clone, Debug)]
enum Mishap {
    None,
    Lost(usize),
    Repeated,
    SwappedWith(usize),
    Count(u16),
    Header(u8),
    Cut(usize),
    Noise(usize),
}

fn mishaps() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        16 => Just(Mishap::None),
        1 => (1_usize..400).prop_map(Mishap::Lost),
        1 => Just(Mishap::Repeated),
        2 => (1_usize..20).prop_map(Mishap::SwappedWith),
        2 => (0_u16..0x100).prop_map(Mishap::Count),
        1 => prop::sample::select(vec![0x80, 0x10, 0x08, 0x01]).prop_map(Mishap::Header),
        1 => (0_usize..8).prop_map(Mishap::Cut),
        1 => (0_usize..20).prop_map(Mishap::Noise),
    ]
}

/// Encrypts packets, and lets something happen to them.
fn line(config: Config, flush: Option<Flush>, mishaps: &[Mishap]) -> Vec<Vec<u8>> {
    let mut reference = Reference::new(config);
    reference.flush = flush;
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for (number, mishap) in (0..).zip(mishaps) {
        let mut packet = reference.encrypt(&ip(number, if number % 3 == 0 { 0 } else { 50 }));
        match mishap {
            Mishap::None => {}
            Mishap::Lost(count) => {
                for _ in 0..*count {
                    reference.encrypt(&[0; 30]);
                }
                reference.flush_wanted = true;
            }
            Mishap::Repeated => packets.push(packet.clone()),
            Mishap::SwappedWith(back) => {
                if let Some(place) = packets.len().checked_sub(*back) {
                    std::mem::swap(&mut packets[place], &mut packet);
                }
            }
            Mishap::Count(change) => {
                let header = u16::from_be_bytes([packet[0], packet[1]]) ^ change;
                packet[..HEADER_LENGTH].copy_from_slice(&header.to_be_bytes());
            }
            Mishap::Header(flags) => packet[0] ^= flags,
            Mishap::Cut(length) => packet.truncate(*length),
            Mishap::Noise(at) => packet[HEADER_LENGTH + at] ^= 0x44,
        }
        packets.push(packet);
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn encrypting_batches(
        config in configs(),
        batches in prop::collection::vec((any::<bool>(), prop::collection::vec(payloads(), 0..9)), 1..12),
        skipped in 0_usize..600,
    ) {
        let mut reference = Reference::new(config);
        let mut encryptor = Encryptor::new(config, &start_key());
        for _ in 0..skipped {
            reference.encrypt(b"!");
            encryptor.encrypt_batch([&mut [0, 0, b'!'][..]]);
        }
        for (reset, batch) in batches {
            if reset {
                reference.flush_wanted = true;
                encryptor.handle_reset_request();
            }
            let mut packets: Vec<Vec<u8>> = batch.iter().map(|payload| with_room(payload)).collect();
            encryptor.encrypt_batch(packets.iter_mut().map(Vec::as_mut_slice));
            let expected: Vec<Vec<u8>> = batch.iter().map(|payload| reference.encrypt(payload)).collect();
            prop_assert_eq!(packets, expected);
        }
    }

    #[test]
    fn decrypting_batches(
        config in configs(),
        flush in flushes(),
        mishaps in prop::collection::vec(mishaps(), 1..80),
        shapes in prop::collection::vec(1_usize..20, 1..8),
    ) {
        let mut packets = line(config, flush, &mishaps);
        let mut singly = Decryptor::new(config, &start_key());
        let expected: Vec<_> = packets.iter().map(|packet| decrypt(&mut singly, packet)).collect();
        let mut batched = Decryptor::new(config, &start_key());
        let mut found = Vec::new();
        for size in shapes.iter().cycle() {
            if packets.is_empty() {
                break;
            }
            let rest = packets.split_off(packets.len().min(*size));
            found.extend(decrypt_all(&mut batched, &packets));
            packets = rest;
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(batched.counters(), singly.counters());
        prop_assert_eq!(batched.is_hopeless(), singly.is_hopeless());
    }
}

#[test]
fn slices_without_room_are_left_alone_and_take_no_count() {
    for mode in [Mode::Stateless, Mode::Stateful] {
        let config = Config { key_length: KeyLength::Bits128, mode };
        let mut encryptor = Encryptor::new(config, &start_key());
        let mut packets = [with_room(b"\x21one"), vec![7], vec![], with_room(b"\x21two")];
        encryptor.encrypt_batch(packets.iter_mut().map(Vec::as_mut_slice));
        let mut reference = Reference::new(config);
        assert_eq!(packets, [reference.encrypt(b"\x21one"), vec![7], vec![], reference.encrypt(b"\x21two")]);
    }
}
