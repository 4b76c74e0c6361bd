//! A key set whose signature holds.
use super::contents::{HEADER_BYTES, KEY_BYTES, KEY_SET_MAGIC, REVOKED_BYTES};
use super::{KeySetContents, KeySetError, KeyUse};
use crate::base64url;
use crate::jwk::{KeySet, TrustedKey, VerificationKey};
use crate::statement::{Kind, statement};

const SIGNATURE_BYTES: usize = 64;

/// The keys of an issuer, as its root key signed them.
///
/// The root key is what a client embeds. It signs nothing but key sets, so it can be kept offline, and the keys that sign
/// licences and revocation data can change under it without a new version of the client.
///
/// ```text
/// magic "NXK1" · 8 bytes of the root key's thumbprint · seq u64 · issued_at u64 · keys u8 · revoked keys u8
/// · each key: use u8 (1 license, 2 status, 3 webhook, 4 audit), 32 bytes, not_before u64, not_after u64 (0: none)
/// · each revoked key: thumbprint (32 bytes), revoked_at u64 · Ed25519 signature (64 bytes)
/// ```
///
/// Numbers are big-endian, times Unix seconds; at most 16 keys and 16 revoked ones. Signed is "nexa key set 1", NULs up to
/// 24 bytes, the SHA-256 of the issuer's URL, and the SHA-256 of everything before the signature.
///
/// ```
/// # #[cfg(feature = "issue")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nexa_core::{KeySetEntry, KeyUse, NewKeySet, SignedKeySet, SigningKey, UnixSeconds};
///
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let (root, issuing) = (SigningKey::generate(&mut rng), SigningKey::generate(&mut rng));
/// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let entry = KeySetEntry {
///     key_use: KeyUse::License,
///     key: issuing.verification_key(),
///     not_before: now,
///     not_after: None,
/// };
/// let new = NewKeySet { seq: 1, issued_at: now, keys: &[entry], revoked: &[] };
/// let bytes = new.sign(&root, "https://licenses.example")?;
///
/// let key_set = SignedKeySet::open(&bytes, &root.verification_key(), "https://licenses.example")?;
/// let keys = key_set.keys(KeyUse::License).ok_or("no issuing key")?;
/// assert!(keys.find(issuing.kid()).is_some());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "issue"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SignedKeySet<'a> {
    // Signed: the type is the proof.
    bytes: &'a [u8],
    contents: KeySetContents<'a>,
}

impl<'a> SignedKeySet<'a> {
    /// The most bytes a key set has.
    pub const MAX_BYTES: usize = HEADER_BYTES
        + KeySet::MAX_KEYS * KEY_BYTES
        + KeySet::MAX_REVOKED * REVOKED_BYTES
        + SIGNATURE_BYTES;

    /// Reads a key set that this root key signed for this issuer.
    ///
    /// # Errors
    /// The first rule it breaks, in this order: length, magic, root, signature, times, keys, revoked keys.
    pub fn open(
        bytes: &'a [u8],
        root: &VerificationKey,
        issuer: &str,
    ) -> Result<Self, KeySetError> {
        let length = KeySetError::Length { bytes: bytes.len() };
        if bytes.len() > Self::MAX_BYTES {
            return Err(length);
        }
        let (unsigned, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(length)?;
        if unsigned.len() < HEADER_BYTES {
            return Err(length);
        }
        let (magic, rest) = unsigned.split_first_chunk::<4>().ok_or(length)?;
        if magic != KEY_SET_MAGIC {
            return Err(KeySetError::Magic);
        }
        if !rest.starts_with(&root.hint()) {
            return Err(KeySetError::OtherRoot);
        }
        root.verify(&statement(Kind::KeySet, issuer, unsigned), signature)
            .map_err(KeySetError::Signature)?;
        Ok(Self {
            bytes,
            contents: KeySetContents::read_unsigned(unsigned)?,
        })
    }

    /// What stands in it.
    #[must_use]
    pub const fn contents(&self) -> &KeySetContents<'a> {
        &self.contents
    }

    /// The keys for one use, each for its time, and the ids of revoked ones; `None` if there is no such key.
    ///
    /// A licence that another key signed, or that was issued before its key's `not_before`, or that is looked at from the
    /// key's `not_after` on, is refused under them; under those of [`KeySet::from_jwks`] there are no times.
    #[must_use]
    pub fn keys(&self, key_use: KeyUse) -> Option<KeySet> {
        let keys = self
            .contents
            .keys()
            .filter(|entry| entry.key_use == key_use);
        let keys = keys.map(|entry| TrustedKey {
            key: entry.key,
            not_before: entry.not_before,
            not_after: entry.not_after,
        });
        let revoked = self.contents.revoked();
        let revoked = revoked.map(|revoked| base64url::encode_32(&revoked.thumbprint));
        KeySet::from_trusted(keys, revoked).ok()
    }

    /// The key set's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
