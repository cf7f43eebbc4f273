//! Version 2 (RFC 2759): each end proves to the other that it knows the password.

use core::fmt;

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{NT_RESPONSE_LENGTH, PasswordHash, RESPONSE_LENGTH, ResponseLength, without_domain};

/// What was exchanged in the clear.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The server's challenge.
    pub authenticator_challenge: [u8; 16],
    /// The client's own, from its Response.
    pub peer_challenge: [u8; 16],
    /// The name of the Response; with or without a domain, which is not hashed (§8.2).
    pub user_name: &'a [u8],
}

impl Exchange<'_> {
    /// `ChallengeHash` (§8.2).
    pub fn challenge_hash(&self) -> [u8; 8] {
        let mut digest = Sha1::new();
        digest.update(self.peer_challenge);
        digest.update(self.authenticator_challenge);
        digest.update(without_domain(self.user_name));
        let [a, b, c, d, e, f, g, h, ..]: [u8; 20] = digest.finalize().into();
        [a, b, c, d, e, f, g, h]
    }

    /// `GenerateNTResponse` (§8.1).
    pub fn nt_response(&self, password: &PasswordHash) -> [u8; NT_RESPONSE_LENGTH] {
        password.challenge_response(self.challenge_hash())
    }

    /// Whether the client knows the password; takes the same time whatever the response is.
    pub fn accepts(&self, password: &PasswordHash, nt_response: &[u8; NT_RESPONSE_LENGTH]) -> bool {
        password.accepts(self.challenge_hash(), nt_response)
    }

    /// `GenerateAuthenticatorResponse` (§8.7).
    pub fn authenticator_response(
        &self,
        password: &PasswordHash,
        nt_response: &[u8; NT_RESPONSE_LENGTH],
    ) -> AuthenticatorResponse {
        let mut digest = Sha1::new();
        digest.update(password.hash().as_bytes());
        digest.update(nt_response);
        digest.update(b"Magic server to client signing constant");
        let first = digest.finalize();
        let mut digest = Sha1::new();
        digest.update(first);
        digest.update(self.challenge_hash());
        digest.update(b"Pad to make it do more than one iteration");
        AuthenticatorResponse(digest.finalize().into())
    }

    /// `CheckAuthenticatorResponse` (§8.8): whether the server knows the password; takes the same time whatever it sent.
    pub fn accepts_authenticator(
        &self,
        password: &PasswordHash,
        nt_response: &[u8; NT_RESPONSE_LENGTH],
        received: &AuthenticatorResponse,
    ) -> bool {
        self.authenticator_response(password, nt_response).is(received)
    }
}

/// The server's proof; prints as in a Success packet, `S=` and 40 digits (§5).
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatorResponse(pub [u8; 20]);

impl AuthenticatorResponse {
    /// Whether this is what was received; takes the same time whatever that is.
    pub fn is(&self, received: &Self) -> bool {
        self.0.ct_eq(&received.0).into()
    }
}

impl fmt::Display for AuthenticatorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S=")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// The Value field of a Response (§4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The client's challenge.
    pub peer_challenge: [u8; 16],
    /// Zeros.
    pub reserved: [u8; 8],
    /// The client's proof.
    pub nt_response: [u8; NT_RESPONSE_LENGTH],
    /// Zero.
    pub flags: u8,
}

impl Response {
    /// A response as §4 has it.
    pub const fn new(peer_challenge: [u8; 16], nt_response: [u8; NT_RESPONSE_LENGTH]) -> Self {
        Self { peer_challenge, reserved: [0; 8], nt_response, flags: 0 }
    }

