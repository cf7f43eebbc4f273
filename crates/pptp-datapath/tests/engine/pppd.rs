//! What pppd does with units and channels.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::harness::{End, Killed, eventually, tunnel};

/// `SC_LOOP_TRAFFIC`.
const LOOP: &str = "flags 512";

/// `icmp`, `not icmp` and `outbound`, for `DLT_PPP_PPPD`.
const ICMP: &str = "40,0,0,2 21,0,3,33 48,0,0,13 21,0,1,1 6,0,0,65535 6,0,0,0";
const NOT_ICMP: &str = "40,0,0,2 21,0,3,33 48,0,0,13 21,0,1,1 6,0,0,0 6,0,0,65535";
const OUTBOUND: &str = "48,0,0,0 21,0,1,1 6,0,0,65535 6,0,0,0";

fn idle(end: &mut End) -> (u64, u64) {
    let answer = end.ask("idle");
    let (transmit, receive) = answer.split_once(' ').unwrap();
    (transmit.parse().unwrap(), receive.parse().unwrap())
}

/// In milliseconds, as idle times are.
fn since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap()
}

/// Silences what the kernel sends by itself, so that idle times and counters stand still.
fn only_ipv4(ends: [&mut End; 2]) {
    for end in ends {
        end.tell("np 6 drop");
    }
}

#[test]
fn control_frames_go_to_the_descriptor_on_which_pppd_expects_them() {
    let [mut one, mut two] = tunnel("batched", "");
    for (from, to, frame) in [
        ("channel", "channel", "c02109010008aabbccdd"),
        ("channel", "channel", "c22301"),
        ("channel", "channel", "80fb0102"),
        ("unit", "unit", "802101010004"),
        ("unit", "unit", "80fd0101"),
        // Not for the network here: pppd rejects it.
        ("unit", "unit", "002b00"),
        ("unit", "channel", "c02105020004"),
    ] {
        one.tell(&format!("write {from} {frame}"));
        assert_eq!(two.ask(&format!("read {to}")), frame);
    }
    two.tell("disconnect");
    one.tell("write unit 802101010004");
    assert_eq!(two.ask("read channel"), "802101010004");
}

#[test]
fn a_frame_that_pppd_has_no_room_for_is_counted() {
    let [mut one, mut two] = tunnel("batched", "");
    let frame = |information: usize| format!("c021{}", "55".repeat(information));
    one.tell(&format!("write channel {}", frame(1501)));
    one.tell(&format!("write channel {}", frame(1500)));
    assert_eq!(two.ask("read channel"), frame(1500));
    assert_eq!(two.ask("quiet read channel"), "none");
    assert_eq!(two.counter("lost-to-pppd"), 1);
}

