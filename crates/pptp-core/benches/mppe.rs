//! How long MPPE (stateless, 128 bits) takes for a packet, next to what it could be built of: `cargo bench -p pptp-core --bench
//! mppe`. Needs a C compiler and OpenSSL's headers for the comparison. Fails if it is slower than three quarters of the
//! better of the two.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures time and says so")]
#![expect(clippy::panic, clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot run fails")]
#![expect(clippy::indexing_slicing, reason = "the bench made what it indexes")]

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use pptp_core::mppe::{Config, Decryptor, Encryptor, HEADER_LENGTH, KeyLength, Mode, Outcome, StartKey};
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

const CONFIG: Config = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };
const BATCH: usize = 64;
/// How often all of them take their turn, so that a busy moment of the machine is nobody's.
const TURNS: usize = 8;
const ROUNDS: usize = 10;
/// Packets in a round.
const PACKETS: usize = 1_280;

/// The least of several measurements, nanoseconds for each packet.
fn time(mut batch: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..PACKETS / BATCH {
            batch();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9);
    }
    best / f64::from(u32::try_from(PACKETS).unwrap())
}

fn start_key() -> StartKey {
    StartKey::new(*b"0123456789abcdef")
}

/// Room for the header, the protocol, an IP header with its length, and something.
fn packets(length: usize) -> Vec<Vec<u8>> {
    let mut packet = vec![0x55; HEADER_LENGTH + length];
    let ip = u16::try_from(length - 2).unwrap().to_be_bytes();
    packet[HEADER_LENGTH..HEADER_LENGTH + 6].copy_from_slice(&[0x00, 0x21, 0x45, 0x00, ip[0], ip[1]]);
    vec![packet; BATCH]
}

fn slices(packets: &mut [Vec<u8>]) -> impl Iterator<Item = &mut [u8]> {
    packets.iter_mut().map(Vec::as_mut_slice)
}

fn encrypt(length: usize) -> f64 {
    let mut packets = packets(length);
    let mut encryptor = Encryptor::new(CONFIG, &start_key());
    time(|| encryptor.encrypt_batch(slices(black_box(&mut packets))))
}

/// The packets are encrypted first, all of them, so that only decrypting is in the time.
fn decrypt(length: usize) -> f64 {
    let mut encryptor = Encryptor::new(CONFIG, &start_key());
    let mut decryptor = Decryptor::new(CONFIG, &start_key());
    let mut batch = packets(length);
    let clear = packets(length);
    let mut outcomes = Vec::with_capacity(BATCH);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let mut sum = 0.0;
        for _ in 0..PACKETS / BATCH {
            batch.clone_from_slice(&clear);
            encryptor.encrypt_batch(slices(&mut batch));
            let start = Instant::now();
            decryptor.decrypt_batch(slices(black_box(&mut batch)), &mut outcomes);
            sum += start.elapsed().as_secs_f64() * 1e9;
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Plain));
        }
        best = best.min(sum);
    }
    assert_eq!(batch[0][HEADER_LENGTH..], clear[0][HEADER_LENGTH..]);
    best / f64::from(u32::try_from(PACKETS).unwrap())
}

/// One packet at a time, with the crates `rc4` and `sha1`.
fn with_crates(length: usize) -> f64 {
    let mut packets = packets(length);
    let start = *start_key().as_bytes();
    let mut session = start;
    time(|| {
        for packet in black_box(&mut packets) {
            let sha = Sha1::new().chain_update(start).chain_update([0x00; 40]);
            let interim = sha.chain_update(session).chain_update([0xf2; 40]).finalize();
            session.copy_from_slice(&interim[..16]);
            Rc4::new_from_slice(&interim[..16]).unwrap().apply_keystream(&mut session);
            Rc4::new_from_slice(&session).unwrap().apply_keystream(&mut packet[HEADER_LENGTH..]);
        }
    })
}

/// The program that does the same with OpenSSL.
fn compile_openssl() -> String {
    let program = format!("{}/mppe_openssl", env!("CARGO_TARGET_TMPDIR"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/mppe_openssl.c");
    let compiled = Command::new("cc").args(["-O2", "-o", &program, source, "-lcrypto"]).status();
    assert!(compiled.is_ok_and(|status| status.success()), "the comparison needs cc and libssl-dev");
    program
}

/// EVP, and the low-level functions.
fn with_openssl(program: &str, length: usize) -> [f64; 2] {
    let output = Command::new(program).args([length, ROUNDS, PACKETS].map(|number| number.to_string())).output();
    let output = output.expect("the comparison runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    [numbers.next().unwrap(), numbers.next().unwrap()]
}

/// Encrypting, decrypting, the crates, EVP, low-level OpenSSL.
fn measure(program: &str, length: usize) -> [f64; 5] {
    let mut best = [f64::MAX; 5];
    for _ in 0..TURNS {
        let [evp, low_level] = with_openssl(program, length);
        let turn = [encrypt(length), decrypt(length), with_crates(length), evp, low_level];
        best = std::array::from_fn(|which| best[which].min(turn[which]));
    }
    best
}

fn main() {
    let program = compile_openssl();
    let mut missed = false;
    for length in [1456, 64] {
        let [encrypt, decrypt, crates, evp, low_level] = measure(&program, length);
        let bar = 0.75 * crates.min(evp);
        println!("{length} bytes, ns per packet: encrypt {encrypt:.0}, decrypt {decrypt:.0}, bar {bar:.0}");
        println!("    crates {crates:.0}, openssl evp {evp:.0}, openssl low-level {low_level:.0}");
        missed |= encrypt.max(decrypt) > bar;
    }
    if missed {
        panic!("slower than three quarters of the better of the crates and OpenSSL (EVP)");
    }
}
