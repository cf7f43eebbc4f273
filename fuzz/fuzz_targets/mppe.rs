//! Whatever arrives, a decryptor of either mode counts each packet once and says the same of a batch as of single packets.
//!
//! The first byte is the key length and the mode, the second how many packets make a batch. Each packet begins with its
//! length; packets of length 0 stand for the encryptor's next one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_core::mppe::{Config, Decryptor, Encryptor, HEADER_LENGTH, KeyLength, Mode, Outcome, StartKey};

/// An IP packet.
const CLEAR: [u8; 24] = *b"\x00\x21\x45\x00\x00\x16012345678901234567";

fn config(byte: u8) -> Config {
    let key_length = match byte % 3 {
        0 => KeyLength::Bits40,
        1 => KeyLength::Bits56,
        _ => KeyLength::Bits128,
    };
    Config { key_length, mode: if byte & 0x80 == 0 { Mode::Stateless } else { Mode::Stateful } }
}

fn packets(encryptor: &mut Encryptor, mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = input.split_first() {
        let (packet, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        if packet.is_empty() {
            let mut packet = [&[0; HEADER_LENGTH][..], &CLEAR].concat();
            encryptor.encrypt_batch([packet.as_mut_slice()]);
            packets.push(packet);
        } else {
            packets.push(packet.to_vec());
        }
    }
    packets
}

fn decrypt(decryptor: &mut Decryptor, packets: &[Vec<u8>]) -> Vec<(Outcome, Vec<u8>)> {
    let mut batch = packets.to_vec();
    let mut outcomes = Vec::new();
    decryptor.decrypt_batch(batch.iter_mut().map(Vec::as_mut_slice), &mut outcomes);
    assert_eq!(outcomes.len(), packets.len());
    let counters = decryptor.counters();
    assert_eq!(counters.received, counters.decrypted + counters.out_of_sync + counters.dropped());
    outcomes.into_iter().zip(batch).collect()
}

fuzz_target!(|input: &[u8]| {
    let [mode, size, input @ ..] = input else {
        return;
    };
    let key = StartKey::new(*b"0123456789abcdef");
    let config = config(*mode);
    let packets = packets(&mut Encryptor::new(config, &key), input);

    let mut singly = Decryptor::new(config, &key);
    let mut batched = Decryptor::new(config, &key);
    let batches = packets.chunks(usize::from(*size).max(1)).flat_map(|batch| decrypt(&mut batched, batch));
    for (packet, (outcome, text)) in packets.iter().zip(batches.collect::<Vec<_>>()) {
        let (expected, clear) = decrypt(&mut singly, std::slice::from_ref(packet)).remove(0);
        assert_eq!(outcome, expected);
        match outcome {
            Outcome::Plain => assert_eq!(text, clear),
            Outcome::OutOfSync => assert_eq!(text, *packet),
            Outcome::Dropped(_) => {}
        }
    }
    assert_eq!(singly.counters(), batched.counters());
});
