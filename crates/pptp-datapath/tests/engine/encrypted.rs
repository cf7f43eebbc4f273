//! Terminals whose packets the engine encrypts; the test plays the kernel's PPP at the slave, pppd, and the peer.

use std::thread;

use super::harness::{End, ends, eventually};
use super::mppe_peer::{
    Framing, KEY, MUST_COMP, STATEFUL_128, STATELESS_40, STATELESS_56, STATELESS_128, encrypted, engine_and_peer, hex,
    read_line, write_line,
};

const OPTIONS: [&str; 4] = [STATELESS_128, STATELESS_56, STATELESS_40, STATEFUL_128];
const LCP: &[u8] = b"\xff\x03\xc0\x21\x09\x01\x00\x08\0\0\0\0";
const IPCP: &[u8] = b"\x80\x21\x01\x01\x00\x04";
const IP: &[u8] = b"\xff\x03\x00\x21\x45\x00\x00\x14 a packet of IP ";

/// The protocols' numbers of packets, as they may be compressed, and how they come out.
const FORMS: [(&[u8], &[u8]); 4] = [
    (&[0xff, 3, 0, 0x21], &[0xff, 3, 0, 0xfd]),
    (&[0, 0x57], &[0, 0xfd]),
    (&[0xff, 3, 0x21], &[0xff, 3, 0xfd]),
    (&[0x2d], &[0xfd]),
];

/// An IP packet with a number, of some length.
fn packet(number: u8) -> Vec<u8> {
    let length = 20 + usize::from(number) * 5;
    (0..length).map(|at| if at == 0 { 0x45 } else { number.wrapping_mul(at as u8) }).collect()
}

#[test]
fn packets_leave_encrypted_whatever_the_kernel_has_compressed_of_their_headers() {
    for option in OPTIONS {
        let (mut engine, mut peer) = encrypted(Framing::Terminal, option);
        for (number, (clear, outer)) in (0..).zip(FORMS) {
            write_line(&mut engine, &[&[clear, &packet(number)].concat()]);
            let (header, inside) = peer.decrypted_frame();
            assert_eq!(header, outer, "{option}");
            assert_eq!(inside[..2], [0, clear[clear.len() - 1]], "{option}");
            assert_eq!(inside[2..], packet(number), "{option}");
        }
        assert_eq!(engine.counter("mppe-encrypted"), 4);
    }
}

#[test]
fn packets_come_in_clear_however_their_headers_were_compressed() {
    for option in OPTIONS {
        let (mut engine, mut peer) = encrypted(Framing::Terminal, option);
        for (number, (_, outer)) in (0..).zip(FORMS) {
            for protocol in [&[0, 0x21][..], &[0x57]] {
                let inside = [protocol, &packet(number)].concat();
                peer.send_encrypted(outer, &inside);
                assert_eq!(read_line(&mut engine, 1), [inside], "{option}");
            }
        }
        assert_eq!(engine.counter("mppe-decrypted"), 8);
    }
}

#[test]
fn batches_are_as_good_as_single_packets_and_frames_of_control_keep_their_places() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATELESS_128);
    let packets: Vec<Vec<u8>> = (0..100).map(|number| [&[0xff, 3, 0, 0x21], &packet(number)[..]].concat()).collect();
    let mut frames: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    frames.insert(50, IPCP);
    write_line(&mut engine, &frames);
    for frame in &frames {
        match *frame {
            IPCP => assert_eq!(peer.frame().as_deref(), Some(IPCP)),
            frame => assert_eq!(peer.decrypted_frame().1, frame[2..]),
        }
    }
    for frame in &frames {
        match *frame {
            IPCP => peer.send(IPCP),
            frame => peer.send_encrypted(&[0, 0xfd], &frame[2..]),
        }
    }
    let clear: Vec<&[u8]> = frames.iter().map(|frame| frame.strip_prefix(&[0xff, 3]).unwrap_or(frame)).collect();
    assert_eq!(read_line(&mut engine, frames.len()), clear);
}

/// Lets both ends of a call between terminals encrypt.
fn agree(both: &mut [End; 2], option: &str) {
    for end in &mut *both {
        end.tell("channel-flags 64");
        end.tell(&format!("compression channel {option} {}", hex(&KEY)));
    }
    let ack = super::mppe_peer::bytes(&format!("80fd0201000a{option}"));
    for sender in 0..2 {
        write_line(&mut both[sender], &[&ack]);
        assert_eq!(read_line(&mut both[1 - sender], 1), [&ack[..]]);
    }
    both.iter_mut().for_each(|end| end.tell("channel-flags 192"));
}

