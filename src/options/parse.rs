//! From the value of an option to a setting, or to a line that names the option, the value and what is allowed.

use std::fmt;
use std::ops::RangeInclusive;

use pptp_core::ccp::PolicyError;
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
    problem: String,
}

/// A value is not one of those that are.
struct NotAllowed;

/// What is wrong with a value.
enum Refusal {
    NotAllowed,
    Policy(PolicyError),
}

impl From<NotAllowed> for Refusal {
    fn from(_: NotAllowed) -> Self {
        Self::NotAllowed
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, value, problem } = self;
        write!(f, "option {option}: '{value}' is not allowed{problem}")
    }
}

pub(super) fn apply(option: &OptionSpec, settings: &mut Settings, value: &str) -> Result<(), OptionError> {
    apply_kind(&option.kind, settings, value).map_err(|refusal| OptionError {
        option: option.name,
        value: value.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect(),
        problem: match refusal {
            Refusal::NotAllowed => format!("; allowed: {}", option.kind.allowed()),
            Refusal::Policy(error) => format!(": {error}"),
        },
    })
}

fn apply_kind(kind: &Kind, settings: &mut Settings, value: &str) -> Result<(), Refusal> {
    match kind {
        Kind::Text { shape, longest, set } => {
            check_text(*shape, *longest, value)?;
            set(settings, String::from(value));
        }
        Kind::Number { lowest, highest, set } => set(settings, number(value, *lowest..=*highest)?),
        Kind::Mark(set) => set(settings, mark(value)?),
        Kind::Address(set) => set(settings, value.parse().map_err(|_| NotAllowed)?),
        Kind::Choice { allowed, set } => {
            if !allowed.contains(&value) {
                return Err(Refusal::NotAllowed);
            }
            set(settings, value);
        }
        Kind::Mtu(set) => set(settings, mtu(value)?),
        Kind::Quirk(set) => set(settings, Quirk::from_name(value).ok_or(NotAllowed)?),
        Kind::Mppe(set) if !value.contains(char::is_control) => {
            set(settings, value.parse().map_err(Refusal::Policy)?);
        }
        Kind::Mppe(_) => return Err(Refusal::NotAllowed),
        Kind::Flag(set) => set(settings),
        Kind::Ignored(_) => {}
    }
    Ok(())
}

fn check_text(shape: TextShape, longest: usize, value: &str) -> Result<(), NotAllowed> {
    let well_formed = match shape {
        TextShape::Host => !value.is_empty() && !value.contains(char::is_whitespace),
        TextShape::Phone => true,
    };
    let printable = !value.contains(char::is_control);
    if well_formed && printable && value.len() <= longest { Ok(()) } else { Err(NotAllowed) }
}

/// Digits alone: no sign, no blanks.
fn number(value: &str, range: RangeInclusive<u32>) -> Result<u32, NotAllowed> {
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    number.filter(|number| range.contains(number)).ok_or(NotAllowed)
}

fn mark(value: &str) -> Result<u32, NotAllowed> {
    let Some(hexadecimal) = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) else {
        return number(value, 0..=u32::MAX);
    };
    if !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(NotAllowed);
    }
    u32::from_str_radix(hexadecimal, 16).map_err(|_| NotAllowed)
}

fn mtu(value: &str) -> Result<Mtu, NotAllowed> {
    if value == "auto" {
        return Ok(Mtu::Auto);
    }
    let bytes = number(value, u32::from(*MTUS.start())..=u32::from(*MTUS.end()))?;
    u16::try_from(bytes).map(Mtu::Bytes).map_err(|_| NotAllowed)
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
            Self::Mppe(_) => {
                String::from("a list of required, optional, deny, stateless, stateful, 40, 56, 128, no40, no56, no128")
            }
            Self::Flag(_) => String::from("no value"),
            Self::Ignored(_) => String::from("anything"),
        }
    }
}
