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

/// Whether a session of the tenant has that refresh token.
pub(crate) fn has_refresh_digest(
    tx: &Tx<'_>,
    tenant_id: &str,
    digest: &[u8; 32],
) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE sessions.refresh_digest = ?1 AND users.tenant_id = ?2",
        &[digest.into(), tenant_id.into()],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}
