//! How units, channels and engines end.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::{End, eventually, tunnel};

fn has_interface(end: &End) -> bool {
    end.command("ip", "link show ppp7").output().unwrap().status.success()
}

/// Not so if only its exit status is left, which some machines' process 1 is slow to collect.
fn is_running(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("\nState:\tZ"))
}

#[test]
fn a_killed_engine_is_the_end_of_everything() {
    let [mut one, two] = tunnel("batched", "");
    assert_eq!(one.pings(&two.inner), 5);
    kill(Pid::from_raw(one.engine().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(one.ask("read channel"), "end");
    assert_eq!(one.ask("read unit"), "end");
    eventually("the client sees it", || one.ask("ended") == "true");
    eventually("the interface goes", || !has_interface(&one));
}

#[test]
fn a_killed_pppd_is_the_end_of_its_engine_and_interface() {
    let [mut one, two] = tunnel("batched", "");
    assert_eq!(two.pings(&one.inner), 5);
    let engine = one.engine().unwrap();
    one.kill();
    eventually("the engine ends", || !is_running(engine));
    assert_eq!(two.futile_pings(&one.inner), 0);
}

#[test]
fn a_deleted_interface_is_a_hang_up() {
    let [mut one, two] = tunnel("batched", "");
    assert_eq!(one.pings(&two.inner), 5);
    one.ip("link del ppp7");
    assert_eq!(one.ask("read channel"), "end");
    assert_eq!(one.ask("read unit"), "end");
    assert_eq!(one.ask("ended"), "false");
    assert_eq!(one.next_warning(), "interface of unit 7 was deleted");
    assert_eq!(one.next_warning(), "none");
}

#[test]
fn the_statistics_of_a_deleted_interface_can_be_read_until_its_unit_is_closed() {
    let [mut one, two] = tunnel("batched", "");
    assert_eq!(one.pings(&two.inner), 5);
    let before = one.statistics();
    assert!(before[0] >= 5);
    one.ip("link del ppp7");
    assert_eq!(one.ask("read unit"), "end");
    let after = one.statistics();
    assert!(before.iter().zip(after).all(|(&before, after)| before <= after));
    // A new call is none for it, and what pppd has kept goes nowhere.
    let (local, peer) = (one.outer.clone(), two.outer.clone());
    one.tell(&format!("channel {local} {peer} 300 301"));
    assert_eq!(one.ask("connect"), "error interface of unit 7 was deleted");
    one.tell("write unit 002145000014");
    assert_eq!(one.ask("unit ppp7"), "error unit 7 exists");
    one.tell("close unit");
    eventually("the unit goes", || one.ask("statistics").starts_with("error"));
    one.tell("unit ppp7");
    assert_eq!(one.statistics(), [0; 4]);
}

#[test]
fn the_end_of_the_life_line_is_a_hang_up_and_the_unit_takes_another_call() {
    let [mut one, mut two] = tunnel("batched", "");
    for end in [&mut one, &mut two] {
        end.tell("close life-line");
        assert_eq!(end.ask("read channel"), "end");
        assert_eq!(end.ask("quiet read unit"), "none");
        // What pppd still says, as it does before it closes a link that was encrypted, is no broken pipe.
        end.tell("write channel c0210501000400000000");
    }
    assert!(has_interface(&one));
    let begin = one.processor_time();
    assert_eq!(one.futile_pings(&two.inner), 0);
    assert!(one.processor_time() - begin < 20, "it spins");
    let addresses = [one.outer.clone(), two.outer.clone()];
    one.tell(&format!("channel {} {} 300 301", addresses[0], addresses[1]));
    two.tell(&format!("channel {} {} 301 300", addresses[1], addresses[0]));
    one.tell("connect");
    two.tell("connect");
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn a_channel_can_be_dropped_or_closed_and_a_unit_closed() {
    let [mut one, mut two] = tunnel("batched", "");
    one.tell("drop");
    assert_eq!(one.ask("read channel"), "end");
    two.tell("close channel");
    eventually("the channel goes", || two.ask("counters").starts_with("error"));
    two.tell("close unit");
    eventually("the interface goes", || !has_interface(&two));
    assert!(has_interface(&one));
}

#[test]
fn an_engine_has_neither_root_nor_capabilities() {
    let [one, _two] = tunnel("batched", "");
    let status = std::fs::read_to_string(format!("/proc/{}/status", one.engine().unwrap())).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_ne!(line("Uid:").split_whitespace().next().unwrap(), "0");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    assert_eq!((line("NoNewPrivs:"), line("Seccomp:")), (String::from("1"), String::from("2")));
}

#[test]
fn a_plugin_waits_for_an_answer_but_not_long_and_a_late_one_confuses_nothing() {
    let [mut one, two] = tunnel("batched", "");
    let engine = Pid::from_raw(one.engine().unwrap());
    kill(engine, Signal::SIGSTOP).unwrap();
    let begin = Instant::now();
    assert_eq!(one.ask("idle"), "error the engine does not answer");
    assert!((2900..20_000).contains(&begin.elapsed().as_millis()));
    // Not so long for each question.
    let begin = Instant::now();
    for _ in 0..5 {
        assert_eq!(one.ask("idle"), "error the engine does not answer");
    }
    assert!((400..10_000).contains(&begin.elapsed().as_millis()));
    kill(engine, Signal::SIGCONT).unwrap();
    eventually("the engine answers again", || !one.ask("statistics").starts_with("error"));
    assert!(one.counters().contains_key("received"));
    assert_eq!(one.pings(&two.inner), 5);
}

#[test]
fn signals_to_the_engine_that_are_meant_for_pppd_do_nothing() {
    let [one, two] = tunnel("batched", "");
    let engine = Pid::from_raw(one.engine().unwrap());
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2] {
        kill(engine, signal).unwrap();
    }
    assert_eq!(one.pings(&two.inner), 5);
}
