//! The 16-bit frame check sequence (RFC 1662 §C.2).

use crc::{CRC_16_IBM_SDLC, Crc, Table};

static FCS_16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_IBM_SDLC);

/// The FCS of a frame, as it follows the frame on the line.
pub(super) fn fcs(frame: &[u8]) -> [u8; 2] {
    FCS_16.checksum(frame).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, from the polynomial of §C.2.
    fn slowly(frame: &[u8]) -> [u8; 2] {
        let mut fcs = 0xffff_u16;
        for byte in frame {
            fcs ^= u16::from(*byte);
            for _ in 0..8 {
                fcs = (fcs >> 1) ^ if fcs & 1 == 0 { 0 } else { 0x8408 };
            }
        }
        (!fcs).to_le_bytes()
    }

    #[test]
    fn the_fcs_is_that_of_the_polynomial() {
        assert_eq!(fcs(b"123456789"), [0x6e, 0x90]);
        let bytes: Vec<_> = (0..=u8::MAX).cycle().take(1501).collect();
        for length in (0..40).chain([255, 1400, 1501]) {
            assert_eq!(fcs(&bytes[..length]), slowly(&bytes[..length]), "{length} bytes");
        }
    }
}
