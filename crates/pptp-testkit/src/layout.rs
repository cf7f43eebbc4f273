//! Where each field of the 15 control messages lies (RFC 2637 §2.1–§2.15), as tables.

/// What a correct sender may put into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Every value is allowed.
    Any,
    /// Reserved: "MUST be 0".
    Zero,
    /// Any value but 0.
    NonZero,
    /// Exactly this value.
    Is(u32),
    /// At least one bit of the mask, and none outside it.
    Bits(u32),
    /// From the first to the second value, both included.
    Within(u32, u32),
    /// Text: after the first NUL byte only NUL bytes, and printable ASCII before it.
    Text,
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name, as scripts and the journal write it.
    pub name: &'static str,
    /// Offset in octets from the start of the message.
    pub offset: usize,
    /// Size in octets: 1, 2 or 4 for numbers, 64 for text.
    pub size: usize,
    /// What is allowed here.
    pub rule: Rule,
}

/// One type of control message.
#[derive(Debug)]
pub struct Layout {
    /// Control message type.
    pub code: u16,
    /// Short name for scripts.
    pub short: &'static str,
    /// Name in RFC 2637.
    pub name: &'static str,
    /// Length in octets of the whole message.
    pub length: usize,
    /// The fields after the 12 octets that all messages share.
    pub fields: &'static [Field],
}

/// The magic cookie (RFC 2637 §1.4).
pub const MAGIC: u32 = 0x1A2B_3C4D;

/// Octets that every message starts with.
pub const HEADER: &[Field] = &[
    f("length", 0, 2, Rule::Any),
    f("type", 2, 2, Rule::Is(1)),
    f("magic", 4, 4, Rule::Is(MAGIC)),
    f("code", 8, 2, Rule::Within(1, 15)),
    f("reserved0", 10, 2, Rule::Zero),
];

const fn f(name: &'static str, offset: usize, size: usize, rule: Rule) -> Field {
    Field { name, offset, size, rule }
}

