//! Rows of balances that are topped up by themselves.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AutoRecharge {
    pub(crate) tenant_id: String,
    pub(crate) is_enabled: bool,
    /// The payment that sets it up has arrived.
    pub(crate) is_ready: bool,
    pub(crate) threshold_mc: i64,
    pub(crate) amount_cents: i64,
    /// One after the other.
    pub(crate) failures: i64,
    /// Not before, after a failure.
    pub(crate) retry_at: Option<UnixMillis>,
    /// After too many failures.
    pub(crate) paused_at: Option<UnixMillis>,
}

/// Writes a row, in place of the tenant's earlier one.
pub(crate) fn put(tx: &Tx<'_>, recharge: &AutoRecharge) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO auto_recharges
             (tenant_id, is_enabled, is_ready, threshold_mc, amount_cents, failures, retry_at_ms, paused_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (tenant_id) DO UPDATE SET is_enabled = excluded.is_enabled, is_ready = excluded.is_ready,
             threshold_mc = excluded.threshold_mc, amount_cents = excluded.amount_cents, failures = excluded.failures,
             retry_at_ms = excluded.retry_at_ms, paused_at_ms = excluded.paused_at_ms",
        &[
            (&recharge.tenant_id).into(),
            recharge.is_enabled.into(),
            recharge.is_ready.into(),
            recharge.threshold_mc.into(),
            recharge.amount_cents.into(),
            recharge.failures.into(),
            recharge.retry_at.map(UnixMillis::ms).into(),
            recharge.paused_at.map(UnixMillis::ms).into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<AutoRecharge>, StoreError> {
    tx.optional(
        "SELECT tenant_id, is_enabled, is_ready, threshold_mc, amount_cents, failures, retry_at_ms, paused_at_ms
         FROM auto_recharges WHERE tenant_id = ?1",
        &[tenant_id.into()],
        |row| {
            Ok(AutoRecharge {
                tenant_id: row.text(0)?,
                is_enabled: row.int(1)? != 0,
                is_ready: row.int(2)? != 0,
                threshold_mc: row.int(3)?,
                amount_cents: row.int(4)?,
                failures: row.int(5)?,
                retry_at: row.optional_int(6)?.map(UnixMillis::from_ms),
                paused_at: row.optional_int(7)?.map(UnixMillis::from_ms),
            })
        },
    )
}

/// Removes the tenant's row; false when there is none.
pub(crate) fn delete(tx: &Tx<'_>, tenant_id: &str) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM auto_recharges WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(removed > 0)
}
