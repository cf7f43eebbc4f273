//! Passwords as MS-CHAP hashes them: 0 to 256 Unicode characters of two bytes each (RFC 2433 §6, RFC 2759 §4).

use core::{error, fmt};

use zeroize::Zeroizing;

/// The longest password, in units of 16 bits: characters, but for those beyond U+FFFF, which take two.
pub const MAX_PASSWORD_UNITS: usize = 256;

/// A password: UTF-16, least significant byte first. Not on the heap, where copies would be left behind.
pub struct Password {
    units: Zeroizing<[[u8; 2]; MAX_PASSWORD_UNITS]>,
    length: usize,
}

impl Password {
    /// What the user typed or a file holds, taken as UTF-8. This is what Windows and those who follow it expect.
    ///
    /// Bytes that are no UTF-8 are taken as Latin-1, which is to say widened. `pppd` always widens: for ASCII there is no
    /// difference, for anything else a `pppd` at the other end wants [`Password::widened`].
    pub fn new(typed: &[u8]) -> Result<Self, PasswordTooLong> {
        match core::str::from_utf8(typed) {
            Ok(text) => Self::from_units(text.encode_utf16()),
            Err(_) => Self::widened(typed),
        }
    }

    /// Each byte as one character, as `pppd` does.
    pub fn widened(typed: &[u8]) -> Result<Self, PasswordTooLong> {
        Self::from_units(typed.iter().copied().map(u16::from))
    }

    fn from_units(from: impl Iterator<Item = u16> + Clone) -> Result<Self, PasswordTooLong> {
        let length = from.clone().count();
        if length > MAX_PASSWORD_UNITS {
            return Err(PasswordTooLong(length));
        }
        let mut units = Zeroizing::new([[0; 2]; MAX_PASSWORD_UNITS]);
        units.iter_mut().zip(from).for_each(|(to, unit)| *to = unit.to_le_bytes());
        Ok(Self { units, length })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.units.get(..self.length).unwrap_or_default().as_flattened()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// A password has more than [`MAX_PASSWORD_UNITS`], this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordTooLong(pub usize);

impl fmt::Display for PasswordTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "password of {} characters; ms-chap takes at most {MAX_PASSWORD_UNITS}", self.0)
    }
}

impl error::Error for PasswordTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_the_same_both_ways() {
        let password = Password::new(b"MyPw").unwrap();
        assert_eq!(password.bytes(), b"M\0y\0P\0w\0");
        assert_eq!(Password::widened(b"MyPw").unwrap().bytes(), password.bytes());
        assert!(Password::new(b"").unwrap().bytes().is_empty());
    }

    #[test]
    fn utf8_becomes_utf16_and_pppd_would_widen_it() {
        assert_eq!(Password::new("é".as_bytes()).unwrap().bytes(), [0xe9, 0]);
        assert_eq!(Password::widened("é".as_bytes()).unwrap().bytes(), [0xc3, 0, 0xa9, 0]);
        assert_eq!(Password::new("😀".as_bytes()).unwrap().bytes(), [0x3d, 0xd8, 0, 0xde]);
    }

    #[test]
    fn what_is_not_utf8_is_widened() {
        assert_eq!(Password::new(b"\xe9a").unwrap().bytes(), [0xe9, 0, b'a', 0]);
    }

    #[test]
    fn a_password_has_at_most_256_characters() {
        assert!(Password::new("é".repeat(256).as_bytes()).is_ok());
        assert_eq!(Password::new(&[b'a'; 257]).unwrap_err(), PasswordTooLong(257));
        assert_eq!(Password::new("😀".repeat(129).as_bytes()).unwrap_err(), PasswordTooLong(258));
        assert_eq!(Password::widened(&[0xff; 300]).unwrap_err(), PasswordTooLong(300));
    }

    #[test]
    fn a_password_does_not_print() {
        assert_eq!(format!("{:?}", Password::new(b"secret").unwrap()), "Password([redacted])");
    }
}
