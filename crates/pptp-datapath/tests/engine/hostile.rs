//! A peer, or somebody who forges its packets, that tries what it can against encryption, with both framings.

use pptp_core::mppe::{Config, Encryptor, StartKey};

use super::harness::{End, eventually};
use super::mppe_peer::{
    DC_FERROR, Framing, Peer, STATEFUL_128, STATELESS_40, STATELESS_128, bytes, encrypted, hear, hear_rest, say,
};

const BOTH: [Framing; 2] = [Framing::Terminal, Framing::Unit];
/// Whatever the mode.
const OPTIONS: [&str; 3] = [STATELESS_128, STATELESS_40, STATEFUL_128];

/// `00fd`, and the flags A and D with a count.
const ENCRYPTED: [u8; 2] = [0, 0xfd];

/// An IPv4 packet to nowhere in particular, with its protocol.
fn packet(number: u8) -> Vec<u8> {
    let mut packet = bytes("0021450000280000400040fd00000a0000090a000008");
    packet.resize(2 + 40, number);
    packet
}

/// Frames of the network that have come out so far: from the terminal, or to the TUN device.
struct Delivered {
    framing: Framing,
    before: u64,
}

impl Delivered {
    fn new(engine: &mut End, framing: Framing) -> Self {
        let mut delivered = Self { framing, before: 0 };
        delivered.before = delivered.total(engine);
        delivered
    }

    fn total(&self, engine: &mut End) -> u64 {
        match self.framing {
            Framing::Terminal => 0,
            Framing::Unit => engine.statistics()[2],
        }
    }

    /// That this one comes out next.
    fn assert_next(&mut self, engine: &mut End, packet: &[u8]) {
        match self.framing {
            Framing::Terminal => assert_eq!(hear(engine, self.framing).as_deref(), Some(packet)),
            Framing::Unit => {
                self.before += 1;
                eventually("it comes out", || self.total(engine) == self.before);
            }
        }
    }

    fn assert_nothing(&self, engine: &mut End) {
        assert_eq!(hear_rest(engine, self.framing), None, "{:?}", self.framing);
        assert_eq!(self.total(engine), self.before);
    }
}

/// Nothing comes out that `body` has not waited for.
fn each(options: &[&str], body: impl Fn(&mut End, &mut Peer, &mut Delivered, &str)) {
    for framing in BOTH {
        for option in options {
            let (mut engine, mut peer) = encrypted(framing, option);
            let mut delivered = Delivered::new(&mut engine, framing);
            body(&mut engine, &mut peer, &mut delivered, option);
            delivered.assert_nothing(&mut engine);
        }
    }
}

#[test]
fn packets_in_clear_never_come_out() {
    each(&[STATELESS_128], |engine, peer, delivered, _| {
        let information = &packet(1)[2..];
        let headers: [&[u8]; 4] = [&[0xff, 3, 0, 0x21], &[0, 0x21], &[0xff, 3, 0x21], &[0x21]];
        for header in headers {
            peer.send(&[header, information].concat());
        }
        // The flag says that it is in clear inside.
        peer.send(&[&ENCRYPTED, &[0x80, 0][..], &packet(2)].concat());
        eventually("they are counted", || engine.counter("mppe-clear-received") == 4);
        eventually("it is counted", || engine.counter("mppe-not-encrypted") == 1);
        peer.send_encrypted(&ENCRYPTED, &packet(3));
        delivered.assert_next(engine, &packet(3));
    });
}

#[test]
fn a_packet_that_is_sent_again_comes_out_once() {
    each(&[STATELESS_128, STATELESS_40], |engine, peer, delivered, option| {
        let datagrams: Vec<_> = (0..3).map(|number| peer.encrypt(&packet(number))).collect();
        for (number, datagram) in (0..).zip(&datagrams) {
            peer.send(&[&ENCRYPTED, &datagram[..]].concat());
            delivered.assert_next(engine, &packet(number));
        }
        for datagram in datagrams.iter().cycle().take(300) {
            peer.send(&[&ENCRYPTED, &datagram[..]].concat());
        }
        eventually("they are counted", || engine.counter("mppe-replayed") == 300);
        peer.send_encrypted(&ENCRYPTED, &packet(9));
        delivered.assert_next(engine, &packet(9));
        assert_eq!(engine.counter("mppe-decrypted"), 4, "{option}");
    });
}

#[test]
fn counts_from_the_far_future_lead_nowhere() {
    each(&[STATELESS_128], |engine, peer, delivered, _| {
        peer.send_encrypted(&ENCRYPTED, &packet(1));
        delivered.assert_next(engine, &packet(1));
        let counts = (0x9200..0x9f00).step_by(17);
        for count in counts.clone() {
            peer.send(&[&ENCRYPTED, &u16::to_be_bytes(count)[..], &[0x5a; 60]].concat());
        }
        // From behind it looks as if they were late.
        let dropped = |engine: &mut End| engine.counter("mppe-implausible") + engine.counter("mppe-late");
        eventually("they are counted", || dropped(engine) == counts.len() as u64);
        peer.send_encrypted(&ENCRYPTED, &packet(2));
        delivered.assert_next(engine, &packet(2));
    });
}

