//! Rows of invitations.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Invite {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    /// The user who invited.
    pub(crate) invited_by: String,
    /// The normal form.
    pub(crate) email: String,
    /// Where the mail goes.
    pub(crate) email_given: String,
    pub(crate) role: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

macro_rules! columns {
    () => {
        "id, tenant_id, invited_by, email, email_given, role, created_at_ms, expires_at_ms FROM invites"
    };
}

pub(crate) fn insert(tx: &Tx<'_>, invite: &Invite) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO invites (id, tenant_id, invited_by, email, email_given, role, created_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            (&invite.id).into(),
            (&invite.tenant_id).into(),
            (&invite.invited_by).into(),
            (&invite.email).into(),
            (&invite.email_given).into(),
            (&invite.role).into(),
            invite.created_at.ms().into(),
            invite.expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// The tenant's invitations that have not run out, newest first, older than the one of that id.
pub(crate) fn list(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Invite>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE tenant_id = ?1 AND expires_at_ms > ?2 AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4"
        ),
        &[
            tenant_id.into(),
            now.ms().into(),
            before.into(),
            limit.into(),
        ],
        read,
    )
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Invite>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " WHERE id = ?1"),
        &[id.into()],
        read,
    )
}

pub(crate) fn find_by_token(
    tx: &Tx<'_>,
    token_digest: &[u8; 32],
) -> Result<Option<Invite>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " WHERE token_digest = ?1"),
        &[token_digest.into()],
        read,
    )
}

/// Puts a token in the place of the last one.
pub(crate) fn set_token(tx: &Tx<'_>, id: &str, token_digest: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE invites SET token_digest = ?2 WHERE id = ?1",
        &[id.into(), token_digest.into()],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM invites WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// Removes a tenant's invitation of that address.
pub(crate) fn delete_of_address(
    tx: &Tx<'_>,
    tenant_id: &str,
    email: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM invites WHERE tenant_id = ?1 AND email = ?2",
        &[tenant_id.into(), email.into()],
    )?;
    Ok(())
}

/// Removes invitations that have run out, a bounded number of them.
pub(crate) fn delete_expired(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: u32,
) -> Result<usize, StoreError> {
    tx.execute(
        "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE expires_at_ms <= ?1 LIMIT ?2)",
        &[now.ms().into(), limit.into()],
    )
}

fn read(row: &Row<'_>) -> Result<Invite, StoreError> {
    Ok(Invite {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        invited_by: row.text(2)?,
        email: row.text(3)?,
        email_given: row.text(4)?,
        role: row.text(5)?,
        created_at: UnixMillis::from_ms(row.int(6)?),
        expires_at: UnixMillis::from_ms(row.int(7)?),
    })
}
