//! CCP options, header, protocols.

use super::super::header::Header;
use super::super::{Config, ConfigError, KeyLength, Mode, is_encrypted};

fn option(bits: u32) -> Vec<u8> {
    [&[18, 6][..], &bits.to_be_bytes()].concat()
}

#[test]
fn every_option_that_makes_sense_is_understood() {
    for (bits, key_length) in [(0x20, KeyLength::Bits40), (0x80, KeyLength::Bits56), (0x40, KeyLength::Bits128)] {
        let stateful = Config { key_length, mode: Mode::Stateful };
        assert_eq!(Config::from_option(&option(bits)), Ok(stateful));
        let stateless = Config { key_length, mode: Mode::Stateless };
        assert_eq!(Config::from_option(&option(0x0100_0000 | bits)), Ok(stateless));
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    for (bits, error) in [
        (0x0100_0060, ConfigError::SeveralKeyLengths(0x60)),
        (0x0000_00e0, ConfigError::SeveralKeyLengths(0xe0)),
        (0x0100_0000, ConfigError::NoKeyLength(0)),
        (0x0100_0010, ConfigError::NoKeyLength(0x10)),
        (0x0100_0050, ConfigError::NoKeyLength(0x50)),
        (0x0100_0041, ConfigError::Compression),
        (0x0000_0001, ConfigError::Compression),
        (0x0100_0042, ConfigError::UnknownBits(0x42)),
        (0x0200_0040, ConfigError::UnknownBits(0x0200_0040)),
    ] {
        assert_eq!(Config::from_option(&option(bits)), Err(error), "{bits:08x}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn another_option_or_another_length_is_refused() {
    let good = option(0x0100_0040);
    for length in 0..good.len() {
        assert_eq!(Config::from_option(&good[..length]), Err(ConfigError::NotMppe));
    }
    assert_eq!(Config::from_option(&[&good[..], &[0]].concat()), Err(ConfigError::NotMppe));
    assert_eq!(Config::from_option(&[21, 6, 1, 0, 0, 0x40]), Err(ConfigError::NotMppe));
    assert_eq!(Config::from_option(&[18, 5, 1, 0, 0, 0x40]), Err(ConfigError::NotMppe));
}

#[test]
fn every_header_is_the_same_after_a_round_but_for_bits_b_and_c() {
    for bits in 0..=u16::MAX {
        let header = Header::parse(bits.to_be_bytes());
        assert_eq!(u16::from_be_bytes(header.emit()), bits & 0x9fff);
    }
}

#[test]
fn network_protocols_are_encrypted_and_control_protocols_are_not() {
    assert!([0x0021, 0x0057, 0x002d, 0x00fa].into_iter().all(is_encrypted));
    assert!(![0x0001, 0x001f, 0x00fb, 0x00fd, 0x8021, 0x80fd, 0xc021].into_iter().any(is_encrypted));
}
