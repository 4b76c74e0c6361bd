//! The row that shows whether writes still reach the disk.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// When a probe was last kept; `None` before the first.
pub(crate) fn last(tx: &Tx<'_>) -> Result<Option<UnixMillis>, StoreError> {
    tx.optional("SELECT at_ms FROM health_probe WHERE id = 1", &[], |row| {
        row.int(0).map(UnixMillis::from_ms)
    })
}

/// Writes the row, which needs as much of the disk as any small write does.
pub(crate) fn keep(tx: &Tx<'_>, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO health_probe (id, at_ms) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms",
        &[now.ms().into()],
    )?;
    Ok(())
}
