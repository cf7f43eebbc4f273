//! A control message as bytes: building it field by field, describing it, and finding what RFC 2637 §2 forbids in it.

use crate::layout::{Field, HEADER, Layout, MAGIC, Rule, by_code};

/// The longest message is 220 octets; anything that claims more than this is not PPTP.
const LONGEST: usize = 220;
const HEADER_LENGTH: usize = 12;

/// A control message, correct or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// All octets, the header included.
    pub bytes: Vec<u8>,
}

/// What [`take`] found at the start of a TCP stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Not enough octets yet.
    Nothing,
    /// A message of the length that it claims.
    Message(Message),
    /// The stream cannot be divided into messages: why.
    Broken(String),
}

/// Takes the first message off the front of `stream`.
pub fn take(stream: &mut Vec<u8>) -> Taken {
    let Some(length) = stream.first_chunk::<2>().map(|b| usize::from(u16::from_be_bytes(*b))) else {
        return Taken::Nothing;
    };
    if !(HEADER_LENGTH..=LONGEST).contains(&length) {
        return Taken::Broken(format!("length {length}"));
    }
    if stream.len() < length {
        return Taken::Nothing;
    }
    Taken::Message(Message { bytes: stream.drain(..length).collect() })
}

impl Message {
    /// A message with a correct header and zeros after it.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let mut message = Self { bytes: vec![0; layout.length] };
        message.set("length", u32::try_from(layout.length).unwrap_or(0));
        message.set("type", 1);
        message.set("magic", MAGIC);
        message.set("code", u32::from(layout.code));
        message
    }

    /// The layout that the message's type asks for.
    #[must_use]
    pub fn layout(&self) -> Option<&'static Layout> {
        let code = HEADER.iter().find(|field| field.name == "code")?;
        by_code(u16::try_from(number(&self.bytes, code)?).ok()?)
    }

    /// Writes the low octets of `value` into a number field; false when the message has no such number.
    pub fn set(&mut self, name: &str, value: u32) -> bool {
        self.field(name).is_some_and(|field| self.write(field, value))
    }

    /// As [`Self::set`], for a field that the caller looked up: works after the type was overwritten, too.
    pub fn write(&mut self, field: &Field, value: u32) -> bool {
        let octets = value.to_be_bytes();
        let value = octets.get(4_usize.wrapping_sub(field.size)..);
        let (Some(place), Some(value)) = (self.bytes.get_mut(field.offset..field.offset + field.size), value) else {
            return false;
        };
        place.copy_from_slice(value);
        true
    }

    /// Writes a text field, NUL-padded and cut to its size; false when the message has no such text.
    pub fn set_text(&mut self, name: &str, text: &str) -> bool {
        let Some(field) = self.field(name) else { return false };
        let Some(place) = self.bytes.get_mut(field.offset..field.offset + field.size) else { return false };
        for (place, octet) in place.iter_mut().zip(text.bytes()) {
            *place = octet;
        }
        true
    }

    /// The value of a number field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<u32> {
        number(&self.bytes, self.field(name)?)
    }

    /// Name and fields on one line; text fields only when they are not empty.
    #[must_use]
    pub fn describe(&self) -> String {
        let Some(layout) = self.layout() else {
            return format!("Unknown-Message code={} octets={}", self.value("code").unwrap_or(0), self.bytes.len());
        };
        let mut line = layout.name.to_string();
        for field in layout.fields {
            let shown = match field.rule {
                Rule::Text => text(&self.bytes, field).filter(|text| !text.is_empty()),
                Rule::Zero => number(&self.bytes, field).filter(|value| *value != 0).map(|value| value.to_string()),
                _ => number(&self.bytes, field).map(|value| value.to_string()),
            };
            if let Some(shown) = shown {
                line.push_str(&format!(" {}={shown}", field.name));
            }
        }
        line
    }

    /// Everything in the message that RFC 2637 forbids its sender, one sentence each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = HEADER.iter().filter_map(|field| fault(&self.bytes, field)).collect();
        let Some(layout) = self.layout() else { return faults };
        if self.bytes.len() != layout.length {
            faults.push(format!("length is {}, must be {}", self.bytes.len(), layout.length));
        }
        // A reply that refuses has no call id and no window to give.
        let refuses = matches!(layout.short, "ocrp" | "icrp") && self.value("result") != Some(1);
        let fields = layout.fields.iter().filter(|field| !(refuses && field.rule == Rule::NonZero));
        faults.extend(fields.filter_map(|field| fault(&self.bytes, field)));
        faults.extend(self.disagreements());
        faults
    }

    /// Fields that contradict each other.
    fn disagreements(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (Some(minimum), Some(maximum)) = (self.value("minbps"), self.value("maxbps")) else { return faults };
        if minimum > maximum {
            faults.push(format!("minbps {minimum} is above maxbps {maximum}"));
        }
        let (Some(length), Some(field)) = (self.value("phonelength"), self.field("phone")) else { return faults };
        let real = text(&self.bytes, field).map_or(0, |text| text.len());
        if usize::try_from(length) != Ok(real) {
            faults.push(format!("phonelength is {length}, the number has {real} octets"));
        }
        faults
    }

    fn field(&self, name: &str) -> Option<&'static Field> {
        let header = HEADER.iter().find(|field| field.name == name);
        header.or_else(|| self.layout()?.field(name))
    }
}

