//! MS-CHAPv2 in place of pppd's own, which needs MD4 and DES of a cryptographic library that may not be allowed to have
//! them (FIPS mode).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_int;

use log::{error, info};
use pptp_core::mppe::{MasterKey, Role, Traffic};
use pptp_core::mschap::v2::{AuthenticatorResponse, Exchange, Response};
use pptp_core::mschap::{
    Failure, NT_RESPONSE_LENGTH, Password, PasswordHash, RESPONSE_LENGTH, Success, without_domain,
};
use pptp_io::random;

use crate::ffi;
use crate::options::MsChap;

/// Answers that are remembered: a server that repeats its challenge gets the same answer again.
const REMEMBERED: usize = 10;

/// What was answered to a challenge.
struct Answer {
    id: c_int,
    challenge: [u8; 16],
    response: Response,
    user_name: Vec<u8>,
    password: PasswordHash,
}

impl Answer {
    /// Whether this is what the server says if it knows the password.
    fn accepts(&self, authenticator: &AuthenticatorResponse) -> bool {
        let exchange = Exchange {
            authenticator_challenge: self.challenge,
            peer_challenge: self.response.peer_challenge,
            user_name: &self.user_name,
        };
        exchange.accepts_authenticator(&self.password, &self.response.nt_response, authenticator)
    }
}

thread_local! {
    static ANSWERS: RefCell<VecDeque<Answer>> = const { RefCell::new(VecDeque::new()) };
}

/// What a server says to a response.
pub(crate) struct Verdict {
    pub(crate) is_right: bool,
    /// For the peer.
    pub(crate) message: String,
}

/// Registers the functions of this module with pppd, if the option says so or pppd's own are wrong.
pub(crate) fn set_up(option: MsChap) {
    let reason = match option {
        MsChap::Pppd => return,
        MsChap::Internal => "",
        MsChap::Auto if pppd_is_right() => return,
        MsChap::Auto => ", as pppd's own gives wrong results here (MD4 and DES are not allowed?)",
    };
    ffi::register_mschap();
    info!("MS-CHAPv2 is the plugin's{reason}");
}

/// Whether pppd's own gives what RFC 2759 §9.2 says. A login that fails would tell, too, but lock the account.
fn pppd_is_right() -> bool {
    const CHALLENGE: [u8; 16] = *b"[]|}{?/><,`!2&&(";
    const PEER_CHALLENGE: [u8; 16] = *b"!@#$%^&*()_+:3|~";
    const NT_RESPONSE: [u8; NT_RESPONSE_LENGTH] = [
        0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd, 0x83, 0x54, 0x42, 0x33,
        0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf,
    ];
    const EXPECTED: &[u8] = b"407A5589115FD0D6209F510FE9C04566932CDA56";
    let computed = ffi::chapms2(CHALLENGE, PEER_CHALLENGE, c"User", c"clientPass");
    // They are those of the RFC, which everybody knows.
    ffi::clear_mppe_keys();
    computed.is_some_and(|(response, authenticator)| {
        let nt_response = Response::parse(&response).map(|response| response.nt_response);
        nt_response == Ok(NT_RESPONSE) && authenticator.starts_with(EXPECTED)
    })
}

/// 16 bytes that nobody can foresee.
pub(crate) fn challenge() -> [u8; 16] {
    let mut bytes = [0; 16];
    for part in bytes.chunks_exact_mut(4) {
        part.copy_from_slice(&random::number().to_ne_bytes());
    }
    bytes
}

/// Answers a challenge with the length byte's value, [`RESPONSE_LENGTH`] bytes.
pub(crate) fn respond(id: c_int, name: &[u8], secret: &[u8], challenge: &[u8]) -> [u8; RESPONSE_LENGTH] {
    let before = ANSWERS.with_borrow(|answers| {
        let same = answers.iter().find(|answer| answer.id == id && answer.challenge == challenge)?;
        Some(same.response.emit())
    });
    before.or_else(|| answer(id, name, secret, challenge)).unwrap_or([0; RESPONSE_LENGTH])
}

