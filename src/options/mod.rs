//! The plugin's options: one table, from which pppd's option list, the parser and the documentation are made.
//!
//! Knows nothing of pppd, so that `tests/plugin_options.rs` can include it.

mod parse;
mod settings;
mod table;

use parse::OptionError;

pub(crate) use settings::{Datapath, HostRoute, MsChap, Mtu, Path, Settings, Side};
pub(crate) use table::{is_speed, table};

/// One option.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    /// As the user writes it.
    pub(crate) name: &'static str,
    /// What its value may be, and where it goes.
    pub(crate) kind: Kind,
    /// What holds when it is not given, as one could write it, or empty.
    pub(crate) default: &'static str,
    /// Who may give it.
    pub(crate) right: Right,
    /// One line for the user.
    pub(crate) help: &'static str,
}

/// Who may give an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Every user that may run pppd.
    Everyone,
    /// Root, or a file that root wrote.
    Privileged,
}

/// What the value of an option may be, and where it goes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Words: 1 (or, if `optional`, 0) to `longest` bytes without control characters.
    Text {
        shape: TextShape,
        longest: usize,
        set: fn(&mut Settings, String),
    },
    Number {
        lowest: u32,
        highest: u32,
        set: fn(&mut Settings, u32),
    },
    /// Also in hexadecimal, with 0x before it; all 32 bits.
    Mark(fn(&mut Settings, u32)),
    Address(fn(&mut Settings, std::net::Ipv4Addr)),
    /// One of `allowed`.
    Choice {
        allowed: &'static [&'static str],
        set: fn(&mut Settings, &str),
    },
    Mtu(fn(&mut Settings, Mtu)),
    Quirk(fn(&mut Settings, pptp_core::control::Quirk)),
    /// Words of `pptp_core::ccp::Policy`.
    Mppe(fn(&mut Settings, pptp_core::ccp::Policy)),
    /// No value: the option itself says it.
    Flag(fn(&mut Settings)),
    /// Accepted for the sake of files that were written for something else.
    Ignored(Shape),
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextShape {
    /// Of a machine: not empty, no blanks.
    Host,
    /// To dial: may be empty.
    Phone,
}

/// How an option looks that is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of a terminal line; a word of its own.
    LineFlag,
    /// Of a terminal line; takes a value.
    LineValue,
    /// Of a terminal line; the option is its value, a number.
    LineSpeed,
    /// Of another version of accel-pptp; takes a value.
    ForkValue,
}

impl OptionSpec {
    /// Takes a value for the option.
    pub(crate) fn apply(&self, settings: &mut Settings, value: &str) -> Result<(), OptionError> {
        parse::apply(self, settings, value)
    }

    /// Whether a value follows the option.
    pub(crate) fn takes_value(&self) -> bool {
        !matches!(self.kind, Kind::Flag(_) | Kind::Ignored(Shape::LineFlag | Shape::LineSpeed))
    }

    /// What it belongs to, if it does nothing here.
    pub(crate) fn ignored(&self) -> Option<Shape> {
        let Kind::Ignored(shape) = self.kind else { return None };
        Some(shape)
    }
}

/// The option with this name.
pub(crate) fn find(name: &str) -> Option<&'static OptionSpec> {
    table().iter().find(|option| option.name == name)
}
