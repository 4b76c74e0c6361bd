//! Rows of operator keys.

use super::digest::DigestColumns;
use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct OperatorKey {
    pub(crate) id: String,
    pub(crate) prefix: String,
    pub(crate) created_at: UnixMillis,
}

pub(crate) fn insert(tx: &Tx<'_>, key: &OperatorKey, digest: &[u8; 32]) -> Result<(), StoreError> {
    let columns = DigestColumns::of(digest);
    tx.execute(
        "INSERT INTO operator_keys (id, head, tail, prefix, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            (&key.id).into(),
            columns.head.into(),
            columns.tail.as_slice().into(),
            (&key.prefix).into(),
            key.created_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Every operator key whose digest starts as this one does, with its digest.
pub(crate) fn candidates(
    tx: &Tx<'_>,
    digest: &[u8; 32],
) -> Result<Vec<(OperatorKey, [u8; 32])>, StoreError> {
    tx.all(
        "SELECT id, prefix, created_at_ms, head, tail FROM operator_keys WHERE head = ?1",
        &[DigestColumns::of(digest).head.into()],
        |row| Ok((read(row)?, DigestColumns::read(row, 3, 4)?)),
    )
}

/// All operator keys, oldest first.
pub(crate) fn list(tx: &Tx<'_>) -> Result<Vec<OperatorKey>, StoreError> {
    tx.all(
        "SELECT id, prefix, created_at_ms FROM operator_keys ORDER BY id",
        &[],
        read,
    )
}

/// Whether there is a key of that id.
pub(crate) fn exists(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT id FROM operator_keys WHERE id = ?1",
        &[id.into()],
        |row| row.text(0),
    )?;
    Ok(found.is_some())
}

/// Removes a key; false when there is none of that id.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM operator_keys WHERE id = ?1", &[id.into()])? > 0)
}

fn read(row: &Row<'_>) -> Result<OperatorKey, StoreError> {
    Ok(OperatorKey {
        id: row.text(0)?,
        prefix: row.text(1)?,
        created_at: UnixMillis::from_ms(row.int(2)?),
    })
}
