//! The plugin's own CCP (`pptp_mppe`), at either end or both, and pppd's at the other: what is agreed on, and how fast.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use pptp_native::ppp::protocol;
use pptp_native::{Middle, Network, Pppd, SOON, Version, Way, eventually, with_either_pppd};

with_either_pppd! {
    each_wish_meets_each_other,
    each_key_length_in_each_mode_carries,
    pppd_s_own_ccp_is_understood,
    another_negotiation_lets_nothing_pass_in_clear,
}

const CLIENT: &str = "user alice noipv6";

/// A peer that does not answer a Terminate-Request is not waited for long; but one that the kernel holds up while it takes its
/// interface down is, as that may take seconds with so many namespaces.
const TERMINATION: &str = "lcp-max-terminate 1 lcp-restart 10";

/// How many tunnels there are at the same time.
const AT_A_TIME: usize = 8;

/// How long it may take until IP is up, or the link closed: there is no peer here that has to be waited for.
const HASTE: Duration = Duration::from_secs(25);

/// What two ends have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Encrypted,
    Clear,
    Closed,
}

struct Outcome {
    end: End,
    /// The client's, if it has ended by itself.
    status: Option<i32>,
    /// The client's and the server's.
    logs: [String; 2],
}

/// A server that is ready to be called, and everybody's options but the client's.
fn call(version: Version, [_, server]: [&str; 2]) -> (Network, Middle) {
    let (mut network, middle) = Network::with_middle(version);
    network.serve_with_password("secret", &format!("{TERMINATION} {server}"));
    (network, middle)
}

fn meet(version: Version, [client, server]: [String; 2]) -> Outcome {
    let (network, middle) = call(version, [&client, &server]);
    let mut pppd = network.dial("client", &format!("{CLIENT} {TERMINATION} {client}"));
    let begin = Instant::now();
    let is_up = |log: String| log.contains("remote IP address");
    let is_over = eventually("both ends are up, or it is over", HASTE, || {
        let is_over = !pppd.is_running();
        (is_over || is_up(pppd.log()) && is_up(network.server_log(1))).then_some(is_over)
    });
    assert!(begin.elapsed() < HASTE);
    let (end, status) =
        if is_over { (End::Closed, Some(pppd.exit_status(SOON))) } else { (what_passes(&network, &middle), None) };
    finish(&mut pppd, &network);
    Outcome { end, status, logs: [pppd.log(), network.server_log(1)] }
}

fn finish(pppd: &mut Pppd<'_>, network: &Network) {
    if pppd.is_running() {
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(SOON), 5);
    }
    network.assert_nothing_left();
}

/// How many packets each end has sent with this protocol.
fn count(middle: &Middle, protocol: u16) -> [usize; 2] {
    Way::BOTH.map(|way| middle.seen_of(way, protocol).len())
}

fn in_clear(middle: &Middle) -> [usize; 2] {
    count(middle, protocol::IP)
}

/// Packets pass both ways; either all of them are encrypted, or none is.
fn what_passes(network: &Network, middle: &Middle) -> End {
    assert_eq!(network.client.pings(3, 1000, "10.99.1.1"), 3);
    assert_eq!(network.server.pings(3, 1000, "10.99.1.2"), 3);
    match (count(middle, protocol::MPPE), in_clear(middle)) {
        (encrypted, [0, 0]) if encrypted.iter().all(|&count| count >= 6) => End::Encrypted,
        ([0, 0], clear) if clear.iter().all(|&count| count >= 6) => End::Clear,
        both => panic!("encrypted and in clear: {both:?}"),
    }
}

/// Does something with each of these, a few at a time.
fn for_each<T: Send>(cases: impl IntoIterator<Item = T, IntoIter: Send>, act: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases.into_iter());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().next() } {
                    act(case);
                }
            });
        }
    });
}

fn each_wish_meets_each_other(version: Version) {
    const WISHES: [&str; 3] = ["deny", "optional", "required"];
    for_each(WISHES.into_iter().flat_map(|client| WISHES.map(|server| [client, server])), |wishes| {
        let outcome = meet(version, wishes.map(|wish| format!("pptp_mppe {wish}")));
        let end = match wishes {
            ["deny", "required"] | ["required", "deny"] => End::Closed,
            ["deny", _] | [_, "deny"] => End::Clear,
            _ => End::Encrypted,
        };
        assert_eq!(outcome.end, end, "{wishes:?}");
        assert_eq!(outcome.status.is_some(), end == End::Closed, "{wishes:?}");
        for (wish, log) in wishes.into_iter().zip(outcome.logs) {
            let line = match (end, wish) {
                (End::Encrypted, _) => "MPPE 128-bit stateless compression enabled",
                (_, "deny") => "MPPE is not used: mppe is denied here",
                (_, "optional") => "MPPE is not used: the peer rejects mppe",
                _ => "MPPE is required: the peer rejects mppe",
            };
            assert_eq!(log.lines().filter(|its| *its == line).count(), 1, "{wishes:?}: {log}");
        }
    });
}

