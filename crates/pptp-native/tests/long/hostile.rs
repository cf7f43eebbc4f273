//! A man in the middle who has no key, and does all that can be done without: nothing is to be read on the way, nothing
//! that he makes is delivered as somebody's packet, and the tunnel goes on, or ends with a line that says why.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use pptp_native::ppp::{Frame, protocol};
use pptp_native::{Machine, Middle, Network, Pace, Pppd, SOON, Version, Way, eventually, with_either_pppd};

with_either_pppd! {
    what_is_changed_on_the_way_never_arrives_as_if_it_was_not,
    keys_that_do_not_fit_are_survived,
    a_few_wrong_headers_are_survived,
    packets_that_say_they_are_not_encrypted_end_the_link,
    impossible_counts_are_survived,
    packets_without_contents_are_survived,
    what_comes_twice_is_delivered_once,
    a_long_outage_is_survived,
    forged_control_packets_open_no_way_in_clear,
    the_stateful_mode_finds_its_way_back,
    the_stateful_mode_survives_a_long_outage,
    forged_control_packets_do_not_disturb_the_negotiation,
}

/// How much more memory an engine may take after an attack, KiB.
const GROWTH: u64 = 4096;

/// How many tunnels are attacked at the same time.
const AT_A_TIME: usize = 6;

/// Whose CCP negotiates, at both ends.
const PPPD_S: &str = "require-mppe-128";
const OURS: &str = "pptp_mppe required";
const OURS_STATEFUL: &str = "pptp_mppe required,stateful";

/// A peer that does not answer a Terminate-Request is not waited for long; but one that the kernel holds up while it takes its
/// interface down is, as that may take seconds with so many namespaces.
const TERMINATION: &str = "lcp-max-terminate 1 lcp-restart 10";

/// What is said when a link is closed because of its encryption.
const REASONS: [&str; 5] =
    ["MPPE has ended", "MPPE disabled", "MPPE required but", "Too many MPPE errors", "LCP terminated by peer"];

/// An encrypted tunnel and the man in its middle.
struct Tunnel<'a> {
    network: &'a Network,
    middle: &'a Middle,
    pppd: Pppd<'a>,
    /// What each end's engine took before, KiB.
    memory: [u64; 2],
}

/// What has become of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    GoesOn,
    SaysWhy,
}

