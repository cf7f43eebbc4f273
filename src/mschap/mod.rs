//! MS-CHAP in place of pppd's own, which needs MD4 and DES of a cryptographic library that may not be allowed to have
//! them (FIPS mode).
//!
//! As pppd does, each byte of a password is taken for a character: a password that is not ASCII has to be written in
//! Latin-1, not in UTF-8, for a server that is not pppd to know it.

mod v1;
mod v2;

use std::cell::Cell;
use std::ffi::c_int;

use log::{debug, error, info};
use pptp_core::mppe::StartKey;
use pptp_core::mschap::{Failure, FailureCode, Password, PasswordHash, RESPONSE_LENGTH};
use pptp_io::random;

use crate::ffi;
use crate::options::MsChap;

pub(crate) use v1::{V1, take_short_key};
pub(crate) use v2::{V2, accepts_server};

thread_local! {
    static HAS_COMPLAINED: Cell<bool> = const { Cell::new(false) };
}

/// A version of MS-CHAP, as pppd's struct chap_digest_type has it.
pub(crate) trait Version {
    /// What the log calls it.
    const NAME: &'static str;
    /// Bytes of a challenge.
    const CHALLENGE_LENGTH: usize;

    /// Answers a challenge.
    fn respond(id: c_int, name: &[u8], secret: &[u8], challenge: &[u8]) -> Option<[u8; RESPONSE_LENGTH]>;

    /// What a right response is told, after pppd has been given the keys. `None`: it is wrong.
    fn accept(name: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Option<String>;

    /// What a wrong one is told.
    fn refusal(challenge: &[u8]) -> Failure;
}

/// Whose CCP the keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CcpOf {
    /// pppd's: it does not use keys of 40 bits after version 1.
    Pppd,
    /// The plugin's.
    Plugin,
}

/// What a server says to a response.
pub(crate) struct Verdict {
    pub(crate) is_right: bool,
    /// For the peer.
    pub(crate) message: String,
}

/// Registers the functions of this module with pppd, if the option says so, pppd's own are wrong, or the plugin's CCP may
/// need keys that only they make.
pub(crate) fn set_up(option: MsChap, ccp: CcpOf) {
    if ccp == CcpOf::Plugin {
        v1::make_short_keys();
    }
    let reason = match option {
        MsChap::Pppd => return,
        MsChap::Internal => "",
        MsChap::Auto if v2::pppd_is_right() => return set_up_version_1(ccp),
        MsChap::Auto => ", as pppd's own gives wrong results here (MD4 and DES are not allowed?)",
    };
    ffi::register_mschap(ffi::mschap::PPTP_MSCHAP_V1);
    ffi::register_mschap(ffi::mschap::PPTP_MSCHAP_V2);
    info!("MS-CHAPv2 is the plugin's{reason}");
    debug!("so is MS-CHAPv1");
}

/// The receive key of pppd 2.5.2 is zeros after version 1, and no pppd makes short keys.
fn set_up_version_1(ccp: CcpOf) {
    let reason = match ccp {
        CcpOf::Plugin => "pppd's own makes no keys of 40 and 56 bits",
        CcpOf::Pppd if v1::pppd_is_right() => return,
        CcpOf::Pppd => "pppd's own gives wrong results here",
    };
    ffi::register_mschap(ffi::mschap::PPTP_MSCHAP_V1);
    debug!("MS-CHAPv1 is the plugin's, as {reason}");
}

/// Forgets all that logins have left.
pub(crate) fn forget() {
    drop(take_short_key());
    v2::forget();
    HAS_COMPLAINED.set(false);
}

/// Logs what a peer may bring about with every packet: once on a link.
fn complain<V: Version>(text: &str) {
    if !HAS_COMPLAINED.replace(true) {
        error!("{}: {text}", V::NAME);
    }
}

/// What pppd computes, and the keys that it sets, if it knows MPPE; none stay behind, for they are made of what everybody
/// knows.
fn computed_by_pppd<T>(compute: impl FnOnce() -> Option<T>) -> Option<(T, Option<[StartKey; 2]>)> {
    let computed = compute();
    let keys = ffi::mppe_keys();
    ffi::clear_mppe_keys();
    computed.map(|computed| (computed, keys))
}

fn same_keys(some: &[StartKey; 2], other: &[StartKey; 2]) -> bool {
    some.iter().zip(other).all(|(one, other)| one.as_bytes() == other.as_bytes())
}

/// Bytes that nobody can foresee.
pub(crate) fn challenge<V: Version>() -> Vec<u8> {
    let numbers = std::iter::repeat_with(|| random::number().to_ne_bytes());
    numbers.flatten().take(V::CHALLENGE_LENGTH).collect()
}

/// Answers a challenge. To what is none, the answer is zeros, for pppd sends one in any case.
pub(crate) fn respond<V: Version>(id: c_int, name: &[u8], secret: &[u8], challenge: &[u8]) -> [u8; RESPONSE_LENGTH] {
    if challenge.len() != V::CHALLENGE_LENGTH {
        complain::<V>(&format!("a challenge of {} bytes instead of {}", challenge.len(), V::CHALLENGE_LENGTH));
    }
    V::respond(id, name, secret, challenge).unwrap_or([0; RESPONSE_LENGTH])
}

/// Judges a response, and gives pppd the keys if it is right.
pub(crate) fn verify<V: Version>(name: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Verdict {
    let accepted = V::accept(name, secret, challenge, response);
    let is_right = accepted.is_some();
    Verdict { is_right, message: accepted.unwrap_or_else(|| V::refusal(challenge).to_string()) }
}

/// Says why the server does not accept us.
pub(crate) fn report_failure<V: Version>(message: &[u8]) {
    let Failure { code, message, .. } = Failure::parse(message);
    let code = code.map(|code| match code {
        FailureCode::PASSWORD_EXPIRED => format!("{code}, and pppd cannot change it"),
        _ => code.to_string(),
    });
    let reason = match code {
        Some(code) if message.is_empty() => code,
        Some(code) => format!("{code}: {message}"),
        None if message.is_empty() => String::from("no reason given"),
        None => message,
    };
    error!("{}: login refused: {reason}", V::NAME);
}

fn hash<V: Version>(secret: &[u8]) -> Option<PasswordHash> {
    match Password::new(secret) {
        Ok(password) => Some(PasswordHash::of(&password)),
        Err(error) => {
            complain::<V>(&error.to_string());
            None
        }
    }
}
