//! Rows of users.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    /// The normal form; unique.
    pub(crate) email: Option<String>,
    pub(crate) email_given: Option<String>,
    pub(crate) password_hash: Option<String>,
    pub(crate) role: String,
    pub(crate) session_version: i64,
    pub(crate) created_at: UnixMillis,
    /// Neither the user nor its tenant is disabled.
    pub(crate) is_active: bool,
}

macro_rules! columns {
    () => {
        "users.id, users.tenant_id, users.email, users.email_given, users.password_hash, users.role,
    users.session_version, users.created_at_ms, users.state, tenants.state
    FROM users JOIN tenants ON tenants.id = users.tenant_id"
    };
}

/// Adds an active user.
///
/// # Errors
/// `UniqueViolation` when the address is taken.
pub(crate) fn insert(tx: &Tx<'_>, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, tenant_id, email, email_given, password_hash, role, state, session_version, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7, ?8)",
        &[
            (&user.id).into(),
            (&user.tenant_id).into(),
            user.email.as_deref().into(),
            user.email_given.as_deref().into(),
            user.password_hash.as_deref().into(),
            (&user.role).into(),
            user.session_version.into(),
            user.created_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Makes a user active or disabled; false when there is none of that id.
pub(crate) fn set_active(tx: &Tx<'_>, id: &str, is_active: bool) -> Result<bool, StoreError> {
    let state = if is_active { "active" } else { "disabled" };
    let changed = tx.execute(
        "UPDATE users SET state = ?2 WHERE id = ?1",
        &[id.into(), state.into()],
    )?;
    Ok(changed > 0)
}

/// Ends every access token of a user's sessions.
pub(crate) fn raise_session_version(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET session_version = session_version + 1 WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

/// As [`raise_session_version`], for all users of a tenant.
pub(crate) fn raise_session_versions(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET session_version = session_version + 1 WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<User>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " WHERE users.id = ?1"),
        &[id.into()],
        read,
    )
}

/// Finds a user by the normal form of the address.
pub(crate) fn find_by_email(tx: &Tx<'_>, email: &str) -> Result<Option<User>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " WHERE users.email = ?1"),
        &[email.into()],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        email: row.optional_text(2)?,
        email_given: row.optional_text(3)?,
        password_hash: row.optional_text(4)?,
        role: row.text(5)?,
        session_version: row.int(6)?,
        created_at: UnixMillis::from_ms(row.int(7)?),
        is_active: row.text(8)? == "active" && row.text(9)? == "active",
    })
}
