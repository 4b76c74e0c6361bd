//! Rows of the values of API keys: the digests that a key is found by.

use super::super::digest::DigestColumns;
use super::super::{StoreError, Tx};
use crate::time::UnixMillis;

/// The tenant that has the key of that value.
pub(crate) fn tenant_of_value(
    tx: &Tx<'_>,
    digest: &[u8; 32],
) -> Result<Option<String>, StoreError> {
    let columns = DigestColumns::of(digest);
    tx.optional(
        "SELECT api_keys.tenant_id FROM api_key_digests JOIN api_keys ON api_keys.id = api_key_digests.key_id
         WHERE head = ?1 AND tail = ?2",
        &[columns.head.into(), columns.tail.as_slice().into()],
        |row| row.text(0),
    )
}

/// The digests under which a key is found.
pub(crate) fn digests(tx: &Tx<'_>, id: &str) -> Result<Vec<[u8; 32]>, StoreError> {
    tx.all(
        "SELECT head, tail FROM api_key_digests WHERE key_id = ?1",
        &[id.into()],
        |row| DigestColumns::read(row, 0, 1),
    )
}

/// Whether the value of that key whose digest begins with `head` is the one that no other has replaced.
pub(crate) fn is_current_value(tx: &Tx<'_>, id: &str, head: u64) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 FROM api_key_digests WHERE key_id = ?1 AND head = ?2 AND expires_at_ms IS NULL",
        &[id.into(), head.cast_signed().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Gives a key another value. The present one goes on passing until `old_until`, or is gone; any older one is.
pub(crate) fn replace_value(
    tx: &Tx<'_>,
    id: &str,
    prefix: &str,
    digest: &[u8; 32],
    old_until: Option<UnixMillis>,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM api_key_digests WHERE key_id = ?1 AND (?2 IS NULL OR expires_at_ms IS NOT NULL)",
        &[id.into(), old_until.map(UnixMillis::ms).into()],
    )?;
    tx.execute(
        "UPDATE api_key_digests SET expires_at_ms = ?2 WHERE key_id = ?1",
        &[id.into(), old_until.map(UnixMillis::ms).into()],
    )?;
    tx.execute(
        "UPDATE api_keys SET prefix = ?2 WHERE id = ?1",
        &[id.into(), prefix.into()],
    )?;
    insert(tx, id, digest, None)
}

/// Whether a replaced value's time is over.
pub(crate) fn has_expired_values(tx: &Tx<'_>, now: UnixMillis) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 FROM api_key_digests WHERE expires_at_ms <= ?1 LIMIT 1",
        &[now.ms().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Removes replaced values whose time is over, at most `limit`; answers how many.
pub(crate) fn delete_expired_values(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: u32,
) -> Result<usize, StoreError> {
    tx.execute(
        "DELETE FROM api_key_digests WHERE (head, tail) IN
             (SELECT head, tail FROM api_key_digests WHERE expires_at_ms <= ?1 LIMIT ?2)",
        &[now.ms().into(), limit.into()],
    )
}

/// Removes one value of a key.
pub(crate) fn delete_value(tx: &Tx<'_>, digest: &[u8; 32]) -> Result<(), StoreError> {
    let columns = DigestColumns::of(digest);
    tx.execute(
        "DELETE FROM api_key_digests WHERE head = ?1 AND tail = ?2",
        &[columns.head.into(), columns.tail.as_slice().into()],
    )?;
    Ok(())
}

/// Adds a value to a key; with its SHA-512, where that is what the digest is made of.
pub(super) fn insert(
    tx: &Tx<'_>,
    id: &str,
    digest: &[u8; 32],
    sha512: Option<&[u8; 64]>,
) -> Result<(), StoreError> {
    let columns = DigestColumns::of(digest);
    tx.execute(
        "INSERT INTO api_key_digests (head, tail, key_id, sha512) VALUES (?1, ?2, ?3, ?4)",
        &[
            columns.head.into(),
            columns.tail.as_slice().into(),
            id.into(),
            sha512.into(),
        ],
    )?;
    Ok(())
}
