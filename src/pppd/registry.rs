//! pppd's list of options, made from the table. It lives as long as pppd, so what it is made of is leaked.

use std::ffi::c_char;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::c_text;
use crate::ffi::{self, RawOption, form, right};
use crate::options::{Kind, OptionSpec, Right, Shape};

/// A place from which pppd reads a value to print.
type Shown = AtomicPtr<c_char>;

static SHOWN: OnceLock<Vec<(&'static str, &'static Shown)>> = OnceLock::new();

/// Gives pppd the options.
pub(crate) fn register_options(table: &'static [OptionSpec]) {
    let shown = table.iter().enumerate().map(|(place, option)| (option.name, register(place, option))).collect();
    // Only a plugin that is loaded twice finds it set, with the same content.
    let _ = SHOWN.set(shown);
}

/// Lets pppd show `value` for the option when it is told to print its options.
pub(crate) fn show_value(option: &str, value: &str) {
    let places = SHOWN.get().map_or(&[][..], Vec::as_slice);
    if let Some((_, place)) = places.iter().find(|(name, _)| *name == option) {
        place.store(c_text(value).into_raw(), Ordering::Relaxed);
    }
}

fn register(place: usize, option: &'static OptionSpec) -> &'static Shown {
    let shown: &'static Shown = Box::leak(Box::new(AtomicPtr::new(null_mut())));
    let form = form_of(option);
    let raw = RawOption {
        name: c_text(option.name).into_raw(),
        help: c_text(&help(option)).into_raw(),
        form,
        right: match option.right {
            Right::Everyone => right::PPTP_OPTION_FOR_EVERYONE,
            Right::Privileged => right::PPTP_OPTION_PRIVILEGED,
        },
        value: if form == form::PPTP_OPTION_FLAG { null_mut() } else { shown.as_ptr() },
    };
    ffi::set_option(place, &raw);
    shown
}

fn help(option: &OptionSpec) -> String {
    match option.default {
        "" => String::from(option.help),
        default => format!("{} (default {default})", option.help),
    }
}

fn form_of(option: &OptionSpec) -> form::Type {
    match option.kind {
        Kind::Ignored(Shape::LineSpeed) => form::PPTP_OPTION_WILD,
        _ if option.takes_value() => form::PPTP_OPTION_VALUE,
        _ => form::PPTP_OPTION_FLAG,
    }
}
