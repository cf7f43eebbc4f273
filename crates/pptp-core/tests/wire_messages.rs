//! The fifteen control messages against bytes written down by hand from RFC 2637 §2.1 to §2.15.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use pptp_core::wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes from hexadecimal digits in any grouping.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

/// Text in a field of `N` bytes, the rest of it 0.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    field[..text.len()].copy_from_slice(text.as_bytes());
    field
}

/// A message made of a part in hexadecimal digits and fields of text.
fn golden(digits: &str, texts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = hex(digits);
    texts.iter().for_each(|text| bytes.extend_from_slice(text));
    bytes
}

fn emitted(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.emit(&mut bytes);
    bytes
}

/// Four tests for a type: its number, its length, its bytes and the message they are.
macro_rules! message {
    ($module:ident, $number:literal, $length:literal, $name:literal, $bytes:expr, $message:expr) => {
        mod $module {
            use super::*;

            fn bytes() -> Vec<u8> {
                $bytes
            }

            fn message() -> Message {
                Message::from($message)
            }

            #[test]
            fn golden_bytes_parse() {
                assert_eq!(bytes().len(), $length);
                let frame = Frame::parse(&bytes()).unwrap();
                assert_eq!(frame, Frame { reserved0: 0, message: message() });
                assert_eq!(frame.message.name(), $name);
                assert_eq!(frame.message.message_type(), $number);
            }

            #[test]
            fn golden_bytes_are_emitted() {
                let mut out = vec![0xee];
                message().emit(&mut out);
                assert_eq!(out.split_off(1), bytes());
                assert_eq!(out, [0xee], "what was in the buffer stays");
                assert_eq!(usize::from(message().wire_length()), $length);
            }

            #[test]
            fn every_truncation_fails_and_says_how_much_is_missing() {
                for end in 0..$length {
                    let needed = match end {
                        0..8 => 8,
                        8..10 => 10,
                        _ => $length,
                    };
                    assert_eq!(Frame::parse(&bytes()[..end]), Err(WireError::Truncated { needed, found: end }));
                }
            }

            #[test]
            fn bytes_after_the_message_fail() {
                assert_eq!(Frame::parse(&[&bytes()[..], &[0; 3]].concat()), Err(WireError::TrailingBytes(3)));
            }

            #[test]
            fn every_other_length_fails() {
                let mut frame = bytes();
                for found in (0..=u16::MAX).filter(|length| *length != $length) {
                    frame[..2].copy_from_slice(&found.to_be_bytes());
                    let error = WireError::BadLength { message_type: $number, expected: $length, found };
                    assert_eq!(Frame::parse(&frame), Err(error));
                }
            }

            proptest! {
                #[test]
                fn whatever_the_fields_are_the_same_bytes_come_out(
                    reserved0: u16,
                    body in vec(any::<u8>(), $length - 12),
                ) {
                    let mut frame = bytes();
                    frame[10..12].copy_from_slice(&reserved0.to_be_bytes());
                    frame[12..].copy_from_slice(&body);
                    let parsed = Frame::parse(&frame).unwrap();
                    prop_assert_eq!(parsed.reserved0, reserved0);
                    prop_assert_eq!(emitted(&parsed), &frame[..]);
                    prop_assert_eq!(Frame::parse(&emitted(&parsed)), Ok(parsed));
                }
            }
        }
    };
}

message! {
    start_control_connection_request, 1, 156, "Start-Control-Connection-Request",
    golden(
        "009c 0001 1a2b3c4d 0001 0000  0100 0203 04050607 08090a0b 0c0d 0e0f",
        &[&padded::<64>("pns.example.net"), &padded::<64>("pptp-rs")]
    ),
    StartControlConnectionRequest {
        version: ProtocolVersion::V1_0,
        reserved1: 0x0203,
        framing_capabilities: 0x0405_0607,
        bearer_capabilities: 0x0809_0a0b,
        maximum_channels: 0x0c0d,
        firmware_revision: 0x0e0f,
        host_name: Text64::new("pns.example.net"),
        vendor: Text64::new("pptp-rs"),
    }
}

message! {
    start_control_connection_reply, 2, 156, "Start-Control-Connection-Reply",
    golden(
        "009c 0001 1a2b3c4d 0002 0000  0100 02 03 04050607 08090a0b 0c0d 0e0f",
        &[&padded::<64>("pac.example.net"), &padded::<64>("pptp-rs")]
    ),
    StartControlConnectionReply {
        version: ProtocolVersion::V1_0,
        result: StartResult::GeneralError,
        error: GeneralError::BadValue,
        framing_capabilities: 0x0405_0607,
        bearer_capabilities: 0x0809_0a0b,
        maximum_channels: 0x0c0d,
        firmware_revision: 0x0e0f,
        host_name: Text64::new("pac.example.net"),
        vendor: Text64::new("pptp-rs"),
    }
}

