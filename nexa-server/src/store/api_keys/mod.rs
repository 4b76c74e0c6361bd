//! Rows of API keys and of their digests.

mod values;

pub(crate) use values::{
    delete_expired_values, delete_value, digests, has_expired_values, is_current_value,
    replace_value, tenant_of_value,
};

use super::digest::DigestColumns;
use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

#[derive(Clone)]
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
    pub(crate) is_enabled: bool,
    /// `live` or `test`.
    pub(crate) environment: String,
    /// Calls in a window, and the window in seconds.
    pub(crate) rate_limit: Option<(u32, u32)>,
    /// Uses left.
    pub(crate) remaining: Option<u64>,
    /// CIDR blocks, space-separated.
    pub(crate) allowed_ips: Option<String>,
    /// A JSON object.
    pub(crate) metadata: Option<String>,
    pub(crate) use_count: u64,
    pub(crate) window: StoredWindow,
}

/// A counted window as it was last written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredWindow {
    pub(crate) started_at: Option<UnixMillis>,
    pub(crate) count: u32,
}

/// A key that shares its digest's head with a presented one, and its owner's standing.
pub(crate) struct Candidate {
    pub(crate) key: ApiKey,
    pub(crate) digest: [u8; 32],
    /// When this value of the key stops passing, because another has replaced it.
    pub(crate) value_expires_at: Option<UnixMillis>,
    pub(crate) owner_role: String,
    pub(crate) owner_is_active: bool,
}

/// Which keys of a tenant a list shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) user_id: Option<&'a str>,
    /// A pattern of `LIKE`, escaped with `\`, for the name or the prefix in lower case.
    pub(crate) pattern: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) is_enabled: Option<bool>,
    /// Never used, or last used before this moment, as far as it has been written.
    pub(crate) unused_since: Option<UnixMillis>,
    /// Only ids below this one.
    pub(crate) before: Option<&'a str>,
}

/// A key with what it is found by, and its owner's address if that is known to be theirs.
pub(crate) struct ExportedKey {
    pub(crate) key: ApiKey,
    pub(crate) digest: [u8; 32],
    /// What the digest was made of, if it is not the SHA-256 of the key.
    pub(crate) sha512: Option<[u8; 64]>,
    pub(crate) owner_email: Option<String>,
}

/// What is known of a key's use.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) key_id: String,
    pub(crate) last_used_at: UnixMillis,
    /// Uses since it was last written.
    pub(crate) uses: u64,
    pub(crate) window: StoredWindow,
}

macro_rules! columns {
    () => {
        "api_keys.id, api_keys.tenant_id, api_keys.user_id, api_keys.name, api_keys.prefix, api_keys.scopes,
    api_keys.expires_at_ms, api_keys.last_used_at_ms, api_keys.created_at_ms, api_keys.state, api_keys.environment,
    api_keys.rate_limit, api_keys.rate_window_s, api_keys.remaining, api_keys.allowed_ips, api_keys.metadata,
    api_keys.use_count, api_keys.window_started_at_ms, api_keys.window_count"
    };
}
/// How many columns these are.
const COLUMNS: usize = 19;

/// The rows of a [`Selection`] but one, as `?1` to `?8`, and how many at most.
macro_rules! selected {
    () => {
        " FROM api_keys WHERE tenant_id = ?1 AND (?2 IS NULL OR user_id = ?2)
         AND (?3 IS NULL OR lower(name) LIKE ?3 ESCAPE '\\' OR lower(prefix) LIKE ?3 ESCAPE '\\')
         AND (?4 IS NULL OR environment = ?4) AND (?5 IS NULL OR state = ?5)
         AND (?6 IS NULL OR last_used_at_ms IS NULL OR last_used_at_ms < ?6)
         AND (?7 IS NULL OR id < ?7) AND (?8 IS NULL OR id <> ?8) ORDER BY id DESC LIMIT ?9"
    };
}

/// What [`export`] reads beside the columns of a key, after the one of id `?1`.
macro_rules! exported {
    () => {
        ", api_key_digests.head, api_key_digests.tail, api_key_digests.sha512,
           CASE WHEN users.email_verified_at_ms IS NOT NULL THEN users.email_given END
         FROM api_keys
         JOIN api_key_digests ON api_key_digests.key_id = api_keys.id AND api_key_digests.expires_at_ms IS NULL
         JOIN users ON users.id = api_keys.user_id
         WHERE api_keys.id > ?1 "
    };
}

/// Adds a key with the digest of its value.
pub(crate) fn insert(tx: &Tx<'_>, key: &ApiKey, digest: &[u8; 32]) -> Result<(), StoreError> {
    insert_foreign(tx, key, digest, None)
}

