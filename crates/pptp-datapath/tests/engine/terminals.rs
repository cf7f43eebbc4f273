//! Channels whose frames pass through a terminal; the test plays the kernel's PPP at its slave.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::{End, ends, eventually};

/// Two ends with a call between them, each with a terminal.
fn terminals(options: &str) -> [End; 2] {
    terminals_of("batched", options)
}

fn terminals_of(batching: &str, options: &str) -> [End; 2] {
    let mut both = ends(batching);
    let outer = [both[0].outer.clone(), both[1].outer.clone()];
    both[0].tell(&format!("terminal {} {} 100 101 {options}", outer[0], outer[1]));
    both[1].tell(&format!("terminal {} {} 101 100 {options}", outer[1], outer[0]));
    both
}

/// An engine with a terminal for call 17, and a peer with call 34 that is played by the test.
fn engine_and_peer() -> [End; 2] {
    let [mut engine, mut peer] = ends("batched");
    engine.tell(&format!("terminal {} {} 17 34", engine.outer, peer.outer));
    peer.tell(&format!("gre {} {} 34", peer.outer, engine.outer));
    [engine, peer]
}

fn data(sequence: u32, frame: &str) -> String {
    format!("3001880b{:04x}0011{sequence:08x}{frame}", frame.len() / 2)
}

/// Frames, and how they look on the line, from RFC 1662.
const LCP: [&str; 2] =
    ["ff03c0210901000c0102030405060708", "ff7d23c0217d297d217d207d2c7d217d227d237d247d257d267d277d28d2cc"];
const IP: [&str; 2] = ["ff0300210011137d7e7fff", "ff0300210011137d5d7d5e7fff054e"];
const IP_ESCAPED: &str = "ff7d237d20217d207d317d337d5d7d5e7fff7d254e";
const COMPRESSED: [&str; 2] = ["2145117e", "2145117d5e4d46"];

#[test]
fn frames_pass_as_they_are_in_both_directions() {
    let [mut engine, mut peer] = engine_and_peer();
    for (sequence, line) in [LCP[1], IP[1], IP_ESCAPED, COMPRESSED[1]].into_iter().enumerate() {
        engine.tell(&format!("line-write 7e{line}7e"));
        let frame = [LCP[0], IP[0], IP[0], COMPRESSED[0]][sequence];
        let length = frame.len() / 2;
        assert_eq!(peer.ask("gre-read"), format!("3001880b{length:04x}0022{sequence:08x}{frame}"));
    }
    for (sequence, [frame, line]) in [LCP, IP, COMPRESSED].into_iter().enumerate() {
        peer.tell(&format!("gre-send {}", data(sequence as u32, frame)));
        assert_eq!(engine.ask("line-read"), format!("7e{line}7e"));
    }
    // What came is acknowledged, though nothing goes the other way.
    assert!(peer.ask("gre-read").starts_with("2081880b00000022"));
}

#[test]
fn frames_come_in_order_and_a_missing_one_is_not_waited_for_long() {
    let [mut engine, mut peer] = engine_and_peer();
    peer.tell(&format!("gre-send {}", data(0, LCP[0])));
    assert_eq!(engine.ask("line-read"), format!("7e{}7e", LCP[1]));
    engine.meanwhile(|engine| {
        engine.await_from(&mut peer, &format!("gre-send {}", data(2, COMPRESSED[0])));
        engine.await_from(&mut peer, &format!("gre-send {}", data(1, IP[0])));
    });
    eventually("both come", || engine.counter("delivered") == 3);
    assert_eq!(engine.ask("line-read"), format!("7e{}7e{}7e", IP[1], COMPRESSED[1]));
    peer.tell(&format!("gre-send {}", data(4, IP[0])));
    assert_eq!(engine.ask("line-read"), format!("7e{}7e", IP[1]));
    assert_eq!(["missing", "reordered"].map(|name| engine.counter(name)), [1, 1]);
}