message! {
    stop_control_connection_request, 3, 16, "Stop-Control-Connection-Request",
    hex("0010 0001 1a2b3c4d 0003 0000  03 01 0203"),
    StopControlConnectionRequest { reason: StopReason::StopLocalShutdown, reserved1: 1, reserved2: 0x0203 }
}

message! {
    stop_control_connection_reply, 4, 16, "Stop-Control-Connection-Reply",
    hex("0010 0001 1a2b3c4d 0004 0000  02 01 0304"),
    StopControlConnectionReply {
        result: StopResult::GeneralError,
        error: GeneralError::NotConnected,
        reserved1: 0x0304,
    }
}

message! {
    echo_request, 5, 16, "Echo-Request",
    hex("0010 0001 1a2b3c4d 0005 0000  01020304"),
    EchoRequest { identifier: 0x0102_0304 }
}

message! {
    echo_reply, 6, 20, "Echo-Reply",
    hex("0014 0001 1a2b3c4d 0006 0000  01020304 02 04 0506"),
    EchoReply {
        identifier: 0x0102_0304,
        result: EchoResult::GeneralError,
        error: GeneralError::NoResource,
        reserved1: 0x0506,
    }
}

message! {
    outgoing_call_request, 7, 168, "Outgoing-Call-Request",
    golden(
        "00a8 0001 1a2b3c4d 0007 0000  0102 0304 05060708 090a0b0c 0d0e0f10 11121314 1516 1718 000c 191a",
        &[&padded::<64>("+49301234567"), &padded::<64>("sub")]
    ),
    OutgoingCallRequest {
        call_id: CallId(0x0102),
        call_serial_number: 0x0304,
        minimum_bps: 0x0506_0708,
        maximum_bps: 0x090a_0b0c,
        bearer_type: 0x0d0e_0f10,
        framing_type: 0x1112_1314,
        receive_window: 0x1516,
        processing_delay: 0x1718,
        phone_number_length: 12,
        reserved1: 0x191a,
        phone_number: Text64::new("+49301234567"),
        subaddress: Text64::new("sub"),
    }
}

message! {
    outgoing_call_reply, 8, 32, "Outgoing-Call-Reply",
    hex("0020 0001 1a2b3c4d 0008 0000  0102 0304 04 06 0506 0708090a 0b0c 0d0e 0f101112"),
    OutgoingCallReply {
        call_id: CallId(0x0102),
        peer_call_id: PeerCallId(0x0304),
        result: CallResult::Busy,
        error: GeneralError::PacError,
        cause: 0x0506,
        connect_speed: 0x0708_090a,
        receive_window: 0x0b0c,
        processing_delay: 0x0d0e,
        physical_channel_id: 0x0f10_1112,
    }
}

message! {
    incoming_call_request, 9, 220, "Incoming-Call-Request",
    golden(
        "00dc 0001 1a2b3c4d 0009 0000  0102 0304 05060708 090a0b0c 0003 0004",
        &[&padded::<64>("110"), &padded::<64>("1234"), &padded::<64>("extension")]
    ),
    IncomingCallRequest {
        call_id: CallId(0x0102),
        call_serial_number: 0x0304,
        bearer_type: 0x0506_0708,
        physical_channel_id: 0x090a_0b0c,
        dialed_number_length: 3,
        dialing_number_length: 4,
        dialed_number: Text64::new("110"),
        dialing_number: Text64::new("1234"),
        subaddress: Text64::new("extension"),
    }
}

message! {
    incoming_call_reply, 10, 24, "Incoming-Call-Reply",
    hex("0018 0001 1a2b3c4d 000a 0000  0102 0304 03 05 0506 0708 090a"),
    IncomingCallReply {
        call_id: CallId(0x0102),
        peer_call_id: PeerCallId(0x0304),
        result: IncomingCallResult::DoNotAccept,
        error: GeneralError::BadCallId,
        receive_window: 0x0506,
        transit_delay: 0x0708,
        reserved1: 0x090a,
    }
}

