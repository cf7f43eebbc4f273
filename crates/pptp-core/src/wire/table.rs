//! The fifteen control messages in one table: type, length with the header, name, fields in wire order (RFC 2637 §2.1 to
//! §2.15). Parser and emitter both come from it, so they cannot disagree.

use super::error::WireError;
use super::field::Field;
use super::message::*;
use super::reader::Reader;

macro_rules! messages {
    ($($number:literal, $length:literal, $name:literal, $message:ident { $($field:ident),+ };)+) => {
        /// The length in bytes of a message of this type, with its header.
        pub(super) const fn length_of(message_type: u16) -> Option<u16> {
            match message_type {
                $($number => Some($length),)+
                _ => None,
            }
        }

        impl Message {
            /// The name that RFC 2637 §1.4 gives to this kind of message.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$message(_) => $name,)+
                }
            }

            /// The control message type (RFC 2637 §1.4), 1 to 15.
            pub const fn message_type(&self) -> u16 {
                match self {
                    $(Self::$message(_) => $number,)+
                }
            }

            /// Bytes of this kind of message on the wire, with its header.
            pub const fn wire_length(&self) -> u16 {
                match self {
                    $(Self::$message(_) => $length,)+
                }
            }

            /// Reads what follows the header; every byte must belong to it.
            pub(super) fn read_body(message_type: u16, mut reader: Reader<'_>) -> Result<Self, WireError> {
                let message = match message_type {
                    $($number => Self::$message($message { $($field: Field::read(&mut reader)?),+ }),)+
                    other => return Err(WireError::UnknownMessage(other)),
                };
                reader.finish()?;
                Ok(message)
            }

            /// Appends what follows the header.
            pub(super) fn write_body(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$message(message) => {
                        $(message.$field.write(out);)+
                    })+
                }
            }
        }

        $(impl From<$message> for Message {
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        })+
    };
}

messages! {
    1, 156, "Start-Control-Connection-Request", StartControlConnectionRequest {
        version, reserved1, framing_capabilities, bearer_capabilities, maximum_channels, firmware_revision, host_name, vendor
    };
    2, 156, "Start-Control-Connection-Reply", StartControlConnectionReply {
        version, result, error, framing_capabilities, bearer_capabilities, maximum_channels, firmware_revision, host_name,
        vendor
    };
    3, 16, "Stop-Control-Connection-Request", StopControlConnectionRequest { reason, reserved1, reserved2 };
    4, 16, "Stop-Control-Connection-Reply", StopControlConnectionReply { result, error, reserved1 };
    5, 16, "Echo-Request", EchoRequest { identifier };
    6, 20, "Echo-Reply", EchoReply { identifier, result, error, reserved1 };
    7, 168, "Outgoing-Call-Request", OutgoingCallRequest {
        call_id, call_serial_number, minimum_bps, maximum_bps, bearer_type, framing_type, receive_window, processing_delay,
        phone_number_length, reserved1, phone_number, subaddress
    };
    8, 32, "Outgoing-Call-Reply", OutgoingCallReply {
        call_id, peer_call_id, result, error, cause, connect_speed, receive_window, processing_delay, physical_channel_id
    };
    9, 220, "Incoming-Call-Request", IncomingCallRequest {
        call_id, call_serial_number, bearer_type, physical_channel_id, dialed_number_length, dialing_number_length,
        dialed_number, dialing_number, subaddress
    };
    10, 24, "Incoming-Call-Reply", IncomingCallReply {
        call_id, peer_call_id, result, error, receive_window, transit_delay, reserved1
    };
    11, 28, "Incoming-Call-Connected", IncomingCallConnected {
        peer_call_id, reserved1, connect_speed, receive_window, transit_delay, framing_type
    };
    12, 16, "Call-Clear-Request", CallClearRequest { call_id, reserved1 };
    13, 148, "Call-Disconnect-Notify", CallDisconnectNotify {
        call_id, result, error, cause, reserved1, call_statistics
    };
    14, 40, "WAN-Error-Notify", WanErrorNotify {
        peer_call_id, reserved1, crc_errors, framing_errors, hardware_overruns, buffer_overruns, timeout_errors,
        alignment_errors
    };
    15, 24, "Set-Link-Info", SetLinkInfo { peer_call_id, reserved1, send_accm, receive_accm };
}