#[test]
fn every_frame_that_is_no_good_is_counted_and_nothing_else_happens() {
    let [mut engine, mut peer] = engine_and_peer();
    engine.tell(&format!("line-write 41{}7e", IP[1]));
    engine.tell("line-write ff03002145007d7e");
    engine.tell("line-write 4141417e");
    // One bit of a frame is wrong.
    engine.tell("line-write ff7d237d20217d607d317d337d5d7d5e7fff7d254e7e");
    engine.tell(&format!("line-write {}7e", "55".repeat(20_000)));
    engine.tell(&format!("line-write {}7e", IP[1]));
    assert_eq!(peer.ask("gre-read"), format!("3001880b000b002200000000{}", IP[0]));
    for name in ["line-unopened", "line-aborted", "line-too-short", "line-bad-fcs", "line-too-long", "sent"] {
        assert_eq!(engine.counter(name), 1, "{name}");
    }
    // Without a protocol it is no frame.
    peer.tell(&format!("gre-send {}", data(0, "ff03")));
    eventually("it is counted", || engine.counter("malformed-frames") == 1);
    peer.tell(&format!("gre-send {}", data(1, IP[0])));
    assert_eq!(engine.ask("line-read"), format!("7e{}7e", IP[1]));
}

fn assert_all_in_order(end: &mut End, send: u32, receive: u32) {
    assert_eq!(end.ask(&format!("line-exchange {send} {receive}")), format!("{receive} 0 0"));
}

#[test]
fn every_frame_arrives_in_order_and_unchanged_in_both_directions_at_once() {
    const FRAMES: u32 = 100_000;
    // Without a window the peer's socket, which a slow reader leaves full, would lose some.
    let [mut one, mut two] = terminals("window 64");
    thread::scope(|scope| {
        scope.spawn(|| assert_all_in_order(&mut one, FRAMES, FRAMES));
        scope.spawn(|| assert_all_in_order(&mut two, FRAMES, FRAMES));
    });
    for end in [&mut one, &mut two] {
        let counters = end.counters();
        let numbers = ["sent", "delivered", "missing", "lost-to-pppd", "line-bad-fcs", "overflow"];
        assert_eq!(numbers.map(|name| counters[name]), [FRAMES.into(), FRAMES.into(), 0, 0, 0, 0]);
    }
}

#[test]
fn every_frame_arrives_through_a_small_window_and_one_at_a_time() {
    for batching in ["batched", "single"] {
        let [mut one, mut two] = terminals_of(batching, "window 8");
        thread::scope(|scope| {
            scope.spawn(|| assert_all_in_order(&mut one, 5000, 5000));
            scope.spawn(|| assert_all_in_order(&mut two, 5000, 5000));
        });
        assert_eq!(one.counter("overflow"), 0);
    }
}

#[test]
fn without_a_window_whatever_arrives_is_in_order_and_unchanged() {
    let [mut one, mut two] = terminals("");
    let exchange = |end: &mut End| {
        let seen = end.ask("line-exchange 20000 20000");
        let numbers: Vec<u64> = seen.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(numbers[1..], [0, 0], "{seen}");
        let counters = end.counters();
        assert_eq!(numbers[0], counters["delivered"]);
        assert_eq!((counters["lost-to-pppd"], counters["line-bad-fcs"]), (0, 0));
    };
    thread::scope(|scope| {
        scope.spawn(|| exchange(&mut one));
        scope.spawn(|| exchange(&mut two));
    });
}

#[test]
fn garbage_is_counted_and_takes_no_memory_and_the_line_goes_on() {
    let [mut one, mut two] = terminals("");
    one.tell("line-garbage 20000000");
    one.tell("line-write 7e");
    assert_eq!(one.ask("line-exchange 100 0"), "0 0 0");
    let seen = two.ask("line-exchange 0 100");
    let numbers: Vec<u32> = seen.split_whitespace().map(|word| word.parse().unwrap()).collect();
    // About one of 65536 pieces between flags has the right FCS.
    assert!((100..110).contains(&numbers[0]) || numbers[2] < 10, "{seen}");
    assert!(one.counter("line-bad-fcs") > 1000);
    let kilobytes = memory(&one);
    assert!(kilobytes < 3072, "{kilobytes} KiB");
}

