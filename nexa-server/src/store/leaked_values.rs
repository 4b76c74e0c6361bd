//! Rows of values that others could read.

use super::digest::DigestColumns;
use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// Notes a value; one that is noted stays as it is.
pub(crate) fn insert(tx: &Tx<'_>, now: UnixMillis, digest: &[u8; 32]) -> Result<(), StoreError> {
    let columns = DigestColumns::of(digest);
    tx.execute(
        "INSERT INTO leaked_values (head, tail, at_ms) VALUES (?1, ?2, ?3) ON CONFLICT (head, tail) DO NOTHING",
        &[
            columns.head.into(),
            columns.tail.as_slice().into(),
            now.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn contains(tx: &Tx<'_>, digest: &[u8; 32]) -> Result<bool, StoreError> {
    let columns = DigestColumns::of(digest);
    let found = tx.optional(
        "SELECT 1 FROM leaked_values WHERE head = ?1 AND tail = ?2",
        &[columns.head.into(), columns.tail.as_slice().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
