//! Messages between processes of pptp-rs: a version, a kind, then numbers (big-endian), texts and lists with their length
//! before them. Each fits into one datagram of [`crate::seqpacket`].
//!
//! Nothing here interprets a message: who writes one and who reads it agree on what is in it.

use std::time::Duration;

use log::Level;

/// Texts are cut to this many bytes, between characters.
pub const LONGEST_TEXT: usize = 1024;

/// Bytes of a message that never move.
const IN_ONE_PLACE: usize = 128;

const LEVELS: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

/// A message that is being written.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A message of this kind, with nothing in it.
    ///
    /// What is written first stays in one place of memory, so that who writes a key can erase it.
    pub fn begin(version: u8, kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(IN_ONE_PLACE);
        bytes.extend([version, kind]);
        Self(bytes)
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) {
        self.0.extend(value.to_be_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    /// One byte.
    pub fn flag(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// So many bytes as both ends know.
    pub fn array<const N: usize>(&mut self, value: [u8; N]) {
        self.0.extend(value);
    }

    /// In microseconds.
    pub fn duration(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
    }

    /// One of a list that both ends know, of at most 255; nothing else can be read.
    pub fn choice<T: PartialEq>(&mut self, value: &T, list: &[T]) {
        self.u8(list.iter().zip(0..).find_map(|(one, place)| (one == value).then_some(place)).unwrap_or(u8::MAX));
    }

    /// How urgent a line for the log is.
    pub fn level(&mut self, value: Level) {
        self.choice(&value, &LEVELS);
    }

    /// Up to 65535 bytes, which are not cut between anything.
    pub fn bytes(&mut self, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(length);
        self.0.extend(value.iter().take(usize::from(length)));
    }

    /// Up to [`LONGEST_TEXT`] bytes.
    pub fn text(&mut self, value: &str) {
        let mut length = value.len().min(LONGEST_TEXT);
        while !value.is_char_boundary(length) {
            length -= 1;
        }
        self.bytes(value.as_bytes().get(..length).unwrap_or_default());
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A message that is being read; `None` from any method: there is no such thing in it.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The kind of a message of this version, and what follows.
    pub fn open(version: u8, message: &'a [u8]) -> Option<(u8, Self)> {
        let (&[its_version, kind], rest) = message.split_first_chunk()?;
        (its_version == version).then_some((kind, Self(rest)))
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// 0 or 1.
    pub fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// So many bytes as both ends know.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*value)
    }

    /// See [`Writer::duration`].
    pub fn duration(&mut self) -> Option<Duration> {
        self.u64().map(Duration::from_micros)
    }

    /// See [`Writer::choice`].
    pub fn choice<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(usize::from(self.u8()?)).copied()
    }

    /// See [`Writer::level`].
    pub fn level(&mut self) -> Option<Level> {
        self.choice(&LEVELS)
    }

    /// See [`Writer::bytes`].
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    /// See [`Writer::text`].
    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    /// `value`, if nothing follows it.
    pub fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Vec<u8> {
        let mut writer = Writer::begin(3, 9);
        writer.u8(1);
        writer.u16(0x0203);
        writer.u32(0x0405_0607);
        writer.u64(u64::MAX);
        writer.flag(true);
        writer.array([8; 3]);
        writer.duration(Duration::from_micros(1500));
        writer.level(Level::Debug);
        writer.bytes(&[]);
        writer.bytes(&[7; 300]);
        writer.text("möglich");
        writer.finish()
    }

    fn read_everything(message: &[u8]) -> Option<Vec<u8>> {
        let (kind, mut reader) = Reader::open(3, message)?;
        let mut writer = Writer::begin(3, kind);
        writer.u8(reader.u8()?);
        writer.u16(reader.u16()?);
        writer.u32(reader.u32()?);
        writer.u64(reader.u64()?);
        writer.flag(reader.flag()?);
        writer.array(reader.array::<3>()?);
        writer.duration(reader.duration()?);
        writer.level(reader.level()?);
        writer.bytes(reader.bytes()?);
        writer.bytes(reader.bytes()?);
        writer.text(&reader.text()?);
        reader.finish(writer.finish())
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read_everything(&everything()), Some(everything()));
        assert_eq!(everything()[..10], [3, 9, 1, 2, 3, 4, 5, 6, 7, 255]);
    }

    #[test]
    fn every_truncation_and_every_trailing_byte_is_refused() {
        let message = everything();
        for length in 0..message.len() {
            assert_eq!(read_everything(&message[..length]), None, "{length}");
        }
        assert_eq!(read_everything(&[&message[..], &[0]].concat()), None);
    }

    #[test]
    fn every_level_is_in_the_list() {
        assert!(Level::iter().eq(LEVELS));
    }

    #[test]
    fn another_version_is_refused() {
        assert!(Reader::open(2, &everything()).is_none());
        assert!(Reader::open(3, &[3]).is_none());
    }

    #[test]
    fn what_is_not_in_the_list_and_what_is_no_text_is_refused() {
        for code in [5, 255] {
            assert_eq!(Reader(&[code]).level(), None);
        }
        let mut writer = Writer::begin(0, 0);
        writer.choice(&'c', &['a', 'b']);
        assert_eq!(Reader(&writer.finish()[2..]).choice(&['a', 'b']), None);
        assert_eq!(Reader(&[0, 1, 0xff]).text(), None);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut writer = Writer::begin(0, 0);
        writer.text(&format!("x{}", "ä".repeat(LONGEST_TEXT)));
        writer.bytes(&[1; 70_000]);
        let message = writer.finish();
        let (_, mut reader) = Reader::open(0, &message).unwrap();
        assert_eq!(reader.text().unwrap(), format!("x{}", "ä".repeat(LONGEST_TEXT / 2 - 1)));
        assert_eq!(reader.bytes().unwrap().len(), 65_535);
        assert!(reader.finish(()).is_some());
    }
}
