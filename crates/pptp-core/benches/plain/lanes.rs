//! What `src/mppe/lanes.rs` would be if RC4 were OpenSSL's: one packet after the other, one key change after the other.
//!
//! It takes that file's place with `--cfg pptp_plain_mppe`, which the benchmark of the tunnel sets and nothing else, for an
//! engine to compare with. Whatever confines itself has to make an encryptor before: OpenSSL reads files at first.
#![expect(clippy::expect_used, reason = "a comparison that cannot run fails")]

use std::sync::OnceLock;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::provider::Provider;

use super::chain::{KeyChain, SessionKey};

pub(super) struct Lanes {
    packets: [CipherCtx; 2],
    interim: CipherCtx,
}

impl Lanes {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { packets: [cipher(), cipher()], interim: cipher() })
    }

    pub(super) fn schedule(&mut self, lane: Lane, key: &SessionKey) {
        let [first, second] = &mut self.packets;
        let packet = match lane {
            Lane::First => first,
            Lane::Second => second,
        };
        schedule(packet, key.as_bytes());
    }

    pub(super) fn schedule_and_change(&mut self, lane: Lane, key: &SessionKey, chain: &mut KeyChain) {
        self.schedule(lane, key);
        self.change(chain);
    }

    pub(super) fn change(&mut self, chain: &mut KeyChain) {
        chain.change_with(|key, text| {
            schedule(&mut self.interim, key);
            apply(&mut self.interim, text);
        });
    }

    pub(super) fn apply_one(&mut self, text: &mut [u8]) {
        let [first, _] = &mut self.packets;
        apply(first, text);
    }

    pub(super) fn apply_both(&mut self, first: &mut [u8], second: &mut [u8]) {
        let [one, other] = &mut self.packets;
        apply(one, first);
        apply(other, second);
    }
}

/// As in the file that this one replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    First,
    Second,
}

fn cipher() -> CipherCtx {
    static LEGACY: OnceLock<Provider> = OnceLock::new();
    LEGACY.get_or_init(|| Provider::try_load(None, "legacy", true).expect("OpenSSL has its legacy provider"));
    let rc4 = Cipher::fetch(None, "RC4", None).expect("OpenSSL has RC4");
    let mut context = CipherCtx::new().expect("there is memory");
    context.encrypt_init(Some(&rc4), None, None).expect("OpenSSL has RC4");
    context
}

fn schedule(context: &mut CipherCtx, key: &[u8; 16]) {
    context.encrypt_init(None, Some(key), None).expect("16 bytes are RC4's usual key");
}

fn apply(context: &mut CipherCtx, text: &mut [u8]) {
    context.cipher_update_inplace(text, text.len()).expect("a cipher of streams takes any length");
}
