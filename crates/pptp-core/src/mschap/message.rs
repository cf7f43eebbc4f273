//! The Message fields of Success and Failure (RFC 2433 §8, RFC 2759 §5 and §6): text that decides.
//!
//! Servers are free with it: fields in any order, fields that no RFC has, digits of either case, no fields at all. What a
//! server says for people is made safe to log on one line.

use core::{error, fmt};

use super::v2::AuthenticatorResponse;

/// A Success of version 2: `S=<40 digits> M=<text>`. In version 1 it is plain text.
#[derive(Clone, Debug)]
pub struct Success {
    /// The server's proof, to be checked with
    /// [`Exchange::accepts_authenticator`](super::v2::Exchange::accepts_authenticator).
    pub authenticator_response: AuthenticatorResponse,
    /// For people.
    pub message: String,
}

impl Success {
    /// Reads the Message field; without a proof of 20 bytes, there is nothing that a client may believe.
    pub fn parse(message: &[u8]) -> Result<Self, NoAuthenticatorResponse> {
        let fields = Fields::split(message);
        let proof = fields.value(b"S").and_then(hexadecimal::<20>).ok_or(NoAuthenticatorResponse)?;
        Ok(Self { authenticator_response: AuthenticatorResponse(proof), message: fields.text() })
    }
}

impl fmt::Display for Success {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.authenticator_response)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, " M={}", self.message) }
    }
}

/// A Success of version 2 has no `S=` with 40 hexadecimal digits: the server did not prove that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAuthenticatorResponse;

impl fmt::Display for NoAuthenticatorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ms-chapv2 success without the server's proof (S=)")
    }
}

impl error::Error for NoAuthenticatorResponse {}

/// A Failure: `E=<code> R=<0 or 1> C=<challenge> V=<version> M=<text>`. Prints as such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub code: Option<FailureCode>,
    /// The client may try again, with the identifier that follows.
    pub retry: bool,
    /// The challenge of the next try: 8 bytes in version 1, 16 in version 2. One of another length counts as none.
    pub challenge: Option<NextChallenge>,
    /// Version of the packet that changes the password.
    pub version: Option<u32>,
    /// For people; all of it if the server does not write fields.
    pub message: String,
}

/// The challenge of the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextChallenge {
    /// Of version 1.
    V1([u8; 8]),
    /// Of version 2.
    V2([u8; 16]),
}

