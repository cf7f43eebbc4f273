//! The plugin's own /dev/ppp, used as pppd uses the kernel's: by open(2) and ioctl(2) of a program that knows nothing of
//! it. It makes TUN devices, so it runs in a network namespace of its own.

mod fake_host;

use fake_host::{Ran, run_alone};

const TUN: [&str; 4] = ["pptp_server", "192.0.2.1", "pptp_datapath", "tun"];

/// Runs the host's commands on the tun data path.
fn on_tun(words: &[&str]) -> Ran {
    let all: Vec<_> = TUN.iter().chain(words).copied().collect();
    run_alone(&all)
}

#[test]
fn a_unit_is_made_numbered_and_gone_when_it_is_closed() {
    let words =
        ["@check", "@open", "@newunit=-1", "@getunit", "@closeppp", "@open", "@newunit=-1", "@open", "@newunit=7"];
    let ran = on_tun(&words);
    assert_eq!(ran.after("new unit: "), ["0", "0", "7"], "{ran:?}");
    assert_eq!(ran.after("unit: "), ["0"]);
    assert_eq!(ran.after("open: ").len(), 3);
}

#[test]
fn a_number_that_is_taken_is_the_error_that_pppd_knows() {
    // The first stays open: another descriptor, as of another pppd.
    let ran = on_tun(&["@open", "@newunit=3", "@open", "@newunit=3", "@newunit=-1"]);
    assert_eq!(ran.after("new unit: "), ["3", "File exists", "0"], "{ran:?}");
}

#[test]
fn flags_idle_time_and_statistics_are_answered() {
    let begin = std::time::Instant::now();
    let ran = on_tun(&["@open", "@newunit=-1", "@setflags=512", "@getflags", "@getidle", "@statistics"]);
    assert_eq!(ran.after("flags: "), ["512"], "{ran:?}");
    let [idle] = ran.after("idle: ")[..] else { panic!("one answer: {ran:?}") };
    let seconds: Vec<u64> = idle.split(' ').map_while(|seconds| seconds.parse().ok()).collect();
    assert!(seconds.len() == 2 && seconds.iter().all(|&time| time <= begin.elapsed().as_secs()), "{ran:?}");
    assert_eq!(ran.after("statistics: "), ["0"], "{ran:?}");
}

#[test]
fn what_is_not_possible_has_the_errors_of_the_kernel() {
    let ran = on_tun(&["@open", "@attach", "@attchan=1", "@getunit", "@newunit=-1", "@newunit=-1", "@compress"]);
    assert_eq!(ran.after("attach: "), ["No such device or address"], "{ran:?}");
    assert_eq!(ran.after("attach channel: "), ["No such device or address"], "{ran:?}");
    assert_eq!(ran.after("unit: "), ["Inappropriate ioctl for device"], "{ran:?}");
    assert_eq!(ran.after("new unit: "), ["0", "Invalid argument"], "{ran:?}");
    assert_eq!(ran.after("compress: "), ["Invalid argument"], "{ran:?}");
}

#[test]
fn header_compression_is_not_offered() {
    assert!(on_tun(&["@vj", "@check", "@vj"]).lines.ends_with(&[
        String::from("checked"),
        String::from("vj 0 0"),
        String::from("status 8 quit 0"),
    ]));
}

#[test]
fn on_demand_pppd_ends_when_its_interface_is_gone() {
    // The engine may find out while it answers, and then it takes another look.
    let words =
        ["@demand", "@check", "@open", "@newunit=-1", "@timer", "@run=ip link del ppp0", "@timer", "@wait=2", "@timer"];
    let ran = on_tun(&words);
    let looks = ran.after("timer ");
    assert!(looks.len() >= 2 && looks.iter().all(|&look| look == "3 s"), "{ran:?}");
    assert_eq!(ran.after("ran "), ["0"], "{ran:?}");
    assert!(ran.says("error: interface of unit 0 was deleted"), "{ran:?}");
    assert!(ran.says("error: option demand: its interface is gone, so pppd ends"), "{ran:?}");
    assert!(ran.says("dies with 1"), "{ran:?}");
    let kept = on_tun(&["@check", "@open", "@newunit=-1", "@timer"]);
    assert_eq!(kept.after("timer "), ["0 s"], "{kept:?}");
}

#[test]
fn an_engine_that_has_ended_is_an_error_in_the_log() {
    // The only one in this network namespace.
    let kill = "@run=for p in /proc/[0-9]*; do [ $(readlink $p/ns/net) = $(readlink /proc/self/ns/net) ] \
                && grep -qx pptp-engine $p/comm && kill -9 ${p#/proc/} && \
                while [ -e $p/stat ] && ! grep -q ') Z ' $p/stat; do sleep 0.02; done; done; true";
    let ran = on_tun(&["@check", "@open", "@newunit=-1", kill, "@getidle"]);
    let line = "error: the engine (process pptp-engine) has ended, and with it its interface and its call";
    assert!(ran.says(line), "{ran:?}");
}

#[test]
fn contradictions_are_found_at_the_first_open() {
    let ran = on_tun(&["@multilink", "@open"]);
    let line = "option error: option pptp_datapath: 'tun' is not possible: option multilink needs the kernel's PPP";
    assert_eq!((ran.status, ran.says(line)), (Some(2), true), "{ran:?}");
}

#[test]
fn waiting_for_a_call_that_is_not_offered_ends_with_a_signal() {
    let interrupted = || {
        let begin = std::time::Instant::now();
        let ran = run_alone(&["@pair", "pptp_client", "192.0.2.1", "pptp_sock", "90", "@check", "@term", "@connect"]);
        assert!(ran.says("connected no") && ran.says("status 5 quit 1"), "{ran:?}");
        begin.elapsed()
    };
    // Without the signal it always waits for 5 s; a busy machine adds something now and then.
    assert!((0..20).any(|_| interrupted() < std::time::Duration::from_secs(4)));
}
