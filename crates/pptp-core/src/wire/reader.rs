//! Takes fixed-size pieces from the front of a byte slice.

use super::error::WireError;

/// A position in a byte slice. Nothing is indexed: what is not there is an error.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len() }
    }

    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn take_slice(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.truncated(length));
        };
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn take_u16(&mut self) -> Result<u16, WireError> {
        self.take_array().map(u16::from_be_bytes)
    }

    pub(super) fn take_u32(&mut self) -> Result<u32, WireError> {
        self.take_array().map(u32::from_be_bytes)
    }

    /// Success only if every byte was taken.
    pub(super) fn finish(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(WireError::TrailingBytes(count)),
        }
    }

    fn truncated(&self, wanted: usize) -> WireError {
        let taken = self.total.saturating_sub(self.rest.len());
        WireError::Truncated { needed: taken.saturating_add(wanted), found: self.total }
    }
}
