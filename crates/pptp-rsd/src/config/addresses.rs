//! Addresses as pptpd.conf lists them: `192.168.0.234-238,192.168.0.245`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A single address, or addresses that differ in one octet, which is in a range: `192.168.0.234-238`, `10.0.0-3.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    first: Ipv4Addr,
    /// From one address to the next: 1, 2^8, 2^16 or 2^24.
    step: u32,
    /// How many addresses come after the first.
    more: u8,
}

/// The text is no address and no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAddressRange;

impl AddressRange {
    /// The range of this address alone.
    pub const fn single(address: Ipv4Addr) -> Self {
        Self { first: address, step: 1, more: 0 }
    }

    /// This address and those after it, `count` in all, of which there is at least one.
    pub(super) const fn beginning(first: Ipv4Addr, count: u8) -> Self {
        Self { first, step: 1, more: count.saturating_sub(1) }
    }

    /// The addresses, from the lowest.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let first = self.first.to_bits();
        (0..=self.more).map(move |nth| Ipv4Addr::from_bits(first.wrapping_add(self.step.wrapping_mul(nth.into()))))
    }
}

impl From<Ipv4Addr> for AddressRange {
    fn from(address: Ipv4Addr) -> Self {
        Self::single(address)
    }
}

/// As pptpd: one of the four numbers may be `LOW-HIGH`. The broadcast address is none that a host could have.
impl FromStr for AddressRange {
    type Err = NoAddressRange;

    fn from_str(text: &str) -> Result<Self, NoAddressRange> {
        let range = match text.split_once('-') {
            None => text.parse().map(Self::single).map_err(|_| NoAddressRange)?,
            Some((low, high)) => between(low, high)?,
        };
        let broadcast = range.addresses().any(|address| address == Ipv4Addr::BROADCAST);
        if broadcast { Err(NoAddressRange) } else { Ok(range) }
    }
}

/// The range of which this is the text before and after the hyphen: `10.0.0` and `3.1`.
fn between(before: &str, after: &str) -> Result<AddressRange, NoAddressRange> {
    let (prefix, low) = before.split_at(before.rfind('.').map_or(0, |dot| dot + 1));
    let (high, suffix) = after.split_at(after.find('.').unwrap_or(after.len()));
    let (low, high) = (octet(low)?, octet(high)?);
    let more = high.checked_sub(low).ok_or(NoAddressRange)?;
    let first = format!("{prefix}{low}{suffix}").parse().map_err(|_| NoAddressRange)?;
    let octets_after = u32::try_from(suffix.matches('.').count()).map_err(|_| NoAddressRange)?;
    let step = 1_u32.checked_shl(8 * octets_after).ok_or(NoAddressRange)?;
    Ok(AddressRange { first, step, more })
}

/// A number of at most three digits, as pptpd reads the ends of a range: zeros before it say nothing.
fn octet(text: &str) -> Result<u8, NoAddressRange> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| NoAddressRange) } else { Err(NoAddressRange) }
}

/// What [`AddressRange::from_str`] reads.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranged = 3 - self.step.trailing_zeros() as usize / 8;
        for (place, octet) in self.first.octets().into_iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{octet}")?;
            if place == ranged && self.more > 0 {
                write!(f, "-{}", octet.saturating_add(self.more))?;
            }
        }
        Ok(())
    }
}
