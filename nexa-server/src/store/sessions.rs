//! Rows of sessions: one per log-in.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// SHA-256 of the refresh token.
    pub(crate) refresh_digest: [u8; 32],
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

pub(crate) fn insert(tx: &Tx<'_>, session: &Session) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (id, user_id, refresh_digest, created_at_ms, expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            (&session.id).into(),
            (&session.user_id).into(),
            session.refresh_digest.as_slice().into(),
            session.created_at.ms().into(),
            session.expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Whether the session stands, belongs to that user and has not run out.
pub(crate) fn is_open(
    tx: &Tx<'_>,
    now: UnixMillis,
    id: &str,
    user_id: &str,
) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT expires_at_ms FROM sessions WHERE id = ?1 AND user_id = ?2",
        &[id.into(), user_id.into()],
        |row| row.int(0),
    )?;
    Ok(found.is_some_and(|expires_at_ms| now.ms() < expires_at_ms))
}

/// The session of a refresh token: its id, its user, the user's tenant.
pub(crate) fn find_by_refresh(
    tx: &Tx<'_>,
    digest: &[u8; 32],
) -> Result<Option<(String, String, String)>, StoreError> {
    tx.optional(
        "SELECT sessions.id, users.id, users.tenant_id FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE sessions.refresh_digest = ?1",
        &[digest.into()],
        |row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)),
    )
}

/// Removes a session of that user; false when there is none.
pub(crate) fn delete(tx: &Tx<'_>, id: &str, user_id: &str) -> Result<bool, StoreError> {
    let deleted = tx.execute(
        "DELETE FROM sessions WHERE id = ?1 AND user_id = ?2",
        &[id.into(), user_id.into()],
    )?;
    Ok(deleted > 0)
}

/// Removes every session of a user.
pub(crate) fn delete_of_user(tx: &Tx<'_>, user_id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM sessions WHERE user_id = ?1", &[user_id.into()])?;
    Ok(())
}

/// Removes every session of a tenant's users.
pub(crate) fn delete_of_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE tenant_id = ?1)",
        &[tenant_id.into()],
    )?;
    Ok(())
}
