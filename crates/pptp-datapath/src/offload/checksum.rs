//! The Internet checksum (RFC 1071).

/// A ones' complement sum that has not been folded yet, of 16-bit words in the order in which they lie in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// The sum with `bytes` added. Only the last bytes of a packet may be odd in number.
    pub(super) fn add(self, bytes: &[u8]) -> Self {
        let blocks = bytes.chunks_exact(BLOCK);
        let words = blocks.remainder().chunks_exact(4);
        let last = padded(words.remainder());
        let rest = words.map(padded).fold(self.0 + last, |sum, word| sum + word);
        Self(rest + reduced(sum_of(blocks)))
    }

    /// The sum with one word added.
    pub(super) fn add_word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word.to_be()))
    }

    /// The sum as a word: 0xffff over data that includes its own right checksum.
    pub(super) fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::from_be(u16::try_from(sum).unwrap_or(u16::MAX))
    }

    /// What belongs into the checksum's place.
    pub(super) fn checksum(self) -> u16 {
        !self.fold()
    }
}

/// Bytes that are added in one step: four words of 64 bits, each to a sum of its own, because a processor adds them all at the
/// same time.
const BLOCK: usize = 32;

fn sum_of<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> u128 {
    let mut sums = [0_u128; BLOCK / 8];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block.chunks_exact(8)) {
            let word = word.first_chunk().map_or(0, |&word| u64::from_ne_bytes(word));
            *sum += u128::from(word);
        }
    }
    sums.iter().sum()
}

/// The same ones' complement sum of 16-bit words, in fewer bits.
fn reduced(sum: u128) -> u64 {
    let low = |sum: u128| u64::try_from(sum & 0xffff_ffff).unwrap_or(0);
    low(sum) + low(sum >> 32) + low(sum >> 64)
}

/// At most four bytes as they would lie in memory with zeros behind them.
fn padded(bytes: &[u8]) -> u64 {
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_ne_bytes(word).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: 16-bit words, most significant byte first, carries added back.
    fn plain(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
        let sum = words.fold(0, |sum, word| {
            let sum: u32 = sum + word;
            (sum & 0xffff) + (sum >> 16)
        });
        u16::try_from(sum).unwrap()
    }

    #[test]
    fn the_example_of_rfc_1071_comes_out() {
        assert_eq!(Sum::default().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]).fold(), 0xddf2);
    }

    proptest! {
        #[test]
        fn any_bytes_sum_as_the_definition_says(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(Sum::default().add(&bytes).fold(), plain(&bytes));
        }

        #[test]
        fn a_sum_can_be_made_in_even_parts(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..150usize) {
            let (head, tail) = bytes.split_at((cut * 2).min(bytes.len() / 2 * 2));
            let word = u16::from_be_bytes([0x12, 0x34]);
            let parts = Sum::default().add(head).add_word(word).add(tail).fold();
            let whole = [head, &[0x12, 0x34], tail].concat();
            prop_assert_eq!(parts, plain(&whole));
        }
    }
}
