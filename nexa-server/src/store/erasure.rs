//! The rows that an erasure removes, table by table.

use super::{StoreError, Tx, licenses};

/// Removes some of what a tenant has, at most `limit` rows of each table, children before parents; answers how many there
/// were. Nothing is left when it answers 0.
pub(crate) fn remove_part(tx: &Tx<'_>, tenant_id: &str, limit: u32) -> Result<usize, StoreError> {
    let mut removed = licenses::clear(tx, tenant_id, limit)?;
    for sql in PARTS {
        removed += tx.execute(sql, &[tenant_id.into(), limit.into()])?;
        // A parent may go only when its children have.
        if removed > 0 {
            return Ok(removed);
        }
    }
    Ok(removed)
}

const PARTS: [&str; 5] = [
    "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM sessions WHERE id IN (SELECT sessions.id FROM sessions JOIN users ON users.id = sessions.user_id
        WHERE users.tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE tenant_id = ?1 LIMIT ?2)",
    "DELETE FROM agents WHERE tenant_id IN (SELECT tenant_id FROM agents WHERE tenant_id = ?1 LIMIT ?2)",
    // Tokens and mails go with their user.
    "DELETE FROM users WHERE id IN (SELECT id FROM users WHERE tenant_id = ?1 LIMIT ?2)",
];
