//! What pppd reads of an interface's counters.
//!
//! pppd 2.4.9 asks with `SIOCGPPPSTATS`, which only a PPP interface answers. pppd 2.5.x asks by rtnetlink
//! (`RTM_GETSTATS`), and a TUN device answers, but counts a train of segments that crosses it in one piece as one
//! packet, with one header. Both get the engine's numbers.

use pptp_datapath::command::Statistics;

/// `linux/rtnetlink.h`
const RTM_NEWSTATS: u16 = 92;
/// `linux/if_link.h`
const IFLA_STATS_LINK_64: u16 = 1;
/// `struct nlmsghdr` and `struct if_stats_msg`.
const HEADERS: usize = 16 + 12;
/// `struct rtattr`
const ATTRIBUTE: usize = 4;

/// So much of a message is looked at, at most.
pub(super) const LOOKED_AT: usize = 256;

/// `struct ppp_stats` (`linux/ppp_defs.h`): words of 32 bits, of which the last eight are for header compression.
pub(super) type PppStats = [u32; 19];

/// The kernel's form of the statistics; what does not fit wraps, as it does there.
pub(super) fn ppp_stats(statistics: &Statistics) -> PppStats {
    let mut words = [0; 19];
    let Statistics { received, sent, receive_errors, send_errors, .. } = *statistics;
    let places = [
        (1, received.bytes),
        (3, received.packets),
        (4, receive_errors),
        (6, sent.bytes),
        (8, sent.packets),
        (9, send_errors),
    ];
    for (place, value) in places {
        let [.., a, b, c, d] = value.to_be_bytes();
        words[place] = u32::from_be_bytes([a, b, c, d]);
    }
    words
}

/// The index of the interface whose counters a message of rtnetlink brings, if it brings any.
pub(super) fn interface_of(message: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let interface = u32::from_ne_bytes(*message.get(20..)?.first_chunk()?);
    (kind == RTM_NEWSTATS).then_some(interface)
}

/// Puts the right counters into such a message.
pub(super) fn amend(message: &mut [u8], statistics: &Statistics) {
    let Some(place) = find_counters(message) else { return };
    let Statistics { received, sent, .. } = statistics;
    let counters = [received.packets, sent.packets, received.bytes, sent.bytes];
    let Some(room) = message.get_mut(place..place + size_of_val(&counters)) else { return };
    for (room, counter) in room.chunks_exact_mut(8).zip(counters) {
        room.copy_from_slice(&counter.to_ne_bytes());
    }
}

fn find_counters(message: &[u8]) -> Option<usize> {
    let mut place = HEADERS;
    loop {
        let length = usize::from(u16::from_ne_bytes(*message.get(place..)?.first_chunk()?));
        let kind = u16::from_ne_bytes(*message.get(place + 2..)?.first_chunk()?);
        if kind == IFLA_STATS_LINK_64 {
            return Some(place + ATTRIBUTE);
        }
        if length < ATTRIBUTE {
            return None;
        }
        place += length.next_multiple_of(ATTRIBUTE);
    }
}
