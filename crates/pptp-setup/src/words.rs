//! Words as pppd's option parser reads them, in options files and in chap-secrets alike: how to write any bytes as one, and
//! what a file has.
//!
//! White space and `#` end a word, quotation marks keep them in it, a backslash begins an escape sequence as in C.

use zeroize::Zeroizing;

/// A word that pppd reads as exactly these bytes; none of them may be NUL.
///
/// What is not printable ASCII is written as an escape sequence, so that no editor changes it.
pub(crate) fn quote(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    // Enough for all of them, so that no part of a secret stays behind in memory that was too small.
    let mut word = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(4).saturating_add(2)));
    word.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => word.extend([b'\\', byte]),
            b' '..=b'~' => word.push(byte),
            _ => word.extend([b'\\', b'x', hexadecimal(byte >> 4), hexadecimal(byte & 0x0f)]),
        }
    }
    word.push(b'"');
    word
}

/// [`quote`] for what is no secret.
pub(crate) fn quote_text(text: &[u8]) -> String {
    String::from_utf8_lossy(&quote(text)).into_owned()
}

const fn hexadecimal(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

/// A word of a file.
#[derive(Debug)]
pub(crate) struct Word {
    /// Its bytes, which may be a secret.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Whether it is the first of its line.
    pub(crate) begins_line: bool,
}

/// The words of a file, in order.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    rest: &'a [u8],
    at_beginning: bool,
    quoted: Option<u8>,
}

impl<'a> Words<'a> {
    /// Those of this text.
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text, at_beginning: true, quoted: None }
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Goes to where a word begins; whether a line has ended on the way. `None`: there is no word any more.
    fn skip(&mut self) -> Option<bool> {
        let mut begins_line = std::mem::take(&mut self.at_beginning);
        loop {
            match (self.peek()?, self.rest.get(1)) {
                (b'\n', _) => begins_line = true,
                (b'\\', Some(b'\n')) => drop(self.take()),
                (b'#', _) => {
                    // The end of the line is the next to be looked at.
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.take();
                    }
                    continue;
                }
                (byte, _) if is_space(byte) => {}
                _ => return Some(begins_line),
            }
            self.take();
        }
    }

    /// What follows a backslash; `None`: the end of the line, which does not count.
    fn escaped(&mut self) -> Option<u8> {
        Some(match self.take()? {
            b'\n' => return None,
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b's' => b' ',
            b't' => b'\t',
            b'x' => self.number(2, 16, 0),
            digit @ b'0'..=b'7' => self.number(2, 8, digit - b'0'),
            other => other,
        })
    }

    /// At most so many digits more.
    fn number(&mut self, most: usize, base: u8, first: u8) -> u8 {
        let mut value = first;
        for _ in 0..most {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(base.into()));
            let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else { break };
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.take();
        }
        value
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let begins_line = self.skip()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.rest.len().min(LONGEST)));
        self.quoted = None;
        while let Some(byte) = self.peek() {
            if self.quoted.is_none() && (is_space(byte) || byte == b'#') {
                break;
            }
            self.take();
            let meant = match byte {
                b'\\' => self.escaped(),
                b'"' | b'\'' if self.quoted.is_none_or(|mark| mark == byte) => {
                    self.quoted = if self.quoted.is_none() { Some(byte) } else { None };
                    None
                }
                _ => Some(byte),
            };
            let has_room = bytes.len() < LONGEST;
            bytes.extend(meant.filter(|_| has_room));
        }
        Some(Word { bytes, begins_line })
    }
}

/// pppd cuts longer words, bytes.
const LONGEST: usize = 1023;

/// As isspace(3) in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &[u8]) -> Vec<(Vec<u8>, bool)> {
        Words::new(text).map(|word| (word.bytes.to_vec(), word.begins_line)).collect()
    }

    fn texts(text: &[u8]) -> Vec<String> {
        words(text).into_iter().map(|(bytes, _)| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn white_space_and_comments_part_words() {
        assert_eq!(texts(b" a\tb # c d\n\n#e\nf#g\n"), ["a", "b", "f"]);
        let begins: Vec<bool> = words(b"a b\n# c\n d e").into_iter().map(|(_, begins)| begins).collect();
        assert_eq!(begins, [true, false, true, false]);
    }

    #[test]
    fn quotation_marks_and_backslashes_keep_what_parts_words() {
        assert_eq!(texts(br##"'a "b' "c 'd" e\ f g"h"i \#j"##), ["a \"b", "c 'd", "e f", "ghi", "#j"]);
        assert_eq!(texts(b"\\n\\t\\s\\x41Z\\x4 \\1011 a\\\nb\\\n c"), ["\n\t AZ\u{4}", "A1", "ab", "c"]);
    }

    #[test]
    fn odd_bytes_are_escaped() {
        assert_eq!(quote_text(b"pass#wo rd"), "\"pass#wo rd\"");
        assert_eq!(quote_text("a\"b\\\té".as_bytes()), r#""a\"b\\\x09\xc3\xa9""#);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(all in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..60), 1..6)) {
            let mut line = Vec::new();
            for word in &all {
                line.extend_from_slice(&quote(word));
                line.push(b' ');
            }
            let read: Vec<Vec<u8>> = words(&line).into_iter().map(|(bytes, _)| bytes).collect();
            prop_assert_eq!(&read, &all);
            prop_assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = words(&text);
        }
    }
}
