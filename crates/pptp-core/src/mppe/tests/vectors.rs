//! RFC 3079's sample keys, and RFC 3078's example.

use ::rc4::{KeyInit, Rc4, StreamCipher};
use md4::{Digest, Md4};

use super::super::chain::KeyChain;
use super::super::mschap1_start_key;
use super::super::{Config, Decryptor, Encryptor, KeyLength, MasterKey, Mode, Outcome, Role, StartKey, Traffic};

const PASSWORD: &str = "clientPass";
const NT_HASH: [u8; 16] = hex("44ebba8d5312b8d611474411f56989ae");
const NT_HASH_HASH: [u8; 16] = hex("41c00c584bd2d91c4017a2a12fa59f3f");
const LM_HASH: [u8; 16] = hex("76a152936096d7830e2390227404afd2");
const NT_RESPONSE: [u8; 24] = hex("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");

const fn hex<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    assert!(text.len() == 2 * N);
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
        i += 1;
    }
    bytes
}

const fn digit(character: u8) -> u8 {
    match character {
        b'0'..=b'9' => character - b'0',
        b'a'..=b'f' => character - b'a' + 10,
        _ => panic!("no digit"),
    }
}

/// The initial session key.
fn initial(start: &StartKey, length: KeyLength) -> Vec<u8> {
    KeyChain::new(start, length).session().as_bytes()[..length.bytes()].to_vec()
}

fn rc4(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    Rc4::new_from_slice(key).unwrap().apply_keystream(&mut text);
    text
}

fn master() -> MasterKey {
    MasterKey::new(&NT_HASH_HASH, &NT_RESPONSE)
}

fn send_key() -> StartKey {
    master().start_key(Role::Server, Traffic::Send)
}

#[test]
fn nt_hashes_are_those_of_the_samples() {
    let unicode: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(<[u8; 16]>::from(Md4::digest(unicode)), NT_HASH);
    assert_eq!(<[u8; 16]>::from(Md4::digest(NT_HASH)), NT_HASH_HASH);
}

#[test]
fn mschap_40_bit_rfc_3079_2_5_1() {
    assert_eq!(initial(&StartKey::new(LM_HASH), KeyLength::Bits40), hex::<8>("d1269e538cec4a08"));
}

#[test]
fn mschap_56_bit_rfc_3079_2_5_2() {
    assert_eq!(initial(&StartKey::new(LM_HASH), KeyLength::Bits56), hex::<8>("d10801538cec4a08"));
}

/// Step 3 of the sample prints `ca` for the eighth byte, step 4 `c1`. Only `c1` gives the result of step 5, and it is what
/// SHA-1 of the inputs is.
#[test]
fn mschap_128_bit_rfc_3079_2_5_3() {
    let start = mschap1_start_key(&hex("102db5df085d3041"), &NT_HASH_HASH);
    assert_eq!(*start.as_bytes(), hex("a8947850cfc0acc1d1789fb62ddcddb0"));
    assert_eq!(initial(&start, KeyLength::Bits128), hex::<16>("59d159bc09f76f1da2a86a28ffec0b1e"));
}

#[test]
fn mschap2_40_bit_rfc_3079_3_5_1() {
    assert_eq!(send_key().as_bytes()[..8], hex::<8>("8b7cdc149b993a1b"));
    let key = initial(&send_key(), KeyLength::Bits40);
    assert_eq!(key, hex::<8>("d1269ec49fa62e3e"));
    assert_eq!(rc4(&key, b"test message"), hex::<12>("929137917e5803d668d75898"));
}

/// The sample prints `58` for the last byte of the message; RC4 with the sample's own key gives `b8` (OpenSSL does, too). The
/// other eleven bytes are as printed.
#[test]
fn mschap2_56_bit_rfc_3079_3_5_2() {
    assert_eq!(send_key().as_bytes()[..8], hex::<8>("8b7cdc149b993a1b"));
    let key = initial(&send_key(), KeyLength::Bits56);
    assert_eq!(key, hex::<8>("d15c00c49fa62e3e"));
    assert_eq!(rc4(&key, b"test message"), hex::<12>("3f106833fa448da842bc57b8"));
}

#[test]
fn mschap2_128_bit_rfc_3079_3_5_3() {
    assert_eq!(*send_key().as_bytes(), hex("8b7cdc149b993a1ba118cb153f56dccb"));
    let key = initial(&send_key(), KeyLength::Bits128);
    assert_eq!(key, hex::<16>("405cb2247a7956e6e211007ae27b22d4"));
    assert_eq!(rc4(&key, b"test message"), hex::<12>("81848317df68846272fb5abe"));
}

#[test]
fn what_one_end_sends_the_other_receives() {
    for (role, other) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let send = master().start_key(role, Traffic::Send);
        assert_eq!(send.as_bytes(), master().start_key(other, Traffic::Receive).as_bytes());
        assert_ne!(send.as_bytes(), master().start_key(role, Traffic::Receive).as_bytes());
    }
}

#[test]
fn the_first_packet_makes_the_round() {
    for key_length in [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128] {
        for mode in [Mode::Stateless, Mode::Stateful] {
            let config = Config { key_length, mode };
            let mut packet = *b"..\x00\x21test message";
            Encryptor::new(config, &send_key()).encrypt_batch([&mut packet[..]]);
            assert_eq!(packet[..2], if mode == Mode::Stateless { [0x90, 0x00] } else { [0x10, 0x00] });
            assert_ne!(packet[2..], *b"\x00\x21test message");
            let mut outcomes = Vec::new();
            Decryptor::new(config, &send_key()).decrypt_batch([&mut packet[..]], &mut outcomes);
            assert_eq!(outcomes, [Outcome::Plain]);
            assert_eq!(packet[2..], *b"\x00\x21test message");
        }
    }
}
