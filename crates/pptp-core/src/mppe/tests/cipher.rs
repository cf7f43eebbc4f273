//! The cipher against somebody else's.

use ::rc4::{KeyInit, Rc4 as Other, StreamCipher};
use proptest::prelude::*;

use super::super::rc4::{Rc4, apply_both};

fn stream(key: &[u8; 16], length: usize) -> Vec<u8> {
    let mut zeros = vec![0; length];
    Other::new_from_slice(key).unwrap().apply_keystream(&mut zeros);
    zeros
}

proptest! {
    #[test]
    fn a_key_stream_may_be_used_piece_by_piece(key: [u8; 16], lengths in prop::collection::vec(0..600_usize, 0..20)) {
        let mut cipher = Rc4::new(&key);
        let mut pieces = Vec::new();
        for length in &lengths {
            let mut piece = vec![0; *length];
            cipher.apply(&mut piece);
            pieces.extend(piece);
        }
        prop_assert_eq!(pieces, stream(&key, lengths.iter().sum()));
    }

    #[test]
    fn two_ciphers_do_not_depend_on_each_other(
        keys: [[u8; 16]; 2],
        used in [0..40_usize, 0..40],
        lengths in [0..600_usize, 0..600],
    ) {
        let mut ciphers = keys.each_ref().map(Rc4::new);
        let mut texts = lengths.map(|length| vec![0; length]);
        for (cipher, used) in ciphers.iter_mut().zip(used) {
            cipher.apply(&mut vec![0; used]);
        }
        let [first, second] = &mut texts;
        apply_both(&mut ciphers, first, second);
        for number in 0..2 {
            let mut rest = vec![0; 9];
            ciphers[number].apply(&mut rest);
            let whole = stream(&keys[number], used[number] + lengths[number] + rest.len());
            prop_assert_eq!([&texts[number][..], &rest[..]].concat(), &whole[used[number]..]);
        }
    }
}
