//! One engine with many hosts.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::{End, ends, eventually};

/// The id of every call at the peer: it may be the same for many of ours.
const PEERS: u16 = 34;

/// An engine with a port and a host for each of these calls, and a peer that is played by the test. Hosts are numbered from 1 on.
fn engine_and_peer(calls: &[u16]) -> [End; 2] {
    let [mut engine, mut peer] = ends("batched");
    let outer = engine.outer.clone();
    engine.tell(&format!("port {outer}"));
    for call in calls {
        engine.tell("choose 0");
        let line = format!("host {outer} {} {call} {PEERS}", peer.outer);
        engine.tell(&line);
    }
    let line = format!("gre {} {outer} {PEERS}", peer.outer);
    peer.tell(&line);
    [engine, peer]
}

/// The chosen host takes its call.
fn take(engine: &mut End, peer: &End, call: u16) {
    let line = format!("channel-on-port {} {} {call} {PEERS}", engine.outer, peer.outer);
    engine.tell(&line);
}

/// Hosts 1 and 2 take their calls, 17 and 18.
fn take_both(engine: &mut End, peer: &End) {
    for (host, call) in [(1, 17), (2, 18)] {
        engine.tell(&format!("choose {host}"));
        take(engine, peer, call);
    }
}

/// The same, and each has a unit for it, ppp1 and ppp2.
fn take_both_with_units(engine: &mut End, peer: &End) {
    take_both(engine, peer);
    for host in [1, 2] {
        engine.tell(&format!("choose {host}"));
        engine.tell(&format!("unit ppp{host}"));
        engine.tell("connect");
    }
}

/// A packet for this call with an LCP frame of one byte.
fn data(call: u16, sequence: u32, content: u8) -> String {
    format!("gre-send 3001880b0005{call:04x}{sequence:08x}ff03c021{content:02x}")
}

/// What the peer hears when a host sends the first frame of its call with this byte.
fn first(content: u8) -> String {
    format!("3001880b0005{PEERS:04x}00000000ff03c021{content:02x}")
}

#[test]
fn each_host_has_its_own_call_and_numbers() {
    let [mut engine, mut peer] = engine_and_peer(&[17, 18]);
    take_both_with_units(&mut engine, &peer);
    for (host, call, content) in [(1, 17, 0xa1), (2, 18, 0xa2)] {
        peer.tell(&data(call, 0, content));
        engine.tell(&format!("choose {host}"));
        assert_eq!(engine.ask("read channel"), format!("c021{content:02x}"));
        assert_eq!(engine.counter("delivered"), 1);
        // It acknowledges that alone, for this says nothing.
        assert_eq!(peer.ask("gre-read"), format!("2081880b0000{PEERS:04x}00000000"));
    }
    for host in [1, 2] {
        engine.tell(&format!("choose {host}"));
        assert_eq!(engine.ask("quiet read channel"), "none");
    }
}

#[test]
fn what_comes_before_the_channel_is_kept_for_it() {
    let [mut engine, mut peer] = engine_and_peer(&[17]);
    for sequence in 0..20 {
        peer.tell(&data(17, sequence, 0xa0 + u8::try_from(sequence).unwrap()));
    }
    // With the answer, the engine has seen them.
    engine.ask("counters");
    take(&mut engine, &peer, 17);
    for content in 0xa0..0xb0 {
        assert_eq!(engine.ask("read channel"), format!("c021{content:02x}"));
    }
    // More are not kept.
    assert_eq!(engine.ask("quiet read channel"), "none");
    peer.tell(&data(17, 20, 0xee));
    assert_eq!(engine.ask("read channel"), "c021ee");
}

#[test]
fn a_host_has_no_call_but_its_own() {
    let [mut engine, peer] = engine_and_peer(&[17, 18]);
    let (outer, peers) = (engine.outer.clone(), peer.outer.clone());
    let not_its = |call: u16| format!("error call {call} on port 1 is not this host's");
    engine.tell("choose 1");
    for (call, line) in [
        (18, format!("{outer} {peers} 18 {PEERS}")),
        (19, format!("{outer} {peers} 19 {PEERS}")),
        (17, format!("{outer} 192.0.2.99 17 {PEERS}")),
        (17, format!("{outer} {peers} 17 35")),
        (17, format!("192.0.2.98 {peers} 17 {PEERS}")),
    ] {
        assert_eq!(engine.ask(&format!("channel-on-port {line}")), not_its(call));
    }
    take(&mut engine, &peer, 17);
    engine.tell("drop");
    // Nor is it when it is over.
    assert_eq!(engine.ask(&format!("channel-on-port {outer} {peers} 17 {PEERS}")), not_its(17));
    for line in [format!("port {outer}"), format!("host {outer} {peers} 20 {PEERS}")] {
        assert_eq!(engine.ask(&line), "error only the first host may do that");
    }
    engine.tell("choose 0");
    let taken = "error call id 18 is in use";
    assert_eq!(engine.ask(&format!("host {outer} {peers} 18 {PEERS}")), taken);
    assert_eq!(engine.ask(&format!("channel-on-port {outer} {peers} 18 {PEERS}")), taken);
}

