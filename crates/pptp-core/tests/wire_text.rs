//! Text fields of 64 bytes.

use pptp_core::wire::Text64;
use proptest::prelude::*;

#[test]
fn a_field_is_padded_with_zeros() {
    let Text64(bytes) = Text64::new("local");
    assert_eq!(&bytes[..5], b"local");
    assert_eq!(bytes[5..], [0; 59]);
    assert_eq!(Text64::new(""), Text64::EMPTY);
}

#[test]
fn a_long_text_is_cut_and_still_ends_with_a_zero() {
    let Text64(bytes) = Text64::new(&"x".repeat(200));
    assert_eq!(bytes[..63], [b'x'; 63]);
    assert_eq!(bytes[63], 0);
}

#[test]
fn a_text_is_never_cut_inside_a_character() {
    let text = "x".to_owned() + &"\u{20ac}".repeat(30);
    assert_eq!(Text64::new(&text).text(), "x".to_owned() + &"\u{20ac}".repeat(20));
}

#[test]
fn a_field_without_a_zero_is_read_whole() {
    assert_eq!(Text64([b'y'; 64]).text(), "y".repeat(64));
}

#[test]
fn what_follows_the_first_zero_is_not_text() {
    let mut bytes = [b'z'; 64];
    bytes[3] = 0;
    assert_eq!(Text64(bytes).text(), "zzz");
}

#[test]
fn what_could_forge_a_log_line_is_escaped() {
    assert_eq!(Text64::new("a\nb\r\x1b[2J\\").text(), r"a\nb\r\u{1b}[2J\\");
    assert_eq!(Text64::new("bidi \u{202e} nel \u{85}").text(), r"bidi \u{202e} nel \u{85}");
    assert_eq!(Text64::new("it's \"quoted\"").to_string(), "it's \"quoted\"");
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    let mut bytes = [0; 64];
    bytes[..4].copy_from_slice(b"M\xfcn!");
    assert_eq!(Text64(bytes).text(), "M\u{fffd}n!");
}

#[test]
fn debug_shows_text_and_not_64_numbers() {
    assert_eq!(format!("{:?}", Text64::new("local")), "Text64(\"local\")");
}

proptest! {
    #[test]
    fn any_bytes_give_one_printable_line(bytes: [u8; 32], more: [u8; 32]) {
        let mut field = [0; 64];
        field[..32].copy_from_slice(&bytes);
        field[32..].copy_from_slice(&more);
        prop_assert!(!Text64(field).text().chars().any(char::is_control));
    }

    #[test]
    fn any_text_is_a_prefix_of_itself(text in "\\PC{0,80}") {
        let Text64(bytes) = Text64::new(&text);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        prop_assert!(text.starts_with(std::str::from_utf8(&bytes[..end]).unwrap()));
        prop_assert!(end == text.len() || end >= 60);
    }
}
