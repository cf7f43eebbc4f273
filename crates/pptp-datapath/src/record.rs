//! Named values as a line of text: `name=value` words with blanks between them. What is not known has no field. In values,
//! blanks and all but ASCII's visible characters are written as `%XX`, byte by byte, and so is `%`.

use core::fmt;

/// Fields of one thing, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(pub Vec<(String, String)>);

impl Record {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same, of what may not be known.
    #[must_use]
    pub fn with_known(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Reads what [`Record`] displays. `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let field = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), decode(value)?))
        };
        text.split_ascii_whitespace().map(field).collect::<Option<_>>().map(Self)
    }
}

/// The fields, each with a blank before it.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| write!(f, " {name}={}", encode(value)))
    }
}

/// A value or a word as it is written.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |written, byte| match byte {
        b'%' => written + "%25",
        _ if byte.is_ascii_graphic() => written + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => written + &format!("%{byte:02X}"),
    })
}

/// The opposite; `None`: it was not written so.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let (digits, rest) =
            part.split_at_checked(2).filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).ok()
}
