//! From the text of a value to the value.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pptp_core::wire::PORT;

use super::surroundings::Surroundings;
use super::{AddressRange, Datapath};

/// Why a value is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is none.
    Missing,
    /// This text, all of the value or a part of it, is not allowed.
    NotAllowed(String),
    /// This name has no address.
    NoAddress(String),
}

impl Wrong {
    fn not_allowed(value: &OsStr) -> Self {
        Self::NotAllowed(value.to_string_lossy().into_owned())
    }
}

/// The value as text, which is not empty.
fn text(value: &OsStr) -> Result<&str, Wrong> {
    match value.to_str() {
        Some("") => Err(Wrong::Missing),
        Some(text) => Ok(text),
        None => Err(Wrong::not_allowed(value)),
    }
}

pub(super) fn number(value: &OsStr, allowed: &RangeInclusive<u32>) -> Result<u32, Wrong> {
    let digits = text(value)?;
    // The standard library would take a plus sign as well.
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|number| allowed.contains(number)).ok_or_else(|| Wrong::not_allowed(value))
}

pub(super) fn seconds(value: &OsStr, allowed: &RangeInclusive<u32>) -> Result<Duration, Wrong> {
    Ok(Duration::from_secs(number(value, allowed)?.into()))
}

/// An absolute path.
pub(super) fn path(value: &OsStr, folder: &Path) -> Result<PathBuf, Wrong> {
    if value.is_empty() {
        return Err(Wrong::Missing);
    }
    if value.as_bytes().contains(&0) {
        return Err(Wrong::not_allowed(value));
    }
    Ok(folder.join(value))
}

/// Text without blanks and control characters, of at most `most` bytes.
pub(super) fn word(value: &OsStr, most: usize) -> Result<String, Wrong> {
    let word = text(value)?;
    let whole = word.len() <= most && !word.contains(|c: char| c.is_whitespace() || c.is_control());
    if whole { Ok(word.to_owned()) } else { Err(Wrong::not_allowed(value)) }
}

pub(super) fn datapath(value: &OsStr) -> Result<Datapath, Wrong> {
    let name = text(value)?;
    Datapath::ALL.into_iter().find(|datapath| datapath.name() == name).ok_or_else(|| Wrong::not_allowed(value))
}

pub(super) fn socket(value: &OsStr) -> Result<SocketAddr, Wrong> {
    text(value)?.parse().map_err(|_| Wrong::not_allowed(value))
}

/// An address with or without a port, or a name.
pub(super) fn listen(value: &OsStr, surroundings: &dyn Surroundings) -> Result<SocketAddr, Wrong> {
    let text = text(value)?;
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match in_brackets {
        Some(ipv6) => ipv6.parse::<Ipv6Addr>().map_err(|_| Wrong::not_allowed(value))?.into(),
        None => text.parse().or_else(|_| host(text, surroundings, Some))?,
    };
    Ok(SocketAddr::new(address, PORT))
}

/// The first address of a host that will do.
fn host<T>(name: &str, surroundings: &dyn Surroundings, will_do: fn(IpAddr) -> Option<T>) -> Result<T, Wrong> {
    if !is_name(name) {
        return Err(Wrong::NotAllowed(name.into()));
    }
    surroundings.resolve(name).into_iter().find_map(will_do).ok_or_else(|| Wrong::NoAddress(name.into()))
}

/// A name of a host, and no address with a mistake in it: there is a letter.
fn is_name(text: &str) -> bool {
    const LONGEST: usize = 253;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.len() <= LONGEST && text.bytes().all(fits) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Addresses, ranges and names, with commas between them.
pub(super) fn addresses(value: &OsStr, surroundings: &dyn Surroundings) -> Result<Vec<AddressRange>, Wrong> {
    text(value)?.split(',').map(|item| range(item, surroundings)).collect()
}

fn range(item: &str, surroundings: &dyn Surroundings) -> Result<AddressRange, Wrong> {
    item.parse().or_else(|_| host(item, surroundings, ipv4))
}

fn ipv4(address: IpAddr) -> Option<AddressRange> {
    match address {
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(_) => None,
    }
}
