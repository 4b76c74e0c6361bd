//! Rows of API keys and of their digests.

use super::digest::DigestColumns;
use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) name: String,
    /// The first characters of the key, for people to recognise it by.
    pub(crate) prefix: String,
    /// Space-separated.
    pub(crate) scopes: String,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) last_used_at: Option<UnixMillis>,
    pub(crate) created_at: UnixMillis,
}

/// A key that shares its digest's head with a presented one, and its owner's standing.
pub(crate) struct Candidate {
    pub(crate) key: ApiKey,
    pub(crate) digest: [u8; 32],
    pub(crate) owner_role: String,
    pub(crate) owner_is_active: bool,
}

macro_rules! columns {
    () => {
        "api_keys.id, api_keys.tenant_id, api_keys.user_id, api_keys.name, api_keys.prefix, api_keys.scopes,
    api_keys.expires_at_ms, api_keys.last_used_at_ms, api_keys.created_at_ms"
    };
}

/// Adds a key with the digest of its value.
pub(crate) fn insert(tx: &Tx<'_>, key: &ApiKey, digest: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO api_keys (id, tenant_id, user_id, name, prefix, scopes, expires_at_ms, last_used_at_ms, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            (&key.id).into(),
            (&key.tenant_id).into(),
            (&key.user_id).into(),
            (&key.name).into(),
            (&key.prefix).into(),
            (&key.scopes).into(),
            key.expires_at.map(UnixMillis::ms).into(),
            key.last_used_at.map(UnixMillis::ms).into(),
            key.created_at.ms().into(),
        ],
    )?;
    let columns = DigestColumns::of(digest);
    tx.execute(
        "INSERT INTO api_key_digests (head, tail, key_id) VALUES (?1, ?2, ?3)",
        &[
            columns.head.into(),
            columns.tail.as_slice().into(),
            (&key.id).into(),
        ],
    )?;
    Ok(())
}

/// Every key whose digest starts as this one does: one row, or by rare chance more.
pub(crate) fn candidates(tx: &Tx<'_>, digest: &[u8; 32]) -> Result<Vec<Candidate>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            ", api_key_digests.head, api_key_digests.tail, users.role, users.state, tenants.state
             FROM api_key_digests
             JOIN api_keys ON api_keys.id = api_key_digests.key_id
             JOIN users ON users.id = api_keys.user_id
             JOIN tenants ON tenants.id = api_keys.tenant_id
             WHERE api_key_digests.head = ?1"
        ),
        &[DigestColumns::of(digest).head.into()],
        |row| {
            Ok(Candidate {
                key: read(row)?,
                digest: DigestColumns::read(row, 9, 10)?,
                owner_role: row.text(11)?,
                owner_is_active: row.text(12)? == "active" && row.text(13)? == "active",
            })
        },
    )
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str, id: &str) -> Result<Option<ApiKey>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE tenant_id = ?1 AND id = ?2"
        ),
        &[tenant_id.into(), id.into()],
        read,
    )
}

/// The keys of a tenant, oldest first; of one user only when `user_id` is given.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
) -> Result<Vec<ApiKey>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE tenant_id = ?1 AND (?2 IS NULL OR user_id = ?2) ORDER BY id"
        ),
        &[tenant_id.into(), user_id.into()],
        read,
    )
}

/// The digests under which a key is found.
pub(crate) fn digests(tx: &Tx<'_>, id: &str) -> Result<Vec<[u8; 32]>, StoreError> {
    tx.all(
        "SELECT head, tail FROM api_key_digests WHERE key_id = ?1",
        &[id.into()],
        |row| DigestColumns::read(row, 0, 1),
    )
}

/// Removes a key and its digests.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM api_keys WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// Moves `last_used_at` forward, never back.
pub(crate) fn touch(tx: &Tx<'_>, id: &str, last_used_at: UnixMillis) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_keys SET last_used_at_ms = ?2 WHERE id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms < ?2)",
        &[id.into(), last_used_at.ms().into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        user_id: row.text(2)?,
        name: row.text(3)?,
        prefix: row.text(4)?,
        scopes: row.text(5)?,
        expires_at: row.optional_int(6)?.map(UnixMillis::from_ms),
        last_used_at: row.optional_int(7)?.map(UnixMillis::from_ms),
        created_at: UnixMillis::from_ms(row.int(8)?),
    })
}
