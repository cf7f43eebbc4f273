//! Addresses as pptpd.conf lists them.

use std::net::Ipv4Addr;

/// Addresses of which each octet is in a range: `192.168.0.234-238`, `10.0.0-3.1`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl AddressRange {
    /// The range of this address alone.
    pub const fn single(address: Ipv4Addr) -> Self {
        Self { first: address, last: address }
    }
}
