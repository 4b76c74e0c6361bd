//! Signs key sets.
use alloc::vec::Vec;

use super::error::IssueError;
use super::signing_key::{Purpose, SigningKey};
use crate::jwk::{KeySet, VerificationKey};
use crate::keyset::{
    HEADER_BYTES, KEY_BYTES, KEY_SET_MAGIC, KeySetContents, KeySetEntry, KeySetError,
    REVOKED_BYTES, RevokedKey,
};
use crate::statement::{Kind, statement};
use crate::time::UnixSeconds;

/// A key set that is to be signed; see [`SignedKeySet`](crate::SignedKeySet) for an example.
#[derive(Clone, Copy, Debug)]
pub struct NewKeySet<'a> {
    /// The version: higher than every earlier one.
    pub seq: u64,
    /// Now.
    pub issued_at: UnixSeconds,
    /// The keys, at most 16, each once.
    pub keys: &'a [KeySetEntry],
    /// The keys that were revoked and whose tokens have not all expired yet, at most 16; none that is trusted.
    pub revoked: &'a [RevokedKey],
}

impl NewKeySet<'_> {
    /// Writes the key set without its signature, for a root key that is kept elsewhere; [`sign_key_set`] adds it there.
    ///
    /// # Errors
    /// A list is too long, or a reader would refuse the key set: the problem is named.
    pub fn unsigned(&self, root: &VerificationKey) -> Result<Vec<u8>, IssueError> {
        let count = |field, length: usize, max| match u8::try_from(length) {
            Ok(count) if length <= max => Ok(count),
            Ok(_) | Err(_) => Err(IssueError::Length {
                field,
                min: 0,
                max,
                unit: "entries",
            }),
        };
        let keys = count("keys", self.keys.len(), KeySet::MAX_KEYS)?;
        let revoked = count("revoked", self.revoked.len(), KeySet::MAX_REVOKED)?;
        let mut bytes = Vec::with_capacity(
            HEADER_BYTES + self.keys.len() * KEY_BYTES + self.revoked.len() * REVOKED_BYTES + 64,
        );
        bytes.extend_from_slice(KEY_SET_MAGIC);
        bytes.extend_from_slice(&root.hint());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.issued_at.get().to_be_bytes());
        bytes.extend_from_slice(&[keys, revoked]);
        for entry in self.keys {
            // It would read as no end.
            if entry.not_after == Some(UnixSeconds::EPOCH) {
                return Err(IssueError::KeySetWouldBeRefused(KeySetError::Times));
            }
            let not_after = entry.not_after.map_or(0, UnixSeconds::get);
            bytes.push(entry.key_use.number());
            bytes.extend_from_slice(&entry.key.to_bytes());
            bytes.extend_from_slice(&entry.not_before.get().to_be_bytes());
            bytes.extend_from_slice(&not_after.to_be_bytes());
        }
        for revoked in self.revoked {
            bytes.extend_from_slice(&revoked.thumbprint);
            bytes.extend_from_slice(&revoked.revoked_at.get().to_be_bytes());
        }
        KeySetContents::read_unsigned(&bytes).map_err(IssueError::KeySetWouldBeRefused)?;
        Ok(bytes)
    }

    /// Writes the key set and signs it for this issuer.
    ///
    /// # Errors
    /// As [`unsigned`](Self::unsigned).
    pub fn sign(&self, root: &SigningKey, issuer: &str) -> Result<Vec<u8>, IssueError> {
        let mut bytes = self.unsigned(&root.verification_key())?;
        let signature = signature(&bytes, root, issuer);
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }
}

/// Signs a key set that [`NewKeySet::unsigned`] wrote, where the root key is; show its [`KeySetContents`] to whoever
/// decides that.
///
/// # Errors
/// These are no such bytes, or they are meant for another root key ([`KeySetError::OtherRoot`]).
pub fn sign_key_set(
    unsigned: &[u8],
    root: &SigningKey,
    issuer: &str,
) -> Result<Vec<u8>, KeySetError> {
    let contents = KeySetContents::read_unsigned(unsigned)?;
    if contents.root_hint() != root.verification_key().hint() {
        return Err(KeySetError::OtherRoot);
    }
    let mut bytes = unsigned.to_vec();
    bytes.extend_from_slice(&signature(unsigned, root, issuer));
    Ok(bytes)
}

fn signature(unsigned: &[u8], root: &SigningKey, issuer: &str) -> [u8; 64] {
    root.sign(Purpose::KeySet, &statement(Kind::KeySet, issuer, unsigned))
}
