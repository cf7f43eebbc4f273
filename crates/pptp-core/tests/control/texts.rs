//! What users read in the log.

use pptp_core::control::{CallEnd, CloseReason, Event, Misbehaviour, Misuse};
use pptp_core::wire::*;

fn disconnected(result: u8, error: u8, cause: u16) -> String {
    CallEnd::PeerDisconnected { result: result.into(), error: error.into(), cause }.to_string()
}

#[test]
fn the_end_of_a_call_reads_plainly_with_its_numbers() {
    assert_eq!(disconnected(3, 0, 0), "the peer disconnected the call: administrative shutdown (3)");
    assert_eq!(disconnected(1, 0, 16), "the peer disconnected the call: lost carrier (1), cause (16)");
    let general = "the peer disconnected the call: general error (2): insufficient resources (4)";
    assert_eq!(disconnected(2, 4, 0), general);
    assert_eq!(disconnected(0, 0, 0), "the peer disconnected the call: no reason given (0)");
    assert_eq!(disconnected(77, 0, 0), "the peer disconnected the call: unknown code (77)");
    let lost = CallEnd::ConnectionLost(CloseReason::EchoTimeout).to_string();
    assert_eq!(lost, "the peer did not answer an echo request in time");
}

#[test]
fn the_end_of_a_connection_reads_plainly_with_its_numbers() {
    let refused = CloseReason::Refused { result: StartResult::NotAuthorized, error: GeneralError::None };
    assert_eq!(refused.to_string(), "the peer refused the control connection: not authorized (4)");
    let refused = CloseReason::Refused { result: StartResult::GeneralError, error: GeneralError::PacError };
    let text = "the peer refused the control connection: general error (2): vendor-specific error in the PAC (6)";
    assert_eq!(refused.to_string(), text);
    let stopped = |reason: u8| CloseReason::StoppedByPeer(reason.into()).to_string();
    assert_eq!(stopped(3), "the peer stopped the control connection: shutting down (3)");
    assert_eq!(stopped(0), "the peer stopped the control connection: no reason given (0)");
    let malformed = CloseReason::Malformed(WireError::BadMagic(0x4745_5420)).to_string();
    assert!(malformed.starts_with("the peer does not speak pptp: bad magic cookie"), "{malformed}");
    let version = CloseReason::VersionMismatch(ProtocolVersion(0x0200)).to_string();
    assert_eq!(version, "the peer wants an incompatible protocol version (0x0200, not 0x0100)");
}

#[test]
fn a_refused_call_reads_plainly_with_its_numbers() {
    let refused = |result: u8, cause| {
        let event = Event::CallRefused { call: CallId(1), result: result.into(), error: GeneralError::None, cause };
        event.to_string()
    };
    assert_eq!(refused(4, 0), "call refused: busy (4)");
    assert_eq!(refused(3, 18), "call refused: no carrier (3), cause (18)");
    assert_eq!(refused(0, 0), "call refused: no reason given (0)");
    let result = IncomingCallResult::DoNotAccept;
    let incoming = Event::IncomingCallRefused { call: CallId(1), result, error: GeneralError::None };
    assert_eq!(incoming.to_string(), "call refused: not accepted (3)");
}

#[test]
fn misuse_and_misbehaviour_name_the_operation_the_state_and_the_id() {
    let misuse = Misuse::WrongCallState { call: CallId(9), operation: "clear_call", state: "wait_disconnect" };
    assert_eq!(misuse.to_string(), "clear_call is not possible for call 9 in state wait_disconnect");
    assert_eq!(Misuse::UnknownCall(CallId(9)).to_string(), "there is no call with id 9");
    let odd = Misbehaviour::UnexpectedMessage { message: "Echo-Reply", state: "established" };
    assert_eq!(Event::PeerMisbehaved(odd).to_string(), "Echo-Reply in state established ignored");
}

#[test]
fn every_text_for_users_is_one_lower_case_line() {
    let every_code = || {
        (0..=u8::MAX).flat_map(|code| {
            [
                CloseReason::Refused { result: code.into(), error: code.into() }.to_string(),
                CloseReason::StoppedByPeer(code.into()).to_string(),
                disconnected(code, code, u16::from(code)),
            ]
        })
    };
    let others = [
        CloseReason::StoppedByUs,
        CloseReason::PeerClosed,
        CloseReason::SetupTimeout,
        CloseReason::Flooded,
        CloseReason::CollisionLost,
        CloseReason::CollisionWon,
    ];
    for text in every_code().chain(others.iter().map(ToString::to_string)) {
        assert!(text.starts_with("the "), "{text}");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    }
}
