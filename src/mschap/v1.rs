//! Version 1 (RFC 2433).

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int};

use log::warn;
use pptp_core::mppe::{StartKey, mschap1_start_key};
use pptp_core::mschap::v1::Response;
use pptp_core::mschap::{Failure, FailureCode, LanManagerHash, NextChallenge, PasswordHash, RESPONSE_LENGTH};

use super::{Version, computed_by_pppd, hash, same_keys};
use crate::ffi;

thread_local! {
    static MAKES_SHORT_KEY: Cell<bool> = const { Cell::new(false) };
    static SHORT_KEY: RefCell<Option<StartKey>> = const { RefCell::new(None) };
}

/// From here on there is a short key after each login.
pub(super) fn make_short_keys() {
    MAKES_SHORT_KEY.set(true);
}

/// What keys of 40 and 56 bits of both directions come from after this login, if it was the plugin's (RFC 3079 §2.1): pppd
/// has no place for it. It can be taken once.
pub(crate) fn take_short_key() -> Option<StartKey> {
    SHORT_KEY.take()
}

/// Version 1.
pub(crate) enum V1 {}

impl Version for V1 {
    const NAME: &'static str = "MS-CHAPv1";
    const CHALLENGE_LENGTH: usize = 8;

    /// pppd gets the keys before the server has accepted the response: of that, it tells nobody.
    fn respond(_: c_int, _: &[u8], secret: &[u8], challenge: &[u8]) -> Option<[u8; RESPONSE_LENGTH]> {
        let challenge = challenge.try_into().ok()?;
        let password = hash::<Self>(secret)?;
        set_keys(secret, &password, &challenge);
        Some(Response::new(password.challenge_response(challenge)).emit())
    }

    fn accept(_: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Option<String> {
        let challenge = challenge.try_into().ok()?;
        let response = Response::parse(response).ok()?;
        if response.use_nt == 0 {
            warn!("MS-CHAPv1: the peer offers a LAN Manager response, which is almost the password in clear");
            return None;
        }
        let password = hash::<Self>(secret)?;
        if !password.accepts(challenge, &response.nt) {
            return None;
        }
        set_keys(secret, &password, &challenge);
        Some(String::from("Access granted"))
    }

    /// §8: the account or the password is wrong, do not try again.
    fn refusal(challenge: &[u8]) -> Failure {
        Failure {
            code: Some(FailureCode::AUTHENTICATION_FAILURE),
            challenge: challenge.try_into().ok().map(NextChallenge::V1),
            version: Some(2),
            ..Failure::default()
        }
    }
}

/// Whether pppd's own gives what this module does.
pub(super) fn pppd_is_right() -> bool {
    const CHALLENGE: [u8; 8] = [0x10, 0x2d, 0xb5, 0xdf, 0x08, 0x5d, 0x30, 0x41];
    const SECRET: &CStr = c"clientPass";
    let Some((response, keys)) = computed_by_pppd(|| ffi::chapms(CHALLENGE, SECRET)) else { return false };
    let (Some(password), Ok(response)) = (hash::<V1>(SECRET.to_bytes()), Response::parse(&response)) else {
        return false;
    };
    password.accepts(CHALLENGE, &response.nt)
        && keys.is_none_or(|keys| same_keys(&keys, &start_keys(&password, &CHALLENGE)))
}

/// The same for both directions.
fn start_keys(password: &PasswordHash, challenge: &[u8; 8]) -> [StartKey; 2] {
    let key = mschap1_start_key(challenge, password.hash().as_bytes());
    [key.clone(), key]
}

fn set_keys(secret: &[u8], password: &PasswordHash, challenge: &[u8; 8]) {
    if MAKES_SHORT_KEY.get() {
        SHORT_KEY.set(Some(StartKey::new(*LanManagerHash::of(secret).as_bytes())));
    }
    let [send, receive] = start_keys(password, challenge);
    ffi::set_mppe_keys(&send, &receive);
}