impl Tunnel<'_> {
    fn answers(&self) -> bool {
        let Network { client, server, .. } = self.network;
        client.pings(1, 56, "10.99.1.1") == 1 && server.pings(1, 56, "10.99.1.2") == 1
    }

    fn goes_on_or_says_why(&mut self) -> End {
        let end = eventually("it answers or has ended", SOON, || {
            let is_over = !self.pppd.is_running();
            (is_over || self.answers()).then_some(if is_over { End::SaysWhy } else { End::GoesOn })
        });
        let logs = self.pppd.log() + &self.network.server_log(1);
        assert!(end == End::GoesOn || REASONS.iter().any(|reason| logs.contains(reason)), "no reason given: {logs}");
        end
    }

    fn goes_on(&mut self) {
        assert_eq!(self.goes_on_or_says_why(), End::GoesOn, "{}", self.pppd.log());
    }

    /// What is to become of it, and nothing else.
    fn comes_to(&mut self, end: End) {
        match end {
            End::GoesOn => self.goes_on(),
            // It may answer until the last of its packets are through.
            End::SaysWhy => {
                eventually("it has ended", SOON, || (!self.pppd.is_running()).then_some(()));
                assert_eq!(self.goes_on_or_says_why(), end);
            }
        }
    }

    /// Forty pings both ways, while something is done.
    fn under_pings(&mut self, act: impl FnOnce(&Self)) {
        let Network { client, server, .. } = self.network;
        let ping = |(machine, address): (&Machine, &str)| {
            machine.command(&format!("ping -q -i 0.01 -c 40 -W 1 {address} > /run/test/ping")).spawn().unwrap()
        };
        let pings = [(client, "10.99.1.1"), (server, "10.99.1.2")].map(ping);
        thread::sleep(Duration::from_millis(100));
        act(self);
        for mut ping in pings {
            ping.wait().unwrap();
        }
    }

    /// Sends small datagrams to the server, where nobody takes them. The queue of a TUN device loses some on a busy machine: all of
    /// them have to come.
    fn send_slowly(&self, count: usize) {
        self.network.client.run(&format!(
            "perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 17); connect(S, sockaddr_in(9, inet_aton(\"10.99.1.1\")));
            for (1..{count}) {{ send(S, \"x\", 0); select(undef, undef, undef, 0.001) if $_ % 5 == 0 }}'"
        ));
    }

    /// No panic, no memory, nothing in clear.
    fn check(&self) {
        for machine in [&self.network.client, &self.network.server] {
            assert!(!machine.logs().contains("panicked"), "{}", machine.logs());
        }
        for (before, after) in self.memory.into_iter().zip(memory(self.network)) {
            assert!(after <= before + GROWTH, "{before} KiB have become {after}");
        }
        let in_clear = |(_, frame): &(Way, Frame)| frame.is(protocol::IP) || frame.is(protocol::IPV6);
        assert_eq!(self.middle.seen().into_iter().find(in_clear), None);
    }
}

/// What each end's engine takes, KiB; nothing, if it has ended.
fn memory(network: &Network) -> [u64; 2] {
    [&network.client, &network.server]
        .map(|machine| machine.processes("pptp-engine").first().map_or(0, |&engine| machine.memory(engine)))
}

fn under_attack(version: Version, ccp: &str, attack: impl FnOnce(&mut Tunnel<'_>)) {
    let (mut network, middle) = Network::with_middle(version);
    network.serve_with_password("secret", &format!("{TERMINATION} {ccp}"));
    let pppd = network.dial_up("client", 1, &format!("user alice noipv6 {TERMINATION} {ccp}"));
    assert_eq!(network.client.pings(3, 56, "10.99.1.1"), 3);
    let memory = memory(&network);
    let mut tunnel = Tunnel { network: &network, middle: &middle, pppd, memory };
    attack(&mut tunnel);
    tunnel.check();
    finish(&mut tunnel.pppd, &network);
}

fn finish(pppd: &mut Pppd<'_>, network: &Network) {
    if pppd.is_running() {
        pppd.signal("TERM");
        assert_eq!(pppd.exit_status(SOON), 5);
    }
    network.assert_nothing_left();
}

/// What becomes of encrypted packets, by their numbers from 1 on; other frames pass.
fn encrypted(
    mut change: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
) -> impl FnMut(Way, Frame) -> Vec<Frame> + Send {
    let mut number = 0;
    move |_, frame| {
        if !frame.is(protocol::MPPE) {
            return vec![frame];
        }
        number += 1;
        let packets = change(number, frame.information).into_iter();
        packets.map(|packet| Frame::new(protocol::MPPE, packet)).collect()
    }
}

/// With another first octet: bits A to D, and the high bits of the count.
fn with_bits(mut packet: Vec<u8>, bits: u8) -> Vec<u8> {
    packet[0] ^= bits;
    packet
}

fn with_count(mut packet: Vec<u8>, change: impl Fn(u16) -> u16) -> Vec<u8> {
    let [high, low] = [packet[0], packet[1]];
    let count = change(u16::from_be_bytes([high & 0x0f, low])) & 0x0fff;
    packet[..2].copy_from_slice(&(u16::from(high & 0xf0) << 8 | count).to_be_bytes());
    packet
}

fn what_is_changed_on_the_way_never_arrives_as_if_it_was_not(version: Version) {
    under_attack(version, PPPD_S, |tunnel| {
        let Network { client, server, .. } = tunnel.network;
        tunnel.middle.rewrite(encrypted(|number, mut packet| {
            if number % 20 == 0 {
                // Each time elsewhere: in the protocol, in the headers, in the data.
                let place = 2 + number * 11 % (packet.len() - 2);
                packet[place] ^= 0x40;
            }
            vec![packet]
        }));
        client.send_stream(server, "10.99.1.1", 300_000);
        server.send_stream(client, "10.99.1.2", 300_000);
        let seen = client.send_datagrams(server, "10.99.1.1", Pace { count: 2000, rate: 4000, size: 300 });
        assert_eq!((seen.broken, seen.twice), (0, 0));
        assert!((1700..2000).contains(&(u64::from(seen.count) + client.dropped("ppp0"))), "{seen:?}");
        tunnel.goes_on();
    });
}

fn keys_that_do_not_fit_are_survived(version: Version) {
    under_attack(version, OURS, |tunnel| {
        let Network { client, server, .. } = tunnel.network;
        tunnel.middle.rewrite(encrypted(|number, mut packet| {
            let mask = if number <= 300 { 0x5a } else { 0 };
            packet.iter_mut().skip(2).for_each(|byte| *byte ^= mask);
            vec![packet]
        }));
        let seen = client.send_datagrams(server, "10.99.1.1", Pace { count: 500, rate: 5000, size: 100 });
        // The first of the 200 that fit are spent on finding the key.
        let through = u64::from(seen.count) + client.dropped("ppp0");
        assert!((150..=200).contains(&through) && seen.broken == 0, "{seen:?}");
        tunnel.goes_on();
    });
}

fn a_few_wrong_headers_are_survived(version: Version) {
    under_attack(version, PPPD_S, |tunnel| {
        for bits in [0x80, 0x10, 0x60, 0xf0] {
            let wrong = move |number| if number % 10 == 0 { bits } else { 0 };
            tunnel.middle.rewrite(encrypted(move |number, packet| vec![with_bits(packet, wrong(number))]));
            tunnel.under_pings(|_| {});
        }
        tunnel.middle.pass();
        tunnel.goes_on();
    });
}

fn packets_that_say_they_are_not_encrypted_end_the_link(version: Version) {
    let lines = [(PPPD_S, "Lost compression sync"), (OURS, "MPPE has ended: too many packets could not be decrypted")];
    for_each(lines.into_iter().flat_map(|line| [0x80, 0x10].map(|bits| (line, bits))), |((ccp, line), bits)| {
        under_attack(version, ccp, |tunnel| {
            tunnel.middle.rewrite(encrypted(move |_, packet| vec![with_bits(packet, bits)]));
            tunnel.under_pings(|_| {});
            tunnel.comes_to(End::SaysWhy);
            let logs = tunnel.pppd.log() + &tunnel.network.server_log(1);
            assert!(logs.contains(line), "{logs}");
        });
    });
}

fn impossible_counts_are_survived(version: Version) {
    under_attack(version, PPPD_S, |tunnel| {
        for ahead in [1, 200, 300, 900, 2000, 3000, 4095] {
            tunnel.middle.rewrite(encrypted(move |number, packet| {
                let ahead = if number <= 20 { ahead } else { 0 };
                vec![with_count(packet, |count| count + ahead)]
            }));
            tunnel.under_pings(|_| {});
            tunnel.goes_on();
        }
    });
}

fn packets_without_contents_are_survived(version: Version) {
    under_attack(version, PPPD_S, |tunnel| {
        for length in 0..8 {
            tunnel.middle.rewrite(encrypted(move |number, mut packet| {
                // Of its own, and in place of another.
                let short =
                    Some(with_count(packet[..length.max(2)].to_vec(), |count| count + 1)).filter(|_| length > 1);
                let short = short.unwrap_or_else(|| packet[..length].to_vec());
                if number % 4 == 0 {
                    packet.truncate(length);
                }
                vec![short, packet]
            }));
            tunnel.under_pings(|_| {});
        }
        tunnel.middle.pass();
        tunnel.goes_on();
    });
}

fn what_comes_twice_is_delivered_once(version: Version) {
    under_attack(version, PPPD_S, |tunnel| {
        let Network { client, server, .. } = tunnel.network;
        let mut kept: Vec<Frame> = Vec::new();
        tunnel.middle.rewrite(move |way, frame| {
            if way == Way::Down {
                return vec![frame];
            }
            kept.push(frame.clone());
            // At once, soon, much later, and very much later.
            let old = [1, 4, 290, 1500].map(|late| kept.get(kept.len().checked_sub(late)?).cloned());
            std::iter::once(frame).chain(old.into_iter().flatten()).collect()
        });
        let seen = client.send_datagrams(server, "10.99.1.1", Pace { count: 3000, rate: 4000, size: 100 });
        assert_eq!((u64::from(seen.count) + client.dropped("ppp0"), seen.broken, seen.twice), (3000, 0, 0));
        // The stream's last words may be on their way.
        let delivered = || [client, server].map(|machine| machine.delivered("ppp0"));
        let mut before = delivered();
        eventually("nothing is on its way", SOON, || {
            thread::sleep(Duration::from_secs(1));
            (std::mem::replace(&mut before, delivered()) == before).then_some(())
        });
        tunnel.middle.pass();
        for frame in tunnel.middle.seen_of(Way::Up, protocol::MPPE).iter().step_by(7) {
            tunnel.middle.inject(Way::Up, frame);
        }
        assert_eq!(client.pings(3, 56, "10.99.1.1"), 3);
        assert_eq!(delivered(), before.map(|count| count + 3));
        tunnel.goes_on();
    });
}

fn a_long_outage_is_survived(version: Version) {
    for_each([300, 900, 2000, 3000, 4000], |lost| {
        under_attack(version, PPPD_S, |tunnel| {
            tunnel.middle.rewrite(encrypted(
                move |number, packet| {
                    if number <= lost { Vec::new() } else { vec![packet] }
                },
            ));
            tunnel.send_slowly(lost + 600);
            let pace = Pace { count: 1000, rate: 2000, size: 16 };
            let seen = tunnel.network.client.send_datagrams(&tunnel.network.server, "10.99.1.1", pace);
            assert!(seen.count > 0 && seen.broken == 0 && seen.twice == 0, "{lost}: {seen:?}");
            tunnel.goes_on();
        });
    });
}

/// Frames that belong to nobody: what they are, and what comes of them with pppd's CCP and with ours.
fn forgeries() -> Vec<(&'static str, [End; 2], Frame)> {
    use End::{GoesOn, SaysWhy};

    const MPPE: [u8; 6] = [18, 6, 1, 0, 0, 0x40];
    let ccp = |code, identifier, data: &[u8]| Frame::control(protocol::CCP, [code, identifier], data);
    let lcp = |code, data: &[u8]| Frame::control(protocol::LCP, [code, 9], data);
    vec![
        ("CCP Configure-Request of MPPE", [SaysWhy, GoesOn], ccp(1, 77, &MPPE)),
        ("CCP Configure-Request of nothing", [SaysWhy, SaysWhy], ccp(1, 77, &[])),
        ("CCP Configure-Request of Deflate", [SaysWhy, SaysWhy], ccp(1, 77, &[26, 4, 0x78, 0])),
        ("CCP Configure-Ack", [GoesOn, GoesOn], ccp(2, 1, &MPPE)),
        ("CCP Configure-Ack of a later request", [GoesOn, GoesOn], ccp(2, 2, &MPPE)),
        ("CCP Configure-Nak to 40 bits", [GoesOn, GoesOn], ccp(3, 1, &[18, 6, 0, 0, 0, 0x20])),
        ("CCP Configure-Reject", [GoesOn, GoesOn], ccp(4, 1, &MPPE)),
        ("CCP Terminate-Request", [SaysWhy, SaysWhy], ccp(5, 7, &[])),
        ("CCP Terminate-Ack", [SaysWhy, GoesOn], ccp(6, 7, &[])),
        ("CCP Code-Reject", [GoesOn, SaysWhy], ccp(7, 7, &[1, 1, 0, 4])),
        ("CCP Reset-Request", [GoesOn, GoesOn], ccp(14, 7, &[])),
        ("CCP Reset-Ack", [GoesOn, GoesOn], ccp(15, 7, &[])),
        ("LCP Configure-Request", [SaysWhy, GoesOn], lcp(1, &[])),
        ("LCP Protocol-Reject of CCP", [SaysWhy, SaysWhy], lcp(8, &[0x80, 0xfd, 1, 1, 0, 4])),
        ("LCP Protocol-Reject of MPPE", [GoesOn, GoesOn], lcp(8, &[0, 0xfd, 0x90, 0])),
        ("CHAP Failure", [GoesOn, GoesOn], Frame::control(protocol::CHAP, [4, 1], b"E=691 R=0")),
    ]
}

/// Those that pppd takes no notice of, and neither must anybody else.
fn malformed() -> Vec<(&'static str, [End; 2], Frame)> {
    let frames: [(&str, &[u8]); 6] = [
        ("CCP without anything", &[]),
        ("CCP with a code alone", &[5]),
        ("CCP without length", &[5, 1]),
        ("CCP that is cut off", &[5, 1, 0, 40]),
        ("CCP shorter than its header", &[1, 1, 0, 3]),
        ("CCP of a code that there is not", &[99, 1, 0, 4]),
    ];
    frames.map(|(name, bytes)| (name, [End::GoesOn; 2], Frame::new(protocol::CCP, bytes))).into()
}

/// Does something with each of these, a few at a time.
fn for_each<T: Send>(cases: impl IntoIterator<Item = T, IntoIter: Send>, attack: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases.into_iter());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().next() } {
                    attack(case);
                }
            });
        }
    });
}