fn memory(end: &End) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", end.engine().unwrap())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_slow_reader_loses_nothing_that_the_socket_can_hold() {
    const FRAMES: u32 = 1500;
    let [mut one, mut two] = terminals("");
    assert_eq!(one.ask(&format!("line-exchange {FRAMES} 0")), "0 0 0");
    eventually("all are sent", || one.counter("sent") == u64::from(FRAMES));
    thread::sleep(Duration::from_millis(200));
    assert!(two.counter("delivered") < 200, "the socket is read although the terminal is full");
    let begin = two.processor_time();
    thread::sleep(Duration::from_secs(1));
    assert!(two.processor_time() - begin < 10, "it spins");
    assert_all_in_order(&mut two, 0, FRAMES);
    assert_eq!(two.counter("lost-to-pppd"), 0);
    // The socket is read again, and the other direction was never held up.
    one.tell(&format!("line-write 7e{}7e", IP[1]));
    assert_eq!(two.ask("line-read"), format!("7e{}7e", IP[1]));
}

#[test]
fn a_full_terminal_does_not_hold_up_the_other_direction() {
    let [mut one, mut two] = terminals("");
    assert_eq!(one.ask("line-exchange 500 0"), "0 0 0");
    assert_eq!(two.ask("line-exchange 500 0"), "0 0 0");
    assert_all_in_order(&mut one, 0, 500);
    assert_all_in_order(&mut two, 0, 500);
}

#[test]
fn a_full_terminal_on_a_shared_port_loses_only_its_own() {
    const FRAMES: u32 = 4000;
    let [mut one, mut two] = ends("batched");
    one.tell(&format!("terminals {} {}", one.outer, two.outer));
    two.tell(&format!("terminals {} {}", two.outer, one.outer));
    assert_eq!(one.ask(&format!("line-exchange {FRAMES} 0")), "0 0 0");
    eventually("all are there", || two.counter("delivered") == FRAMES.into());
    let kilobytes = memory(&two);
    assert!(kilobytes < 8 << 10, "{kilobytes} KiB");
    for end in [&mut one, &mut two] {
        end.tell("line 1");
    }
    thread::scope(|scope| {
        scope.spawn(|| assert_all_in_order(&mut one, 500, 500));
        scope.spawn(|| assert_all_in_order(&mut two, 500, 500));
    });
    let lost = u32::try_from(two.counter("lost-to-pppd")).unwrap();
    assert!(lost > 1000, "{lost}");
    two.tell("line 0");
    assert_all_in_order(&mut two, 0, FRAMES - lost);
}

#[test]
fn the_end_of_the_life_line_is_a_hang_up() {
    let [mut one, _two] = terminals("");
    assert_eq!(one.ask("quiet line-read"), "none");
    one.tell("close life-line");
    assert_eq!(one.ask("line-read"), "end");
    assert!(one.ask("counters").starts_with("error"));
}

#[test]
fn the_death_of_the_engine_is_a_hang_up() {
    let [mut one, _two] = terminals("");
    kill(Pid::from_raw(one.engine().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(one.ask("line-read"), "end");
    eventually("the client sees it", || one.ask("ended") == "true");
}

#[test]
fn a_closed_slave_is_the_end_of_the_channel_but_not_of_what_it_wrote() {
    let [mut engine, mut peer] = engine_and_peer();
    engine.tell(&format!("line-write 7e{}7e", IP[1]));
    engine.tell("close line");
    assert_eq!(peer.ask("gre-read"), format!("3001880b000b002200000000{}", IP[0]));
    eventually("the channel goes", || engine.ask("counters").starts_with("error"));
    let begin = engine.processor_time();
    thread::sleep(Duration::from_millis(500));
    assert!(engine.processor_time() - begin < 10, "it spins");
    assert_eq!(engine.ask("ended"), "false");
    engine.tell(&format!("terminal {} {} 18 34", engine.outer, peer.outer));
    engine.tell(&format!("line-write 7e{}7e", IP[1]));
    assert_eq!(peer.ask("gre-read"), format!("3001880b000b002200000000{}", IP[0]));
}

#[test]
fn a_terminal_takes_no_unit() {
    let [mut engine, _peer] = engine_and_peer();
    engine.tell("unit ppp7");
    assert_eq!(engine.ask("connect"), "error a terminal has no unit");
}

#[test]
fn an_idle_terminal_wakes_nobody() {
    let [mut one, two] = terminals("");
    one.tell(&format!("line-write 7e{}7e", IP[1]));
    thread::sleep(Duration::from_millis(500));
    let begin = [one.processor_time(), two.processor_time()];
    thread::sleep(Duration::from_secs(1));
    assert!(one.processor_time() - begin[0] <= 1 && two.processor_time() - begin[1] <= 1);
}
