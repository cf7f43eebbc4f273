//! Passwords as MS-CHAP hashes them: 0 to 256 Unicode characters of two bytes each (RFC 2433 §6, RFC 2759 §4).

use core::{error, fmt};

use zeroize::Zeroizing;

/// The longest password, in units of 16 bits.
pub const MAX_PASSWORD_UNITS: usize = 256;

/// A password: UTF-16, least significant byte first. Not on the heap, where copies would be left behind.
pub struct Password {
    units: Zeroizing<[[u8; 2]; MAX_PASSWORD_UNITS]>,
    length: usize,
}

impl Password {
    /// Each byte as one character, as `pppd` takes them: that is Latin-1.
    pub fn new(typed: &[u8]) -> Result<Self, PasswordTooLong> {
        let length = typed.len();
        if length > MAX_PASSWORD_UNITS {
            return Err(PasswordTooLong(length));
        }
        let mut units = Zeroizing::new([[0; 2]; MAX_PASSWORD_UNITS]);
        units.iter_mut().zip(typed).for_each(|(to, byte)| *to = u16::from(*byte).to_le_bytes());
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
    fn each_byte_is_a_character() {
        assert_eq!(Password::new(b"MyPw").unwrap().bytes(), b"M\0y\0P\0w\0");
        assert!(Password::new(b"").unwrap().bytes().is_empty());
        assert_eq!(Password::new("é".as_bytes()).unwrap().bytes(), [0xc3, 0, 0xa9, 0]);
        assert_eq!(Password::new(b"\xe9a").unwrap().bytes(), [0xe9, 0, b'a', 0]);
    }

    #[test]
    fn a_password_has_at_most_256_characters() {
        assert!(Password::new("é".repeat(128).as_bytes()).is_ok());
        assert_eq!(Password::new(&[b'a'; 257]).unwrap_err(), PasswordTooLong(257));
        assert_eq!(Password::new(&[0xff; 300]).unwrap_err(), PasswordTooLong(300));
    }

    #[test]
    fn a_password_does_not_print() {
        assert_eq!(format!("{:?}", Password::new(b"secret").unwrap()), "Password([redacted])");
    }
}
