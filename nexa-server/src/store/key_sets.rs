//! Rows of key sets.

use super::{StoreError, Tx};

/// A key set as its root key signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySetRow {
    pub(crate) seq: u64,
    /// The public half of the root key.
    pub(crate) root: [u8; 32],
    pub(crate) signed: Vec<u8>,
    pub(crate) made_at_s: u64,
}

pub(crate) fn insert(tx: &Tx<'_>, row: &KeySetRow) -> Result<(), StoreError> {
    let integer = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO key_sets (seq, root, signed, made_at_s) VALUES (?1, ?2, ?3, ?4)",
        &[
            integer(row.seq).into(),
            (&row.root).into(),
            (&row.signed).into(),
            integer(row.made_at_s).into(),
        ],
    )?;
    Ok(())
}

/// Keeps so many of the newest ones.
pub(crate) fn forget_all_but(tx: &Tx<'_>, count: u32) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM key_sets WHERE seq <= (SELECT seq FROM key_sets ORDER BY seq DESC LIMIT 1 OFFSET ?1)",
        &[count.into()],
    )?;
    Ok(())
}

/// The newest one.
pub(crate) fn newest(tx: &Tx<'_>) -> Result<Option<KeySetRow>, StoreError> {
    let unsigned =
        |value: i64, column| u64::try_from(value).map_err(|_| StoreError::Shape { column });
    tx.optional(
        "SELECT seq, root, signed, made_at_s FROM key_sets ORDER BY seq DESC LIMIT 1",
        &[],
        |row| {
            Ok(KeySetRow {
                seq: unsigned(row.int(0)?, 0)?,
                root: row.array(1)?,
                signed: row.bytes(2)?,
                made_at_s: unsigned(row.int(3)?, 3)?,
            })
        },
    )
}
