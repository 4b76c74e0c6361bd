//! The rows that an erasure removes, table by table.

use super::{StoreError, Tx};

/// Removes some of what a tenant has, at most `limit` rows of one table, children before parents; answers how many. Nothing is
/// left when it answers 0; licences are another matter, since the public feed goes on showing them.
pub(crate) fn remove_part(tx: &Tx<'_>, tenant_id: &str, limit: u32) -> Result<usize, StoreError> {
    for sql in PARTS {
        let removed = tx.execute(sql, &[tenant_id.into(), limit.into()])?;
        if removed > 0 {
            return Ok(removed);
        }
    }
    Ok(0)
}

const PARTS: [&str; 18] = [
    "DELETE FROM idempotency_records WHERE tenant_id = ?1 AND (route, key) IN
        (SELECT route, key FROM idempotency_records WHERE tenant_id = ?1 LIMIT ?2)",
    // The metrics of a report go with it.
    "DELETE FROM usage_reports WHERE tenant_id = ?1 AND id IN (SELECT id FROM usage_reports WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM usage_day_metrics WHERE tenant_id = ?1 AND (user_id, day, app_id, model_id, metric) IN
        (SELECT user_id, day, app_id, model_id, metric FROM usage_day_metrics WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM usage_days WHERE tenant_id = ?1 AND (user_id, day, app_id, model_id) IN
        (SELECT user_id, day, app_id, model_id FROM usage_days WHERE tenant_id = ?1 LIMIT ?2)",
    // What of a payment went back goes with it.
    "DELETE FROM payments WHERE id IN (SELECT id FROM payments WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM subscriptions WHERE id IN (SELECT id FROM subscriptions WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM payment_customers WHERE tenant_id IN (SELECT tenant_id FROM payment_customers WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM auto_recharges WHERE tenant_id IN (SELECT tenant_id FROM auto_recharges WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM sessions WHERE id IN (SELECT sessions.id FROM sessions JOIN users ON users.id = sessions.user_id
        WHERE users.tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM agents WHERE tenant_id IN (SELECT tenant_id FROM agents WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM mails WHERE id IN (SELECT mails.id FROM mails JOIN users ON users.id = mails.user_id
        WHERE users.tenant_id = ?1 LIMIT ?2)",
    // The mails that carry them go along; a tenant that is being erased is told nothing more.
    "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM webhook_deliveries WHERE event_seq IN
        (SELECT event_seq FROM webhook_deliveries WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE tenant_id = ?1 LIMIT ?2)",
    // Tokens go with their user.
    "DELETE FROM users WHERE id IN (SELECT id FROM users WHERE tenant_id = ?1 LIMIT ?2)",
];
