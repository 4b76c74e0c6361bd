//! Audit checkpoints: a signed word on how far an append-only trail had come.
use crate::jwk::{SignatureError, VerificationKey};

/// No compact JWS holds a blank or a NUL where this has them, so no token's signature passes here, nor this one's there.
const DOMAIN: &[u8; 24] = b"nexa audit checkpoint 1\0";
const STATEMENT_BYTES: usize = DOMAIN.len() + 8 + 32 + 8 + 43;

/// What an audit checkpoint states: at this time, this was the newest event of a trail, and its hash.
///
/// Since each event's hash covers the one before it, the hash of one event stands for every event up to it.
///
/// ```
/// # #[cfg(feature = "issue")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nexa_core::{AuditCheckpoint, SigningKey};
///
/// let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// let checkpoint = AuditCheckpoint { seq: 1_204, hash: [7; 32], at_ms: 1_795_230_000_000 };
/// let signature = checkpoint.sign(&key);
/// checkpoint.verify(&key.verification_key(), &signature)?;
///
/// let later = AuditCheckpoint { at_ms: checkpoint.at_ms + 1, ..checkpoint };
/// assert!(later.verify(&key.verification_key(), &signature).is_err());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "issue"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// The number of the event, counted from 1.
    pub seq: u64,
    /// The event's hash.
    pub hash: [u8; 32],
    /// When the checkpoint was made, in Unix milliseconds.
    pub at_ms: i64,
}

impl AuditCheckpoint {
    /// Signs the checkpoint. The key's id is part of what is signed.
    #[cfg(feature = "issue")]
    #[must_use]
    pub fn sign(&self, key: &crate::issue::SigningKey) -> [u8; 64] {
        let public = key.verification_key();
        key.sign(
            crate::issue::Purpose::AuditCheckpoint,
            &self.statement(&public),
        )
    }

    /// Checks that `signature` is `key`'s signature over this checkpoint.
    ///
    /// # Errors
    ///
    /// What is wrong with the signature; as strict as [`VerificationKey::verify`].
    pub fn verify(&self, key: &VerificationKey, signature: &[u8]) -> Result<(), SignatureError> {
        key.verify(&self.statement(key), signature)
    }

    /// What is signed: the prefix, then every field in a fixed number of bytes, numbers big-endian.
    fn statement(&self, key: &VerificationKey) -> [u8; STATEMENT_BYTES] {
        let seq = self.seq.to_be_bytes();
        let at_ms = self.at_ms.to_be_bytes();
        let kid = key.kid_bytes();
        let parts: [&[u8]; 5] = [DOMAIN, &seq, &self.hash, &at_ms, &kid];
        let mut statement = [0; STATEMENT_BYTES];
        for (place, byte) in statement.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        statement
    }
}
