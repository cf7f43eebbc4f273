//! Numbers, texts and lists in messages.

use std::time::Duration;

use super::VERSION;

/// Texts are cut to this many bytes.
const LONGEST_TEXT: usize = 1024;

/// A message that is being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn begin(kind: u8) -> Self {
        Self(vec![VERSION, kind])
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn array<const N: usize>(&mut self, value: [u8; N]) {
        self.0.extend(value);
    }

    /// In microseconds.
    pub(super) fn duration(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(length);
        self.0.extend(value.iter().take(usize::from(length)));
    }

    pub(super) fn text(&mut self, value: &str) {
        let mut length = value.len().min(LONGEST_TEXT);
        while !value.is_char_boundary(length) {
            length -= 1;
        }
        self.bytes(value.as_bytes().get(..length).unwrap_or_default());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A message that is being read; `None` from any method: too short.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The kind of a message of this version, and what follows.
    pub(super) fn open(message: &'a [u8]) -> Option<(u8, Self)> {
        let (&[version, kind], rest) = message.split_first_chunk()?;
        (version == VERSION).then_some((kind, Self(rest)))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*value)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn duration(&mut self) -> Option<Duration> {
        self.u64().map(Duration::from_micros)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    /// `value`, if nothing follows it.
    pub(super) fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
