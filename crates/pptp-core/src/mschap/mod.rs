//! MS-CHAP: version 1 (RFC 2433) and version 2 (RFC 2759), as functions of what was exchanged.
//!
//! Both ends are here: the client answers a challenge and, with version 2, checks that the server knows the password too;
//! the server checks the response. What a packet's Value and Message fields hold is read and written here; the packets
//! around them, identifiers, repetition and time are CHAP's (RFC 1994) and are not. Nor are LAN Manager responses, which
//! "peers SHOULD NOT generate" (RFC 2433 §6), and changes of passwords (RFC 2759 §7); LAN Manager's hash is, for keys.
//!
//! ```text
//!  server                                client
//!  Challenge: authenticator challenge -> v2::Exchange { both challenges, user name }
//!                                        nt_response(password hash)
//!  v2::Response::parse                <- v2::Response
//!  accepts(password hash, response)
//!  authenticator_response             -> Success::parse, accepts_authenticator
//! ```
//!
//! Passwords and their hashes are erased when they are dropped, and print as `[redacted]`.

mod des;
mod hash;
mod lan_manager;
mod message;
mod password;
pub mod v1;
pub mod v2;

pub use hash::{PasswordHash, PasswordHashHash};
pub use lan_manager::LanManagerHash;
pub use message::{Failure, FailureCode, NextChallenge, NoAuthenticatorResponse, Success};
pub use password::{MAX_PASSWORD_UNITS, Password, PasswordTooLong};

use core::{error, fmt};

/// Bytes of the Value field of a Response, in both versions (RFC 2433 §6, RFC 2759 §4).
pub const RESPONSE_LENGTH: usize = 49;

/// Bytes of an NT response.
pub const NT_RESPONSE_LENGTH: usize = 24;

/// The Value field of a Response has not [`RESPONSE_LENGTH`] bytes, but this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLength(pub usize);

impl fmt::Display for ResponseLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ms-chap response of {} bytes instead of {RESPONSE_LENGTH}", self.0)
    }
}

impl error::Error for ResponseLength {}

/// The user name that version 2 hashes: without the domain, `user` of `DOMAIN\user` (RFC 2759 §8.2).
pub fn without_domain(user_name: &[u8]) -> &[u8] {
    user_name.rsplit(|byte| *byte == b'\\').next().unwrap_or(user_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_password_is_accepted_and_no_other(
            typed in proptest::collection::vec(any::<u8>(), 0..=256),
            other in proptest::collection::vec(any::<u8>(), 0..=256),
            user_name in proptest::collection::vec(any::<u8>(), 0..=256),
            authenticator_challenge: [u8; 16],
            peer_challenge: [u8; 16],
        ) {
            let hash = |typed| PasswordHash::of(&Password::new(typed).unwrap());
            let password = hash(&typed);
            let exchange = v2::Exchange { authenticator_challenge, peer_challenge, user_name: &user_name };
            let response = exchange.nt_response(&password);
            prop_assert!(exchange.accepts(&password, &response));
            prop_assert_eq!(exchange.accepts(&hash(&other), &response), typed == other);
            let proof = exchange.authenticator_response(&password, &response);
            let success = Success::parse(proof.to_string().as_bytes()).unwrap();
            prop_assert!(exchange.accepts_authenticator(&password, &response, &success.authenticator_response));
            let _ = LanManagerHash::of(&typed);
        }
    }

    #[test]
    fn a_response_of_the_right_length_keeps_all_its_bytes_and_no_other_is_one() {
        for length in 0..=255 {
            let value: Vec<u8> = (1..=255).take(length).collect();
            let expected = if length == RESPONSE_LENGTH { Ok(value.clone()) } else { Err(ResponseLength(length)) };
            assert_eq!(v1::Response::parse(&value).map(|response| response.emit().to_vec()), expected);
            assert_eq!(v2::Response::parse(&value).map(|response| response.emit().to_vec()), expected);
        }
    }

    #[test]
    fn the_domain_is_not_part_of_the_hashed_name() {
        for (typed, hashed) in [
            (&b"User"[..], &b"User"[..]),
            (b"BIGCO\\User", b"User"),
            (b"forest\\BIGCO\\User", b"User"),
            (b"User@bigco.example", b"User@bigco.example"),
            (b"BIGCO\\", b""),
            (b"", b""),
        ] {
            assert_eq!(without_domain(typed), hashed);
        }
    }
}
