//! Messages from a TCP stream, however it is cut.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use pptp_core::wire::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Lengths of the messages of types 1 to 15 (RFC 2637 §2.1 to §2.15).
const LENGTHS: [usize; 15] = [156, 156, 16, 16, 16, 20, 168, 32, 220, 24, 28, 16, 148, 40, 24];

/// What came out of a stream: messages, then perhaps an error, and what is left of an unfinished message.
#[derive(Debug, PartialEq)]
struct Outcome {
    frames: Vec<Frame>,
    error: Option<WireError>,
    pending: usize,
}

fn outcome<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    let mut error = None;
    for mut segment in segments {
        loop {
            assert!(framer.pending() < MAX_MESSAGE_LENGTH);
            match framer.next_frame(&mut segment) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break assert!(segment.is_empty()),
                Err(found) => break error = Some(found),
            }
        }
    }
    Outcome { frames, error, pending: framer.pending() }
}

fn frame(message_type: usize, fill: u8) -> Vec<u8> {
    let length = LENGTHS[message_type - 1];
    let mut bytes = vec![fill; length];
    bytes[..2].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    bytes[2..8].copy_from_slice(&[0, 1, 0x1a, 0x2b, 0x3c, 0x4d]);
    bytes[8..10].copy_from_slice(&u16::try_from(message_type).unwrap().to_be_bytes());
    bytes
}

fn echo_request() -> Vec<u8> {
    frame(5, 0)
}

/// An Echo-Request with other bytes from `at`.
fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut message = echo_request();
    message[at..at + bytes.len()].copy_from_slice(bytes);
    message
}

fn error_of(bytes: &[u8]) -> Option<WireError> {
    outcome([bytes]).error
}

#[test]
fn several_messages_in_one_segment_come_out_in_order() {
    let stream: Vec<u8> = (1..=15).flat_map(|message_type| frame(message_type, 7)).collect();
    let found = outcome([&stream[..]]);
    let types: Vec<u16> = found.frames.iter().map(|frame| frame.message.message_type()).collect();
    assert_eq!(types, (1..=15).collect::<Vec<u16>>());
    assert_eq!((found.error, found.pending), (None, 0));
}

#[test]
fn a_message_that_comes_byte_by_byte_is_given_at_its_last_byte() {
    let stream = frame(9, 7);
    let (last, first) = stream.split_last().unwrap();
    let mut framer = Framer::new();
    for (index, byte) in first.iter().enumerate() {
        assert_eq!(framer.pending(), index);
        assert_eq!(framer.next_frame(&mut &[*byte][..]), Ok(None));
    }
    assert_eq!(framer.next_frame(&mut &[*last][..]), Ok(Some(Frame::parse(&stream).unwrap())));
    assert_eq!(framer.pending(), 0);
}

#[test]
fn bytes_of_the_next_message_stay_with_the_caller() {
    let stream = [echo_request(), frame(6, 1)].concat();
    let mut framer = Framer::new();
    let mut input = &stream[..];
    framer.next_frame(&mut input).unwrap().unwrap();
    assert_eq!(input, frame(6, 1));
}

#[test]
fn an_empty_segment_gives_nothing() {
    assert_eq!(outcome([&[][..], &[][..]]), Outcome { frames: vec![], error: None, pending: 0 });
}

#[test]
fn a_wrong_magic_cookie_is_an_error_at_its_last_byte() {
    let stream = patched(4, &[0x1a, 0x2b, 0x3c, 0x4e]);
    assert_eq!(outcome([&stream[..7]]).error, None);
    assert_eq!(error_of(&stream[..8]), Some(WireError::BadMagic(0x1a2b_3c4e)));
}

