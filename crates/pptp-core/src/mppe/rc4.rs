//! The cipher.

use core::fmt;

use zeroize::Zeroize;

/// RC4 between two bytes of its key stream.
#[derive(Clone)]
pub(super) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

#[expect(clippy::indexing_slicing, reason = "a byte is an index into 256 bytes")]
impl Rc4 {
    /// New tables. A shorter key is repeated to 16 bytes.
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let mut rc4 = Self { state: IDENTITY, i: 0, j: 0 };
        let mut j = 0_u8;
        for (i, key) in (0..=u8::MAX).zip(key.iter().cycle()) {
            let at_i = rc4.state[usize::from(i)];
            j = j.wrapping_add(at_i).wrapping_add(*key);
            rc4.state[usize::from(i)] = rc4.state[usize::from(j)];
            rc4.state[usize::from(j)] = at_i;
        }
        rc4
    }

    pub(super) fn apply(&mut self, text: &mut [u8]) {
        for byte in text {
            *byte ^= self.next();
        }
    }

    fn next(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        let at_i = self.state[usize::from(self.i)];
        self.j = self.j.wrapping_add(at_i);
        let at_j = self.state[usize::from(self.j)];
        self.state[usize::from(self.i)] = at_j;
        self.state[usize::from(self.j)] = at_i;
        self.state[usize::from(at_i.wrapping_add(at_j))]
    }
}

const IDENTITY: [u8; 256] = {
    let mut state = [0; 256];
    let mut value = u8::MAX;
    while value > 0 {
        #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "a byte is an index into 256 bytes")]
        {
            state[value as usize] = value;
        }
        value -= 1;
    }
    state
};

impl Drop for Rc4 {
    fn drop(&mut self) {
        self.state.zeroize();
        self.i.zeroize();
        self.j.zeroize();
    }
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rc4([redacted])")
    }
}