impl Failure {
    /// Reads the Message field, whatever it holds.
    pub fn parse(message: &[u8]) -> Self {
        let fields = Fields::split(message);
        let challenge = fields.value(b"C").and_then(|digits| {
            let v2 = hexadecimal(digits).map(NextChallenge::V2);
            v2.or_else(|| hexadecimal(digits).map(NextChallenge::V1))
        });
        Self {
            code: fields.value(b"E").and_then(decimal).map(FailureCode),
            retry: fields.value(b"R") == Some(b"1"),
            challenge,
            version: fields.value(b"V").and_then(decimal),
            message: fields.text(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.unwrap_or(FailureCode::AUTHENTICATION_FAILURE);
        write!(f, "E={} R={}", code.0, u8::from(self.retry))?;
        let challenge = match &self.challenge {
            Some(NextChallenge::V1(challenge)) => Some(&challenge[..]),
            Some(NextChallenge::V2(challenge)) => Some(&challenge[..]),
            None => None,
        };
        if let Some(challenge) = challenge {
            f.write_str(" C=")?;
            challenge.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        }
        if let Some(version) = self.version {
            write!(f, " V={version}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, " M={}", self.message) }
    }
}

/// Windows' error codes (RFC 2433 §8, RFC 2759 §6); prints as a reason for people, with the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCode(pub u32);

impl FailureCode {
    /// Not at this time of day.
    pub const RESTRICTED_LOGON_HOURS: Self = Self(646);
    /// The account is disabled.
    pub const ACCOUNT_DISABLED: Self = Self(647);
    /// The password has to be changed.
    pub const PASSWORD_EXPIRED: Self = Self(648);
    /// The account may not dial in.
    pub const NO_DIALIN_PERMISSION: Self = Self(649);
    /// Wrong name or password.
    pub const AUTHENTICATION_FAILURE: Self = Self(691);
    /// The password could not be changed.
    pub const CHANGING_PASSWORD: Self = Self(709);
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match *self {
            Self::RESTRICTED_LOGON_HOURS => "not allowed at this time",
            Self::ACCOUNT_DISABLED => "account disabled",
            Self::PASSWORD_EXPIRED => "password expired",
            Self::NO_DIALIN_PERMISSION => "no permission to dial in",
            Self::AUTHENTICATION_FAILURE => "wrong user name or password",
            Self::CHANGING_PASSWORD => "password not changed",
            _ => "refused",
        };
        write!(f, "{reason} ({})", self.0)
    }
}

/// A message, split into `K=value` fields and the text after `M=`, in which `=` means nothing.
struct Fields<'a> {
    fields: &'a [u8],
    text: &'a [u8],
}

impl<'a> Fields<'a> {
    fn split(message: &'a [u8]) -> Self {
        let starts = |at: usize| at.checked_sub(1).is_none_or(|before| message.get(before).is_some_and(is_space));
        let text = message.windows(2).enumerate().find(|(at, pair)| pair == b"M=" && starts(*at));
        let (fields, text) = match text.and_then(|(at, _)| message.split_at_checked(at)) {
            Some((fields, text)) => (fields, text.get(2..).unwrap_or_default()),
            None => (message, &[][..]),
        };
        Self { fields, text }
    }

    fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        let mut fields = self.fields.split(is_space);
        fields.find_map(|field| field.strip_prefix(key)?.strip_prefix(b"="))
    }

    /// The text for people. A message without any field is all text.
    fn text(&self) -> String {
        let all_text = self.text.is_empty() && !self.fields.contains(&b'=');
        let bytes = if all_text { self.fields } else { self.text };
        let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last.saturating_add(1));
        let lossy = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut text = String::with_capacity(lossy.len());
        for character in lossy.chars() {
            match character {
                '\'' | '"' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        text
    }
}

/// NUL too: some servers end their text with one.
const fn is_space(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0
}

fn decimal(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

fn hexadecimal<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROOF: [u8; 20] = [
        0x54, 0x64, 0x4f, 0x81, 0xe5, 0xf1, 0x8c, 0x0e, 0xe9, 0xe2, 0x67, 0x76, 0x49, 0x5d, 0x6b, 0xc7, 0xad, 0xdf,
        0xb7, 0x67,
    ];

    #[test]
    fn a_recorded_success_parses() {
        let recorded = b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767 M=Access granted";
        let success = Success::parse(recorded).unwrap();
        assert_eq!(success.authenticator_response.0, PROOF);
        assert_eq!(success.message, "Access granted");
        assert_eq!(success.to_string().as_bytes(), recorded);
    }

    #[test]
    fn successes_may_be_written_in_other_ways() {
        for (message, text) in [
            (&b"S=54644f81e5f18c0ee9e26776495d6bc7addfb767"[..], ""),
            (b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767\0", ""),
            (b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767 M=S=1 M=2\n", "S=1 M=2"),
            (b"X=1 S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767  M=", ""),
            (b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767 M=a\x1b\xffb", "a\\u{1b}\u{fffd}b"),
        ] {
            let success = Success::parse(message).unwrap();
            assert_eq!((success.authenticator_response.0, success.message.as_str()), (PROOF, text));
        }
    }

    #[test]
    fn a_success_without_proof_is_none() {
        for message in [
            &b""[..],
            b"Welcome",
            b"S= M=x",
            b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB76 M=x",
            b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB76700",
            b"S=54644F81E5F18C0EE9E26776495D6BC7ADDFB76g",
            b"M=S=54644F81E5F18C0EE9E26776495D6BC7ADDFB767",
        ] {
            assert_eq!(Success::parse(message).err(), Some(NoAuthenticatorResponse));
        }
    }

    #[test]
    fn a_failure_of_version_2_parses_and_prints() {
        let message = "E=691 R=1 C=000102030405060708090A0B0C0D0E0F V=3 M=Access denied";
        let failure = Failure::parse(message.as_bytes());
        assert_eq!(failure.code, Some(FailureCode::AUTHENTICATION_FAILURE));
        assert!(failure.retry);
        assert_eq!(failure.challenge, Some(NextChallenge::V2([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])));
        assert_eq!((failure.version, failure.message.as_str()), (Some(3), "Access denied"));
        assert_eq!(failure.to_string(), message);
    }

    #[test]
    fn a_failure_of_version_1_has_a_shorter_challenge_or_none() {
        let failure = Failure::parse(b"E=648 R=0 C=0001020304050607 V=2");
        assert_eq!(failure.challenge, Some(NextChallenge::V1([0, 1, 2, 3, 4, 5, 6, 7])));
        assert_eq!(failure.to_string(), "E=648 R=0 C=0001020304050607 V=2");
        assert_eq!(Failure::parse(b"E=691 R=1").challenge, None);
    }

    #[test]
    fn whatever_a_server_sends_is_a_failure() {
        let refused = Failure::default();
        for (message, expected) in [
            (&b""[..], refused.clone()),
            (b"Go away", Failure { message: "Go away".into(), ..refused.clone() }),
            (b"E=99999999999 R=2 C=12 V=x", refused.clone()),
            (b"R=1 E=649", Failure { code: Some(FailureCode(649)), retry: true, ..refused.clone() }),
            (
                b"E=649 M=E=691\r\n",
                Failure { code: Some(FailureCode(649)), message: "E=691".into(), ..refused.clone() },
            ),
            (b"M=x", Failure { message: "x".into(), ..refused }),
        ] {
            assert_eq!(Failure::parse(message), expected, "{}", message.escape_ascii());
        }
    }

    #[test]
    fn codes_print_as_reasons() {
        assert_eq!(FailureCode(691).to_string(), "wrong user name or password (691)");
        assert_eq!(FailureCode(648).to_string(), "password expired (648)");
        assert_eq!(FailureCode(7).to_string(), "refused (7)");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_what_comes_out_is_one_line(message in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(!Failure::parse(&message).to_string().contains(char::is_control));
            if let Ok(success) = Success::parse(&message) {
                prop_assert!(!success.to_string().contains(char::is_control));
            }
        }

        #[test]
        fn what_was_written_is_read(code in 0..2000_u32, retry: bool, challenge: [u8; 16], message in "[a-zA-Z=][a-zA-Z= ]{0,20}[a-z]") {
            let failure = Failure {
                code: Some(FailureCode(code)),
                retry,
                challenge: Some(NextChallenge::V2(challenge)),
                version: Some(3),
                message,
            };
            prop_assert_eq!(Failure::parse(failure.to_string().as_bytes()), failure);
        }
    }
}
