//! A network that does not want, and a machine that wants to sleep.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::harness::{End, eventually, tunnel};

fn status(end: &End, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", end.engine().unwrap())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_peer_without_gre_is_counted_and_costs_nothing() {
    let [mut one, mut two] = tunnel("batched", "");
    // Its socket is closed: its kernel says "protocol unreachable".
    two.tell("drop");
    for _ in 0..5 {
        one.tell("write channel c0210901000800000000");
        sleep(Duration::from_millis(20));
    }
    eventually("errors are counted", || one.counter("network-errors") > 0);
    assert_eq!(
        one.next_warning(),
        "GRE packets do not reach 192.0.2.2: ICMP says protocol unreachable. It or a firewall or NAT on the way may not pass \
         GRE (IP protocol 47); one with Linux needs nf_conntrack_pptp"
    );
    let begin = one.processor_time();
    sleep(Duration::from_millis(500));
    assert!(one.processor_time() - begin < 10);
    let (local, peer) = (two.outer.clone(), one.outer.clone());
    two.tell(&format!("channel {local} {peer} 101 100"));
    two.tell("connect");
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn a_cable_that_was_out_for_a_while_is_no_end() {
    let [mut one, two] = tunnel("batched", "");
    assert_eq!(one.pings(&two.inner), 5);
    one.ip("link set cable down");
    assert_eq!(one.futile_pings(&two.inner), 0);
    assert!(one.counter("unsendable") > 0);
    one.ip("link set cable up");
    one.await_cable(&two);
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn a_peer_that_never_says_anything_is_pointed_out_once() {
    let [mut one, two] = tunnel("batched", "");
    let (local, peer) = (one.outer.clone(), two.outer.clone());
    one.tell("drop");
    one.tell(&format!("channel {local} {peer} 500 501"));
    let begin = Instant::now();
    let mut line = String::from("none");
    while line == "none" && begin.elapsed() < Duration::from_secs(40) {
        sleep(Duration::from_millis(100));
        line = one.next_warning();
    }
    assert!(begin.elapsed() > Duration::from_secs(9), "{line}");
    for word in ["192.0.2.2", "IP protocol 47", "firewall", "nf_conntrack_pptp"] {
        assert!(line.contains(word), "{line}");
    }
    sleep(Duration::from_millis(300));
    assert_eq!(one.next_warning(), "none");
}

#[test]
fn an_idle_engine_sleeps_and_is_small() {
    let [mut one, mut two] = tunnel("batched", "");
    assert_eq!(one.pings(&two.inner), 5);
    for end in [&mut one, &mut two] {
        end.tell("np 6 drop");
        end.ip("link set ppp7 multicast off");
    }
    let switches = |end: &End| status(end, "voluntary_ctxt_switches:");
    // The last acknowledgements may be late on a busy machine.
    eventually("it sleeps", || {
        let before = switches(&one);
        sleep(Duration::from_millis(500));
        switches(&one) == before
    });
    let begin = switches(&one);
    sleep(Duration::from_secs(3));
    assert!(switches(&one) - begin <= 2, "woke up {} times", switches(&one) - begin);
    let kilobytes = status(&one, "RssAnon:");
    assert!(kilobytes < 2048, "{kilobytes} KiB");
}
