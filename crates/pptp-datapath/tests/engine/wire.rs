//! What an engine says to a peer, byte by byte, and what it takes from one that misbehaves.

use super::harness::{End, ends, eventually};

/// An engine with a channel, and a peer that is played by the test.
fn engine_and_peer() -> [End; 2] {
    let [mut engine, mut peer] = ends("batched");
    engine.tell("unit ppp7");
    engine.tell(&format!("channel {} {} 17 34", engine.outer, peer.outer));
    engine.tell("connect");
    peer.tell(&format!("gre {} {} 34", peer.outer, engine.outer));
    [engine, peer]
}

/// A data packet for call 17 with an LCP frame of one byte.
fn data(sequence: u32, content: u8) -> String {
    format!("3001880b00050011{sequence:08x}ff03c021{content:02x}")
}

#[test]
fn packets_look_as_rfc_2637_says() {
    let [mut engine, mut peer] = engine_and_peer();
    engine.tell("write channel c02101");
    assert_eq!(peer.ask("gre-read"), "3001880b0005002200000000ff03c02101");
    engine.tell("write unit 802102");
    assert_eq!(peer.ask("gre-read"), "3001880b0005002200000001ff03802102");
    engine.tell("channel-flags 3");
    engine.tell("write unit 802103");
    assert_eq!(peer.ask("gre-read"), "3001880b0003002200000002802103");
    // Once something has come, every packet acknowledges it; it comes before an acknowledgement would travel alone.
    engine.meanwhile(|engine| {
        engine.await_from(&mut peer, &format!("gre-send {}", data(0, 9)));
        engine.tell("write channel c02104");
    });
    assert_eq!(engine.ask("read channel"), "c02109");
    assert_eq!(peer.ask("gre-read"), "3081880b000500220000000300000000ff03c02104");
    // Without a packet to travel with, an acknowledgement travels alone.
    peer.tell(&format!("gre-send {}", data(1, 9)));
    assert_eq!(peer.ask("gre-read"), "2081880b0000002200000001");
    assert_eq!(peer.ask("quiet gre-read"), "none");
}

#[test]
fn frames_come_in_order_and_a_missing_one_is_not_waited_for_long() {
    let [mut engine, mut peer] = engine_and_peer();
    engine.meanwhile(|engine| {
        for (sequence, content) in [(0, 0xa0), (2, 0xa2), (1, 0xa1), (1, 0xff), (4, 0xa4)] {
            engine.await_from(&mut peer, &format!("gre-send {}", data(sequence, content)));
        }
    });
    for content in [0xa0, 0xa1, 0xa2, 0xa4] {
        assert_eq!(engine.ask("read channel"), format!("c021{content:02x}"));
    }
    peer.tell(&format!("gre-send {}", data(3, 0xa3)));
    assert_eq!(engine.ask("quiet read channel"), "none");
    let counters = ["delivered", "reordered", "missing", "stale", "waiting"].map(|name| engine.counter(name));
    assert_eq!(counters, [4, 1, 1, 2, 0]);
}

#[test]
fn every_packet_that_is_no_good_is_counted_and_nothing_else_happens() {
    let [mut engine, mut peer] = engine_and_peer();
    let bad = [
        // Cut off in the header, in the payload; checksum present; no sequence number but a payload; empty frame.
        ("malformed", "3001880b00050011"),
        ("malformed", "3001880b0005001100000000ff03c0"),
        ("malformed", "b001880b000500110000000000000000ff03c02101"),
        ("unnumbered", "2081880b0001001100000000ff"),
        ("empty", "3001880b0000001100000000"),
        ("malformed-frames", "3001880b0002001100000001ff03"),
        ("implausible", "3001880b0005001180000000ff03c02101"),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (counter, packet) in bad {
        peer.tell(&format!("gre-send {packet}"));
        let count = expected.entry(counter).or_insert(0_u64);
        *count += 1;
        eventually(counter, || engine.counter(counter) == *count);
    }
    peer.tell(&format!("gre-send {}", data(2, 0xee)));
    assert_eq!(engine.ask("read channel"), "c021ee");
}