fn octets<'a>(bytes: &'a [u8], field: &Field) -> Option<&'a [u8]> {
    bytes.get(field.offset..field.offset + field.size)
}

fn number(bytes: &[u8], field: &Field) -> Option<u32> {
    let octets = octets(bytes, field).filter(|octets| octets.len() <= 4)?;
    Some(octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
}

/// The text before the first NUL octet, made printable.
fn text(bytes: &[u8], field: &Field) -> Option<String> {
    let octets = octets(bytes, field)?;
    let text = octets.split(|octet| *octet == 0).next()?;
    Some(text.escape_ascii().to_string().replace(' ', "\\x20"))
}

fn fault(bytes: &[u8], field: &Field) -> Option<String> {
    if field.rule == Rule::Text {
        return text_fault(octets(bytes, field)?).map(|what| format!("{} {what}", field.name));
    }
    let value = number(bytes, field)?;
    let allowed = match field.rule {
        Rule::Any | Rule::Text => return None,
        Rule::Zero => (value == 0, "0".to_string()),
        Rule::NonZero => (value != 0, "anything but 0".to_string()),
        Rule::Is(only) => (value == only, format!("{only:#x}")),
        Rule::Bits(mask) => (value & mask != 0 && value & !mask == 0, format!("bits of {mask:#x}")),
        Rule::Within(low, high) => ((low..=high).contains(&value), format!("{low} to {high}")),
    };
    (!allowed.0).then(|| format!("{} is {value:#x}, must be {}", field.name, allowed.1))
}

fn text_fault(octets: &[u8]) -> Option<&'static str> {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    let (text, padding) = octets.split_at(end);
    if padding.iter().any(|octet| *octet != 0) {
        return Some("has octets after its NUL");
    }
    (!text.iter().all(|octet| (0x20..0x7f).contains(octet))).then_some("is not printable ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::by_short;

    fn request() -> Message {
        let mut message = Message::new(by_short("ocrq").unwrap());
        for (name, value) in
            [("id", 7), ("minbps", 300), ("maxbps", 400), ("bearer", 3), ("framing", 3), ("window", 50)]
        {
            assert!(message.set(name, value));
        }
        message
    }

    #[test]
    fn a_call_request_is_the_bytes_of_the_rfc() {
        let bytes = request().bytes;
        assert_eq!(bytes.len(), 168);
        assert_eq!(bytes[..16], [0, 168, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 7, 0, 0, 0, 7, 0, 0]);
        assert_eq!(bytes[16..24], [0, 0, 1, 0x2c, 0, 0, 1, 0x90]);
        assert_eq!(bytes[32..34], [0, 50]);
    }

    #[test]
    fn a_correct_message_has_no_faults() {
        assert_eq!(request().faults(), Vec::<String>::new());
    }

    #[test]
    fn each_forbidden_value_is_named() {
        for (name, value, fault) in [
            ("magic", 1, "magic is 0x1, must be 0x1a2b3c4d"),
            ("type", 2, "type is 0x2, must be 0x1"),
            ("reserved0", 9, "reserved0 is 0x9, must be 0"),
            ("reserved1", 1, "reserved1 is 0x1, must be 0"),
            ("id", 0, "id is 0x0, must be anything but 0"),
            ("framing", 4, "framing is 0x4, must be bits of 0x3"),
            ("maxbps", 1, "minbps 300 is above maxbps 1"),
            ("phonelength", 3, "phonelength is 3, the number has 0 octets"),
        ] {
            let mut message = request();
            assert!(message.set(name, value));
            assert_eq!(message.faults(), [fault]);
        }
    }

    #[test]
    fn a_reply_that_refuses_needs_no_call_id() {
        let mut message = Message::new(by_short("icrp").unwrap());
        message.set("peer", 3);
        message.set("result", 3);
        assert_eq!(message.faults(), Vec::<String>::new());
        message.set("result", 1);
        assert_eq!(message.faults().len(), 2);
    }

    #[test]
    fn stale_octets_after_a_text_are_a_fault() {
        let mut message = request();
        message.set_text("subaddress", "a");
        message.bytes[160] = 1;
        assert_eq!(message.faults(), ["subaddress has octets after its NUL"]);
    }

    #[test]
    fn a_wrong_length_for_the_type_is_a_fault() {
        let mut message = request();
        message.bytes.pop();
        assert!(message.faults().contains(&"length is 167, must be 168".to_string()));
    }

    #[test]
    fn a_stream_is_divided_wherever_it_was_cut() {
        let mut stream = Vec::new();
        let mut found = Vec::new();
        for octet in [request().bytes, request().bytes].concat() {
            stream.push(octet);
            match take(&mut stream) {
                Taken::Message(message) => found.push(message),
                other => assert_eq!(other, Taken::Nothing),
            }
        }
        assert_eq!(found, [request(), request()]);
    }

    #[test]
    fn a_length_no_message_has_breaks_the_stream() {
        assert_eq!(take(&mut vec![0xff, 0xff]), Taken::Broken("length 65535".to_string()));
        assert_eq!(take(&mut vec![0, 3]), Taken::Broken("length 3".to_string()));
    }

    #[test]
    fn a_description_names_the_fields() {
        let line = request().describe();
        assert!(line.starts_with("Outgoing-Call-Request id=7 serial=0 minbps=300 maxbps=400"), "{line}");
        assert!(!line.contains("reserved"), "{line}");
    }
}
