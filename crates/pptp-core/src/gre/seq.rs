//! Sequence numbers of tunnel packets (RFC 2637 §4.1), which wrap at 2³².

use core::fmt;

/// The number of a packet. It has neither an order nor arithmetic of its own: which of two is later can only be asked by
/// [`SeqNum::is_after`], which is right across the wrap as long as they are less than 2³¹ apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNum(u32);

impl SeqNum {
    /// The number of a session's first packet (§4.1).
    pub const ZERO: Self = Self(0);

    /// The number as it stands on the wire.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number as it stands on the wire.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        self.advanced(1)
    }

    /// The number before.
    #[must_use]
    pub const fn previous(self) -> Self {
        self.reduced(1)
    }

    /// The number `by` packets later.
    #[must_use]
    pub const fn advanced(self, by: u32) -> Self {
        Self(self.0.wrapping_add(by))
    }

    /// The number `by` packets earlier.
    #[must_use]
    pub const fn reduced(self, by: u32) -> Self {
        Self(self.0.wrapping_sub(by))
    }

    /// How many packets after `start` this one is, counting on through the wrap: a number just before `start` is almost
    /// 2³² after it.
    pub const fn distance_from(self, start: Self) -> u32 {
        self.0.wrapping_sub(start.0)
    }

    /// Whether this packet comes later than `other`. Of two that are exactly 2³¹ apart, neither does.
    pub const fn is_after(self, other: Self) -> bool {
        let distance = self.distance_from(other);
        distance != 0 && distance < 1 << 31
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_last_number_is_zero() {
        assert_eq!(SeqNum::new(u32::MAX).next(), SeqNum::ZERO);
        assert_eq!(SeqNum::ZERO.previous(), SeqNum::new(u32::MAX));
        assert_eq!(SeqNum::new(u32::MAX - 1).advanced(5), SeqNum::new(3));
        assert_eq!(SeqNum::new(3).reduced(5), SeqNum::new(u32::MAX - 1));
    }

    #[test]
    fn later_is_later_on_both_sides_of_the_wrap() {
        for start in [0, 1, 1 << 31, u32::MAX - 1, u32::MAX] {
            let start = SeqNum::new(start);
            for distance in [1, 2, 1000, (1 << 31) - 1] {
                assert!(start.advanced(distance).is_after(start));
                assert!(!start.is_after(start.advanced(distance)));
                assert_eq!(start.advanced(distance).distance_from(start), distance);
            }
            assert!(!start.is_after(start));
        }
    }

    #[test]
    fn half_the_numbers_apart_neither_is_later() {
        let (near, far) = (SeqNum::new(7), SeqNum::new(7 + (1 << 31)));
        assert!(!near.is_after(far) && !far.is_after(near));
    }
}
