//! Keys are not for logs.

use super::super::chain::KeyChain;
use super::super::rc4::Rc4;
use super::super::{Decryptor, Encryptor, KeyLength, MasterKey};
use super::harness::{STATEFUL, STATELESS, start_key};

#[test]
fn debug_says_nothing_of_keys() {
    let chain = KeyChain::new(&start_key(), KeyLength::Bits128);
    for text in [
        format!("{:?}", start_key()),
        format!("{:?}", MasterKey::new(&[7; 16], &[7; 24])),
        format!("{chain:?}"),
        format!("{:?}", chain.session()),
        format!("{:?}", Rc4::new(&[7; 16])),
        format!("{:?}", Encryptor::new(STATELESS, &start_key())),
        format!("{:?}", Encryptor::new(STATEFUL, &start_key())),
    ] {
        let known = text.replace("Rc4", "").replace("Bits128", "");
        assert!(!known.contains(|character: char| character.is_ascii_digit()), "{text}");
    }
    let decryptor = format!("{:?}", Decryptor::new(STATELESS, &start_key()));
    assert!(decryptor.starts_with("Decryptor { counters: Counters {"), "{decryptor}");
    assert!(decryptor.ends_with("garbled: 0 }, .. }"), "{decryptor}");
}
