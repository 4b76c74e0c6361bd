//! Rows that have run out: sessions, mailed tokens, invitations, answers of calls with an Idempotency-Key, old notices.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// Whether there are any; of notices those that were carried at `carried_by` or before.
pub(crate) fn has_expired(
    tx: &Tx<'_>,
    now: UnixMillis,
    carried_by: UnixMillis,
) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM sessions WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM mailed_tokens WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM invites WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM idempotency_records WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM notices WHERE carried_at_ms <= ?2)",
        &[now.ms().into(), carried_by.ms().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Removes them, at most `limit` of each table.
pub(crate) fn delete_expired(
    tx: &Tx<'_>,
    now: UnixMillis,
    carried_by: UnixMillis,
    limit: u32,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at_ms <= ?1 LIMIT ?2)",
        "DELETE FROM mailed_tokens WHERE digest IN
             (SELECT digest FROM mailed_tokens WHERE expires_at_ms <= ?1 LIMIT ?2)",
        "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE expires_at_ms <= ?1 LIMIT ?2)",
        "DELETE FROM idempotency_records WHERE (tenant_id, route, key) IN
             (SELECT tenant_id, route, key FROM idempotency_records WHERE expires_at_ms <= ?1 LIMIT ?2)",
    ] {
        tx.execute(sql, &[now.ms().into(), limit.into()])?;
    }
    tx.execute(
        "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE carried_at_ms <= ?1 LIMIT ?2)",
        &[carried_by.ms().into(), limit.into()],
    )?;
    Ok(())
}