#[test]
fn another_protocol_is_an_error_at_once() {
    assert_eq!(error_of(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(WireError::BadMagic(0x322e_302d)));
    assert_eq!(error_of(b"GET / HTTP/1.1\r\n"), Some(WireError::BadMagic(0x2f20_4854)));
    assert_eq!(error_of(&[0; 8]), Some(WireError::BadMagic(0)));
}

#[test]
fn a_management_message_is_an_error() {
    assert_eq!(error_of(&patched(2, &[0, 2])[..8]), Some(WireError::NotControl(2)));
    assert_eq!(error_of(&patched(2, &[0, 0])[..8]), Some(WireError::NotControl(0)));
}

#[test]
fn an_unknown_message_type_is_an_error_as_soon_as_it_is_there() {
    for message_type in [0_u16, 16, 0x0100, 0xffff] {
        let stream = patched(8, &message_type.to_be_bytes());
        assert_eq!(outcome([&stream[..9]]).error, None);
        assert_eq!(error_of(&stream[..10]), Some(WireError::UnknownMessage(message_type)));
    }
}

#[test]
fn a_length_that_does_not_fit_the_type_is_not_waited_for() {
    for found in [0_u16, 1, 12, 15, 17, 156, 0xffff] {
        let stream = patched(0, &found.to_be_bytes());
        let error = WireError::BadLength { message_type: 5, expected: 16, found };
        assert_eq!(error_of(&stream[..10]), Some(error));
    }
}

#[test]
fn messages_before_an_error_are_still_given() {
    let stream = [echo_request(), frame(6, 1), patched(4, &[0])].concat();
    let found = outcome([&stream[..]]);
    assert_eq!(found.frames.len(), 2);
    assert_eq!(found.error, Some(WireError::BadMagic(0x002b_3c4d)));
}

#[test]
fn after_an_error_nothing_is_taken_and_the_error_stays() {
    let mut framer = Framer::new();
    assert!(framer.next_frame(&mut &patched(4, &[0])[..]).is_err());
    let good = echo_request();
    let mut input = &good[..];
    assert_eq!(framer.next_frame(&mut input), Err(WireError::BadMagic(0x002b_3c4d)));
    assert_eq!(input.len(), good.len());
}

#[test]
fn errors_say_what_was_found() {
    let texts = [
        (WireError::Truncated { needed: 16, found: 3 }, "truncated: 3 of 16 bytes"),
        (WireError::TrailingBytes(4), "4 bytes after the end of the message"),
        (WireError::BadMagic(0x10), "bad magic cookie: 0x00000010 instead of 0x1a2b3c4d"),
        (WireError::NotControl(2), "not a control message: pptp message type 2 instead of 1"),
        (WireError::UnknownMessage(16), "unknown control message type 16"),
        (
            WireError::BadLength { message_type: 5, expected: 16, found: 65535 },
            "bad length 65535 instead of 16 for control message type 5",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

/// A message of any type with any fields.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    (1..=15_usize).prop_flat_map(|message_type| {
        let header = frame(message_type, 0)[..10].to_vec();
        vec(any::<u8>(), LENGTHS[message_type - 1] - 10).prop_map(move |rest| [header.clone(), rest].concat())
    })
}

/// Messages, then possibly damaged or unfinished bytes.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    (vec(any_message(), 0..6), vec(any::<u8>(), 0..30), any::<Option<(Index, u8)>>()).prop_map(
        |(messages, tail, damage)| {
            let mut stream = messages.concat();
            stream.extend(tail);
            if let Some((at, value)) = damage.filter(|_| !stream.is_empty()) {
                let at = at.index(stream.len());
                stream[at] = value;
            }
            stream
        },
    )
}

fn cut<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.extend([0, stream.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn the_segmentation_changes_nothing(stream in any_stream(), cuts in vec(any::<Index>(), 0..20)) {
        let whole = outcome([&stream[..]]);
        prop_assert_eq!(&outcome(cut(&stream, &cuts)), &whole);
        prop_assert_eq!(&outcome(stream.chunks(1)), &whole);
    }

    #[test]
    fn a_stream_of_messages_comes_out_as_it_went_in(messages in vec(any_message(), 0..8)) {
        let stream = messages.concat();
        let found = outcome([&stream[..]]);
        let mut again = Vec::new();
        found.frames.iter().for_each(|frame| frame.emit(&mut again));
        prop_assert_eq!((found.error, found.pending), (None, 0));
        prop_assert_eq!(again, stream);
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
        let found = outcome([&bytes[..]]);
        prop_assert_eq!(found.frames.is_empty(), Frame::parse(&bytes[..bytes.len().min(16)]).is_err());
    }
}
