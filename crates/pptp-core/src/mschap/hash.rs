//! Hashes of passwords, which are as good as the passwords.

use core::fmt;

use md4::{Digest, Md4};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::NT_RESPONSE_LENGTH;
use super::des;
use super::password::Password;

/// `NtPasswordHash` (RFC 2433 §A.6, RFC 2759 §8.3): MD4 of the password.
#[derive(Clone)]
pub struct PasswordHash(Zeroizing<[u8; 16]>);

/// `HashNtPasswordHash` (RFC 2759 §8.4): MD4 of the hash; MPPE's keys come from it (RFC 3079).
#[derive(Clone)]
pub struct PasswordHashHash(Zeroizing<[u8; 16]>);

impl PasswordHash {
    /// The hash of a password.
    pub fn of(password: &Password) -> Self {
        Self(md4(password.bytes()))
    }

    /// A hash that was stored in place of the password.
    pub fn from_bytes(hash: [u8; 16]) -> Self {
        Self(Zeroizing::new(hash))
    }

    /// The hash of the hash.
    pub fn hash(&self) -> PasswordHashHash {
        PasswordHashHash(md4(&*self.0))
    }

    /// `ChallengeResponse` (RFC 2433 §A.7, RFC 2759 §8.5): the challenge, encrypted with each third of the hash.
    pub fn challenge_response(&self, challenge: [u8; 8]) -> [u8; NT_RESPONSE_LENGTH] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *self.0;
        let keys = Zeroizing::new([[a, b, c, d, e, f, g], [h, i, j, k, l, m, n], [o, p, 0, 0, 0, 0, 0]]);
        let mut response = [0; NT_RESPONSE_LENGTH];
        for (block, key) in response.chunks_exact_mut(8).zip(keys.iter()) {
            block.copy_from_slice(&des::encrypt(challenge, key));
        }
        response
    }

    /// Whether a response to this challenge was made with this hash; takes the same time whatever the response is.
    pub fn accepts(&self, challenge: [u8; 8], response: &[u8; NT_RESPONSE_LENGTH]) -> bool {
        self.challenge_response(challenge).ct_eq(response).into()
    }
}

impl PasswordHashHash {
    /// The bytes, for the derivation of keys.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

fn md4(input: &[u8]) -> Zeroizing<[u8; 16]> {
    let mut output = Zeroizing::new([0; 16]);
    let mut digest = Md4::new();
    digest.update(input);
    digest.finalize_into((&mut *output).into());
    output
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

impl fmt::Debug for PasswordHashHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHashHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 16] =
        [0xfc, 0x15, 0x6a, 0xf7, 0xed, 0xcd, 0x6c, 0x0e, 0xdd, 0xe3, 0x33, 0x7d, 0x42, 0x7f, 0x4e, 0xac];

    #[test]
    fn the_example_of_rfc_2433_section_b_2() {
        let hash = PasswordHash::of(&Password::new(b"MyPw").unwrap());
        assert_eq!(*hash.0, HASH);
        let challenge = [0x10, 0x2d, 0xb5, 0xdf, 0x08, 0x5d, 0x30, 0x41];
        let response = [
            0x4e, 0x9d, 0x3c, 0x8f, 0x9c, 0xfd, 0x38, 0x5d, 0x5b, 0xf4, 0xd3, 0x24, 0x67, 0x91, 0x95, 0x6c, 0xa4, 0xc3,
            0x51, 0xab, 0x40, 0x9a, 0x3d, 0x61,
        ];
        assert_eq!(hash.challenge_response(challenge), response);
        assert!(hash.accepts(challenge, &response));
    }

    #[test]
    fn a_response_to_anything_else_is_not_accepted() {
        let hash = PasswordHash::from_bytes(HASH);
        let response = hash.challenge_response([1; 8]);
        assert!(hash.accepts([1; 8], &response));
        assert!(!hash.accepts([2; 8], &response));
        for bit in 0..NT_RESPONSE_LENGTH * 8 {
            let mut other = response;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!hash.accepts([1; 8], &other));
        }
    }

    #[test]
    fn hashes_do_not_print() {
        let hash = PasswordHash::from_bytes(HASH);
        assert_eq!(format!("{hash:?} {:?}", hash.hash()), "PasswordHash([redacted]) PasswordHashHash([redacted])");
    }
}
