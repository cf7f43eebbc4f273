//! The options of a Configure packet (RFC 1661 §6), and MPPE's value (RFC 3078 §2).

use crate::mppe::{Config, KeyLength, Mode, OPTION_LENGTH, OPTION_TYPE};

const STATELESS: u32 = 0x0100_0000;
const BITS_56: u32 = 0x80;
const BITS_128: u32 = 0x40;
const BITS_40: u32 = 0x20;

const fn bit(length: KeyLength) -> u32 {
    match length {
        KeyLength::Bits40 => BITS_40,
        KeyLength::Bits56 => BITS_56,
        KeyLength::Bits128 => BITS_128,
    }
}

/// Key lengths, at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyLengths(u32);

impl KeyLengths {
    /// 40, 56 and 128 bits.
    pub const ALL: Self = Self(BITS_40 | BITS_56 | BITS_128);

    /// One key length.
    pub const fn only(length: KeyLength) -> Self {
        Self(bit(length))
    }

    /// These key lengths; `None` if there are none.
    pub fn new(lengths: impl IntoIterator<Item = KeyLength>) -> Option<Self> {
        Self::from_bits(lengths.into_iter().fold(0, |bits, length| bits | bit(length)))
    }

    /// Whether this length is among them.
    pub const fn contains(self, length: KeyLength) -> bool {
        self.0 & bit(length) != 0
    }

    /// Those that are in both.
    pub const fn common(self, other: Self) -> Option<Self> {
        Self::from_bits(self.0 & other.0)
    }

    /// 128 before 56 before 40 (RFC 3078 §2.1).
    pub const fn strongest(self) -> KeyLength {
        if self.contains(KeyLength::Bits128) {
            KeyLength::Bits128
        } else if self.contains(KeyLength::Bits56) {
            KeyLength::Bits56
        } else {
            KeyLength::Bits40
        }
    }

    const fn from_bits(bits: u32) -> Option<Self> {
        match bits & Self::ALL.0 {
            0 => None,
            some => Some(Self(some)),
        }
    }
}

/// The Supported Bits of an MPPE option, whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits(u32);

impl Bits {
    pub(super) const fn new(lengths: KeyLengths, mode: Mode) -> Self {
        Self(match mode {
            Mode::Stateless => lengths.0 | STATELESS,
            Mode::Stateful => lengths.0,
        })
    }

    pub(super) const fn of(config: Config) -> Self {
        Self::new(KeyLengths::only(config.key_length), config.mode)
    }

    /// Those of the key lengths that are set here.
    pub(super) const fn among(self, lengths: KeyLengths) -> Option<KeyLengths> {
        KeyLengths::from_bits(self.0 & lengths.0)
    }

    pub(super) const fn mode(self) -> Mode {
        if self.0 & STATELESS == 0 { Mode::Stateful } else { Mode::Stateless }
    }

    /// One key length and nothing that MPPE does not know; else `None`.
    pub(super) fn config(self) -> Option<Config> {
        Config::from_option(&self.option()).ok()
    }

    pub(super) const fn option(self) -> [u8; 6] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [OPTION_TYPE, OPTION_LENGTH, a, b, c, d]
    }
}

/// The CCP option of one direction, as `PPPIOCSCOMPRESS` takes it.
pub const fn mppe_option(config: Config) -> [u8; 6] {
    Bits::of(config).option()
}

/// An option as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a>(&'a [u8]);

impl<'a> Received<'a> {
    /// With type and length.
    pub(super) const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The bits, if it is MPPE's and has its length.
    pub(super) fn mppe(self) -> Option<Bits> {
        let [OPTION_TYPE, OPTION_LENGTH, bits @ ..] = self.0 else {
            return None;
        };
        bits.try_into().ok().map(u32::from_be_bytes).map(Bits)
    }
}

/// The options of a Configure packet; `None` if their lengths are wrong.
pub(super) fn parse(mut data: &[u8]) -> Option<Vec<Received<'_>>> {
    let mut options = Vec::new();
    while let [_, length, ..] = data {
        let (option, rest) = data.split_at_checked(usize::from(*length).max(2))?;
        if *length < 2 {
            return None;
        }
        options.push(Received(option));
        data = rest;
    }
    data.is_empty().then_some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mppe(data: &[u8]) -> Vec<Option<Bits>> {
        parse(data).unwrap().into_iter().map(Received::mppe).collect()
    }

    #[test]
    fn options_parse() {
        assert_eq!(mppe(&[]), []);
        assert_eq!(mppe(&[18, 6, 1, 0, 0, 0x40]), [Some(Bits(0x0100_0040))]);
        assert_eq!(mppe(&[17, 5, 0, 1, 4, 18, 6, 1, 0, 0, 0xe1, 26, 2]), [None, Some(Bits(0x0100_00e1)), None]);
        assert_eq!(mppe(&[18, 5, 1, 0, 0, 18, 7, 1, 0, 0, 0, 0, 18, 2]), [None, None, None]);
    }

    #[test]
    fn wrong_lengths_fail() {
        let golden = [18, 6, 1, 0, 0, 0x40];
        for length in 1..golden.len() {
            assert!(parse(&golden[..length]).is_none());
        }
        for data in [&[18, 0][..], &[18, 1, 1], &[0], &[18, 6, 1, 0, 0, 0x40, 18]] {
            assert!(parse(data).is_none());
        }
    }

    #[test]
    fn bits_and_configs_are_the_same() {
        for key_length in [KeyLength::Bits40, KeyLength::Bits56, KeyLength::Bits128] {
            for mode in [Mode::Stateless, Mode::Stateful] {
                let config = Config { key_length, mode };
                assert_eq!(Bits::of(config).config(), Some(config));
                assert_eq!(Received(&Bits::of(config).option()).mppe(), Some(Bits::of(config)));
            }
        }
        let golden = Config { key_length: KeyLength::Bits128, mode: Mode::Stateless };
        assert_eq!(mppe_option(golden), [18, 6, 1, 0, 0, 0x40]);
    }

    #[test]
    fn what_is_not_one_combination_is_no_config() {
        for bits in [0, 0x0100_0000, 0x60, 0xe0, 0x41, 0x50, 0x4000_0040, 0x0200_0040] {
            assert_eq!(Bits(bits).config(), None);
        }
    }

    #[test]
    fn the_strongest_of_the_common_key_lengths() {
        let all = Bits(0x0100_00f1);
        assert_eq!(all.among(KeyLengths::ALL).unwrap().strongest(), KeyLength::Bits128);
        let weak = KeyLengths::new([KeyLength::Bits40, KeyLength::Bits56]).unwrap();
        assert_eq!(all.among(weak).unwrap().strongest(), KeyLength::Bits56);
        assert_eq!(Bits(0x40).among(weak), None);
        assert_eq!(KeyLengths::new([]), None);
    }
}
