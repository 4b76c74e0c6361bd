//! Rows of the credits ledger, appended and never changed, and of the periods that end a monthly balance.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// One row of the ledger. Amounts are millicents.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant_id: &'a str,
    pub(crate) at: UnixMillis,
    /// The changes.
    pub(crate) change: Amounts,
    /// The balances after them.
    pub(crate) after: Amounts,
    pub(crate) cause: &'a str,
    /// Which one, so that one cause has one effect.
    pub(crate) cause_id: Option<&'a str>,
}

/// Millicents in each of the two buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) monthly_mc: i64,
    pub(crate) topup_mc: i64,
}

/// The time in which a monthly balance may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) started_at: UnixMillis,
    /// The first instant after it.
    pub(crate) ends_at: UnixMillis,
}

/// Appends an entry.
///
/// # Errors
/// `UniqueViolation` when the cause has had its effect.
pub(crate) fn append(tx: &Tx<'_>, entry: &Entry<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO credit_entries (id, tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            entry.id.into(),
            entry.tenant_id.into(),
            entry.at.ms().into(),
            entry.change.monthly_mc.into(),
            entry.change.topup_mc.into(),
            entry.after.monthly_mc.into(),
            entry.after.topup_mc.into(),
            entry.cause.into(),
            entry.cause_id.into(),
        ],
    )?;
    Ok(())
}

/// The balances after the newest entry; zero before the first.
pub(crate) fn newest(tx: &Tx<'_>, tenant_id: &str) -> Result<Amounts, StoreError> {
    let found = tx.optional(
        "SELECT monthly_after_mc, topup_after_mc FROM credit_entries WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1",
        &[tenant_id.into()],
        |row| {
            Ok(Amounts {
                monthly_mc: row.int(0)?,
                topup_mc: row.int(1)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

pub(crate) fn period(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<Period>, StoreError> {
    tx.optional(
        "SELECT started_at_ms, ends_at_ms FROM credit_periods WHERE tenant_id = ?1",
        &[tenant_id.into()],
        |row| {
            Ok(Period {
                started_at: UnixMillis::from_ms(row.int(0)?),
                ends_at: UnixMillis::from_ms(row.int(1)?),
            })
        },
    )
}

/// Starts the period of a tenant that has none.
///
/// # Errors
/// `UniqueViolation` when it has one.
pub(crate) fn start_period(
    tx: &Tx<'_>,
    tenant_id: &str,
    period: &Period,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO credit_periods (tenant_id, started_at_ms, ends_at_ms) VALUES (?1, ?2, ?3)",
        &[
            tenant_id.into(),
            period.started_at.ms().into(),
            period.ends_at.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn end_period(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM credit_periods WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// At most `limit` tenants whose period has ended, the longest ended first.
pub(crate) fn ended(tx: &Tx<'_>, now: UnixMillis, limit: u32) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT tenant_id FROM credit_periods WHERE ends_at_ms <= ?1 ORDER BY ends_at_ms LIMIT ?2",
        &[now.ms().into(), limit.into()],
        |row| row.text(0),
    )
}
