//! Stateful links that lose more packets than counts tell apart.

use super::super::stateful::Flush;
use super::super::{Decryptor, Outcome};
use super::harness::{Reference, STATEFUL, decrypt, ip, start_key};

/// After `lost` packets: how many more it takes until the receiver says that it has lost its state.
fn packets_until_noticed(lost: u32, flush: Option<Flush>) -> (u32, Reference, Decryptor) {
    let (mut peer, mut decryptor) = (Reference::new(STATEFUL), Decryptor::new(STATEFUL, &start_key()));
    peer.flush = flush;
    decrypt(&mut decryptor, &peer.encrypt(&ip(0, 0))).unwrap();
    for _ in 0..lost {
        peer.encrypt(&ip(0, 0));
    }
    for number in 1..=600 {
        if decrypt(&mut decryptor, &peer.encrypt(&ip(0, 0))) == Err(Outcome::OutOfSync) {
            return (number, peer, decryptor);
        }
    }
    panic!("after {lost} lost packets nothing is noticed");
}

#[test]
fn a_long_outage_is_noticed_and_a_reset_ends_it() {
    for flush in [Some(Flush::KeepsKey), Some(Flush::ChangesKey), None] {
        for lost in [1, 300, 1000, 2000, 2100, 3000, 4000, 4200, 8000] {
            let (noticed, mut peer, mut decryptor) = packets_until_noticed(lost, flush);
            assert!(noticed <= 8, "{lost}: noticed after {noticed}");
            peer.flush_wanted = true;
            for number in 0..600 {
                let packet = peer.encrypt(&ip(number, 3));
                assert_eq!(decrypt(&mut decryptor, &packet), Ok(ip(number, 3)), "{lost} {flush:?} {number}");
            }
        }
    }
}