#[test]
fn every_packet_arrives_in_order_and_unchanged_in_both_directions_at_once() {
    const FRAMES: u32 = 4000;
    for (batching, option) in [("batched", STATELESS_128), ("batched", STATEFUL_128), ("single", STATELESS_56)] {
        let mut both = ends(batching);
        let outer = [both[0].outer.clone(), both[1].outer.clone()];
        both[0].tell(&format!("terminal {} {} 100 101 window 64", outer[0], outer[1]));
        both[1].tell(&format!("terminal {} {} 101 100 window 64", outer[1], outer[0]));
        agree(&mut both, option);
        thread::scope(|scope| {
            for end in &mut both {
                let exchange = format!("line-exchange {FRAMES} {FRAMES}");
                scope.spawn(move || assert_eq!(end.ask(&exchange), format!("{FRAMES} 0 0")));
            }
        });
        for end in &mut both {
            let counters = end.counters();
            let numbers = ["mppe-encrypted", "mppe-decrypted", "mppe-clear-sent", "mppe-clear-received", "missing"];
            assert_eq!(numbers.map(|name| counters[name]), [FRAMES.into(), FRAMES.into(), 0, 0, 0], "{option}");
        }
    }
}

#[test]
fn a_terminal_and_a_unit_understand_each_other() {
    let [mut one, mut two] = ends("batched");
    one.tell(&format!("terminal {} {} 100 101", one.outer, two.outer));
    two.tell("unit ppp7");
    two.tell(&format!("channel {} {} 101 100", two.outer, one.outer));
    two.tell("connect");
    two.ip(&format!("addr add {} peer {} dev ppp7", two.inner, one.inner));
    two.ip("link set ppp7 mtu 1456 multicast off up");
    for (end, flags, link) in [(&mut one, "channel-flags", "channel"), (&mut two, "flags", "unit")] {
        end.tell(&format!("{flags} 64"));
        end.tell(&format!("compression {link} {STATELESS_128} {}", hex(&KEY)));
    }
    let ack = format!("80fd0201000a{STATELESS_128}");
    write_line(&mut one, &[&super::mppe_peer::bytes(&ack)]);
    assert_eq!(two.ask("read unit"), ack);
    two.tell(&format!("write unit {ack}"));
    assert_eq!(hex(&read_line(&mut one, 1)[0]), format!("ff03{ack}"));
    let inner = one.inner.clone();
    thread::scope(|scope| {
        let pings = scope.spawn(|| two.pings(&inner));
        let mut count = 0;
        while count < 5 {
            // As many as have come together.
            for request in read_line(&mut one, 1) {
                write_line(&mut one, &[&answered(request)]);
                count += 1;
            }
        }
        assert_eq!(pings.join().unwrap(), 5);
    });
    assert_eq!(["mppe-encrypted", "mppe-decrypted"].map(|name| two.counter(name)), [5, 5]);
}

/// The answer to an echo request of ICMP: the addresses changed, the type 0 and the checksum 0x800 more.
fn answered(mut frame: Vec<u8>) -> Vec<u8> {
    assert_eq!((&frame[..3], frame[22]), (&[0, 0x21, 0x45][..], 8));
    let (source, destination): ([u8; 4], [u8; 4]) =
        (frame[14..18].try_into().unwrap(), frame[18..22].try_into().unwrap());
    frame[14..18].copy_from_slice(&destination);
    frame[18..22].copy_from_slice(&source);
    let sum = u32::from(u16::from_be_bytes([frame[24], frame[25]])) + 0x800;
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    frame[22] = 0;
    frame[24..26].copy_from_slice(&folded.to_be_bytes());
    frame
}

#[test]
fn once_it_is_up_no_packet_passes_in_clear() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATELESS_128);
    // MPLS, and what another kind of compression makes, cannot be encrypted.
    write_line(&mut engine, &[b"\x02\x81mpls", b"\x00\xfdcompressed", LCP]);
    assert_eq!(peer.frame().as_deref(), Some(LCP));
    for (clear, _) in FORMS {
        peer.send(&[clear, &packet(9)].concat());
    }
    peer.send(b"\xff\x03\x02\x81mpls");
    peer.send(LCP);
    peer.send(IPCP);
    assert_eq!(read_line(&mut engine, 2), [LCP, IPCP]);
    assert_eq!(["mppe-clear-sent", "mppe-clear-received"].map(|name| engine.counter(name)), [2, 5]);
}

#[test]
fn where_it_is_required_no_packet_passes_before_it_is_up() {
    let (mut engine, mut peer) = engine_and_peer(Framing::Terminal);
    engine.tell(&format!("channel-flags {MUST_COMP}"));
    write_line(&mut engine, &[IP, LCP, IPCP]);
    assert_eq!([peer.frame().unwrap(), peer.frame().unwrap()], [LCP, IPCP]);
    for frame in [IP, LCP, IPCP] {
        peer.send(frame);
    }
    assert_eq!(read_line(&mut engine, 2), [LCP, IPCP]);
    peer.agree(&mut engine, Framing::Terminal, STATELESS_128);
    write_line(&mut engine, &[IP]);
    assert_eq!(peer.decrypted_frame().1, IP[2..]);
}

#[test]
fn where_nothing_was_agreed_on_everything_passes() {
    let (mut engine, mut peer) = engine_and_peer(Framing::Terminal);
    for frame in [IP, b"\xff\x03\x00\xfdcompressed in the kernel", b"\xff\x03\x02\x81mpls"] {
        write_line(&mut engine, &[frame]);
        assert_eq!(peer.frame().as_deref(), Some(frame));
        peer.send(frame);
        assert_eq!(read_line(&mut engine, 1), [frame]);
    }
}

