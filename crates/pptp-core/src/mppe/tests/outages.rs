//! Stateful links that lose more packets than counts tell apart.

use super::super::{Decryptor, Encryptor, Flush, Outcome};
use super::harness::{STATEFUL, decrypt, encrypt, ip, start_key};

/// After `lost` packets: how many more it takes until the receiver says that it has lost its state.
fn packets_until_noticed(lost: u32, flush: Flush) -> (u32, Encryptor, Decryptor) {
    let (mut encryptor, mut decryptor) =
        (Encryptor::new(STATEFUL, &start_key()), Decryptor::new(STATEFUL, &start_key()));
    encryptor.set_flush(flush);
    decrypt(&mut decryptor, &encrypt(&mut encryptor, &ip(0, 0))).unwrap();
    for _ in 0..lost {
        encrypt(&mut encryptor, &ip(0, 0));
    }
    for number in 1..=600 {
        if decrypt(&mut decryptor, &encrypt(&mut encryptor, &ip(0, 0))) == Err(Outcome::OutOfSync) {
            return (number, encryptor, decryptor);
        }
    }
    panic!("after {lost} lost packets nothing is noticed");
}

#[test]
fn a_long_outage_is_noticed_and_a_reset_ends_it() {
    for flush in [Flush::KeepsKey, Flush::ChangesKey] {
        for lost in [1, 300, 1000, 2000, 2100, 3000, 4000, 4200, 8000] {
            let (noticed, mut encryptor, mut decryptor) = packets_until_noticed(lost, flush);
            assert!(noticed <= 8, "{lost}: noticed after {noticed}");
            encryptor.handle_reset_request();
            for number in 0..600 {
                let packet = encrypt(&mut encryptor, &ip(number, 3));
                assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 3)), "{lost} {flush:?} {number}");
            }
        }
    }
}