/// As [`insert`], of a key that another program has issued; with its SHA-512, where that is what the digest is made of.
pub(crate) fn insert_foreign(
    tx: &Tx<'_>,
    key: &ApiKey,
    digest: &[u8; 32],
    sha512: Option<&[u8; 64]>,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO api_keys (id, tenant_id, user_id, name, prefix, scopes, expires_at_ms, created_at_ms, state,
             environment, rate_limit, rate_window_s, remaining, allowed_ips, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        &[
            (&key.id).into(),
            (&key.tenant_id).into(),
            (&key.user_id).into(),
            (&key.name).into(),
            (&key.prefix).into(),
            (&key.scopes).into(),
            key.expires_at.map(UnixMillis::ms).into(),
            key.created_at.ms().into(),
            state(key.is_enabled).into(),
            (&key.environment).into(),
            key.rate_limit.map(|(limit, _)| limit).into(),
            key.rate_limit.map(|(_, window_s)| window_s).into(),
            key.remaining.map(saturated).into(),
            key.allowed_ips.as_deref().into(),
            key.metadata.as_deref().into(),
        ],
    )?;
    values::insert(tx, &key.id, digest, sha512)
}

/// Writes what may change in a key: everything but ids, environment, values and what is counted.
pub(crate) fn update(tx: &Tx<'_>, key: &ApiKey) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_keys SET name = ?2, scopes = ?3, expires_at_ms = ?4, state = ?5, rate_limit = ?6, rate_window_s = ?7,
             remaining = ?8, allowed_ips = ?9, metadata = ?10 WHERE id = ?1",
        &[
            (&key.id).into(),
            (&key.name).into(),
            (&key.scopes).into(),
            key.expires_at.map(UnixMillis::ms).into(),
            state(key.is_enabled).into(),
            key.rate_limit.map(|(limit, _)| limit).into(),
            key.rate_limit.map(|(_, window_s)| window_s).into(),
            key.remaining.map(saturated).into(),
            key.allowed_ips.as_deref().into(),
            key.metadata.as_deref().into(),
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
            ", api_key_digests.head, api_key_digests.tail, api_key_digests.expires_at_ms, users.role, users.state,
               tenants.state
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
                digest: DigestColumns::read(row, COLUMNS, COLUMNS + 1)?,
                value_expires_at: row.optional_int(COLUMNS + 2)?.map(UnixMillis::from_ms),
                owner_role: row.text(COLUMNS + 3)?,
                owner_is_active: row.text(COLUMNS + 4)? == "active"
                    && row.text(COLUMNS + 5)? == "active",
            })
        },
    )
}

/// Keys after the one of that id with the values that no others have replaced, in the order of their ids: of a tenant, or of
/// all.
pub(crate) fn export(
    tx: &Tx<'_>,
    tenant_id: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<ExportedKey>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(ExportedKey {
            key: read(row)?,
            digest: DigestColumns::read(row, COLUMNS, COLUMNS + 1)?,
            sha512: row.optional_array(COLUMNS + 2)?,
            owner_email: row.optional_text(COLUMNS + 3)?,
        })
    };
    let (after, limit) = (after.unwrap_or_default().into(), limit.into());
    match tenant_id {
        None => tx.all(
            concat!(
                "SELECT ",
                columns!(),
                exported!(),
                "ORDER BY api_keys.id LIMIT ?2"
            ),
            &[after, limit],
            read,
        ),
        Some(tenant_id) => tx.all(
            concat!(
                "SELECT ",
                columns!(),
                exported!(),
                "AND api_keys.tenant_id = ?3 ORDER BY api_keys.id LIMIT ?2"
            ),
            &[after, limit, tenant_id.into()],
            read,
        ),
    }
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

/// The selected keys, newest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    selection: &Selection<'_>,
    limit: u32,
) -> Result<Vec<ApiKey>, StoreError> {
    let values = selection.bound(None, limit);
    tx.all(concat!("SELECT ", columns!(), selected!()), &values, read)
}

/// The ids of the selected keys but `spared`, newest first.
pub(crate) fn ids(
    tx: &Tx<'_>,
    selection: &Selection<'_>,
    spared: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let values = selection.bound(spared, limit);
    tx.all(concat!("SELECT id", selected!()), &values, |row| {
        row.text(0)
    })
}

/// Removes a key and its digests.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM api_keys WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// Some keys of a user, at most `limit`.
pub(crate) fn list_of_user(
    tx: &Tx<'_>,
    user_id: &str,
    limit: u32,
) -> Result<Vec<ApiKey>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE user_id = ?1 LIMIT ?2"
        ),
        &[user_id.into(), limit.into()],
        read,
    )
}