fn forged_control_packets_open_no_way_in_clear(version: Version) {
    let forgeries = forgeries().into_iter().chain(malformed());
    let cases = forgeries.flat_map(|(name, ends, frame)| {
        [PPPD_S, OURS].into_iter().zip(ends).map(move |(ccp, end)| (name, ccp, end, frame.clone()))
    });
    let cases: Vec<_> = cases.flat_map(|case| Way::BOTH.map(|way| (case.clone(), way))).collect();
    for_each(cases, |((name, ccp, end, frame), way)| {
        under_attack(version, ccp, |tunnel| {
            eprintln!("{name} {way:?} {ccp}");
            tunnel.under_pings(|tunnel| tunnel.middle.inject(way, &frame));
            tunnel.comes_to(end);
        });
    });
}

/// What is done to the first packets.
type Harm = fn(usize, Vec<u8>) -> Vec<Vec<u8>>;

fn the_stateful_mode_finds_its_way_back(version: Version) {
    let harms: [Harm; 5] = [
        |_, _| Vec::new(),
        |_, packet| vec![packet.clone(), packet],
        |number, packet| vec![packet[..(number % 8).min(packet.len())].to_vec()],
        |number, packet| vec![with_bits(packet, if number % 3 == 0 { 0x10 } else { 0 })],
        // A flushed packet says where it goes on; the others are only out of order.
        |number, packet| {
            let change = if packet[0] & 0x80 == 0 { number as u16 * 100 } else { 0 };
            vec![with_count(packet, |count| count + change)]
        },
    ];
    for_each(harms, |harm| {
        under_attack(version, OURS_STATEFUL, |tunnel| {
            tunnel.middle.rewrite(encrypted(
                move |number, packet| {
                    if number <= 30 { harm(number, packet) } else { vec![packet] }
                },
            ));
            tunnel.under_pings(|_| {});
            tunnel.goes_on();
        });
    });
}

