//! Real encryption: every packet that two kernels have encrypted in a capture decrypts to a packet of IP that is whole.
//!
//! The keys come from the password alone, by way of what the capture holds of MS-CHAPv2 (RFC 2759, RFC 3079); what they are
//! used for, by way of its CCP. What came out is encrypted again, and must be the bytes of the capture, up to the first reset:
//! there our counts go on to the next flag packet's, and Linux' do not.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod ip;
#[path = "../wire_captures/pcap.rs"]
mod pcap;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use pptp_core::mppe::{Config, KeyLength, Mode};

use session::{Flow, Session};

/// The password of every capture.
const PASSWORD: &[u8] = b"open sesame";

/// Bytes of the longest packet that the tunnels of the captures take.
const LONGEST: usize = 1456;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captures")
}

/// Decrypts a capture; every check but those of its extent is in here.
fn decrypted(name: &str) -> Session {
    let file = fs::read(captures().join(name)).unwrap();
    let packets = pcap::ipv4_packets(&file);
    Session::read(&packets, PASSWORD)
}

/// Checks that both directions have this key length and mode, and gives them.
fn both(name: &str, key_length: KeyLength, mode: Mode) -> [Flow; 2] {
    let flows = decrypted(name).flows;
    for flow in &flows {
        assert_eq!(flow.config, Some(Config { key_length, mode }), "{name}");
    }
    flows
}

#[test]
fn short_sessions_with_128_bits_are_decrypted() {
    for (name, least) in [("pptp-linux-pptpd.pcap", 3), ("pptp-linux-reordered.pcap", 12), ("kernel-pptpd.pcap", 3)] {
        for flow in both(name, KeyLength::Bits128, Mode::Stateless) {
            assert!(flow.lengths.len() >= least, "{name}: {} packets", flow.lengths.len());
        }
    }
}

/// Checks a direction that was recorded whole: packets of all lengths, enough of them for a stateful key to change.
fn assert_extent(name: &str, flow: &Flow) {
    assert!(flow.is_whole(), "{name}: {:?}", flow.counts);
    assert!(flow.counts.len() > 2 * 128 + 20, "{name}: {} packets", flow.counts.len());
    let shortest = flow.lengths.iter().min();
    let longest = flow.lengths.iter().max();
    assert_eq!((shortest, longest), (Some(&28), Some(&LONGEST)), "{name}");
}

#[test]
fn packets_of_all_lengths_with_128_bits_are_decrypted() {
    for flow in both("mppe-128.pcap", KeyLength::Bits128, Mode::Stateless) {
        assert_extent("128 bits", &flow);
        assert_eq!(flow.flushed, flow.counts);
    }
}

#[test]
fn packets_of_all_lengths_with_40_bits_are_decrypted() {
    for flow in both("mppe-40.pcap", KeyLength::Bits40, Mode::Stateless) {
        assert_extent("40 bits", &flow);
        assert_eq!(flow.flushed, flow.counts);
    }
}

#[test]
fn stateful_sessions_are_decrypted_beyond_a_change_of_the_key() {
    for (name, key_length) in
        [("mppe-128-stateful.pcap", KeyLength::Bits128), ("mppe-40-stateful.pcap", KeyLength::Bits40)]
    {
        for flow in both(name, key_length, Mode::Stateful) {
            assert_extent(name, &flow);
            // Where the key changes (RFC 3078 §7.2).
            assert_eq!(flow.flushed, [255], "{name}");
        }
    }
}

/// Linux changes the key when it flushes, which RFC 3078 §8.2 does not say.
#[test]
fn a_stateful_session_is_decrypted_beyond_its_resets() {
    let [from_client, from_server] = both("mppe-128-losses.pcap", KeyLength::Bits128, Mode::Stateful);
    assert_eq!((from_client.resets, from_client.flushed), (0, vec![255]));
    assert!(from_server.is_whole());
    assert!(from_server.resets > 5, "{} resets", from_server.resets);
    assert!(from_server.flushed.len() > 5, "{:?}", from_server.flushed);
}

#[test]
fn some_packets_of_a_whole_cycle_are_decrypted_and_those_after_it() {
    for flow in both("mppe-128-cycle.pcap", KeyLength::Bits128, Mode::Stateless) {
        let end = flow.counts.iter().position(|count| *count == 4095).expect("the last count of the cycle");
        assert_eq!(flow.counts[end + 1..][..3], [0, 1, 2]);
        let most = flow.counts.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]) & 0x0fff).max();
        assert!((32..255).contains(&most.unwrap()), "{most:?} counts apart");
    }
}

#[test]
fn every_capture_is_decrypted() {
    let mut count = 0;
    for file in fs::read_dir(captures()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".pcap") {
            decrypted(&name);
            count += 1;
        }
    }
    assert_ne!(count, 0);
}
