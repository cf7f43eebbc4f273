//! A network that loses, doubles and reorders.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::harness::{End, Killed, eventually, tunnel_through};

/// Two ends whose packets pass a relay that harms so many per cent: lost, doubled, late.
fn impaired(harm: &str, options: &str) -> ([End; 2], Killed) {
    // Each end takes an address of the other's side of the cable for the peer; the relay is at the first end.
    let (relay_to_one, relay_to_two) = ("192.0.2.101", "192.0.2.102");
    let ends = tunnel_through([relay_to_one, relay_to_two], options);
    ends[0].ip(&format!("addr add {relay_to_one}/32 dev lo"));
    ends[0].ip(&format!("addr add {relay_to_two}/32 dev cable"));
    let program = env!("CARGO_BIN_EXE_tunnel-traffic");
    let [one, two] = &ends;
    let arguments = format!("gre-relay {relay_to_one} {} {relay_to_two} {} {harm}", one.outer, two.outer);
    let relay = one.command(program, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut relay = Killed(relay);
    let mut line = String::new();
    BufReader::new(relay.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (ends, relay)
}

/// Every packet that was received is accounted for, once.
fn assert_that_counters_add_up(end: &mut End) {
    let counters = end.counters();
    let sum = |names: &[&str]| names.iter().map(|name| counters[*name]).sum::<u64>();
    let drops = ["malformed", "wrong-call", "unnumbered", "implausible", "stale", "duplicate", "empty", "abandoned"];
    assert_eq!(sum(&["received"]), sum(&["delivered", "ack-only", "waiting"]) + sum(&drops));
}

#[test]
fn what_only_comes_late_is_put_in_order_and_nothing_is_missing() {
    let ([mut one, mut two], _relay) = impaired("0 0 25", "reorder 50");
    let (seen, said) = one.send("tcp", (&two, &two.inner), "3000000");
    assert_eq!(seen, said);
    eventually("the queue is empty", || two.counter("waiting") == 0);
    assert!(two.counter("reordered") > 100);
    // A busy machine may hold the relay up for longer than the engine waits.
    assert!(two.counter("missing") * 50 < two.counter("delivered"));
    for end in [&mut one, &mut two] {
        assert_that_counters_add_up(end);
    }
}

#[test]
fn loss_duplicates_and_disorder_together_stop_nothing() {
    let ([mut one, mut two], _relay) = impaired("3 5 25", "");
    for (from, to) in [(&one, &two), (&two, &one)] {
        let (seen, said) = from.send("tcp", (to, &to.inner), "500000");
        assert_eq!(seen, said);
    }
    for end in [&mut one, &mut two] {
        eventually("the queue is empty", || end.counter("waiting") == 0);
        assert_that_counters_add_up(end);
        assert!(end.counter("missing") > 0 && end.counter("duplicate") + end.counter("stale") > 0);
    }
}

#[test]
fn a_transmit_window_survives_loss() {
    let ([mut one, mut two], _relay) = impaired("5 0 0", "window 8");
    let (seen, said) = one.send("tcp", (&two, &two.inner), "200000");
    assert_eq!(seen, said);
    assert_that_counters_add_up(&mut one);
    assert_that_counters_add_up(&mut two);
}
