//! Rows that have run out: sessions, mailed tokens, invitations, answers of calls with an Idempotency-Key, old notices,
//! letters that count no more, payments that the provider never heard of, old events and their deliveries.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// What has run out, each by its own time, and what is as old as that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of what says itself when it is over.
    pub(crate) expired: UnixMillis,
    /// Of notices that have been carried.
    pub(crate) carried: UnixMillis,
    /// Of payments that have failed and never got to the provider.
    pub(crate) unmade: UnixMillis,
    /// Of events.
    pub(crate) told: UnixMillis,
}

/// Whether there are any.
pub(crate) fn has_expired(tx: &Tx<'_>, bounds: Bounds) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM sessions WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM mailed_tokens WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM invites WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM idempotency_records WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM contact_letters WHERE expires_at_ms <= ?1)
             OR EXISTS (SELECT 1 FROM notices WHERE carried_at_ms <= ?2)
             OR EXISTS (SELECT 1 FROM payments
                 WHERE state = 'failed' AND provider_id IS NULL AND created_at_ms <= ?3)
             OR EXISTS (SELECT 1 FROM events WHERE at_ms <= ?4)",
        &[
            bounds.expired.ms().into(),
            bounds.carried.ms().into(),
            bounds.unmade.ms().into(),
            bounds.told.ms().into(),
        ],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Removes them, at most `limit` of each table.
pub(crate) fn delete_expired(tx: &Tx<'_>, bounds: Bounds, limit: u32) -> Result<(), StoreError> {
    for (sql, until) in [
        (
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at_ms <= ?1 LIMIT ?2)",
            bounds.expired,
        ),
        (
            "DELETE FROM mailed_tokens WHERE digest IN
                 (SELECT digest FROM mailed_tokens WHERE expires_at_ms <= ?1 LIMIT ?2)",
            bounds.expired,
        ),
        (
            "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE expires_at_ms <= ?1 LIMIT ?2)",
            bounds.expired,
        ),
        (
            "DELETE FROM idempotency_records WHERE (tenant_id, route, key) IN
                 (SELECT tenant_id, route, key FROM idempotency_records WHERE expires_at_ms <= ?1 LIMIT ?2)",
            bounds.expired,
        ),
        (
            "DELETE FROM contact_letters WHERE mail_id IN
                 (SELECT mail_id FROM contact_letters WHERE expires_at_ms <= ?1 LIMIT ?2)",
            bounds.expired,
        ),
        (
            "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE carried_at_ms <= ?1 LIMIT ?2)",
            bounds.carried,
        ),
        (
            "DELETE FROM payments WHERE id IN (SELECT id FROM payments
                 WHERE state = 'failed' AND provider_id IS NULL AND created_at_ms <= ?1 LIMIT ?2)",
            bounds.unmade,
        ),
        // Before their events.
        (
            "DELETE FROM webhook_deliveries WHERE event_seq IN (SELECT seq FROM events WHERE at_ms <= ?1 LIMIT ?2)",
            bounds.told,
        ),
        (
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at_ms <= ?1 LIMIT ?2)",
            bounds.told,
        ),
    ] {
        tx.execute(sql, &[until.ms().into(), limit.into()])?;
    }
    Ok(())
}
