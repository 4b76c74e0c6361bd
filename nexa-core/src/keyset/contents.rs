//! What stands in a key set, whoever signed it.
use super::KeySetError;
use crate::jwk::{KeyProblem, KeySet, VerificationKey};
use crate::time::UnixSeconds;

pub(crate) const KEY_SET_MAGIC: &[u8; 4] = b"NXK1";
/// Magic, root, seq, issued_at, both counts.
pub(crate) const HEADER_BYTES: usize = 4 + 8 + 8 + 8 + 1 + 1;
/// Use, key, not_before, not_after.
pub(crate) const KEY_BYTES: usize = 1 + 32 + 8 + 8;
/// Thumbprint, revoked_at.
pub(crate) const REVOKED_BYTES: usize = 32 + 8;

/// What a key of a key set signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Licences and access tokens.
    License,
    /// Status shards, status list tokens and signed revocation lists.
    Status,
    /// Webhook deliveries.
    Webhook,
    /// Checkpoints of the audit trail.
    Audit,
}

impl KeyUse {
    const ALL: [Self; 4] = [Self::License, Self::Status, Self::Webhook, Self::Audit];

    /// The number in the key set.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::License => 1,
            Self::Status => 2,
            Self::Webhook => 3,
            Self::Audit => 4,
        }
    }

    /// The name: `license`, `status`, `webhook` or `audit`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::License => "license",
            Self::Status => "status",
            Self::Webhook => "webhook",
            Self::Audit => "audit",
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.number() == number)
    }
}

/// A key, what it is for, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetEntry {
    /// What it signs.
    pub key_use: KeyUse,
    /// The public key.
    pub key: VerificationKey,
    /// What it signs is issued from here on: licences, access tokens, shards, lists.
    pub not_before: UnixSeconds,
    /// From here on no token that it signed is trusted, and no shard or list that says it was signed from here on; `None`
    /// while no end is set. Not 1970-01-01T00:00:00Z.
    pub not_after: Option<UnixSeconds>,
}

/// A key that must not be trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedKey {
    /// Its RFC 7638 thumbprint: the 32 bytes that its id spells.
    pub thumbprint: [u8; 32],
    /// Since when.
    pub revoked_at: UnixSeconds,
}

/// What stands in a key set, signed or not: to be looked at, not to be trusted. [`SignedKeySet`](crate::SignedKeySet) is.
#[derive(Clone, Copy, Debug)]
pub struct KeySetContents<'a> {
    // Read to the end once without a fault.
    root: [u8; 8],
    seq: u64,
    issued_at: UnixSeconds,
    keys: &'a [u8],
    revoked: &'a [u8],
}

impl<'a> KeySetContents<'a> {
    /// Reads what is to be signed: a key set without its signature.
    ///
    /// # Errors
    /// The first rule it breaks, in this order: length, magic, times, keys, revoked keys.
    pub fn read_unsigned(bytes: &'a [u8]) -> Result<Self, KeySetError> {
        let length = KeySetError::Length { bytes: bytes.len() };
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(length)?;
        let (magic, header) = header.split_at(KEY_SET_MAGIC.len());
        if magic != KEY_SET_MAGIC {
            return Err(KeySetError::Magic);
        }
        let mut header = Fields(header);
        let root = header.take();
        let seq = u64::from_be_bytes(header.take());
        let issued_at = header.seconds().ok_or(KeySetError::Times)?;
        let [key_count, revoked_count] = header.take();
        let key_bytes = usize::from(key_count) * KEY_BYTES;
        let (keys, revoked) = rest.split_at_checked(key_bytes).ok_or(length)?;
        if revoked.len() != usize::from(revoked_count) * REVOKED_BYTES
            || usize::from(key_count) > KeySet::MAX_KEYS
            || usize::from(revoked_count) > KeySet::MAX_REVOKED
        {
            return Err(length);
        }
        let contents = Self {
            root,
            seq,
            issued_at,
            keys,
            revoked,
        };
        contents.check()?;
        Ok(contents)
    }

    /// The version: higher than that of every earlier one.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was made.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// The first eight bytes of the root key's thumbprint: whose signature it needs or claims to have.
    #[must_use]
    pub const fn root_hint(&self) -> [u8; 8] {
        self.root
    }

    /// The keys, in the order of the document.
    pub fn keys(&self) -> impl Iterator<Item = KeySetEntry> + use<'a> {
        let chunks = self.keys.chunks_exact(KEY_BYTES);
        chunks
            .zip(0..)
            .filter_map(|(bytes, index)| read_key(index, bytes).ok())
    }

    /// The revoked keys, in the order of the document.
    pub fn revoked(&self) -> impl Iterator<Item = RevokedKey> + use<'a> {
        let chunks = self.revoked.chunks_exact(REVOKED_BYTES);
        chunks.filter_map(|bytes| read_revoked(bytes).ok())
    }

    fn check(&self) -> Result<(), KeySetError> {
        for (index, bytes) in (0..).zip(self.keys.chunks_exact(KEY_BYTES)) {
            let entry = read_key(index, bytes)?;
            if self
                .keys()
                .take(usize::from(index))
                .any(|other| other.key == entry.key)
            {
                return Err(KeySetError::Key {
                    index,
                    problem: KeyProblem::Duplicate,
                });
            }
        }
        for (index, bytes) in (0..).zip(self.revoked.chunks_exact(REVOKED_BYTES)) {
            let thumbprint = read_revoked(bytes)?.thumbprint;
            let is_again = (self.revoked().take(usize::from(index)))
                .any(|other| other.thumbprint == thumbprint);
            if is_again
                || self
                    .keys()
                    .any(|entry| entry.key.thumbprint() == thumbprint)
            {
                return Err(KeySetError::Revoked { index });
            }
        }
        Ok(())
    }
}

fn read_key(index: u8, bytes: &[u8]) -> Result<KeySetEntry, KeySetError> {
    let mut fields = Fields(bytes);
    let [found] = fields.take();
    let key_use = KeyUse::from_number(found).ok_or(KeySetError::Use { index, found })?;
    let key = VerificationKey::from_bytes(&fields.take()).map_err(|error| KeySetError::Key {
        index,
        problem: error.problem,
    })?;
    let not_before = fields.seconds().ok_or(KeySetError::Times)?;
    // Zero stands for "no end is set": no key ends in 1970.
    let not_after = Some(fields.seconds().ok_or(KeySetError::Times)?)
        .filter(|not_after| *not_after != UnixSeconds::EPOCH);
    match not_after.is_none_or(|not_after| not_before < not_after) {
        true => Ok(KeySetEntry {
            key_use,
            key,
            not_before,
            not_after,
        }),
        false => Err(KeySetError::Times),
    }
}

fn read_revoked(bytes: &[u8]) -> Result<RevokedKey, KeySetError> {
    let mut fields = Fields(bytes);
    Ok(RevokedKey {
        thumbprint: fields.take(),
        revoked_at: fields.seconds().ok_or(KeySetError::Times)?,
    })
}

/// Fields of fixed size, one after the other, of a slice that is known to have them.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.0 = rest;
                *chunk
            }
            None => [0; N],
        }
    }

    fn seconds(&mut self) -> Option<UnixSeconds> {
        UnixSeconds::new(u64::from_be_bytes(self.take()))
    }
}