    /// Reads the Value field. What is reserved may have any value.
    pub fn parse(value: &[u8]) -> Result<Self, ResponseLength> {
        let wrong = || ResponseLength(value.len());
        let (peer_challenge, rest) = value.split_first_chunk().ok_or_else(wrong)?;
        let (reserved, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (nt_response, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let &[flags] = rest else { return Err(wrong()) };
        Ok(Self { peer_challenge: *peer_challenge, reserved: *reserved, nt_response: *nt_response, flags })
    }

    /// Writes the Value field.
    pub fn emit(&self) -> [u8; RESPONSE_LENGTH] {
        let mut value = [0; RESPONSE_LENGTH];
        let bytes = self.peer_challenge.iter().chain(&self.reserved).chain(&self.nt_response).chain([&self.flags]);
        value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::super::Password;
    use super::*;

    /// RFC 2759 §9.2.
    const EXAMPLE: Exchange<'_> = Exchange {
        authenticator_challenge: *b"[]|}{?/><,`!2&&(",
        peer_challenge: *b"!@#$%^&*()_+:3|~",
        user_name: b"User",
    };
    const NT_RESPONSE: [u8; 24] = [
        0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd, 0x83, 0x54, 0x42, 0x33,
        0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf,
    ];

    fn password() -> PasswordHash {
        PasswordHash::of(&Password::new(b"clientPass").unwrap())
    }

    #[test]
    fn the_example_of_rfc_2759_section_9_2() {
        let hash = [0x44, 0xeb, 0xba, 0x8d, 0x53, 0x12, 0xb8, 0xd6, 0x11, 0x47, 0x44, 0x11, 0xf5, 0x69, 0x89, 0xae];
        let hash_hash =
            [0x41, 0xc0, 0x0c, 0x58, 0x4b, 0xd2, 0xd9, 0x1c, 0x40, 0x17, 0xa2, 0xa1, 0x2f, 0xa5, 0x9f, 0x3f];
        assert_eq!(EXAMPLE.challenge_hash(), [0xd0, 0x2e, 0x43, 0x86, 0xbc, 0xe9, 0x12, 0x26]);
        assert_eq!(EXAMPLE.nt_response(&password()), NT_RESPONSE);
        assert_eq!(EXAMPLE.nt_response(&PasswordHash::from_bytes(hash)), NT_RESPONSE);
        assert_eq!(password().hash().as_bytes(), &hash_hash);
        let authenticator = EXAMPLE.authenticator_response(&password(), &NT_RESPONSE);
        assert_eq!(authenticator.to_string(), "S=407A5589115FD0D6209F510FE9C04566932CDA56");
    }

    #[test]
    fn a_domain_changes_nothing() {
        let with_domain = Exchange { user_name: b"BIGCO\\User", ..EXAMPLE };
        assert_eq!(with_domain.nt_response(&password()), NT_RESPONSE);
    }

    #[test]
    fn each_end_accepts_the_other_and_nobody_else() {
        assert!(EXAMPLE.accepts(&password(), &NT_RESPONSE));
        let authenticator = EXAMPLE.authenticator_response(&password(), &NT_RESPONSE);
        assert!(EXAMPLE.accepts_authenticator(&password(), &NT_RESPONSE, &authenticator));

        let stranger = PasswordHash::of(&Password::new(b"clientpass").unwrap());
        assert!(!EXAMPLE.accepts(&stranger, &NT_RESPONSE));
        assert!(!EXAMPLE.accepts_authenticator(&stranger, &NT_RESPONSE, &authenticator));
        let mut other = authenticator;
        other.0[19] ^= 1;
        assert!(!EXAMPLE.accepts_authenticator(&password(), &NT_RESPONSE, &other));
    }

    /// From a capture of a client and pptpd: the password is not known, the challenges and the name are.
    #[test]
    fn a_recorded_response_parses() {
        let value = [
            0xab, 0xfe, 0x01, 0xe6, 0xc7, 0x59, 0x85, 0x01, 0x55, 0xb4, 0xd8, 0xd6, 0x25, 0x8c, 0xdb, 0x67, 0, 0, 0, 0,
            0, 0, 0, 0, 0x1c, 0x93, 0xab, 0xce, 0x81, 0x54, 0x00, 0x68, 0x6b, 0xae, 0xca, 0x31, 0x5f, 0x34, 0x84, 0x69,
            0x25, 0x64, 0x20, 0x59, 0x8a, 0x73, 0xad, 0x49, 0,
        ];
        let response = Response::parse(&value).unwrap();
        assert_eq!((response.reserved, response.flags), ([0; 8], 0));
        assert_eq!((response.peer_challenge[0], response.nt_response[23]), (0xab, 0x49));
        assert_eq!(response, Response::new(response.peer_challenge, response.nt_response));
        assert_eq!(response.emit(), value);
    }
}
