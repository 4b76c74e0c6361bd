//! Signs status shards and writes deltas.
use alloc::vec;
use alloc::vec::Vec;

use super::error::IssueError;
use super::signing_key::{Purpose, SigningKey};
use crate::statement::{Kind, statement};
use crate::status::{DELTA_MAGIC, Header, MAX_CODE_BYTES, SHARD_MAGIC, StatusShard, encode};
use crate::time::UnixSeconds;

/// A status shard that is to be signed; see [`StatusShard`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct NewShard<'a> {
    /// The shard's number.
    pub number: u32,
    /// The version: higher than every earlier one. The larger of the last one + 1 and the Unix time in seconds never
    /// goes back, also where a backup was restored.
    pub seq: u64,
    /// Now.
    pub this_update: UnixSeconds,
    /// When a newer one will be there at the latest; later than `this_update`.
    pub next_update: UnixSeconds,
    /// The revoked positions, rising, each once.
    pub revoked: &'a [u16],
}

impl NewShard<'_> {
    /// Writes the shard and signs it for this issuer.
    ///
    /// # Errors
    /// `next_update` is not later than `this_update`, or the positions do not rise.
    pub fn sign(&self, key: &SigningKey, issuer: &str) -> Result<Vec<u8>, IssueError> {
        if self.next_update <= self.this_update {
            return Err(IssueError::Value {
                field: "next_update",
                rule: "later than this_update",
            });
        }
        const REVOKED: IssueError = IssueError::Value {
            field: "revoked",
            rule: "in rising order, each position once",
        };
        let count = u32::try_from(self.revoked.len()).map_err(|_| REVOKED)?;
        let header = Header::new(
            &key.verification_key(),
            self.number,
            self.seq,
            (self.this_update, self.next_update),
            count,
        );
        let mut bytes =
            Vec::with_capacity(StatusShard::MAX_BYTES.min(256 + 2 * self.revoked.len()));
        bytes.extend_from_slice(SHARD_MAGIC);
        bytes.extend_from_slice(&header.to_bytes());
        append_code(&mut bytes, self.revoked).ok_or(REVOKED)?;
        let statement = statement(Kind::StatusShard, issuer, &bytes);
        bytes.extend_from_slice(&key.sign(Purpose::StatusShard, &statement));
        Ok(bytes)
    }
}

/// What changed from one version of a shard to a later one.
///
/// ```
/// use nexa_core::{KeySet, NewShard, ShardChanges, SigningKey, StatusShard, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// # let keys = KeySet::from_keys(&[key.verification_key()])?;
/// # let issuer = "https://licenses.example";
/// # let this_update = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// # let next_update = UnixSeconds::new(1_795_237_200).ok_or("out of range")?;
/// let sign = |seq, revoked: &[u16]| {
///     NewShard { number: 7, seq, this_update, next_update, revoked }.sign(&key, issuer)
/// };
/// let (old, new) = (sign(1, &[3, 9])?, sign(2, &[9, 400])?);
/// let (old, new) = (StatusShard::open(&old, &keys, issuer)?, StatusShard::open(&new, &keys, issuer)?);
///
/// let changes = ShardChanges { base_seq: 1, added: &[400], removed: &[3] };
/// let delta = changes.delta(&new).ok_or("not these changes")?;
/// let mut buffer = [0; StatusShard::MAX_BYTES];
/// let rebuilt = old.apply(&delta, &keys, issuer, &mut buffer)?;
/// assert_eq!(rebuilt.as_bytes(), new.as_bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ShardChanges<'a> {
    /// The earlier version.
    pub base_seq: u64,
    /// The positions that are revoked now and were not, rising.
    pub added: &'a [u16],
    /// The positions that were revoked and are not now, rising.
    pub removed: &'a [u16],
}

impl ShardChanges<'_> {
    /// The delta that leads to `new`, for [`StatusShard::apply`]. `None` if there are too many changes (65,536) or they do
    /// not rise; the whole shard is shorter then anyway.
    #[must_use]
    pub fn delta(&self, new: &StatusShard<'_>) -> Option<Vec<u8>> {
        let bytes = new.as_bytes();
        let header = bytes.get(SHARD_MAGIC.len()..)?.get(..Header::BYTES)?;
        let (_, signature) = bytes.split_last_chunk::<64>()?;
        let mut delta = Vec::with_capacity(192);
        delta.extend_from_slice(DELTA_MAGIC);
        delta.extend_from_slice(&self.base_seq.to_be_bytes());
        delta.extend_from_slice(header);
        for list in [self.added, self.removed] {
            delta.extend_from_slice(&u16::try_from(list.len()).ok()?.to_be_bytes());
        }
        for list in [self.added, self.removed] {
            append_code(&mut delta, list)?;
        }
        delta.extend_from_slice(signature);
        Some(delta)
    }
}

fn append_code(bytes: &mut Vec<u8>, positions: &[u16]) -> Option<()> {
    let count = u32::try_from(positions.len()).ok()?;
    let mut code = vec![0; MAX_CODE_BYTES];
    let length = encode(positions.iter().copied(), count, &mut code)?;
    bytes.extend_from_slice(code.get(..length)?);
    Some(())
}