#[test]
fn a_host_finds_nothing_of_others() {
    let [mut engine, peer] = engine_and_peer(&[17, 18]);
    engine.tell("choose 1");
    take(&mut engine, &peer, 17);
    engine.tell("unit ppp1");
    engine.tell("connect");
    for host in [0, 2] {
        engine.tell(&format!("choose {host}"));
        for line in ["disconnect", "drop", "counters", "channel-flags 3"] {
            assert_eq!(engine.ask(line), "error no channel 3", "{host}: {line}");
        }
        for line in ["statistics", "idle", "flags 1", "np 4 drop"] {
            assert_eq!(engine.ask(line), "error no unit 7", "{host}: {line}");
        }
    }
}

#[test]
fn with_a_host_goes_what_it_has_and_nothing_else() {
    let [mut engine, mut peer] = engine_and_peer(&[17, 18]);
    take_both_with_units(&mut engine, &peer);
    engine.tell("choose 1");
    engine.tell("close host");
    assert_eq!((engine.ask("read channel"), engine.ask("read unit")), ("end".into(), "end".into()));
    eventually("its interface goes", || !engine.command("ip", "link show ppp1").output().unwrap().status.success());
    engine.ip("link show ppp2");
    engine.tell("choose 2");
    peer.tell(&data(18, 0, 0xa2));
    assert_eq!(engine.ask("read channel"), "c021a2");
    // The call can be another's.
    engine.tell("choose 0");
    let line = format!("host {} {} 17 {PEERS}", engine.outer, peer.outer);
    engine.tell(&line);
    take(&mut engine, &peer, 17);
    peer.tell(&data(17, 0, 0xa1));
    assert_eq!(engine.ask("read channel"), "c021a1");
}

#[test]
fn a_host_that_never_had_its_call_leaves_nothing() {
    let [mut engine, mut peer] = engine_and_peer(&[17]);
    peer.tell(&data(17, 0, 0xa1));
    engine.tell("close host");
    engine.tell("choose 0");
    let line = format!("host {} {} 17 {PEERS}", engine.outer, peer.outer);
    eventually("the call is free", || engine.ask(&line) == "ok");
    take(&mut engine, &peer, 17);
    assert_eq!(engine.ask("quiet read channel"), "none");
}

#[test]
fn with_the_first_host_everything_ends() {
    let [mut engine, peer] = engine_and_peer(&[17]);
    take(&mut engine, &peer, 17);
    engine.tell("choose 0");
    engine.tell("close host");
    engine.tell("choose 1");
    assert_eq!(engine.ask("read channel"), "end");
    assert_eq!(engine.ask("ended"), "true");
    eventually("the process ends", || engine.engine().is_none());
}

#[test]
fn strangers_are_counted_and_not_heard() {
    let [mut engine, mut peer] = engine_and_peer(&[17, 18]);
    peer.ip("addr add 192.0.2.66/24 dev cable");
    let own = format!("gre {} {} {PEERS}", peer.outer, engine.outer);
    let strangers = format!("gre 192.0.2.66 {} {PEERS}", engine.outer);
    peer.tell(&strangers);
    peer.tell(&data(17, 0, 0xbb));
    peer.tell(&data(18, 0, 0xbb));
    engine.tell("choose 1");
    engine.ask("counters");
    take(&mut engine, &peer, 17);
    peer.tell(&data(17, 0, 0xbb));
    peer.tell(&data(99, 0, 0xbb));
    peer.tell(&own);
    peer.tell(&data(17, 0, 0xaa));
    assert_eq!(engine.ask("read channel"), "c021aa");
    assert_eq!((engine.counter("strangers"), engine.counter("unknown-calls")), (2, 1));
    assert_eq!(engine.ask("quiet read channel"), "none");
}

#[test]
fn nobody_waits_for_a_host_that_does_not_read() {
    let [mut engine, mut peer] = engine_and_peer(&[17, 18]);
    take_both(&mut engine, &peer);
    // More than its sockets have room for, answers and frames.
    engine.tell("choose 1");
    assert!(engine.ask("flood").parse::<usize>().unwrap() > 100);
    for sequence in 0..1000 {
        peer.tell(&data(17, sequence, 0xa1));
    }
    engine.tell("choose 2");
    peer.tell(&data(18, 0, 0xa2));
    assert_eq!(engine.ask("read channel"), "c021a2");
    engine.tell("write channel c02101");
    eventually("it is sent", || {
        let heard = peer.ask("gre-read");
        heard == first(1) || heard == format!("3081880b0005{PEERS:04x}0000000000000000ff03c02101")
    });
}

#[test]
fn each_host_hears_of_its_own_call_alone() {
    let [mut engine, peer] = engine_and_peer(&[17, 18]);
    take_both(&mut engine, &peer);
    engine.tell("drop");
    let log = |engine: &mut End, host: u32| {
        engine.tell(&format!("choose {host}"));
        std::iter::from_fn(|| Some(engine.ask("log")).filter(|line| line != "none")).collect::<Vec<_>>()
    };
    assert!(log(&mut engine, 2).iter().any(|line| line.starts_with("engine: call 18: counters:")));
    assert!(!log(&mut engine, 1).iter().any(|line| line.contains("18")));
}

#[test]
fn an_engine_that_many_want_something_of_may_take_its_time() {
    let [mut engine, peer] = engine_and_peer(&[17]);
    let process = Pid::from_raw(engine.engine().unwrap());
    kill(process, Signal::SIGSTOP).unwrap();
    let goes_on = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        kill(process, Signal::SIGCONT).unwrap();
    });
    take(&mut engine, &peer, 17);
    goes_on.join().unwrap();
}
