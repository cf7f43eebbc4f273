//! One session key after another (RFC 3078 §7.3).

use core::fmt;

use zeroize::Zeroize;

use super::config::KeyLength;
use super::derive::{PAD_1, PAD_2, StartKey, digest};
use super::rc4::Rc4;

/// A session key as RC4 takes it: keys of 8 bytes are there twice, which gives the same tables.
#[derive(Clone, Default)]
pub(super) struct SessionKey([u8; 16]);

impl SessionKey {
    pub(super) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// New tables.
    pub(super) fn cipher(&self) -> Rc4 {
        Rc4::new(&self.0)
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The session keys of one direction, in the order in which they are used.
#[derive(Clone)]
pub(super) struct KeyChain {
    /// Doubled like a session key, but only `length` bytes count.
    start: StartKey,
    session: SessionKey,
    length: KeyLength,
}

impl KeyChain {
    /// Begins with the initial session key: the digest as it is, without RC4 (RFC 3079 §3.1 to §3.3).
    pub(super) fn new(start: &StartKey, length: KeyLength) -> Self {
        let mut chain = Self { start: start.clone(), session: SessionKey(*start.as_bytes()), length };
        let interim = chain.interim();
        chain.set(interim);
        chain
    }

    pub(super) const fn session(&self) -> &SessionKey {
        &self.session
    }

    /// The next session key.
    pub(super) fn change(&mut self) {
        self.change_with(|key, text| Rc4::new(key).apply(text));
    }

    /// The next session key, with somebody else's RC4: it encrypts the second with the first.
    pub(super) fn change_with(&mut self, encrypt: impl FnOnce(&[u8; 16], &mut [u8; 16])) {
        let mut interim = self.interim();
        self.double(&mut interim);
        let mut key = interim;
        encrypt(&interim, &mut key);
        self.set(key);
        interim.zeroize();
        key.zeroize();
    }

    /// GetNewKeyFromSHA; 16 bytes, of which `length` count.
    fn interim(&self) -> [u8; 16] {
        let (start, _) = self.start.as_bytes().split_at(self.length.bytes());
        let (session, _) = self.session.0.split_at(self.length.bytes());
        digest(&[start, &PAD_1, session, &PAD_2])
    }

    fn set(&mut self, mut key: [u8; 16]) {
        key.iter_mut().zip(self.length.salt()).for_each(|(to, from)| *to = *from);
        self.double(&mut key);
        self.session = SessionKey(key);
        key.zeroize();
    }

    /// Repeats a key of 8 bytes.
    fn double(&self, key: &mut [u8; 16]) {
        let (first, second) = key.split_at_mut(8);
        if self.length.bytes() == first.len() {
            second.copy_from_slice(first);
        }
    }
}

impl fmt::Debug for KeyChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyChain").field("length", &self.length).finish_non_exhaustive()
    }
}
