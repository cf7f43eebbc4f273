//! CCP packets: code, identifier, length, data (RFC 1661 §5, RFC 1962 §3).

pub(super) const CONFIGURE_REQUEST: u8 = 1;
pub(super) const CONFIGURE_ACK: u8 = 2;
pub(super) const CONFIGURE_NAK: u8 = 3;
pub(super) const CONFIGURE_REJECT: u8 = 4;
pub(super) const TERMINATE_REQUEST: u8 = 5;
pub(super) const TERMINATE_ACK: u8 = 6;
pub(super) const CODE_REJECT: u8 = 7;
pub(super) const RESET_REQUEST: u8 = 14;
pub(super) const RESET_ACK: u8 = 15;

/// The longest packet that is made; a Code-Reject is cut to it.
const MAX_LENGTH: u16 = 1400;
const HEADER_LENGTH: u16 = 4;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) code: u8,
    pub(super) identifier: u8,
    pub(super) data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet; bytes after its length are padding.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[code, identifier, high, low], rest) = bytes.split_first_chunk()?;
        let length = u16::from_be_bytes([high, low]).checked_sub(HEADER_LENGTH)?;
        Some(Self { code, identifier, data: rest.get(..length.into())? })
    }

    pub(super) fn emit(self) -> Vec<u8> {
        let room = MAX_LENGTH.saturating_sub(HEADER_LENGTH);
        let count = u16::try_from(self.data.len()).unwrap_or(u16::MAX).min(room);
        let [high, low] = count.saturating_add(HEADER_LENGTH).to_be_bytes();
        let mut bytes = vec![self.code, self.identifier, high, low];
        bytes.extend(self.data.iter().take(count.into()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 10] = [1, 7, 0, 10, 18, 6, 1, 0, 0, 0x40];

    #[test]
    fn golden_bytes_parse_and_are_emitted() {
        let packet = Packet { code: 1, identifier: 7, data: &GOLDEN[4..] };
        assert_eq!(Packet::parse(&GOLDEN), Some(packet));
        assert_eq!(packet.emit(), GOLDEN);
        let padded = [&GOLDEN[..], &[0xff]].concat();
        assert_eq!(Packet::parse(&padded), Some(packet));
    }

    #[test]
    fn every_truncation_fails() {
        for length in 0..GOLDEN.len() {
            assert_eq!(Packet::parse(&GOLDEN[..length]), None);
        }
        assert_eq!(Packet::parse(&[1, 7, 0, 3, 0]), None);
    }

    #[test]
    fn long_packets_are_cut() {
        let bytes = Packet { code: 7, identifier: 0, data: &vec![1; 70_000] }.emit();
        assert_eq!(bytes.len(), usize::from(MAX_LENGTH));
        assert!(Packet::parse(&bytes).is_some());
    }
}
