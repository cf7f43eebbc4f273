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

/// Bytes of the key stream that are collected before the text is read.
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
        apply(core::array::from_mut(self), [text]);
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

/// Encrypts or decrypts a text with each cipher. The ciphers have done the same number of bytes.
pub(super) fn apply<const N: usize>(ciphers: &mut [Rc4; N], texts: [&mut [u8]; N]) {
    let common = texts.iter().map(|text| text.len()).min().unwrap_or(0);
    let mut texts = texts.map(|text| text.split_at_mut(common - common % BLOCK));
    apply_blocks(ciphers, texts.each_mut().map(|(blocks, _)| &mut **blocks));
    for (rc4, (_, rest)) in ciphers.iter_mut().zip(texts) {
        let mut blocks = rest.chunks_exact_mut(BLOCK);
        for block in &mut blocks {
            apply_blocks(core::array::from_mut(rc4), [block]);
        }
        for byte in blocks.into_remainder() {
            rc4.i = rc4.i.wrapping_add(1);
            *byte ^= low(step(&mut rc4.table, rc4.i, &mut rc4.j));
        }
    }
}

/// Texts of the same length, in whole blocks.
fn apply_blocks<const N: usize>(ciphers: &mut [Rc4; N], texts: [&mut [u8]; N]) {
    let mut i = ciphers.first().map_or(0, |rc4| rc4.i);
    let mut js = ciphers.each_ref().map(|rc4| rc4.j);
    let count = texts.first().map_or(0, |text| text.len() / BLOCK);
    let mut blocks = texts.map(|text| text.chunks_exact_mut(BLOCK));
    for _ in 0..count {
        let mut words = [0_u64; N];
        for shift in [0, 8, 16, 24, 32, 40, 48, 56] {
            i = i.wrapping_add(1);
            for ((rc4, j), word) in ciphers.iter_mut().zip(&mut js).zip(&mut words) {
                *word |= u64::from(step(&mut rc4.table, i, j)) << shift;
            }
        }
        for (block, word) in blocks.iter_mut().filter_map(Iterator::next).zip(words) {
            block.iter_mut().zip(word.to_le_bytes()).for_each(|(byte, key)| *byte ^= key);
        }
    }
    for (rc4, j) in ciphers.iter_mut().zip(js) {
        (rc4.i, rc4.j) = (i, j);
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