#[test]
fn a_pppd_that_does_not_read_stops_nothing() {
    let [mut one, mut two] = tunnel("batched", "");
    eventually("frames are lost", || {
        for _ in 0..100 {
            // The engine may be slower than this.
            one.ask("write channel c0210901000800000000");
        }
        two.counter("lost-to-pppd") > 0
    });
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn a_pass_filter_decides_what_passes_either_way() {
    let [mut one, mut two] = tunnel("batched", "");
    only_ipv4([&mut one, &mut two]);
    one.tell(&format!("filter pass {NOT_ICMP}"));
    assert_eq!((one.futile_pings(&two.inner), two.futile_pings(&one.inner)), (0, 0));
    one.tell(&format!("filter pass {ICMP}"));
    assert_eq!(one.pings(&two.inner), 5);
    one.tell(&format!("filter pass {OUTBOUND}"));
    let before = one.statistics();
    assert_eq!(one.futile_pings(&two.inner), 0);
    // As in the kernel, what is received is counted before the filter looks at it.
    eventually("all are counted", || {
        let after = one.statistics();
        (after[0] - before[0], after[2] - before[2]) == (5, 5)
    });
    one.tell(&format!("filter pass {NOT_ICMP}"));
    assert_eq!(one.send("tcp", (&two, &two.inner), "100000").0.split(' ').next(), Some("100000"));
    one.tell("filter pass");
    assert_eq!(one.pings(&two.inner), 5);
    assert!(one.ask("filter pass 6,0,0").starts_with("error"));
    assert!(one.ask("filter pass 0,0,0,1").starts_with("error"));
}

#[test]
fn only_what_the_active_filter_accepts_ends_idleness() {
    let [mut one, mut two] = tunnel("batched", "");
    only_ipv4([&mut one, &mut two]);
    sleep(Duration::from_millis(300));
    let (transmit, receive) = idle(&mut one);
    assert!(transmit >= 300 && receive >= 300, "{transmit} {receive}");
    one.tell(&format!("filter active {NOT_ICMP}"));
    assert_eq!(one.pings(&two.inner), 5);
    let (later_transmit, later_receive) = idle(&mut one);
    assert!(later_transmit > transmit && later_receive > receive);
    one.tell(&format!("filter active {OUTBOUND}"));
    let begin = Instant::now();
    assert_eq!(one.pings(&two.inner), 5);
    let (transmit, receive) = idle(&mut one);
    assert!(transmit <= since(begin) && receive > later_receive, "{transmit} {receive}");
    one.tell("filter active");
    let begin = Instant::now();
    assert_eq!(one.pings(&two.inner), 5);
    let (transmit, receive) = idle(&mut one);
    assert!(transmit <= since(begin) && receive <= since(begin), "{transmit} {receive}");
}

#[test]
fn a_network_that_does_not_pass_is_dropped_both_ways() {
    let [mut one, two] = tunnel("batched", "");
    one.tell("np 4 drop");
    assert_eq!((one.futile_pings(&two.inner), two.futile_pings(&one.inner)), (0, 0));
    assert_eq!(one.pings(&two.inner6), 5);
    one.tell("np 4 pass");
    one.tell("np 6 drop");
    assert_eq!((one.pings(&two.inner), one.futile_pings(&two.inner6)), (5, 0));
}

#[test]
fn in_loop_mode_packets_wait_with_pppd_until_there_is_a_call() {
    let [mut one, mut two] = tunnel("batched", "");
    only_ipv4([&mut one, &mut two]);
    one.tell("disconnect");
    one.tell(LOOP);
    one.run("sh", &format!("-c ping${{IFS}}-c1${{IFS}}-W1${{IFS}}{}||true", two.inner));
    let frame = one.ask("read unit");
    assert!(frame.starts_with("00214500"), "{frame}");
    // The checksum of what the kernel handed over is complete: it says so itself below, by answering.
    let begin = two.statistics();
    one.tell("np 4 queue");
    one.tell("connect");
    one.tell("flags 0");
    // pppd lets the network pass a moment after this, and an answer may be there before.
    one.tell(&format!("write unit {frame}"));
    eventually("it is answered", || two.statistics() == [begin[0] + 1, begin[1] + 84, begin[2] + 1, begin[3] + 84]);
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn tcp_in_loop_mode_comes_as_single_complete_packets() {
    let [mut one, mut two] = tunnel("batched", "");
    only_ipv4([&mut one, &mut two]);
    one.tell(LOOP);
    // It cannot connect; the first packet is what pppd would dial for.
    let source = one.command(env!("CARGO_BIN_EXE_tunnel-traffic"), &format!("tcp-source {} 9 1", two.inner)).spawn();
    let source = Killed(source.unwrap());
    let frame = one.ask("read unit");
    drop(source);
    assert!(frame.starts_with("00214500"), "{frame}");
    one.tell("flags 0");
    let before = two.statistics();
    one.tell(&format!("write unit {frame}"));
    // A wrong checksum would be dropped without an answer, a right one is answered by a reset.
    eventually("it is answered", || two.statistics()[0] == before[0] + 1);
}

#[test]
fn what_does_not_exist_or_exists_already_is_refused() {
    let [mut one, two] = tunnel("batched", "");
    for line in ["connect", "unit ppp8"] {
        assert!(one.ask(line).starts_with("error"), "{line}");
    }
    let again = format!("channel {} {} 1 1", one.outer, two.outer);
    assert_eq!(one.ask(&again), "error channel 3 exists");
    one.tell("disconnect");
    assert_eq!(one.ask("disconnect"), "error not connected");
    one.tell("connect");
    assert_eq!(one.pings(&two.inner), 5);
}
