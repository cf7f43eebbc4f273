//! The cipher, several at once.
//!
//! Each step of RC4 waits for the one before. Two ciphers whose steps take turns need hardly longer than one; more of them
//! gain nothing.

use core::fmt;

use zeroize::Zeroize;

/// Words, although the values are bytes: what was written as a word and is read as a word is there sooner.
type Table = [u32; 256];

const IDENTITY: Table = {
    let mut table = [0; 256];
    let mut value = 0;
    let mut rest: &mut [u32] = &mut table;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = value;
        value += 1;
        rest = others;
    }
    table
};

/// Bytes of the key stream that are collected before the text is read. A block begins where `i` is a multiple of it.
const BLOCK: usize = 8;

/// RC4 between two bytes of its key stream.
#[derive(Clone)]
pub(super) struct Rc4 {
    table: Table,
    i: u8,
    j: u8,
}

impl Rc4 {
    /// Tables without a key.
    pub(super) const BLANK: Self = Self { table: IDENTITY, i: 0, j: 0 };

    /// Tables of this key.
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let mut rc4 = Self::BLANK;
        schedule([(&mut rc4, key)]);
        rc4
    }

    /// Encrypts or decrypts what comes next.
    pub(super) fn apply(&mut self, text: &mut [u8]) {
        let (head, text) = text.split_at_mut(text.len().min(self.to_next_block()));
        self.apply_bytes(head);
        let mut blocks = text.chunks_exact_mut(BLOCK);
        apply_blocks(core::array::from_mut(self), blocks.by_ref().map(|block| [block]));
        self.apply_bytes(blocks.into_remainder());
    }

    /// Bytes of the key stream before the next block.
    fn to_next_block(&self) -> usize {
        usize::from(self.i.wrapping_neg()) % BLOCK
    }

    fn apply_bytes(&mut self, text: &mut [u8]) {
        for byte in text {
            self.i = self.i.wrapping_add(1);
            *byte ^= low(step(&mut self.table, self.i, &mut self.j));
        }
    }
}

/// Makes the tables of these keys.
#[expect(clippy::indexing_slicing, reason = "a byte is an index into 256 words, 4 bits into 16 bytes")]
pub(super) fn schedule<const N: usize>(mut ciphers: [(&mut Rc4, &[u8; 16]); N]) {
    for (rc4, _) in &mut ciphers {
        (rc4.table, rc4.i, rc4.j) = (IDENTITY, 0, 0);
    }
    let mut js = [0_u8; N];
    for row in (0..=u8::MAX).step_by(16) {
        for column in 0..16_u8 {
            let i = row | column;
            for ((rc4, key), j) in ciphers.iter_mut().zip(&mut js) {
                let at_i = rc4.table[usize::from(i)];
                *j = j.wrapping_add(low(at_i)).wrapping_add(key[usize::from(column)]);
                rc4.table[usize::from(i)] = rc4.table[usize::from(*j)];
                rc4.table[usize::from(*j)] = at_i;
            }
        }
    }
}

/// Encrypts or decrypts a text with each of two ciphers, in hardly longer than one takes if they are at the same byte of
/// their key streams, which is the first of a block.
pub(super) fn apply_both(ciphers: &mut [Rc4; 2], first: &mut [u8], second: &mut [u8]) {
    let [one, two] = ciphers;
    if one.i != two.i || one.to_next_block() != 0 {
        one.apply(first);
        return two.apply(second);
    }
    let common = first.len().min(second.len());
    let (first, rest_of_first) = first.split_at_mut(common - common % BLOCK);
    let (second, rest_of_second) = second.split_at_mut(common - common % BLOCK);
    let pairs = first.chunks_exact_mut(BLOCK).zip(second.chunks_exact_mut(BLOCK));
    apply_blocks(ciphers, pairs.map(|(first, second)| [first, second]));
    let [one, two] = ciphers;
    one.apply(rest_of_first);
    two.apply(rest_of_second);
}

/// Blocks for ciphers that begin a block. There is nothing else in the loop, not even a condition: all that it works with
/// fits into registers.
fn apply_blocks<'a, const N: usize>(ciphers: &mut [Rc4; N], blocks: impl Iterator<Item = [&'a mut [u8]; N]>) {
    let mut row = ciphers.first().map_or(0, |rc4| rc4.i);
    let mut js = ciphers.each_ref().map(|rc4| rc4.j);
    for texts in blocks {
        // The compiler has to know that only the last index of a block can wrap.
        row &= !7;
        let next = row.wrapping_add(8);
        let mut words = [0_u64; N];
        for i in [row | 1, row | 2, row | 3, row | 4, row | 5, row | 6, row | 7, next] {
            for ((rc4, j), word) in ciphers.iter_mut().zip(&mut js).zip(&mut words) {
                *word = *word << 8 | u64::from(step(&mut rc4.table, i, j));
            }
        }
        row = next;
        for (text, word) in texts.into_iter().zip(words) {
            let Some(text) = text.first_chunk_mut::<BLOCK>() else { continue };
            *text = (u64::from_be_bytes(*text) ^ word).to_be_bytes();
        }
    }
    for (rc4, j) in ciphers.iter_mut().zip(js) {
        (rc4.i, rc4.j) = (row, j);
    }
}

/// The next byte of the key stream.
#[expect(clippy::indexing_slicing, reason = "a byte is an index into 256 words")]
#[inline(always)]
fn step(table: &mut Table, i: u8, j: &mut u8) -> u32 {
    let at_i = table[usize::from(i)];
    *j = j.wrapping_add(low(at_i));
    let at_j = table[usize::from(*j)];
    table[usize::from(i)] = at_j;
    table[usize::from(*j)] = at_i;
    table[usize::from(low(at_i).wrapping_add(low(at_j)))]
}

/// The byte in a word of the table.
#[inline(always)]
const fn low(word: u32) -> u8 {
    let [low, ..] = word.to_le_bytes();
    low
}

impl Drop for Rc4 {
    fn drop(&mut self) {
        self.table.zeroize();
        self.i.zeroize();
        self.j.zeroize();
    }
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rc4([redacted])")
    }
}
