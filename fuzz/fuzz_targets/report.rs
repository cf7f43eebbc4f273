//! What is read as a report is written as the same bytes, and no words that are made of it have control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pptp_datapath::report::{LONGEST_USER, decode, encode};

fuzz_target!(|message: &[u8]| {
    let Some(report) = decode(message) else {
        return;
    };
    assert!(report.user.as_ref().is_none_or(|user| user.len() <= LONGEST_USER));
    if let Some(encryption) = report.encryption {
        assert!(!encryption.to_string().chars().any(char::is_control));
    }
    assert_eq!(encode(&report), message);
});
