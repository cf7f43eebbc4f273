//! What CCP negotiated: the MPPE option (RFC 3078 §2).

use core::{error, fmt};

/// The type of the CCP option.
pub const OPTION_TYPE: u8 = 18;
/// Bytes of the CCP option: type, length and four octets of supported bits.
pub const OPTION_LENGTH: u8 = 6;

const STATELESS: u32 = 0x0100_0000;
const BITS_56: u32 = 0x80;
const BITS_128: u32 = 0x40;
const BITS_40: u32 = 0x20;
/// Obsolete encryption.
const OBSOLETE: u32 = 0x10;
/// MPPC compression.
const COMPRESSION: u32 = 0x01;

/// The strength of the session keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyLength {
    /// 40 bits: keys of 8 bytes, three of them constant.
    Bits40,
    /// 56 bits: keys of 8 bytes, one of them constant.
    Bits56,
    /// 128 bits: keys of 16 bytes.
    Bits128,
}

impl KeyLength {
    /// Bytes of a session key.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bits40 | Self::Bits56 => 8,
            Self::Bits128 => 16,
        }
    }

    /// The constant first bytes of a session key (RFC 3078 §7.3).
    pub(super) const fn salt(self) -> &'static [u8] {
        match self {
            Self::Bits40 => &[0xd1, 0x26, 0x9e],
            Self::Bits56 => &[0xd1],
            Self::Bits128 => &[],
        }
    }
}

/// How often the key changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// With every packet; each can be decrypted on its own (§7.1).
    Stateless,
    /// With every 256th packet; a lost packet costs a round trip (§7.2).
    Stateful,
}

/// The parameters of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The strength of the session keys.
    pub key_length: KeyLength,
    /// How often the key changes.
    pub mode: Mode,
}

impl Config {
    /// Reads the CCP option that was agreed on, from its type on, as pppd hands it over (`PPPIOCSCOMPRESS`).
    ///
    /// # Errors
    ///
    /// When it is not one MPPE option, or not exactly one key length was agreed on.
    pub fn from_option(option: &[u8]) -> Result<Self, ConfigError> {
        let [OPTION_TYPE, OPTION_LENGTH, bits @ ..] = option else {
            return Err(ConfigError::NotMppe);
        };
        let bits: [u8; 4] = bits.try_into().map_err(|_| ConfigError::NotMppe)?;
        let bits = u32::from_be_bytes(bits);
        let mode = if bits & STATELESS == 0 { Mode::Stateful } else { Mode::Stateless };
        let key_length = match bits & !STATELESS {
            BITS_40 => KeyLength::Bits40,
            BITS_56 => KeyLength::Bits56,
            BITS_128 => KeyLength::Bits128,
            other => return Err(ConfigError::of(other)),
        };
        Ok(Self { key_length, mode })
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = match self.key_length {
            KeyLength::Bits40 => 40,
            KeyLength::Bits56 => 56,
            KeyLength::Bits128 => 128,
        };
        let mode = match self.mode {
            Mode::Stateless => "stateless",
            Mode::Stateful => "stateful",
        };
        write!(f, "MPPE {bits}-bit {mode}")
    }
}

/// Why an option cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigError {
    /// Not one MPPE option of 6 bytes.
    NotMppe,
    /// MPPC compression was asked for.
    Compression,
    /// No key length, or an obsolete one: the supported bits.
    NoKeyLength(u32),
    /// Several key lengths: the supported bits.
    SeveralKeyLengths(u32),
    /// Bits that RFC 3078 does not know: the supported bits.
    UnknownBits(u32),
}

impl ConfigError {
    /// What is wrong with bits that are not one key length.
    const fn of(bits: u32) -> Self {
        let lengths = bits & (BITS_40 | BITS_56 | BITS_128);
        if bits & !(BITS_40 | BITS_56 | BITS_128 | OBSOLETE | COMPRESSION) != 0 {
            Self::UnknownBits(bits)
        } else if bits & COMPRESSION != 0 {
            Self::Compression
        } else if lengths.count_ones() > 1 {
            Self::SeveralKeyLengths(bits)
        } else {
            Self::NoKeyLength(bits)
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMppe => write!(f, "not an mppe option of 6 bytes"),
            Self::Compression => write!(f, "mppc compression is not possible"),
            Self::NoKeyLength(bits) => write!(f, "no key length in mppe bits 0x{bits:08x}"),
            Self::SeveralKeyLengths(bits) => write!(f, "several key lengths in mppe bits 0x{bits:08x}"),
            Self::UnknownBits(bits) => write!(f, "unknown mppe bits 0x{bits:08x}"),
        }
    }
}

impl error::Error for ConfigError {}
