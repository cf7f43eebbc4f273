//! What parses as a tunnel packet is emitted as the same bytes; padding after the payload is left out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_core::wire::GreHeader;

fuzz_target!(|packet: &[u8]| {
    let Ok((header, payload)) = GreHeader::parse(packet) else {
        return;
    };
    assert_eq!(payload.len(), usize::from(header.payload_length));

    let mut out = [0; GreHeader::MAX_LENGTH];
    let room = header.emit(&mut out).expect("the longest header fits").len();
    assert_eq!(out.len() - room, header.wire_length());

    let again = [&out[..header.wire_length()], payload].concat();
    assert_eq!(again, packet[..again.len()]);
    assert_eq!(GreHeader::parse(&again), Ok((header, payload)));
});
