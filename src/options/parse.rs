//! From the value of an option to a setting, or to a line that names the option, the value and what is allowed.

use std::fmt;
use std::ops::RangeInclusive;

use pptp_core::control::Quirk;

use super::{Kind, Mtu, OptionSpec, Settings, TextShape};

/// MTUs that pppd allows (its MINMRU and MAXMRU).
const MTUS: RangeInclusive<u16> = 128..=16384;

/// Longer values are cut when they are shown.
const SHOWN_CHARACTERS: usize = 80;

/// A value that the option does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionError {
    option: &'static str,
    value: String,
    problem: Problem,
    allowed: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NotAllowed,
    NotBuiltIn,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, value, problem, allowed } = self;
        let problem = match problem {
            Problem::NotAllowed => "is not allowed",
            Problem::NotBuiltIn => "is not built in yet",
        };
        write!(f, "option {option}: '{value}' {problem}; allowed: {allowed}")
    }
}

pub(super) fn apply(option: &OptionSpec, settings: &mut Settings, value: &str) -> Result<(), OptionError> {
    apply_kind(&option.kind, settings, value).map_err(|problem| OptionError {
        option: option.name,
        value: value.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect(),
        problem,
        allowed: option.kind.allowed(),
    })
}

fn apply_kind(kind: &Kind, settings: &mut Settings, value: &str) -> Result<(), Problem> {
    match kind {
        Kind::Text { shape, longest, set } => {
            check_text(*shape, *longest, value)?;
            set(settings, String::from(value));
        }
        Kind::Number { lowest, highest, set } => set(settings, number(value, *lowest..=*highest)?),
        Kind::Mark(set) => set(settings, mark(value)?),
        Kind::Address(set) => set(settings, value.parse().map_err(|_| Problem::NotAllowed)?),
        Kind::Choice { allowed, planned, set } => {
            check_choice(allowed, planned, value)?;
            set(settings, value);
        }
        Kind::Mtu(set) => set(settings, mtu(value)?),
        Kind::Quirk(set) => set(settings, Quirk::from_name(value).ok_or(Problem::NotAllowed)?),
        Kind::Ignored(_) => {}
    }
    Ok(())
}

fn check_text(shape: TextShape, longest: usize, value: &str) -> Result<(), Problem> {
    let well_formed = match shape {
        TextShape::Host => !value.is_empty() && !value.contains(char::is_whitespace),
        TextShape::Phone => true,
    };
    let printable = !value.contains(char::is_control);
    if well_formed && printable && value.len() <= longest { Ok(()) } else { Err(Problem::NotAllowed) }
}

fn check_choice(allowed: &[&str], planned: &[&str], value: &str) -> Result<(), Problem> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(if planned.contains(&value) { Problem::NotBuiltIn } else { Problem::NotAllowed })
}

/// Digits alone: no sign, no blanks.
fn number(value: &str, range: RangeInclusive<u32>) -> Result<u32, Problem> {
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    number.filter(|number| range.contains(number)).ok_or(Problem::NotAllowed)
}

fn mark(value: &str) -> Result<u32, Problem> {
    let Some(hexadecimal) = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) else {
        return number(value, 0..=u32::MAX);
    };
    if !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::NotAllowed);
    }
    u32::from_str_radix(hexadecimal, 16).map_err(|_| Problem::NotAllowed)
}

fn mtu(value: &str) -> Result<Mtu, Problem> {
    if value == "auto" {
        return Ok(Mtu::Auto);
    }
    let bytes = number(value, u32::from(*MTUS.start())..=u32::from(*MTUS.end()))?;
    u16::try_from(bytes).map(Mtu::Bytes).map_err(|_| Problem::NotAllowed)
}

impl Kind {
    /// What the value may be, in words.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Text { shape: TextShape::Host, .. } => String::from("a host name or an IPv4 address"),
            Self::Text { shape: TextShape::Phone, longest, .. } => format!("at most {longest} bytes"),
            Self::Number { lowest, highest, .. } => format!("a number from {lowest} to {highest}"),
            Self::Mark(_) => format!("a number from 0 to {}, or from 0x0 to {:#x}", u32::MAX, u32::MAX),
            Self::Address(_) => String::from("an IPv4 address of this machine"),
            Self::Choice { allowed, .. } => allowed.join(", "),
            Self::Mtu(_) => format!("auto, or a number from {} to {}", MTUS.start(), MTUS.end()),
            Self::Quirk(_) => Quirk::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            Self::Ignored(_) => String::from("anything"),
        }
    }
}
