//! Rows of users.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    /// The normal form; unique.
    pub(crate) email: Option<String>,
    pub(crate) email_given: Option<String>,
    /// Since when somebody is known to read what is mailed there.
    pub(crate) email_verified_at: Option<UnixMillis>,
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
    users.session_version, users.created_at_ms, users.state, tenants.state, users.email_verified_at_ms
    FROM users JOIN tenants ON tenants.id = users.tenant_id"
    };
}

/// Adds an active user.
///
/// # Errors
/// `UniqueViolation` when the address is taken.
pub(crate) fn insert(tx: &Tx<'_>, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, tenant_id, email, email_given, password_hash, role, state, session_version, created_at_ms, email_verified_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7, ?8, ?9)",
        &[
            (&user.id).into(),
            (&user.tenant_id).into(),
            user.email.as_deref().into(),
            user.email_given.as_deref().into(),
            user.password_hash.as_deref().into(),
            (&user.role).into(),
            user.session_version.into(),
            user.created_at.ms().into(),
            user.email_verified_at.map(UnixMillis::ms).into(),
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

pub(crate) fn set_password(tx: &Tx<'_>, id: &str, password_hash: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET password_hash = ?2 WHERE id = ?1",
        &[id.into(), password_hash.into()],
    )?;
    Ok(())
}

/// Notes that the user's address has been read; the first time counts.
pub(crate) fn set_email_verified(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email_verified_at_ms = ?2 WHERE id = ?1 AND email_verified_at_ms IS NULL",
        &[id.into(), now.ms().into()],
    )?;
    Ok(())
}

/// Takes address and password from a user, which leaves no way to log in.
pub(crate) fn clear_log_in(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email = NULL, email_given = NULL, email_verified_at_ms = NULL, password_hash = NULL WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

/// As [`clear_log_in`], for all users of a tenant.
pub(crate) fn clear_log_ins(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email = NULL, email_given = NULL, email_verified_at_ms = NULL, password_hash = NULL
         WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// Makes every user of a tenant but one a member.
pub(crate) fn demote_others(tx: &Tx<'_>, tenant_id: &str, id: &str) -> Result<usize, StoreError> {
    tx.execute(
        "UPDATE users SET role = 'member' WHERE tenant_id = ?1 AND id <> ?2 AND role <> 'member'",
        &[tenant_id.into(), id.into()],
    )
}

pub(crate) fn set_role(tx: &Tx<'_>, id: &str, role: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET role = ?2 WHERE id = ?1",
        &[id.into(), role.into()],
    )?;
    Ok(())
}

/// Removes a user, and what hangs on nobody else; its keys and sessions have to be gone.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM users WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// The users of a tenant, newest first, older than the one of that id.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE users.tenant_id = ?1 AND (?2 IS NULL OR users.id < ?2) ORDER BY users.id DESC LIMIT ?3"
        ),
        &[tenant_id.into(), before.into(), limit.into()],
        read,
    )
}

/// How many users a tenant has.
pub(crate) fn count(tx: &Tx<'_>, tenant_id: &str) -> Result<i64, StoreError> {
    tx.one(
        "SELECT count(*) FROM users WHERE tenant_id = ?1",
        &[tenant_id.into()],
        |row| row.int(0),
    )
}

/// The owners of a tenant, the longest-standing first.
pub(crate) fn owners(tx: &Tx<'_>, tenant_id: &str, limit: u32) -> Result<Vec<User>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE users.tenant_id = ?1 AND users.role = 'owner' ORDER BY users.id LIMIT ?2"
        ),
        &[tenant_id.into(), limit.into()],
        read,
    )
}

/// How many active users of that role the tenant has beside one.
pub(crate) fn count_others(
    tx: &Tx<'_>,
    tenant_id: &str,
    role: &str,
    id: &str,
) -> Result<i64, StoreError> {
    tx.one(
        "SELECT count(*) FROM users WHERE tenant_id = ?1 AND role = ?2 AND state = 'active' AND id <> ?3",
        &[tenant_id.into(), role.into(), id.into()],
        |row| row.int(0),
    )
}

/// The active user who is to follow an owner: of the highest role, and of those the longest-standing.
pub(crate) fn heir(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<User>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE users.tenant_id = ?1 AND users.state = 'active'
              ORDER BY CASE users.role WHEN 'owner' THEN 0 WHEN 'admin' THEN 1 ELSE 2 END, users.id LIMIT 1"
        ),
        &[tenant_id.into()],
        read,
    )
}

/// Whether an owner of a tenant has shown that its address is read.
pub(crate) fn has_verified_owner(tx: &Tx<'_>, tenant_id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM users WHERE tenant_id = ?1 AND role = 'owner' AND state = 'active'
             AND email_verified_at_ms IS NOT NULL)",
        &[tenant_id.into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
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

/// Of the active owners of an active tenant the one who was added first.
pub(crate) fn oldest_active_owner(
    tx: &Tx<'_>,
    tenant_id: &str,
) -> Result<Option<User>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " WHERE users.tenant_id = ?1 AND users.role = 'owner' AND users.state = 'active' AND tenants.state = 'active'
             ORDER BY users.created_at_ms, users.id LIMIT 1"
        ),
        &[tenant_id.into()],
        read,
    )
}

/// The active owners of an active tenant, after the one of that id.
pub(crate) fn active_owners(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT users.id FROM users JOIN tenants ON tenants.id = users.tenant_id
         WHERE users.tenant_id = ?1 AND (?2 IS NULL OR users.id > ?2) AND users.role = 'owner' AND users.state = 'active'
             AND tenants.state = 'active'
         ORDER BY users.id LIMIT ?3",
        &[tenant_id.into(), after.into(), limit.into()],
        |row| row.text(0),
    )
}

/// The id of the user with that address, and nothing more: reading it takes hardly longer than finding none.
pub(crate) fn id_of_email(tx: &Tx<'_>, email: &str) -> Result<Option<String>, StoreError> {
    tx.optional(
        "SELECT id FROM users WHERE email = ?1",
        &[email.into()],
        |row| row.text(0),
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
        email_verified_at: row.optional_int(10)?.map(UnixMillis::from_ms),
    })
}
