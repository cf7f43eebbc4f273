//! Which of two simultaneous control connections survives (RFC 2637 §3.1.3).
//!
//! Only the owner of the connections can see a collision: it has sent a Start-Control-Connection-Request to a peer and
//! has accepted a TCP connection from the same peer. It then calls [`resolve`], and
//! - as [`Collision::Winner`]: `win_collision` on the accepted connection, which stays silent until the peer closes it;
//! - as [`Collision::Loser`]: `lose_collision` on its own, and `answer_start` on the accepted one;
//! - as [`Collision::SameAddress`]: two programs on one host, or one program talking to itself; the RFC has no rule,
//!   and both connections may live.

use core::cmp::Ordering;
use core::net::IpAddr;

/// The outcome of a collision for this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// The connection that this end opened survives.
    Winner,
    /// The connection that the peer opened survives.
    Loser,
    /// Both ends have one address, so that neither wins.
    SameAddress,
}

/// Compares the two ends' addresses as unsigned numbers, network number first: the higher one wins (§3.1.3).
///
/// Both are addresses of the colliding connections, so of one family; an IPv4-mapped IPv6 address counts as IPv4.
pub fn resolve(ours: IpAddr, theirs: IpAddr) -> Collision {
    match ours.to_canonical().cmp(&theirs.to_canonical()) {
        Ordering::Greater => Collision::Winner,
        Ordering::Less => Collision::Loser,
        Ordering::Equal => Collision::SameAddress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours: &str, theirs: &str, expected: Collision) {
        assert_eq!(resolve(ours.parse().unwrap(), theirs.parse().unwrap()), expected, "{ours} against {theirs}");
    }

    #[test]
    fn the_rfcs_example_is_won_by_the_higher_address() {
        check("192.33.45.89", "192.33.45.17", Collision::Winner);
        check("192.33.45.17", "192.33.45.89", Collision::Loser);
    }

    #[test]
    fn the_network_number_counts_more_than_the_host_and_bytes_are_unsigned() {
        check("10.0.0.255", "10.0.1.0", Collision::Loser);
        check("200.0.0.1", "100.255.255.255", Collision::Winner);
    }

    #[test]
    fn one_address_on_both_ends_has_no_winner() {
        check("127.0.0.1", "127.0.0.1", Collision::SameAddress);
        check("::ffff:127.0.0.1", "127.0.0.1", Collision::SameAddress);
    }

    #[test]
    fn ipv6_addresses_compare_as_numbers() {
        check("fe80::1", "2001:db8::2", Collision::Winner);
        check("::ffff:10.0.0.1", "10.0.0.2", Collision::Loser);
    }
}
