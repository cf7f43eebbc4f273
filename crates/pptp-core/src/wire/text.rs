//! Text in a field of 64 bytes.

use core::fmt;

use super::message::Text64;

impl Text64 {
    /// The longest text, bytes: after it there is a zero for peers that read a string.
    pub const LONGEST: usize = 63;

    /// An empty field.
    pub const EMPTY: Self = Self([0; 64]);

    /// A field with as much of `text` as fits, cut between characters.
    pub fn new(text: &str) -> Self {
        let mut end = text.len().min(Self::LONGEST);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let mut field = [0; 64];
        for (to, from) in field.iter_mut().zip(text.bytes().take(end)) {
            *to = from;
        }
        Self(field)
    }

    /// The text up to the first NUL, safe to log on one line: what is not UTF-8 is replaced, and what is not printable is
    /// escaped (`\n`, `\u{1b}`), as is the backslash.
    pub fn text(&self) -> String {
        let bytes = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut text = String::with_capacity(bytes.len());
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '\'' | '"' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        text
    }
}

impl Default for Text64 {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Display for Text64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Text64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text64(\"{}\")", self.text())
    }
}
