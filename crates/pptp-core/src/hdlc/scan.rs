//! Finds the next byte that is not simply data.

use super::accm::Accm;
use super::{ESCAPE, FLAG};

/// Bytes that are looked at together. The comparisons of a block become vector instructions.
const BLOCK: usize = 32;

/// Bytes at the front of `bytes` before the first flag, escape or character of the map.
pub(super) fn plain(bytes: &[u8], accm: Accm) -> usize {
    if accm == Accm::NONE {
        return prefix(bytes, |byte| (byte == FLAG) | (byte == ESCAPE), |_| true);
    }
    let is_candidate = |byte| (byte == FLAG) | (byte == ESCAPE) | (byte < 0x20);
    prefix(bytes, is_candidate, |byte| byte >= 0x20 || accm.contains(byte))
}

/// Bytes at the front of `bytes` before the first flag.
pub(super) fn before_flag(bytes: &[u8]) -> usize {
    prefix(bytes, |byte| byte == FLAG, |_| true)
}

/// Bytes before the first that is a candidate, which is cheap to say for a block of them, and is really meant.
fn prefix(bytes: &[u8], is_candidate: impl Fn(u8) -> bool, is_meant: impl Fn(u8) -> bool) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        if block.iter().fold(false, |found, byte| found | is_candidate(*byte)) {
            if let Some(place) = block.iter().position(|byte| is_candidate(*byte) && is_meant(*byte)) {
                return bytes.len().saturating_sub(rest.len()).saturating_add(place);
            }
        }
        rest = after;
    }
    let place = rest.iter().position(|byte| is_candidate(*byte) && is_meant(*byte)).unwrap_or(rest.len());
    bytes.len().saturating_sub(rest.len()).saturating_add(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_found_wherever_it_is() {
        for accm in [Accm::NONE, Accm::ALL, Accm(0x000a_0000)] {
            for byte in 0..=u8::MAX {
                let is_special = byte == FLAG || byte == ESCAPE || accm.contains(byte);
                for place in (0..70).step_by(3) {
                    let mut bytes = [0x55; 70];
                    bytes[place] = byte;
                    let expected = if is_special { place } else { 70 };
                    assert_eq!(plain(&bytes, accm), expected, "{byte:#x} at {place}, {accm:?}");
                    assert_eq!(before_flag(&bytes), if byte == FLAG { place } else { 70 });
                }
            }
        }
    }

    #[test]
    fn the_first_of_several_is_found() {
        let bytes: Vec<_> = [[0x11; 40], [0x13; 40], [0x7e; 40]].concat();
        assert_eq!(plain(&bytes, Accm::NONE), 80);
        assert_eq!(plain(&bytes, Accm(1 << 0x13)), 40);
        assert_eq!(plain(&bytes, Accm::ALL), 0);
        assert_eq!(plain(&[], Accm::ALL), 0);
    }
}
