//! Rows of mailed tokens: the newest of each kind for each user.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

/// Puts a token in the place of the user's last one of that purpose.
pub(crate) fn replace(
    tx: &Tx<'_>,
    digest: &[u8; 32],
    purpose: &str,
    user_id: &str,
    expires_at: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mailed_tokens (digest, purpose, user_id, expires_at_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (user_id, purpose) DO UPDATE SET digest = excluded.digest, expires_at_ms = excluded.expires_at_ms",
        &[
            digest.into(),
            purpose.into(),
            user_id.into(),
            expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// The user whose token of that purpose it is, while it lasts.
pub(crate) fn user_of(
    tx: &Tx<'_>,
    now: UnixMillis,
    digest: &[u8; 32],
    purpose: &str,
) -> Result<Option<String>, StoreError> {
    tx.optional(
        "SELECT user_id FROM mailed_tokens WHERE digest = ?1 AND purpose = ?2 AND expires_at_ms > ?3",
        &[digest.into(), purpose.into(), now.ms().into()],
        |row| row.text(0),
    )
}

/// Removes a user's token of that purpose.
pub(crate) fn delete(tx: &Tx<'_>, user_id: &str, purpose: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mailed_tokens WHERE user_id = ?1 AND purpose = ?2",
        &[user_id.into(), purpose.into()],
    )?;
    Ok(())
}

/// Removes every token of a user.
pub(crate) fn delete_of_user(tx: &Tx<'_>, user_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mailed_tokens WHERE user_id = ?1",
        &[user_id.into()],
    )?;
    Ok(())
}

/// Removes every token of a tenant's users.
pub(crate) fn delete_of_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mailed_tokens WHERE user_id IN (SELECT id FROM users WHERE tenant_id = ?1)",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// Removes tokens that have run out, a bounded number of them.
pub(crate) fn delete_expired(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: u32,
) -> Result<usize, StoreError> {
    tx.execute(
        "DELETE FROM mailed_tokens WHERE digest IN
         (SELECT digest FROM mailed_tokens WHERE expires_at_ms <= ?1 LIMIT ?2)",
        &[now.ms().into(), limit.into()],
    )
}