/// Takes `cost` uses; answers how many are left, or `None` when there were fewer.
pub(crate) fn spend(tx: &Tx<'_>, id: &str, cost: u64) -> Result<Option<u64>, StoreError> {
    tx.optional(
        "UPDATE api_keys SET remaining = remaining - ?2 WHERE id = ?1 AND remaining >= ?2 RETURNING remaining",
        &[id.into(), saturated(cost).into()],
        |row| Ok(row.int(0)?.unsigned_abs()),
    )
}

/// Adds what was collected of a key's use. `last_used_at` moves forward, never back.
pub(crate) fn record_use(tx: &Tx<'_>, collected: &Use) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_keys SET use_count = use_count + ?2,
             window_count = CASE WHEN ?3 IS NULL OR window_started_at_ms > ?3
                 OR (window_started_at_ms = ?3 AND window_count > ?4) THEN window_count ELSE ?4 END,
             window_started_at_ms = CASE WHEN ?3 IS NULL OR window_started_at_ms > ?3
                 THEN window_started_at_ms ELSE ?3 END,
             last_used_at_ms = CASE WHEN last_used_at_ms > ?5 THEN last_used_at_ms ELSE ?5 END WHERE id = ?1",
        &[
            (&collected.key_id).into(),
            saturated(collected.uses).into(),
            collected.window.started_at.map(UnixMillis::ms).into(),
            collected.window.count.into(),
            collected.last_used_at.ms().into(),
        ],
    )?;
    Ok(())
}

impl<'a> Selection<'a> {
    fn bound(&self, spared: Option<&'a str>, limit: u32) -> [super::tx::Value<'a>; 9] {
        [
            self.tenant_id.into(),
            self.user_id.into(),
            self.pattern.into(),
            self.environment.into(),
            self.is_enabled.map(state).into(),
            self.unused_since.map(UnixMillis::ms).into(),
            self.before.into(),
            spared.into(),
            limit.into(),
        ]
    }
}

const fn state(is_enabled: bool) -> &'static str {
    if is_enabled { "active" } else { "disabled" }
}

/// Counts stand as signed integers; the domain keeps them far below.
fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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
        is_enabled: row.text(9)? == "active",
        environment: row.text(10)?,
        rate_limit: small(row, 11)?.zip(small(row, 12)?),
        remaining: row.optional_int(13)?.map(i64::unsigned_abs),
        allowed_ips: row.optional_text(14)?,
        metadata: row.optional_text(15)?,
        use_count: row.int(16)?.unsigned_abs(),
        window: StoredWindow {
            started_at: row.optional_int(17)?.map(UnixMillis::from_ms),
            count: small(row, 18)?.unwrap_or(0),
        },
    })
}

fn small(row: &Row<'_>, column: usize) -> Result<Option<u32>, StoreError> {
    row.optional_int(column)?
        .map(|value| u32::try_from(value).map_err(|_| StoreError::Shape { column }))
        .transpose()
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;
    use crate::store::{MIGRATIONS, Store};

    #[test]
    fn a_key_of_the_first_version_lives_on_in_the_second() {
        let scratch = tempfile::tempdir().unwrap();
        let first = Store::open(scratch.path(), &MIGRATIONS[..1]).unwrap();
        let digest = [9; 32];
        first
            .write(move |tx| -> Result<(), StoreError> {
                for sql in [
                    "INSERT INTO tenants VALUES ('t', 'T', 'workspace', 'active', 1)",
                    "INSERT INTO users VALUES ('u', 't', NULL, NULL, NULL, 'owner', 'active', 1, 1)",
                    "INSERT INTO api_keys VALUES ('k', 't', 'u', 'old', 'nex_a1b2', 'signals', NULL, 7, 1)",
                ] {
                    tx.execute(sql, &[])?;
                }
                let columns = DigestColumns::of(&digest);
                tx.execute(
                    "INSERT INTO api_key_digests (head, tail, key_id) VALUES (?1, ?2, 'k')",
                    &[columns.head.into(), columns.tail.as_slice().into()],
                )?;
                Ok(())
            })
            .unwrap();
        drop(first);
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let found = store.read(|tx| candidates(tx, &digest)).unwrap();
        let [candidate] = found.as_slice() else {
            panic!("{}", found.len())
        };
        let key = &candidate.key;
        assert_eq!(
            (key.name.as_str(), key.environment.as_str(), key.is_enabled),
            ("old", "live", true)
        );
        assert_eq!(
            (key.rate_limit, key.remaining, key.use_count),
            (None, None, 0)
        );
        assert_eq!(key.last_used_at, Some(UnixMillis::from_ms(7)));
    }
}
