//! DES with keys of seven bytes, as MS-CHAP has them (RFC 2433 §A.4, RFC 2759 §8.6).

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

/// `DesEncrypt`: one block in ECB mode.
pub(super) fn encrypt(clear: [u8; 8], key: &[u8; 7]) -> [u8; 8] {
    let key = with_parity(key);
    let mut block = clear.into();
    Des::new((&*key).into()).encrypt_block(&mut block);
    block.into()
}

/// Spreads the 56 bits over eight bytes, each of which gets a last bit that makes the number of its ones odd.
fn with_parity(raw: &[u8; 7]) -> Zeroizing<[u8; 8]> {
    let [a, b, c, d, e, f, g] = *raw;
    let spread = [
        a,
        a << 7 | b >> 1,
        b << 6 | c >> 2,
        c << 5 | d >> 3,
        d << 4 | e >> 4,
        e << 3 | f >> 5,
        f << 2 | g >> 6,
        g << 1,
    ];
    Zeroizing::new(spread.map(odd))
}

const fn odd(byte: u8) -> u8 {
    let high = byte & 0xfe;
    if high.count_ones() % 2 == 0 { high | 1 } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_get_parity_as_in_rfc_2759_section_9_3() {
        let first = [0xfc, 0x15, 0x6a, 0xf7, 0xed, 0xcd, 0x6c];
        assert_eq!(*with_parity(&first), [0xfd, 0x0b, 0x5b, 0x5e, 0x7f, 0x6e, 0x34, 0xd9]);
        let second = [0x0e, 0xdd, 0xe3, 0x33, 0x7d, 0x42, 0x7f];
        assert_eq!(*with_parity(&second), [0x0e, 0x6e, 0x79, 0x67, 0x37, 0xea, 0x08, 0xfe]);
    }
}