#[test]
fn what_was_cut_off_is_dropped() {
    each(&OPTIONS, |engine, peer, delivered, option| {
        for frame in ["fd", "00fd", "ff03fd", "fd90", "fd9000", "00fd9000", "ff0300fdb000"] {
            peer.send(&bytes(frame));
        }
        eventually("they are counted", || engine.counter("mppe-malformed") == 7);
        peer.send_encrypted(&ENCRYPTED, &packet(2));
        delivered.assert_next(engine, &packet(2));
        assert_eq!(engine.counter("mppe-decrypted"), 1, "{option}");
    });
}

#[test]
fn another_key_gives_nothing_that_was_sent() {
    for framing in BOTH {
        let (mut engine, mut peer) = encrypted(framing, STATELESS_128);
        let config = Config::from_option(&bytes(STATELESS_128)).unwrap();
        let mut other = Encryptor::new(config, &StartKey::new([8; 16]));
        for number in 0..100 {
            let mut datagram = [&[0, 0], &packet(number)[..]].concat();
            other.encrypt_batch(std::iter::once(datagram.as_mut_slice()));
            peer.send(&[&ENCRYPTED, &datagram[..]].concat());
        }
        let seen = |engine: &mut End| engine.counter("mppe-garbled") + engine.counter("mppe-decrypted");
        eventually("they are all seen", || seen(&mut engine) == 100);
        // Some make a packet, of noise: there is no checksum. The kernel's PPP and the network find out.
        let mut came = 0;
        while let Some(frame) = hear_rest(&mut engine, framing) {
            assert!(!frame.windows(8).any(|window| window.iter().all(|&byte| byte == window[0])), "{frame:02x?}");
            came += 1;
        }
        assert!(came <= engine.counter("mppe-decrypted"));
        // Whose keys were taken are lost, and no others.
        (0..100).for_each(|_| drop(peer.encrypt(b"\x00\x21lost")));
        let mut delivered = Delivered::new(&mut engine, framing);
        peer.send_encrypted(&ENCRYPTED, &packet(2));
        delivered.assert_next(&mut engine, &packet(2));
    }
}

#[test]
fn forged_frames_of_ccp_change_nothing_while_it_is_up() {
    each(&OPTIONS, |engine, peer, delivered, option| {
        let forged = [
            format!("80fd0101000a{option}"),
            format!("80fd0201000a{option}"),
            String::from("80fd05010004"),
            String::from("80fd06010004"),
            String::from("80fd0f010004"),
            String::from("80fd0500"),
            String::from("80fd"),
        ];
        for frame in forged.iter().map(|frame| bytes(frame)) {
            peer.send(&frame);
            // pppd and its CCP have to know.
            assert_eq!(hear(engine, delivered.framing), Some(frame), "{option}");
            peer.send_encrypted(&ENCRYPTED, &packet(7));
            delivered.assert_next(engine, &packet(7));
        }
    });
}

#[test]
fn a_flood_costs_no_memory_and_the_engine_goes_on() {
    for framing in BOTH {
        let (mut engine, mut peer) = encrypted(framing, STATELESS_128);
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let noise: Vec<u8> = (0..60).map(|_| random(&mut state)).collect();
            peer.send(&[&ENCRYPTED[..], &noise].concat());
        }
        let kilobytes = memory(&engine);
        assert!(kilobytes < 4096, "{framing:?}: {kilobytes} KiB");
        // What came of it is read, so that the terminal has room again.
        while hear_rest(&mut engine, framing).is_some() {}
        assert_eq!(peer.stray_frame(), None);
        say(&mut engine, framing, &bytes("802101010004"));
        assert!(peer.frame().is_some_and(|frame| frame.ends_with(&bytes("802101010004"))), "{framing:?}");
        assert_eq!(engine.counter("mppe-clear-sent"), 0);
    }
}

fn random(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    state.to_be_bytes()[0]
}

fn memory(end: &End) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", end.engine().unwrap())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_hopeless_link_is_given_up_and_pppd_is_told() {
    each(&OPTIONS, |engine, peer, delivered, option| {
        let link = if delivered.framing == Framing::Terminal { "channel" } else { "unit" };
        peer.send_encrypted(&ENCRYPTED, &packet(1));
        delivered.assert_next(engine, &packet(1));
        assert_eq!(engine.ask(&format!("added-flags {link}")), "0");
        let bad = [&ENCRYPTED, &[0x80, 1][..], &packet(2)].concat();
        (0..16).for_each(|_| peer.send(&bad));
        eventually("it is hopeless", || engine.ask(&format!("added-flags {link}")) == DC_FERROR.to_string());
        // The kernel has no decompressor for it, and pppd closes the link when it is given one.
        assert_eq!(hear(engine, delivered.framing).as_ref(), Some(&bad), "{option}");
        while hear_rest(engine, delivered.framing).is_some() {}
    });
}
