//! What parses as a control message is emitted as the same bytes, and can be logged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_core::wire::{Frame, MAX_MESSAGE_LENGTH};

fuzz_target!(|bytes: &[u8]| {
    match Frame::parse(bytes) {
        Ok(frame) => {
            let mut out = Vec::new();
            frame.emit(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(usize::from(frame.message.wire_length()), bytes.len());
            assert!(bytes.len() <= MAX_MESSAGE_LENGTH);
            assert!(!format!("{frame:?}").contains(char::is_control));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