/// On a way that loses packets, which the stateful mode minds.
fn each_key_length_in_each_mode_carries(version: Version) {
    let modes = ["stateless", "stateful"];
    for_each(["40", "56", "128"].into_iter().flat_map(|length| modes.map(|mode| (length, mode))), |(length, mode)| {
        let options = format!("pptp_mppe required,{length},{mode}");
        let (network, middle) = call(version, [&options, &options]);
        let mut pppd = network.dial_up("client", 1, &format!("{CLIENT} {TERMINATION} {options}"));
        for log in [pppd.log(), network.server_log(1)] {
            assert!(log.contains(&format!("MPPE {length}-bit {mode} compression enabled")), "{log}");
        }
        assert_eq!(what_passes(&network, &middle), End::Encrypted);
        let mut number = 0;
        middle.rewrite(move |_, frame| {
            number += u32::from(frame.is(protocol::MPPE));
            if frame.is(protocol::MPPE) && number % 50 == 0 { Vec::new() } else { vec![frame] }
        });
        let Network { client, server, .. } = &network;
        client.send_stream(server, "10.99.1.1", 200_000);
        server.send_stream(client, "10.99.1.2", 200_000);
        assert_eq!(pppd.count("MPPE disabled") + pppd.count("MPPE has ended"), 0);
        finish(&mut pppd, &network);
        assert_eq!(in_clear(&middle), [0, 0]);
    });
}

/// Ours, pppd's, and what becomes of it, whichever calls.
const WITH_PPPD_S_OWN: [(&str, &str, End); 22] = [
    ("pptp_mppe required", "require-mppe-128", End::Encrypted),
    ("pptp_mppe required", "require-mppe-40", End::Encrypted),
    ("pptp_mppe required", "", End::Closed),
    ("pptp_mppe required", "noccp", End::Closed),
    ("pptp_mppe optional", "require-mppe-128", End::Encrypted),
    ("pptp_mppe optional", "", End::Clear),
    ("pptp_mppe optional", "nomppe", End::Clear),
    ("pptp_mppe optional", "noccp", End::Clear),
    ("pptp_mppe deny", "require-mppe-128", End::Closed),
    ("pptp_mppe deny", "", End::Clear),
    ("pptp_mppe required,56", "require-mppe-128", End::Closed),
    ("pptp_mppe optional,40", "require-mppe-128", End::Closed),
    ("pptp_mppe optional,40", "require-mppe-40", End::Encrypted),
    ("pptp_mppe required,stateful", "require-mppe-128", End::Closed),
    ("pptp_mppe required,stateful", "require-mppe-128 mppe-stateful", End::Encrypted),
    ("pptp_mppe required,stateful,stateless", "require-mppe-128", End::Encrypted),
    // As OpenWrt writes it.
    ("mppe required,stateless,no40,no56", "require-mppe-128", End::Encrypted),
    ("mppe required,stateless,no40,no56", "require-mppe-40", End::Closed),
    ("mppe required,stateless,no128", "require-mppe-40", End::Encrypted),
    ("allow-mppe-128", "require-mppe-128", End::Encrypted),
    ("allow-mppe-128", "require-mppe-40", End::Closed),
    ("allow-mppe-128", "nomppe", End::Clear),
];

fn pppd_s_own_ccp_is_understood(version: Version) {
    let cases = WITH_PPPD_S_OWN.into_iter();
    for_each(cases.flat_map(|(ours, theirs, end)| [([ours, theirs], end), ([theirs, ours], end)]), |(ends, end)| {
        let outcome = meet(version, ends.map(String::from));
        assert_eq!(outcome.end, end, "{ends:?}: {}", outcome.logs.concat());
        let reasons = match end {
            End::Encrypted => ["compression enabled"; 2],
            End::Clear => ["MPPE is not used: "; 2],
            End::Closed => ["MPPE is required: ", "MPPE required but peer "],
        };
        let all = outcome.logs.concat();
        assert!(reasons.iter().any(|reason| all.contains(reason)), "{ends:?}: {all}");
    });
}

/// SIGUSR2: the keys are good for one negotiation, so that the link stays as it is, or is closed, and then called anew.
fn another_negotiation_lets_nothing_pass_in_clear(version: Version) {
    const OURS: &str = "pptp_mppe required";
    const PPPD_S: &str = "require-mppe-128";
    let ends = [[OURS, OURS], [OURS, PPPD_S], [PPPD_S, OURS], [PPPD_S, PPPD_S]];
    for_each(ends.into_iter().flat_map(|ends| Way::BOTH.map(|asked| (ends, asked))), |(ends, asked)| {
        let (network, middle) = call(version, ends);
        let persistent = format!("{CLIENT} {TERMINATION} persist holdoff 0 maxfail 0 {}", ends[0]);
        let mut pppd = network.dial_up("client", 1, &persistent);
        let Network { client, server, .. } = &network;
        let (machine, speaker) = if asked == Way::Up { (server, ends[1]) } else { (client, ends[0]) };
        let ping = "ping -q -i 0.01 -c 60 -w 1 10.99.1.1 > /run/test/ping";
        let mut ping = client.command(ping).spawn().unwrap();
        machine.run("kill -USR2 $(cat /run/ppp0.pid)");
        let logs = || pppd.log() + &network.server_log(1);
        let words: &[&str] =
            if speaker == OURS { &["CCP stays as it is"] } else { &["MPPE disabled", "MPPE has ended"] };
        eventually("it says what comes of it", SOON, || words.iter().any(|its| logs().contains(its)).then_some(()));
        let first = if speaker == OURS { 1 } else { 2 };
        eventually("it carries, as before or anew", SOON, || {
            (first..=3).find(|call| client.pings(1, 56, &format!("10.99.{call}.1")) == 1)
        });
        ping.wait().unwrap();
        assert_eq!(network.server_log(2).is_empty(), speaker == OURS, "{ends:?} {asked:?}");
        finish(&mut pppd, &network);
        assert_eq!(in_clear(&middle), [0, 0], "{ends:?} {asked:?}");
    });
}
