//! Deltas: what changed from one version of a shard to a later one.
use core::iter::Peekable;

use super::rice::{self, Positions};
use super::shard::{HEADER_BYTES, Header, SHARD_MAGIC, SIGNATURE_BYTES};
use super::{ShardError, StatusShard};
use crate::jwk::KeySet;

pub(crate) const DELTA_MAGIC: &[u8; 4] = b"NXD1";

impl StatusShard<'_> {
    /// Whether these bytes begin as a delta does, and not as a shard.
    #[must_use]
    pub fn is_delta(bytes: &[u8]) -> bool {
        bytes.starts_with(DELTA_MAGIC)
    }

    /// Rebuilds the later version that a delta leads to, in the front of `out`
    /// ([`MAX_BYTES`](StatusShard::MAX_BYTES) are always enough).
    ///
    /// ```text
    /// magic "NXD1" · base seq u64 · the new header, from the thumbprint to k · added u16 · removed u16
    /// · positions added, then positions removed, coded as in a shard, zeros to the byte each
    /// · the new shard's signature (64 bytes)
    /// ```
    ///
    /// # Errors
    /// The delta is malformed, of another shard or another version, or what it leads to is no shard that one of `keys`
    /// signed. Nothing of `out` may be used then; fetch the whole shard.
    ///
    /// # Security
    /// A delta needs no trust: the rebuilt bytes are checked as a fetched shard is.
    pub fn apply<'o>(
        &self,
        delta: &[u8],
        keys: &KeySet,
        issuer: &str,
        out: &'o mut [u8],
    ) -> Result<StatusShard<'o>, ShardError> {
        let length = self.rebuild(&Delta::read(delta)?, out)?;
        let bytes = out.get(..length).ok_or(ShardError::Changes)?;
        StatusShard::open(bytes, keys, issuer)
    }

    /// Writes the new bytes and says how many they are.
    fn rebuild(&self, delta: &Delta<'_>, out: &mut [u8]) -> Result<usize, ShardError> {
        if delta.header.number != self.number() {
            return Err(ShardError::Number {
                delta: delta.header.number,
                shard: self.number(),
            });
        }
        if delta.base_seq != self.seq() {
            return Err(ShardError::Base {
                base_seq: delta.base_seq,
                seq: self.seq(),
            });
        }
        let count = delta.header.count;
        if u64::from(self.header().count) + u64::from(delta.added_count)
            != u64::from(count) + u64::from(delta.removed_count)
        {
            return Err(ShardError::Changes);
        }
        let merged = Merged {
            old: self.positions().peekable(),
            added: delta.added().peekable(),
            removed: delta.removed().peekable(),
        };
        let no_room = ShardError::Length { bytes: out.len() };
        let (head, rest) = out
            .split_at_mut_checked(SHARD_MAGIC.len() + HEADER_BYTES)
            .ok_or(no_room)?;
        let header = delta.header.to_bytes();
        for (place, byte) in head.iter_mut().zip(SHARD_MAGIC.iter().chain(&header)) {
            *place = *byte;
        }
        // A position that is both there and added comes twice, and does not rise; one that is removed and not there
        // leaves one too many.
        let coded = rice::encode(merged, count, rest).ok_or(ShardError::Changes)?;
        rest.get_mut(coded..coded + SIGNATURE_BYTES)
            .ok_or(no_room)?
            .copy_from_slice(delta.signature);
        Ok(head.len() + coded + SIGNATURE_BYTES)
    }
}

/// A delta that was read; nothing in it is trusted.
struct Delta<'a> {
    base_seq: u64,
    header: Header,
    added_count: u16,
    removed_count: u16,
    added: &'a [u8],
    removed: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> Delta<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ShardError> {
        let length = ShardError::Length { bytes: bytes.len() };
        if bytes.len() > StatusShard::MAX_BYTES {
            return Err(length);
        }
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(length)?;
        if magic != DELTA_MAGIC {
            return Err(ShardError::Magic);
        }
        let (base_seq, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
        let (header, rest) = rest.split_first_chunk::<HEADER_BYTES>().ok_or(length)?;
        let (added_count, rest) = rest.split_first_chunk::<2>().ok_or(length)?;
        let (removed_count, rest) = rest.split_first_chunk::<2>().ok_or(length)?;
        let (lists, signature) = rest.split_last_chunk::<SIGNATURE_BYTES>().ok_or(length)?;
        let added_count = u16::from_be_bytes(*added_count);
        let removed_count = u16::from_be_bytes(*removed_count);
        let removed = Positions::new(lists, added_count.into()).finish()?;
        match Positions::new(removed, removed_count.into()).finish()? {
            [] => Ok(Self {
                base_seq: u64::from_be_bytes(*base_seq),
                header: Header::read(header),
                added_count,
                removed_count,
                added: lists,
                removed,
                signature,
            }),
            [..] => Err(ShardError::Rest),
        }
    }

    fn added(&self) -> Positions<'a> {
        Positions::new(self.added, self.added_count.into())
    }

    fn removed(&self) -> Positions<'a> {
        Positions::new(self.removed, self.removed_count.into())
    }
}

/// The old positions without the removed ones and with the added ones, rising as long as the lists are what they should
/// be.
struct Merged<O: Iterator<Item = u16>, P: Iterator<Item = u16>> {
    old: Peekable<O>,
    added: Peekable<P>,
    removed: Peekable<P>,
}

impl<O: Iterator<Item = u16>, P: Iterator<Item = u16>> Iterator for Merged<O, P> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            let old = match (self.old.peek(), self.added.peek()) {
                (Some(old), Some(added)) if old > added => return self.added.next(),
                (None, _) => return self.added.next(),
                (Some(old), _) => *old,
            };
            self.old.next();
            if self.removed.next_if_eq(&old).is_none() {
                return Some(old);
            }
        }
    }
}
