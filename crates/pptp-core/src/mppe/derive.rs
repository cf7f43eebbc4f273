//! Start keys from what MS-CHAP has computed (RFC 3079).

use core::fmt;

use sha1::{Digest, Sha1};
use zeroize::Zeroize;

/// SHApad1 (§2.4, §3.4).
pub(super) const PAD_1: [u8; 40] = [0x00; 40];
/// SHApad2.
pub(super) const PAD_2: [u8; 40] = [0xf2; 40];

const MASTER: &[u8; 27] = b"This is the MPPE Master Key";
const CLIENT_SENDS: &[u8; 84] = b"On the client side, this is the send key; on the server side, it is the receive key.";
const SERVER_SENDS: &[u8; 84] = b"On the client side, this is the receive key; on the server side, it is the send key.";

/// The first 16 bytes of a digest of these pieces.
pub(super) fn digest(pieces: &[&[u8]]) -> [u8; 16] {
    let mut sha = Sha1::new();
    for piece in pieces {
        sha.update(piece);
    }
    let mut digest: [u8; 20] = sha.finalize().into();
    let mut first = [0; 16];
    first.iter_mut().zip(&digest).for_each(|(to, from)| *to = *from);
    digest.zeroize();
    first
}

/// The key from which the session keys of one direction come: what pppd passes with `PPPIOCSCOMPRESS`, what RADIUS carries as
/// MS-MPPE-Send-Key and MS-MPPE-Recv-Key. 40 and 56 bit keys use the first 8 bytes.
#[derive(Clone)]
pub struct StartKey([u8; 16]);

impl StartKey {
    /// A key from elsewhere.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key itself: never print it.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Drop for StartKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for StartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartKey([redacted])")
    }
}

/// The start key of both directions after MS-CHAP: Get_Start_Key (§2.4). `challenge` is the authenticator's.
///
/// For 40 and 56 bit keys RFC 3079 (§2.1, §2.2) takes the first 8 bytes of the LAN Manager hash instead: that is
/// [`StartKey::new`].
pub fn mschap1_start_key(challenge: &[u8; 8], password_hash_hash: &[u8; 16]) -> StartKey {
    StartKey(digest(&[password_hash_hash, password_hash_hash, challenge]))
}

/// Which end of the authentication one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The peer that was authenticated: the one who called.
    Client,
    /// The authenticator.
    Server,
}

/// A direction, as seen from one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// What this end encrypts.
    Send,
    /// What this end decrypts.
    Receive,
}

/// The key from which both directions' start keys come after MS-CHAP-2.
pub struct MasterKey([u8; 16]);

impl MasterKey {
    /// GetMasterKey (§3.4), from MD4 of the NT password hash and the NT-Response.
    pub fn new(password_hash_hash: &[u8; 16], nt_response: &[u8; 24]) -> Self {
        Self(digest(&[password_hash_hash, nt_response, MASTER]))
    }

    /// GetAsymmetricStartKey (§3.4).
    pub fn start_key(&self, role: Role, traffic: Traffic) -> StartKey {
        let magic = match (role, traffic) {
            (Role::Client, Traffic::Send) | (Role::Server, Traffic::Receive) => CLIENT_SENDS,
            (Role::Server, Traffic::Send) | (Role::Client, Traffic::Receive) => SERVER_SENDS,
        };
        StartKey(digest(&[&self.0, &PAD_1, magic, &PAD_2]))
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}
