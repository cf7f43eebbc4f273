//! Version 1 (RFC 2433): the client proves that it knows the password.
//!
//! The response to a challenge is [`PasswordHash::challenge_response`](super::PasswordHash::challenge_response); the
//! server checks it with [`PasswordHash::accepts`](super::PasswordHash::accepts).

use super::{NT_RESPONSE_LENGTH, RESPONSE_LENGTH, ResponseLength};

/// The Value field of a Response (§6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The LAN Manager response; zeros, for it is deprecated.
    pub lan_manager: [u8; 24],
    /// The Windows NT response.
    pub nt: [u8; NT_RESPONSE_LENGTH],
    /// Not 0: the NT response is there and counts. The only one that this crate makes.
    pub use_nt: u8,
}

impl Response {
    /// A response with the NT response alone.
    pub const fn new(nt: [u8; NT_RESPONSE_LENGTH]) -> Self {
        Self { lan_manager: [0; 24], nt, use_nt: 1 }
    }

    /// Reads the Value field.
    pub fn parse(value: &[u8]) -> Result<Self, ResponseLength> {
        let wrong = || ResponseLength(value.len());
        let (lan_manager, rest) = value.split_first_chunk().ok_or_else(wrong)?;
        let (nt, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let &[use_nt] = rest else { return Err(wrong()) };
        Ok(Self { lan_manager: *lan_manager, nt: *nt, use_nt })
    }

    /// Writes the Value field.
    pub fn emit(&self) -> [u8; RESPONSE_LENGTH] {
        let mut value = [0; RESPONSE_LENGTH];
        let bytes = self.lan_manager.iter().chain(&self.nt).chain([&self.use_nt]);
        value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        value
    }
}

/// The challenge of the next try after a Failure that allows one and names none: "the previous challenge value plus
/// decimal 23 in the first octet" (§8).
pub const fn next_challenge(previous: [u8; 8]) -> [u8; 8] {
    let [first, b, c, d, e, f, g, h] = previous;
    [first.wrapping_add(23), b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_parse_and_are_emitted() {
        let mut value = [0; RESPONSE_LENGTH];
        value[24..48].copy_from_slice(&[7; 24]);
        value[48] = 1;
        assert_eq!(Response::parse(&value), Ok(Response::new([7; 24])));
        assert_eq!(Response::new([7; 24]).emit(), value);
    }

    #[test]
    fn the_implied_challenge_wraps() {
        assert_eq!(next_challenge([250, 2, 3, 4, 5, 6, 7, 8]), [17, 2, 3, 4, 5, 6, 7, 8]);
    }
}