message! {
    incoming_call_connected, 11, 28, "Incoming-Call-Connected",
    hex("001c 0001 1a2b3c4d 000b 0000  0102 0304 05060708 090a 0b0c 0d0e0f10"),
    IncomingCallConnected {
        peer_call_id: PeerCallId(0x0102),
        reserved1: 0x0304,
        connect_speed: 0x0506_0708,
        receive_window: 0x090a,
        transit_delay: 0x0b0c,
        framing_type: 0x0d0e_0f10,
    }
}

message! {
    call_clear_request, 12, 16, "Call-Clear-Request",
    hex("0010 0001 1a2b3c4d 000c 0000  0102 0304"),
    CallClearRequest { call_id: CallId(0x0102), reserved1: 0x0304 }
}

message! {
    call_disconnect_notify, 13, 148, "Call-Disconnect-Notify",
    golden("0094 0001 1a2b3c4d 000d 0000  0102 03 02 0304 0506", &[&padded::<128>("in 12 out 34")]),
    CallDisconnectNotify {
        call_id: CallId(0x0102),
        result: DisconnectResult::AdminShutdown,
        error: GeneralError::BadFormat,
        cause: 0x0304,
        reserved1: 0x0506,
        call_statistics: padded("in 12 out 34"),
    }
}

message! {
    wan_error_notify, 14, 40, "WAN-Error-Notify",
    hex("0028 0001 1a2b3c4d 000e 0000  0102 0304 05060708 090a0b0c 0d0e0f10 11121314 15161718 191a1b1c"),
    WanErrorNotify {
        peer_call_id: PeerCallId(0x0102),
        reserved1: 0x0304,
        crc_errors: 0x0506_0708,
        framing_errors: 0x090a_0b0c,
        hardware_overruns: 0x0d0e_0f10,
        buffer_overruns: 0x1112_1314,
        timeout_errors: 0x1516_1718,
        alignment_errors: 0x191a_1b1c,
    }
}

message! {
    set_link_info, 15, 24, "Set-Link-Info",
    hex("0018 0001 1a2b3c4d 000f 0000  0102 0304 ffffffff 00000000"),
    SetLinkInfo { peer_call_id: PeerCallId(0x0102), reserved1: 0x0304, send_accm: 0xffff_ffff, receive_accm: 0 }
}

#[test]
fn the_longest_message_is_as_long_as_said() {
    let longest = [156, 156, 16, 16, 16, 20, 168, 32, 220, 24, 28, 16, 148, 40, 24].into_iter().max();
    assert_eq!(longest, Some(MAX_MESSAGE_LENGTH));
}

/// Every value of a code survives, and exactly the values with a meaning in the RFC have a name.
macro_rules! code {
    ($test:ident, $code:ident, $named:expr) => {
        #[test]
        fn $test() {
            for value in 0..=u8::MAX {
                let code = $code::from(value);
                assert_eq!(u8::from(code), value);
                assert_eq!(matches!(code, $code::Unknown(_)), !$named.contains(&value), "{code}");
                assert!(code.to_string().ends_with(&format!("({value})")), "{code}");
            }
        }
    };
}

code!(start_results_are_those_of_section_2_2, StartResult, (1..=5));
code!(stop_reasons_are_those_of_section_2_3, StopReason, (1..=3));
code!(stop_results_are_those_of_section_2_4, StopResult, (1..=2));
code!(echo_results_are_those_of_section_2_6, EchoResult, (1..=2));
code!(outgoing_call_results_are_those_of_section_2_8, CallResult, (1..=7));
code!(incoming_call_results_are_those_of_section_2_10, IncomingCallResult, (1..=3));
code!(disconnect_results_are_those_of_section_2_13, DisconnectResult, (1..=4));
code!(general_errors_are_those_of_section_2_16, GeneralError, (0..=6));

#[test]
fn a_version_has_a_major_and_a_minor_part() {
    assert_eq!(ProtocolVersion::V1_0.to_string(), "1.0");
    let version = ProtocolVersion(0x0203);
    assert_eq!((version.major(), version.minor()), (2, 3));
}

#[test]
fn a_version_of_the_future_parses_so_that_it_can_be_answered() {
    let mut bytes = golden("009c 0001 1a2b3c4d 0001 0000 7fff", &[&[0; 142]]);
    let Message::StartControlConnectionRequest(request) = Frame::parse(&bytes).unwrap().message else {
        panic!("another message");
    };
    assert_eq!(request.version, ProtocolVersion(0x7fff));
    bytes[12..14].copy_from_slice(&[0, 0]);
    assert!(Frame::parse(&bytes).is_ok());
}
