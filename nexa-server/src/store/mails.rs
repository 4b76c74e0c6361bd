//! Rows of mails that are due.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Who it goes to, if not to the address of an invitation; for a mail to nobody there is no such user.
    pub(crate) user_id: Option<String>,
    pub(crate) invite_id: Option<String>,
    /// The client that asked for it.
    pub(crate) address: Option<String>,
    /// How often sending it was begun.
    pub(crate) attempts: i64,
    pub(crate) created_at: UnixMillis,
    pub(crate) due_at: UnixMillis,
}

/// Adds a mail, in the place of an unsent one of the same kind to the same user.
pub(crate) fn insert(tx: &Tx<'_>, mail: &Mail) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mails (id, kind, user_id, invite_id, address, attempts, created_at_ms, due_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (user_id, kind) DO UPDATE SET id = excluded.id, address = excluded.address, attempts = 0,
             created_at_ms = excluded.created_at_ms, due_at_ms = excluded.due_at_ms",
        &[
            (&mail.id).into(),
            (&mail.kind).into(),
            mail.user_id.as_deref().into(),
            mail.invite_id.as_deref().into(),
            mail.address.as_deref().into(),
            mail.attempts.into(),
            mail.created_at.ms().into(),
            mail.due_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// The next mail to send: those that were never tried before those that failed, the one that has been due longest first.
pub(crate) fn next(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Mail>, StoreError> {
    tx.optional(
        "SELECT id, kind, user_id, invite_id, address, attempts, created_at_ms, due_at_ms FROM mails
         WHERE due_at_ms <= ?1 ORDER BY attempts, due_at_ms LIMIT 1",
        &[now.ms().into()],
        |row| {
            Ok(Mail {
                id: row.text(0)?,
                kind: row.text(1)?,
                user_id: row.optional_text(2)?,
                invite_id: row.optional_text(3)?,
                address: row.optional_text(4)?,
                attempts: row.int(5)?,
                created_at: UnixMillis::from_ms(row.int(6)?),
                due_at: UnixMillis::from_ms(row.int(7)?),
            })
        },
    )
}

/// Notes that sending begins, and when to try again if it fails; false when the mail is gone.
pub(crate) fn begin(tx: &Tx<'_>, id: &str, again_at: UnixMillis) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE mails SET attempts = attempts + 1, due_at_ms = ?2 WHERE id = ?1",
        &[id.into(), again_at.ms().into()],
    )?;
    Ok(changed > 0)
}

/// Removes what waits for a user.
pub(crate) fn delete_of_user(tx: &Tx<'_>, user_id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM mails WHERE user_id = ?1", &[user_id.into()])?;
    Ok(())
}

/// Removes what waits for the users of a tenant.
pub(crate) fn delete_of_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mails WHERE user_id IN (SELECT id FROM users WHERE tenant_id = ?1)",
        &[tenant_id.into()],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM mails WHERE id = ?1", &[id.into()])?;
    Ok(())
}
