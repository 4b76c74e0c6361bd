//! Rows of sessions: one a log-in, however often it is refreshed.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// What every refresh token of the session shares.
    pub(crate) family_digest: [u8; 32],
    /// SHA-256 of the current refresh token.
    pub(crate) refresh_digest: [u8; 32],
    /// What the current token took the place of; none in a session that was never refreshed.
    pub(crate) previous: Option<Previous>,
    /// The client's address when it was last seen.
    pub(crate) address: Option<String>,
    /// What the client called itself then.
    pub(crate) user_agent: Option<String>,
    pub(crate) created_at: UnixMillis,
    pub(crate) refreshed_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// The refresh token before the current one.
pub(crate) struct Previous {
    /// SHA-256 of it.
    pub(crate) digest: [u8; 32],
    /// The current token, readable to whoever holds the previous one.
    pub(crate) masked_successor: [u8; 32],
}

macro_rules! columns {
    () => {
        "sessions.id, sessions.user_id, sessions.family_digest, sessions.refresh_digest, sessions.previous_digest,
    sessions.masked_successor, sessions.address, sessions.user_agent, sessions.created_at_ms, sessions.refreshed_at_ms,
    sessions.expires_at_ms FROM sessions"
    };
}

pub(crate) fn insert(tx: &Tx<'_>, session: &Session) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (id, user_id, family_digest, refresh_digest, previous_digest, masked_successor, address,
             user_agent, created_at_ms, refreshed_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            (&session.id).into(),
            (&session.user_id).into(),
            (&session.family_digest).into(),
            (&session.refresh_digest).into(),
            session.previous.as_ref().map(|p| p.digest.as_slice()).into(),
            session
                .previous
                .as_ref()
                .map(|p| p.masked_successor.as_slice())
                .into(),
            session.address.as_deref().into(),
            session.user_agent.as_deref().into(),
            session.created_at.ms().into(),
            session.refreshed_at.ms().into(),
            session.expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Writes what a refresh changes.
pub(crate) fn update(tx: &Tx<'_>, session: &Session) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET refresh_digest = ?2, previous_digest = ?3, masked_successor = ?4, address = ?5,
             user_agent = ?6, refreshed_at_ms = ?7, expires_at_ms = ?8 WHERE id = ?1",
        &[
            (&session.id).into(),
            (&session.refresh_digest).into(),
            session.previous.as_ref().map(|p| p.digest.as_slice()).into(),
            session
                .previous
                .as_ref()
                .map(|p| p.masked_successor.as_slice())
                .into(),
            session.address.as_deref().into(),
            session.user_agent.as_deref().into(),
            session.refreshed_at.ms().into(),
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

/// The session that a refresh token belongs to, or once belonged to.
pub(crate) fn find_by_family(
    tx: &Tx<'_>,
    family_digest: &[u8; 32],
) -> Result<Option<Session>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " WHERE sessions.family_digest = ?1"),
        &[family_digest.into()],
        read,
    )
}

/// The sessions of a user that have not run out, newest first, older than the one of that id.
pub(crate) fn list(
    tx: &Tx<'_>,
    now: UnixMillis,
    user_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Session>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE sessions.user_id = ?1 AND sessions.expires_at_ms > ?2 AND (?3 IS NULL OR sessions.id < ?3)
              ORDER BY sessions.id DESC LIMIT ?4"
        ),
        &[user_id.into(), now.ms().into(), before.into(), limit.into()],
        read,
    )
}

/// The sessions of a tenant's users, or of one of them, newest first, older than the one of that id.
pub(crate) fn list_of_tenant(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Session>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " JOIN users ON users.id = sessions.user_id
              WHERE users.tenant_id = ?1 AND (?2 IS NULL OR users.id = ?2) AND (?3 IS NULL OR sessions.id < ?3)
              ORDER BY sessions.id DESC LIMIT ?4"
        ),
        &[tenant_id.into(), user_id.into(), before.into(), limit.into()],
        read,
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

/// Removes every session of a user, or every one but one.
pub(crate) fn delete_of_user(
    tx: &Tx<'_>,
    user_id: &str,
    spared: Option<&str>,
) -> Result<usize, StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE user_id = ?1 AND (?2 IS NULL OR id <> ?2)",
        &[user_id.into(), spared.into()],
    )
}

/// Removes every session of a tenant's users.
pub(crate) fn delete_of_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE tenant_id = ?1)",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// Removes sessions that have run out, a bounded number of them.
pub(crate) fn delete_expired(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: u32,
) -> Result<usize, StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at_ms <= ?1 LIMIT ?2)",
        &[now.ms().into(), limit.into()],
    )
}

fn read(row: &Row<'_>) -> Result<Session, StoreError> {
    let previous = row.optional_array(4)?.zip(row.optional_array(5)?);
    Ok(Session {
        id: row.text(0)?,
        user_id: row.text(1)?,
        family_digest: row.array(2)?,
        refresh_digest: row.array(3)?,
        previous: previous.map(|(digest, masked_successor)| Previous {
            digest,
            masked_successor,
        }),
        address: row.optional_text(6)?,
        user_agent: row.optional_text(7)?,
        created_at: UnixMillis::from_ms(row.int(8)?),
        refreshed_at: UnixMillis::from_ms(row.int(9)?),
        expires_at: UnixMillis::from_ms(row.int(10)?),
    })
}
