//! Version 2 (RFC 2759).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_int};

use log::error;
use pptp_core::mppe::{MasterKey, Role, StartKey, Traffic};
use pptp_core::mschap::v2::{AuthenticatorResponse, Exchange, Response};
use pptp_core::mschap::{Failure, FailureCode, NextChallenge, PasswordHash, RESPONSE_LENGTH, Success, without_domain};

use super::{Version, challenge, computed_by_pppd, hash, same_keys};
use crate::ffi;

/// Answers that are remembered: a server that repeats its challenge gets the same answer again.
const REMEMBERED: usize = 10;

/// What was answered to a challenge.
struct Answer {
    id: c_int,
    challenge: [u8; 16],
    response: Response,
    /// What the server says if it knows the password.
    proof: AuthenticatorResponse,
    keys: [StartKey; 2],
}

thread_local! {
    static ANSWERS: RefCell<VecDeque<Answer>> = const { RefCell::new(VecDeque::new()) };
}

/// Version 2.
pub(crate) enum V2 {}

impl Version for V2 {
    const NAME: &'static str = "MS-CHAPv2";
    const CHALLENGE_LENGTH: usize = 16;

    fn respond(id: c_int, name: &[u8], secret: &[u8], challenge: &[u8]) -> Option<[u8; RESPONSE_LENGTH]> {
        let challenge = challenge.try_into().ok()?;
        answered(id, challenge).or_else(|| answer(id, name, secret, challenge))
    }

    fn accept(name: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Option<String> {
        let authenticator_challenge = challenge.try_into().ok()?;
        let response = Response::parse(response).ok()?;
        let password = hash::<Self>(secret)?;
        let user_name = without_domain(name);
        let exchange = Exchange { authenticator_challenge, peer_challenge: response.peer_challenge, user_name };
        if !exchange.accepts(&password, &response.nt_response) {
            return None;
        }
        let [send, receive] = start_keys(&password, &response, Role::Server);
        ffi::set_mppe_keys(&send, &receive);
        let authenticator_response = exchange.authenticator_response(&password, &response.nt_response);
        // Windows 98 sets a flag, and takes a text for an error.
        let message = String::from(if response.flags == 0 { "Access granted" } else { "" });
        Some(Success { authenticator_response, message }.to_string())
    }

    /// §6: the account or the password is wrong, do not try again.
    fn refusal(challenge: &[u8]) -> Failure {
        Failure {
            code: Some(FailureCode::AUTHENTICATION_FAILURE),
            challenge: challenge.try_into().ok().map(NextChallenge::V2),
            version: Some(3),
            message: String::from("Access denied"),
            ..Failure::default()
        }
    }
}

/// Whether pppd's own gives what this module does. A login that fails would tell, too, but lock the account.
pub(super) fn pppd_is_right() -> bool {
    const CHALLENGE: [u8; 16] = *b"[]|}{?/><,`!2&&(";
    const PEER_CHALLENGE: [u8; 16] = *b"!@#$%^&*()_+:3|~";
    const USER: &CStr = c"User";
    const SECRET: &CStr = c"clientPass";
    let compute = || ffi::chapms2(CHALLENGE, PEER_CHALLENGE, USER, SECRET);
    let Some(((response, authenticator), keys)) = computed_by_pppd(compute) else { return false };
    let (Some(password), Ok(response)) = (hash::<V2>(SECRET.to_bytes()), Response::parse(&response)) else {
        return false;
    };
    let user_name = USER.to_bytes();
    let exchange = Exchange { authenticator_challenge: CHALLENGE, peer_challenge: PEER_CHALLENGE, user_name };
    let expected = exchange.authenticator_response(&password, &response.nt_response).to_string();
    exchange.accepts(&password, &response.nt_response)
        && expected.strip_prefix("S=").is_some_and(|digits| authenticator.starts_with(digits.as_bytes()))
        && keys.is_none_or(|keys| same_keys(&keys, &start_keys(&password, &response, Role::Client)))
}

fn answered(id: c_int, challenge: [u8; 16]) -> Option<[u8; RESPONSE_LENGTH]> {
    ANSWERS.with_borrow(|answers| {
        let same = answers.iter().find(|answer| answer.id == id && answer.challenge == challenge)?;
        Some(same.response.emit())
    })
}

fn answer(id: c_int, name: &[u8], secret: &[u8], server: [u8; 16]) -> Option<[u8; RESPONSE_LENGTH]> {
    let password = hash::<V2>(secret)?;
    let peer_challenge = challenge::<V2>().try_into().ok()?;
    let exchange = Exchange { authenticator_challenge: server, peer_challenge, user_name: without_domain(name) };
    let response = Response::new(peer_challenge, exchange.nt_response(&password));
    let proof = exchange.authenticator_response(&password, &response.nt_response);
    let keys = start_keys(&password, &response, Role::Client);
    let value = response.emit();
    ANSWERS.with_borrow_mut(|answers| {
        answers.truncate(REMEMBERED - 1);
        // It does not move to a larger place later on, which would leave a copy of the keys behind.
        answers.reserve_exact(REMEMBERED.saturating_sub(answers.len()));
        answers.push_front(Answer { id, challenge: server, response, proof, keys });
    });
    Some(value)
}

/// Forgets what was answered, and the keys.
pub(super) fn forget() {
    ANSWERS.with_borrow_mut(VecDeque::clear);
}

/// Whether the server that accepts us knows the password too; if so, pppd gets the keys.
pub(crate) fn accepts_server(id: c_int, message: &[u8]) -> bool {
    let Ok(success) = Success::parse(message) else {
        error!("MS-CHAPv2: the server's success message has no authenticator response");
        return false;
    };
    let is_right = ANSWERS.with_borrow(|answers| {
        let is_right = |answer: &&Answer| answer.id == id && answer.proof.is(&success.authenticator_response);
        let right = answers.iter().find(is_right);
        right.map(|Answer { keys: [send, receive], .. }| ffi::set_mppe_keys(send, receive)).is_some()
    });
    if !is_right {
        error!("MS-CHAPv2: the server does not know the password");
    }
    is_right
}

/// What this end sends with, and what it receives with.
fn start_keys(password: &PasswordHash, response: &Response, role: Role) -> [StartKey; 2] {
    let keys = MasterKey::new(password.hash().as_bytes(), &response.nt_response);
    [Traffic::Send, Traffic::Receive].map(|traffic| keys.start_key(role, traffic))
}