/// The 15 messages, in the order of their codes.
pub const LAYOUTS: &[Layout] = &[
    Layout {
        code: 1,
        short: "sccrq",
        name: "Start-Control-Connection-Request",
        length: 156,
        fields: &[
            f("version", 12, 2, Rule::Is(0x0100)),
            f("reserved1", 14, 2, Rule::Zero),
            f("framing", 16, 4, Rule::Bits(3)),
            f("bearer", 20, 4, Rule::Bits(3)),
            f("channels", 24, 2, Rule::Any),
            f("firmware", 26, 2, Rule::Any),
            f("host", 28, 64, Rule::Text),
            f("vendor", 92, 64, Rule::Text),
        ],
    },
    Layout {
        code: 2,
        short: "sccrp",
        name: "Start-Control-Connection-Reply",
        length: 156,
        fields: &[
            f("version", 12, 2, Rule::Is(0x0100)),
            f("result", 14, 1, Rule::Within(1, 5)),
            f("error", 15, 1, Rule::Any),
            f("framing", 16, 4, Rule::Bits(3)),
            f("bearer", 20, 4, Rule::Bits(3)),
            f("channels", 24, 2, Rule::Any),
            f("firmware", 26, 2, Rule::Any),
            f("host", 28, 64, Rule::Text),
            f("vendor", 92, 64, Rule::Text),
        ],
    },
    Layout {
        code: 3,
        short: "stop",
        name: "Stop-Control-Connection-Request",
        length: 16,
        fields: &[
            f("reason", 12, 1, Rule::Within(1, 3)),
            f("reserved1", 13, 1, Rule::Zero),
            f("reserved2", 14, 2, Rule::Zero),
        ],
    },
    Layout {
        code: 4,
        short: "stop-reply",
        name: "Stop-Control-Connection-Reply",
        length: 16,
        fields: &[
            f("result", 12, 1, Rule::Within(1, 2)),
            f("error", 13, 1, Rule::Any),
            f("reserved1", 14, 2, Rule::Zero),
        ],
    },
    Layout { code: 5, short: "echo", name: "Echo-Request", length: 16, fields: &[f("identifier", 12, 4, Rule::Any)] },
    Layout {
        code: 6,
        short: "echo-reply",
        name: "Echo-Reply",
        length: 20,
        fields: &[
            f("identifier", 12, 4, Rule::Any),
            f("result", 16, 1, Rule::Within(1, 2)),
            f("error", 17, 1, Rule::Any),
            f("reserved1", 18, 2, Rule::Zero),
        ],
    },
    Layout {
        code: 7,
        short: "ocrq",
        name: "Outgoing-Call-Request",
        length: 168,
        fields: &[
            f("id", 12, 2, Rule::NonZero),
            f("serial", 14, 2, Rule::Any),
            f("minbps", 16, 4, Rule::Any),
            f("maxbps", 20, 4, Rule::Any),
            f("bearer", 24, 4, Rule::Bits(3)),
            f("framing", 28, 4, Rule::Bits(3)),
            f("window", 32, 2, Rule::NonZero),
            f("delay", 34, 2, Rule::Any),
            f("phonelength", 36, 2, Rule::Within(0, 64)),
            f("reserved1", 38, 2, Rule::Zero),
            f("phone", 40, 64, Rule::Text),
            f("subaddress", 104, 64, Rule::Text),
        ],
    },
    Layout {
        code: 8,
        short: "ocrp",
        name: "Outgoing-Call-Reply",
        length: 32,
        fields: &[
            f("id", 12, 2, Rule::NonZero),
            f("peer", 14, 2, Rule::NonZero),
            f("result", 16, 1, Rule::Within(1, 7)),
            f("error", 17, 1, Rule::Any),
            f("cause", 18, 2, Rule::Any),
            f("speed", 20, 4, Rule::Any),
            f("window", 24, 2, Rule::NonZero),
            f("delay", 26, 2, Rule::Any),
            f("channel", 28, 4, Rule::Any),
        ],
    },
    Layout {
        code: 9,
        short: "icrq",
        name: "Incoming-Call-Request",
        length: 220,
        fields: &[
            f("id", 12, 2, Rule::NonZero),
            f("serial", 14, 2, Rule::Any),
            f("bearer", 16, 4, Rule::Bits(3)),
            f("channel", 20, 4, Rule::Any),
            f("dialedlength", 24, 2, Rule::Within(0, 64)),
            f("dialinglength", 26, 2, Rule::Within(0, 64)),
            f("dialed", 28, 64, Rule::Text),
            f("dialing", 92, 64, Rule::Text),
            f("subaddress", 156, 64, Rule::Text),
        ],
    },
    Layout {
        code: 10,
        short: "icrp",
        name: "Incoming-Call-Reply",
        length: 24,
        fields: &[
            f("id", 12, 2, Rule::NonZero),
            f("peer", 14, 2, Rule::NonZero),
            f("result", 16, 1, Rule::Within(1, 3)),
            f("error", 17, 1, Rule::Any),
            f("window", 18, 2, Rule::NonZero),
            f("delay", 20, 2, Rule::Any),
            f("reserved1", 22, 2, Rule::Zero),
        ],
    },
    Layout {
        code: 11,
        short: "iccn",
        name: "Incoming-Call-Connected",
        length: 28,
        fields: &[
            f("peer", 12, 2, Rule::NonZero),
            f("reserved1", 14, 2, Rule::Zero),
            f("speed", 16, 4, Rule::Any),
            f("window", 20, 2, Rule::NonZero),
            f("delay", 22, 2, Rule::Any),
            f("framing", 24, 4, Rule::Bits(3)),
        ],
    },
    Layout {
        code: 12,
        short: "clear",
        name: "Call-Clear-Request",
        length: 16,
        fields: &[f("id", 12, 2, Rule::NonZero), f("reserved1", 14, 2, Rule::Zero)],
    },
    Layout {
        code: 13,
        short: "cdn",
        name: "Call-Disconnect-Notify",
        length: 148,
        fields: &[
            f("id", 12, 2, Rule::NonZero),
            f("result", 14, 1, Rule::Within(1, 4)),
            f("error", 15, 1, Rule::Any),
            f("cause", 16, 2, Rule::Any),
            f("reserved1", 18, 2, Rule::Zero),
            // 128 octets in the RFC; the two halves are looked at as one text would be.
            f("statistics", 20, 64, Rule::Text),
            f("statistics2", 84, 64, Rule::Text),
        ],
    },
    Layout {
        code: 14,
        short: "wen",
        name: "WAN-Error-Notify",
        length: 40,
        fields: &[
            f("peer", 12, 2, Rule::NonZero),
            f("reserved1", 14, 2, Rule::Zero),
            f("crc", 16, 4, Rule::Any),
            f("framingerrors", 20, 4, Rule::Any),
            f("hardware", 24, 4, Rule::Any),
            f("buffer", 28, 4, Rule::Any),
            f("timeout", 32, 4, Rule::Any),
            f("alignment", 36, 4, Rule::Any),
        ],
    },
    Layout {
        code: 15,
        short: "sli",
        name: "Set-Link-Info",
        length: 24,
        fields: &[
            f("peer", 12, 2, Rule::NonZero),
            f("reserved1", 14, 2, Rule::Zero),
            f("sendaccm", 16, 4, Rule::Any),
            f("receiveaccm", 20, 4, Rule::Any),
        ],
    },
];

/// The layout with this control message type.
#[must_use]
pub fn by_code(code: u16) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.code == code)
}

/// The layout with this short name.
#[must_use]
pub fn by_short(short: &str) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.short == short)
}

impl Layout {
    /// The field of this name, of the header or of the message.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        HEADER.iter().chain(self.fields).find(|field| field.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_side_by_side_and_fill_their_message() {
        for layout in LAYOUTS {
            let mut end = 0;
            for field in HEADER.iter().chain(layout.fields) {
                assert_eq!(field.offset, end, "{} in {}", field.name, layout.name);
                end += field.size;
            }
            assert_eq!(end, layout.length, "{}", layout.name);
        }
    }

    #[test]
    fn codes_count_from_one_to_fifteen() {
        let codes: Vec<u16> = LAYOUTS.iter().map(|layout| layout.code).collect();
        assert_eq!(codes, (1..=15).collect::<Vec<u16>>());
    }
}
