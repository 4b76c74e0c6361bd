//! Rows of what calls with an Idempotency-Key have answered.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Record<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) route: &'a str,
    pub(crate) key: &'a str,
    /// The digest of what was sent.
    pub(crate) payload: &'a [u8; 32],
    pub(crate) status: u16,
    /// Of the key that signed the answer; empty where nothing was signed.
    pub(crate) kid: &'a str,
    /// What the answer is made of once more, such as the claims that were signed; never a token.
    pub(crate) answer: &'a str,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// What is read of a record.
pub(crate) struct Earlier {
    pub(crate) payload: [u8; 32],
    pub(crate) status: i64,
    pub(crate) kid: String,
    pub(crate) answer: String,
}

/// Keeps a record, in place of one that has run out.
pub(crate) fn put(tx: &Tx<'_>, record: &Record<'_>) -> Result<(), StoreError> {
    let primary = [
        record.tenant_id.into(),
        record.route.into(),
        record.key.into(),
    ];
    tx.execute(
        "DELETE FROM idempotency_records WHERE tenant_id = ?1 AND route = ?2 AND key = ?3",
        &primary,
    )?;
    let [tenant_id, route, key] = primary;
    tx.execute(
        "INSERT INTO idempotency_records
             (tenant_id, route, key, payload, status, kid, answer, created_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            tenant_id,
            route,
            key,
            record.payload.into(),
            u32::from(record.status).into(),
            record.kid.into(),
            record.answer.into(),
            record.created_at.ms().into(),
            record.expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// The record of a key that has not run out.
pub(crate) fn find(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    route: &str,
    key: &str,
) -> Result<Option<Earlier>, StoreError> {
    tx.optional(
        "SELECT payload, status, kid, answer FROM idempotency_records
         WHERE tenant_id = ?1 AND route = ?2 AND key = ?3 AND expires_at_ms > ?4",
        &[tenant_id.into(), route.into(), key.into(), now.ms().into()],
        |row| {
            Ok(Earlier {
                payload: row.array(0)?,
                status: row.int(1)?,
                kid: row.text(2)?,
                answer: row.text(3)?,
            })
        },
    )
}
