//! Puts TCP streams together again: retransmitted, doubled and reordered segments.

use std::collections::BTreeMap;

use crate::pcap::{Ipv4, TCP};

/// The port of the control connection (RFC 2637 §1.4).
const CONTROL_PORT: u16 = 1723;
const SYN: u8 = 0x02;

/// One direction of a connection: from address and port to address and port.
type Flow = ([u8; 4], u16, [u8; 4], u16);

/// Data of one direction by its distance from the beginning.
#[derive(Default)]
struct Segments {
    first: Option<u32>,
    data: BTreeMap<u32, Vec<u8>>,
}

/// Every direction of every control connection whose data is in these packets, each as one stream.
///
/// A port that is used again is a new connection when its SYN has another sequence number.
pub(crate) fn control_streams(packets: &[Ipv4<'_>]) -> Vec<Vec<u8>> {
    let mut flows: BTreeMap<Flow, Vec<Segments>> = BTreeMap::new();
    for packet in packets.iter().filter(|packet| packet.protocol == TCP) {
        let segment = packet.payload;
        let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
        let (from, to) = (port(0), port(2));
        if from == CONTROL_PORT || to == CONTROL_PORT {
            add(flows.entry((packet.source, from, packet.destination, to)).or_default(), segment);
        }
    }
    flows.into_values().flatten().filter(|flow| !flow.data.is_empty()).map(joined).collect()
}

fn add(connections: &mut Vec<Segments>, segment: &[u8]) {
    let sequence = u32::from_be_bytes(segment[4..8].try_into().unwrap());
    let data = &segment[usize::from(segment[12] >> 4) * 4..];
    if segment[13] & SYN != 0 {
        let first = Some(sequence.wrapping_add(1));
        if connections.last().is_none_or(|last| last.first != first) {
            connections.push(Segments { first, ..Segments::default() });
        }
        return;
    }
    if data.is_empty() {
        return;
    }
    if connections.is_empty() {
        connections.push(Segments::default());
    }
    let connection = connections.last_mut().unwrap();
    let offset = sequence.wrapping_sub(*connection.first.get_or_insert(sequence));
    let known = connection.data.entry(offset).or_default();
    if known.len() < data.len() {
        *known = data.to_vec();
    }
}

fn joined(segments: Segments) -> Vec<u8> {
    let mut stream = Vec::new();
    for (offset, data) in segments.data {
        let offset = usize::try_from(offset).unwrap();
        assert!(offset <= stream.len(), "the capture lacks a segment at byte {} of a stream", stream.len());
        let overlap = stream.len() - offset;
        stream.extend_from_slice(data.get(overlap..).unwrap_or_default());
    }
    stream
}