/// The longest ones are a cycle of counts: the key has changed 16 times.
fn the_stateful_mode_survives_a_long_outage(version: Version) {
    for_each([300, 1000, 2000, 2100, 3000, 4000, 4200], |lost| {
        under_attack(version, OURS_STATEFUL, |tunnel| {
            tunnel.middle.rewrite(encrypted(
                move |number, packet| {
                    if number <= lost { Vec::new() } else { vec![packet] }
                },
            ));
            tunnel.send_slowly(lost + 600);
            tunnel.goes_on();
        });
    });
}

/// Such as pppd and our own CCP take no notice of.
fn forged_control_packets_do_not_disturb_the_negotiation(version: Version) {
    let ignored = Frame::control(protocol::CCP, [6, 7], &[]);
    let forgeries =
        malformed().into_iter().map(|(name, _, frame)| (name, frame)).chain([("CCP Terminate-Ack", ignored)]);
    let cases = forgeries.flat_map(|(name, frame)| [PPPD_S, OURS].map(|ccp| (name, ccp, frame.clone())));
    let cases: Vec<_> = cases.flat_map(|case| Way::BOTH.map(|way| (case.clone(), way))).collect();
    for_each(cases, |((name, ccp, forged), way)| {
        let (mut network, middle) = Network::with_middle(version);
        network.serve_with_password("secret", ccp);
        // Before the Configure-Ack: one direction has begun, and the other has not.
        middle.rewrite(move |to, frame| {
            let is_due = to == way && frame.is(protocol::CCP) && frame.information.first() == Some(&2);
            if is_due { vec![forged.clone(), frame] } else { vec![frame] }
        });
        let mut pppd = network.dial("client", &format!("user alice noipv6 {ccp}"));
        pppd.wait_for("remote IP address", 1, SOON);
        let Network { client, server, .. } = &network;
        let answers = || client.pings(1, 56, "10.99.1.1") == 1 && server.pings(1, 56, "10.99.1.2") == 1;
        eventually(&format!("it answers in spite of {name} {way:?} {ccp}"), SOON, || answers().then_some(()));
        finish(&mut pppd, &network);
    });
}
