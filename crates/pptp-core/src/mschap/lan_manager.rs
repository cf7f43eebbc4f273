//! The hash of LAN Manager, from which keys of 40 and 56 bits come after version 1 (RFC 3079 §2.1, §2.2).

use core::fmt;

use zeroize::Zeroizing;

use super::des;

/// What is encrypted.
const KNOWN_TEXT: [u8; 8] = *b"KGS!@#$%";

/// `LmPasswordHash` (RFC 2433 §A.2): of the first 14 characters, which may as well be capitals.
#[derive(Clone)]
pub struct LanManagerHash(Zeroizing<[u8; 16]>);

impl LanManagerHash {
    /// The hash of what the user typed, taken as it is: the letters of ASCII become capitals, as with `pppd`.
    pub fn of(typed: &[u8]) -> Self {
        let mut keys = Zeroizing::new([[0; 7]; 2]);
        let places = keys.as_flattened_mut().iter_mut();
        places.zip(typed).for_each(|(to, from)| *to = from.to_ascii_uppercase());
        let mut hash = Zeroizing::new([0; 16]);
        for (half, key) in hash.chunks_exact_mut(8).zip(keys.iter()) {
            half.copy_from_slice(&*Zeroizing::new(des::encrypt(KNOWN_TEXT, key)));
        }
        Self(hash)
    }

    /// The bytes, for the derivation of keys.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for LanManagerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LanManagerHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-SAMR] §4.3.
    #[test]
    fn the_examples_of_ms_samr() {
        let old = [0xc9, 0xb8, 0x1d, 0x93, 0x9d, 0x6f, 0xd8, 0x0c, 0xd4, 0x08, 0xe6, 0xb1, 0x05, 0x74, 0x18, 0x64];
        let new = [0x09, 0xee, 0xab, 0x5a, 0xa4, 0x15, 0xd6, 0xe4, 0xd4, 0x08, 0xe6, 0xb1, 0x05, 0x74, 0x18, 0x64];
        assert_eq!(LanManagerHash::of(b"OLDPASSWORD").as_bytes(), &old);
        assert_eq!(LanManagerHash::of(b"NEWPASSWORD").as_bytes(), &new);
    }

    #[test]
    fn the_example_of_rfc_3079_section_2_5_1() {
        let hash = [0x76, 0xa1, 0x52, 0x93, 0x60, 0x96, 0xd7, 0x83, 0x0e, 0x23, 0x90, 0x22, 0x74, 0x04, 0xaf, 0xd2];
        assert_eq!(LanManagerHash::of(b"clientPass").as_bytes(), &hash);
    }

    #[test]
    fn capitals_and_all_behind_14_characters_make_no_difference() {
        let hash = *LanManagerHash::of(b"abcdefghijklmn").as_bytes();
        assert_eq!(LanManagerHash::of(b"ABCDEFGHIJKLMNopq").as_bytes(), &hash);
        assert_ne!(LanManagerHash::of(b"abcdefghijklm").as_bytes(), &hash);
        assert_ne!(LanManagerHash::of("É".as_bytes()).as_bytes(), LanManagerHash::of("é".as_bytes()).as_bytes());
    }

    /// An empty half gives a constant that is known everywhere.
    #[test]
    fn no_password_has_a_hash_too() {
        let empty = [0xaa, 0xd3, 0xb4, 0x35, 0xb5, 0x14, 0x04, 0xee];
        assert_eq!(LanManagerHash::of(b"").as_bytes()[..8], empty);
        assert_eq!(LanManagerHash::of(b"").as_bytes()[8..], empty);
    }

    #[test]
    fn a_hash_does_not_print() {
        assert_eq!(format!("{:?}", LanManagerHash::of(b"x")), "LanManagerHash([redacted])");
    }
}
