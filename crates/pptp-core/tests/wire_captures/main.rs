//! Real traffic: every control message and every tunnel packet in a capture parses and is emitted as the same bytes.
//!
//! Two folders are read: captures of the public test suites of other programs, which are not part of the repository and may
//! be absent, and the repository's own recordings of real peers.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod pcap;
mod tcp;

use std::fs;
use std::path::{Path, PathBuf};

use pptp_core::wire::{Frame, Framer, GreHeader, WireError};

use pcap::{GRE, ipv4_packets};
use tcp::control_streams;

/// What a capture holds.
#[derive(Debug, Default, PartialEq)]
struct Content {
    /// Names of the control messages, one list per direction, the server's before the client's.
    messages: Vec<Vec<&'static str>>,
    /// Enhanced GRE packets with a PPP frame.
    data_packets: usize,
    /// Enhanced GRE packets without one.
    ack_only_packets: usize,
    /// Errors of GRE packets.
    gre_errors: Vec<WireError>,
}

fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn public_captures() -> PathBuf {
    project_root().join("../shared/captures")
}

/// Reads a capture and checks that what parses is emitted as the same bytes.
fn content(file: &Path) -> Content {
    let bytes = fs::read(file).unwrap();
    let packets = ipv4_packets(&bytes);
    let mut content = Content::default();
    for stream in control_streams(&packets) {
        content.messages.push(messages(&stream));
    }
    content.messages.sort_unstable();
    for packet in packets.iter().filter(|packet| packet.protocol == GRE) {
        match GreHeader::parse(packet.payload) {
            Ok((header, payload)) => {
                assert_same_packet(&header, payload, packet.payload);
                *if header.sequence.is_some() { &mut content.data_packets } else { &mut content.ack_only_packets } += 1;
            }
            Err(error) => content.gre_errors.push(error),
        }
    }
    content
}

/// The messages of a stream, which must be nothing but messages.
fn messages(stream: &[u8]) -> Vec<&'static str> {
    let mut framer = Framer::new();
    let mut frames: Vec<Frame> = Vec::new();
    let mut input = stream;
    while let Some(frame) = framer.next_frame(&mut input).unwrap() {
        frames.push(frame);
    }
    assert_eq!(framer.pending(), 0, "the stream ends inside a message");

    let mut again = Vec::new();
    frames.iter().for_each(|frame| frame.emit(&mut again));
    assert_eq!(again, stream);
    frames.iter().map(|frame| frame.message.name()).collect()
}

fn assert_same_packet(header: &GreHeader, payload: &[u8], packet: &[u8]) {
    let mut out = [0; GreHeader::MAX_LENGTH];
    assert!(header.emit(&mut out).is_some());
    let again = [&out[..header.wire_length()], payload].concat();
    assert_eq!(again, packet[..again.len()]);
}

/// What a public capture holds, or nothing (and a line that says so) only where the whole folder is absent.
fn public(name: &str) -> Option<Content> {
    let folder = public_captures();
    if folder.is_dir() {
        return Some(content(&folder.join(name)));
    }
    eprintln!("not checked: {name}, because there is no folder {}", folder.display());
    None
}

fn data_packets(data_packets: usize) -> Content {
    Content { data_packets, ..Content::default() }
}

#[test]
fn a_refused_windows_client_against_linux_is_read() {
    let Some(content) = public("tcpdump-pptp.pcap") else {
        return;
    };
    let server = vec!["Start-Control-Connection-Reply", "Outgoing-Call-Reply"];
    let client = vec!["Start-Control-Connection-Request", "Outgoing-Call-Request", "Set-Link-Info"];
    assert_eq!(content, Content { messages: vec![server, client], ..data_packets(1) });
}

#[test]
fn a_linux_client_against_a_commercial_server_is_read() {
    let Some(content) = public("ndpi-pptp.pcap") else {
        return;
    };
    let client = vec!["Start-Control-Connection-Request", "Outgoing-Call-Request", "Call-Clear-Request"];
    let server = vec![
        "Start-Control-Connection-Reply",
        "Outgoing-Call-Reply",
        "Set-Link-Info",
        "Set-Link-Info",
        "Call-Disconnect-Notify",
    ];
    assert_eq!(content, Content { messages: vec![server, client], ..Content::default() });
}

#[test]
fn the_tunnel_packets_of_a_chap_exchange_are_read() {
    if let Some(content) = public("chapcrack-pptp.cap") {
        assert_eq!(content, data_packets(3));
    }
}

#[test]
fn tunnel_packets_inside_vlan_and_ipv6_are_read() {
    if let Some(content) = public("zeek-gre-pptp.pcap") {
        assert_eq!(content, data_packets(2));
    }
}

#[test]
fn gre_that_is_not_enhanced_is_refused_for_its_version() {
    if let Some(content) = public("tcpdump-various_gre.pcap") {
        let gre_errors = vec![WireError::GreVersion(0); 30];
        assert_eq!(content, Content { gre_errors, ..Content::default() });
    }
}

#[test]
fn the_damaged_packet_of_a_heap_overflow_is_refused_for_its_version() {
    if let Some(content) = public("tcpdump-gre-heapoverflow-1.pcap") {
        let gre_errors = vec![WireError::GreVersion(0)];
        assert_eq!(content, Content { gre_errors, ..Content::default() });
    }
}

#[test]
fn every_public_capture_has_a_test_of_its_own() {
    let Ok(folder) = fs::read_dir(public_captures()) else {
        return;
    };
    let mut names: Vec<String> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    let tested = [
        "chapcrack-pptp.cap",
        "ndpi-pptp.pcap",
        "tcpdump-gre-heapoverflow-1.pcap",
        "tcpdump-pptp.pcap",
        "tcpdump-various_gre.pcap",
        "zeek-gre-pptp.pcap",
    ];
    assert_eq!(names, tested);
}

#[test]
fn real_peers_recorded_for_the_repository_are_read() {
    let folder = project_root().join("tests/captures");
    if !folder.is_dir() {
        eprintln!("not checked: there is no folder {}", folder.display());
        return;
    }
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let captures = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "pcap"));
    let mut count = 0;
    for file in captures {
        let content = content(file);
        assert!(
            content.messages.iter().any(|messages| !messages.is_empty()),
            "no control message in {}",
            file.display()
        );
        assert_eq!(content.gre_errors, [], "{}", file.display());
        count += 1;
    }
    assert_ne!(count, 0, "no capture in {}", folder.display());
}
