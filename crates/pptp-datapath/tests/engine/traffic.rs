//! Packets through a tunnel.

use std::thread;

use super::harness::{End, ends, eventually, tunnel, tunnel_between};

/// A TCP transfer, in bytes.
const BULK: &str = "20000000";

fn assert_whole(one: &End, to: (&End, &str)) {
    let (seen, said) = one.send("tcp", to, BULK);
    assert_eq!(seen, said);
    assert!(said.starts_with(BULK));
}

/// No datagram is out of order or broken. Some may be missing: on a busy machine the sink's own buffer overflows.
fn assert_in_order(one: &End, to: (&End, &str)) {
    let (seen, _) = one.send("udp", to, "5000 5000");
    let numbers: Vec<u32> = seen.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(numbers[1..], [0, 0], "{seen}");
    assert!(numbers[0] > 1000, "{seen}");
}

/// That the second gets all that the first has sent, but for what a busy machine's kernel loses on the way, or brings later
/// than the engine waits because another processor was faster.
fn assert_all_arrives([from, to]: [&mut End; 2]) {
    eventually("all that was sent arrives", || {
        let ([sent, sent_bytes, ..], [.., received, received_bytes]) = (from.statistics(), to.statistics());
        let (missing, lost) = (to.counter("missing"), from.lost_outside() + to.lost_outside() + to.counter("stale"));
        sent == received + missing && missing <= lost && (missing > 0 || sent_bytes == received_bytes)
    });
}

#[test]
fn pings_pass_in_both_directions_and_both_versions() {
    for batching in ["batched", "single"] {
        let [one, two] = tunnel(batching, "");
        assert_eq!(one.pings(&two.inner), 5);
        assert_eq!(two.pings(&one.inner), 5);
        assert_eq!(one.pings(&two.inner6), 5);
        assert_eq!(two.pings(&one.inner6), 5);
    }
}

#[test]
fn tcp_arrives_whole_in_both_directions_at_once() {
    for (batching, options) in [("batched", ""), ("single", ""), ("batched", "window 16")] {
        let [one, two] = tunnel(batching, options);
        thread::scope(|scope| {
            scope.spawn(|| assert_whole(&one, (&two, &two.inner)));
            scope.spawn(|| assert_whole(&two, (&one, &one.inner)));
            scope.spawn(|| assert_whole(&one, (&two, &two.inner6)));
            scope.spawn(|| assert_whole(&two, (&one, &one.inner6)));
        });
    }
}

#[test]
fn udp_arrives_in_order_in_both_directions_at_once_and_the_engines_lose_nothing() {
    let [mut one, mut two] = tunnel("batched", "");
    thread::scope(|scope| {
        for address in [&two.inner, &two.inner6] {
            scope.spawn(|| assert_in_order(&one, (&two, address)));
        }
        scope.spawn(|| assert_in_order(&two, (&one, &one.inner)));
    });
    assert_all_arrives([&mut one, &mut two]);
    assert_all_arrives([&mut two, &mut one]);
    assert!(one.statistics()[0] > 2000);
    for end in [&mut one, &mut two] {
        for name in ["malformed", "duplicate", "implausible", "malformed-frames", "unsendable"] {
            assert_eq!(end.counter(name), 0, "{name}");
        }
    }
}

#[test]
fn statistics_are_those_of_the_interface_to_the_byte() {
    let [mut one, mut two] = tunnel("single", "");
    // What came while an interface was still down is not in its counters.
    let difference = |end: &mut End| {
        let (ours, its) = (end.statistics(), end.interface_counters());
        [0, 1, 2, 3].map(|which| ours[which].wrapping_sub(its[which]))
    };
    let before = [difference(&mut one), difference(&mut two)];
    assert_whole(&one, (&two, &two.inner));
    eventually("the counters agree", || [difference(&mut one), difference(&mut two)] == before);
    assert!(one.statistics()[0] > 1000);
}

#[test]
fn statistics_count_segments_where_the_interface_counts_trains() {
    let [mut one, mut two] = tunnel("batched", "");
    assert_whole(&one, (&two, &two.inner));
    assert_all_arrives([&mut one, &mut two]);
    assert_all_arrives([&mut two, &mut one]);
    let payload: u64 = BULK.parse().unwrap();
    let [packets, bytes, ..] = one.statistics();
    // A header of 20 bytes of IP and 32 of TCP with each of at most 1408 bytes.
    assert!(packets >= payload.div_ceil(1408));
    assert!(bytes >= payload + payload.div_ceil(1408) * 52);
    let [counted, counted_bytes, ..] = one.interface_counters();
    assert!(counted * 4 < packets && counted_bytes < bytes, "{counted} {counted_bytes}");
}

#[test]
fn smaller_mtus_inside_and_outside_are_no_hindrance() {
    let [one, two] = tunnel("batched", "");
    for end in [&one, &two] {
        end.ip("link set ppp7 mtu 1300");
    }
    assert_whole(&one, (&two, &two.inner));
    for end in [&one, &two] {
        end.ip("link set ppp7 mtu 1460");
        end.ip("link set cable mtu 900");
    }
    // Packets outside are in fragments.
    assert_whole(&one, (&two, &two.inner));
    assert_whole(&two, (&one, &one.inner6));
}

#[test]
fn a_slow_network_below_holds_senders_back_instead_of_losing() {
    let ends = ends("batched");
    // Before there is a tunnel: while a queue takes another's place, packets are dropped.
    ends[0].run("tc", "qdisc add dev cable root tbf rate 100mbit burst 64k limit 3m");
    let [mut one, mut two] = tunnel_between(ends, "");
    assert_whole(&one, (&two, &two.inner));
    assert_all_arrives([&mut one, &mut two]);
    assert_eq!(one.counter("unsendable"), 0);
    let queue = one.run("tc", "-s qdisc show dev cable");
    assert!(queue.contains("(dropped 0,"), "{queue}");
}

#[test]
fn frames_may_be_framed_as_agreed() {
    for flags in 0..4 {
        let [mut one, two] = tunnel("batched", "");
        one.tell(&format!("channel-flags {flags}"));
        assert_eq!(one.pings(&two.inner), 5);
        assert_eq!(one.pings(&two.inner6), 5);
    }
}