fn answer(id: c_int, name: &[u8], secret: &[u8], value: &[u8]) -> Option<[u8; RESPONSE_LENGTH]> {
    let Ok(authenticator_challenge) = <[u8; 16]>::try_from(value) else {
        error!("MS-CHAPv2: a challenge of {} bytes instead of 16", value.len());
        return None;
    };
    let password = hash(secret)?;
    let peer_challenge = challenge();
    let user_name = without_domain(name);
    let exchange = Exchange { authenticator_challenge, peer_challenge, user_name };
    let response = Response::new(peer_challenge, exchange.nt_response(&password));
    let value = response.emit();
    let user_name = user_name.to_vec();
    ANSWERS.with_borrow_mut(|answers| {
        answers.truncate(REMEMBERED - 1);
        answers.push_front(Answer { id, challenge: authenticator_challenge, response, user_name, password });
    });
    Some(value)
}

/// Whether the server that accepts us knows the password too; if so, pppd gets the keys.
pub(crate) fn accepts_server(id: c_int, message: &[u8]) -> bool {
    let Ok(success) = Success::parse(message) else {
        error!("MS-CHAPv2: the server's success message has no authenticator response");
        return false;
    };
    let is_right = ANSWERS.with_borrow(|answers| {
        let mut of_this_id = answers.iter().filter(|answer| answer.id == id);
        let answer = of_this_id.find(|answer| answer.accepts(&success.authenticator_response));
        answer.map(|answer| set_keys(&answer.password, &answer.response, Role::Client)).is_some()
    });
    if !is_right {
        error!("MS-CHAPv2: the server does not know the password");
    }
    is_right
}

/// Judges a response, and gives pppd the keys if it is right.
pub(crate) fn verify(name: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Verdict {
    let right = judge(name, secret, challenge, response);
    let is_right = right.is_some();
    let message = right.map_or_else(|| denied(challenge), |response| format!("{response} M=Access granted"));
    Verdict { is_right, message }
}

fn judge(name: &[u8], secret: &[u8], challenge: &[u8], response: &[u8]) -> Option<AuthenticatorResponse> {
    let authenticator_challenge = <[u8; 16]>::try_from(challenge).ok()?;
    let response = Response::parse(response).ok()?;
    let password = hash(secret)?;
    let user_name = without_domain(name);
    let exchange = Exchange { authenticator_challenge, peer_challenge: response.peer_challenge, user_name };
    if !exchange.accepts(&password, &response.nt_response) {
        return None;
    }
    set_keys(&password, &response, Role::Server);
    Some(exchange.authenticator_response(&password, &response.nt_response))
}

/// RFC 2759 §6: the account or the password is wrong, do not try again.
fn denied(challenge: &[u8]) -> String {
    let digits: String = challenge.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("E=691 R=0 C={digits} V=3 M=Access denied")
}

/// Says why the server does not accept us.
pub(crate) fn report_failure(message: &[u8]) {
    let Failure { code, message, .. } = Failure::parse(message);
    let code = code.map_or_else(|| String::from("no reason given"), |code| code.to_string());
    error!("MS-CHAPv2: the server does not accept the name or the password: {code}: {message}");
}

fn hash(secret: &[u8]) -> Option<PasswordHash> {
    match Password::new(secret) {
        Ok(password) => Some(PasswordHash::of(&password)),
        Err(error) => {
            error!("MS-CHAPv2: {error}");
            None
        }
    }
}

fn set_keys(password: &PasswordHash, response: &Response, role: Role) {
    let keys = MasterKey::new(password.hash().as_bytes(), &response.nt_response);
    let key = |traffic| *keys.start_key(role, traffic).as_bytes();
    ffi::set_mppe_keys(key(Traffic::Send), key(Traffic::Receive));
}