#[test]
fn ccp_that_goes_down_opens_no_way_in_clear() {
    for (flags, ends_with) in [(64, "when it negotiates"), (0, "when it is closed")] {
        let (mut engine, mut peer) = encrypted(Framing::Terminal, STATELESS_128);
        engine.tell(&format!("channel-flags {flags}"));
        write_line(&mut engine, &[IP, b"\x80\xfd\x05\x02\x00\x04", IP, LCP]);
        assert_eq!(peer.frame().as_deref(), Some(&b"\x80\xfd\x05\x02\x00\x04"[..]), "{ends_with}");
        assert_eq!(peer.frame().as_deref(), Some(LCP), "{ends_with}");
        assert_eq!(peer.stray_frame(), None, "{ends_with}");
        peer.send(IP);
        peer.send(LCP);
        assert_eq!(read_line(&mut engine, 1), [LCP], "{ends_with}");
        peer.agree(&mut engine, Framing::Terminal, STATELESS_40);
        write_line(&mut engine, &[IP]);
        assert_eq!(peer.decrypted_frame().1, IP[2..], "{ends_with}");
    }
}

#[test]
fn a_lost_packet_of_a_stateful_link_costs_a_reset() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATEFUL_128);
    drop(peer.encrypt(b"\x00\x21lost"));
    // The kernel has no decompressor, so it gives this to pppd, whose CCP asks for a reset.
    peer.send_encrypted(&[0, 0xfd], b"\x00\x21out of sync");
    assert!(read_line(&mut engine, 1)[0].starts_with(&[0, 0xfd]));
    write_line(&mut engine, &[b"\x80\xfd\x0e\x05\x00\x04"]);
    assert_eq!(peer.frame().as_deref(), Some(&b"\x80\xfd\x0e\x05\x00\x04"[..]));
    peer.reset();
    peer.send(b"\x80\xfd\x0f\x05\x00\x04");
    peer.send_encrypted(&[0, 0xfd], &IP[2..]);
    assert_eq!(read_line(&mut engine, 2), [&b"\x80\xfd\x0f\x05\x00\x04"[..], &IP[2..]]);
    assert_eq!(engine.counter("mppe-out-of-sync"), 1);
}

#[test]
fn a_reset_that_the_peer_asks_for_flushes_the_next_packet() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATEFUL_128);
    write_line(&mut engine, &[IP, IP]);
    let flags = |frame: Vec<u8>| frame[4] >> 4;
    // The first of two is lost to the peer.
    assert_eq!(flags(peer.frame().unwrap()), 1);
    assert_eq!(flags(peer.frame().unwrap()), 1);
    peer.send(b"\x80\xfd\x0e\x05\x00\x04");
    assert_eq!(read_line(&mut engine, 1), [&b"\x80\xfd\x0e\x05\x00\x04"[..]]);
    write_line(&mut engine, &[b"\x80\xfd\x0f\x05\x00\x04", IP]);
    assert_eq!(peer.frame().as_deref(), Some(&b"\x80\xfd\x0f\x05\x00\x04"[..]));
    assert_eq!(peer.decrypted_frame().1, IP[2..]);
}

#[test]
fn long_packets_have_room_for_what_is_added() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATELESS_128);
    let long = [&[0xff, 3, 0, 0x21], &[0x55; 1460][..]].concat();
    write_line(&mut engine, &[&long]);
    assert_eq!(peer.decrypted_frame().1, long[2..]);
    peer.send_encrypted(&[0xff, 3, 0, 0xfd], &long[2..]);
    assert_eq!(read_line(&mut engine, 1), [&long[2..]]);
}

#[test]
fn what_the_engine_does_not_encrypt_here_is_refused() {
    let (mut engine, _peer) = engine_and_peer(Framing::Terminal);
    let key = hex(&KEY);
    assert_eq!(engine.ask(&format!("compression channel 15032f {key}")), "error no other compression than MPPE");
    let (mut engine, _peer) = engine_and_peer(Framing::Unit);
    let asked = engine.ask(&format!("compression channel {STATELESS_128} {key}"));
    assert_eq!(asked, "error the channel's unit encrypts");
}

#[test]
fn a_call_that_is_dropped_has_said_its_last_words() {
    let (mut engine, mut peer) = encrypted(Framing::Terminal, STATELESS_128);
    write_line(&mut engine, &[IP]);
    write_line(&mut engine, &[LCP]);
    // What the kernel has written is there a little later.
    eventually("it is sent", || engine.counter("sent") == 3);
    engine.tell("drop");
    assert_eq!(peer.decrypted_frame().1, IP[2..]);
    assert_eq!(peer.frame().as_deref(), Some(LCP));
    let said: Vec<String> = std::iter::from_fn(|| Some(engine.ask("log")).filter(|line| line != "none")).collect();
    assert!(said.iter().any(|line| line.contains("counters: ") && line.contains("mppe-encrypted=1")), "{said:?}");
}
