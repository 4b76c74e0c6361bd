//! Rows of the keys that sign for this server.

use super::tx::Value;
use super::{Row, StoreError, Tx};

/// A key: what it is for, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerKey {
    /// Its RFC 7638 thumbprint.
    pub(crate) kid: String,
    /// `license`, `status` or `audit`.
    pub(crate) key_use: String,
    pub(crate) public: [u8; 32],
    pub(crate) not_before_s: u64,
    pub(crate) lead_s: u64,
    pub(crate) keep_s: u64,
    pub(crate) published_at_s: Option<u64>,
    pub(crate) signs_since_s: Option<u64>,
    pub(crate) retired_at_s: Option<u64>,
    pub(crate) needed_until_s: u64,
    pub(crate) revoked_at_s: Option<u64>,
}

impl ServerKey {
    /// Whether it was the first of its use, and so has a file of its own name.
    pub(crate) const fn is_first(&self) -> bool {
        self.not_before_s == 0
    }
}

macro_rules! columns {
    () => {
        "kid, key_use, public, not_before_s, lead_s, keep_s, published_at_s, signs_since_s, retired_at_s, needed_until_s, revoked_at_s"
    };
}

/// All of them: of each use the one that signs first, then the one that waits, then by when they were retired, newest first.
pub(crate) fn list(tx: &Tx<'_>) -> Result<Vec<ServerKey>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM server_keys ORDER BY CASE key_use WHEN 'license' THEN 1 WHEN 'status' THEN 2 ELSE 3 END,
                revoked_at_s IS NOT NULL, retired_at_s IS NOT NULL, signs_since_s IS NULL, retired_at_s DESC, kid"
        ),
        &[],
        read,
    )
}

pub(crate) fn find(tx: &Tx<'_>, kid: &str) -> Result<Option<ServerKey>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " FROM server_keys WHERE kid = ?1"),
        &[kid.into()],
        read,
    )
}

/// The one that signs.
pub(crate) fn signing(tx: &Tx<'_>, key_use: &str) -> Result<Option<ServerKey>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM server_keys WHERE key_use = ?1
                AND signs_since_s IS NOT NULL AND retired_at_s IS NULL AND revoked_at_s IS NULL"
        ),
        &[key_use.into()],
        read,
    )
}

/// The one that is to sign next.
pub(crate) fn waiting(tx: &Tx<'_>, key_use: &str) -> Result<Option<ServerKey>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM server_keys WHERE key_use = ?1
                AND signs_since_s IS NULL AND retired_at_s IS NULL AND revoked_at_s IS NULL"
        ),
        &[key_use.into()],
        read,
    )
}

/// Writes a key over the one of its id, if there is one.
pub(crate) fn put(tx: &Tx<'_>, key: &ServerKey) -> Result<(), StoreError> {
    tx.execute(
        concat!(
            "INSERT OR REPLACE INTO server_keys (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        ),
        &[
            (&key.kid).into(),
            (&key.key_use).into(),
            (&key.public).into(),
            integer(key.not_before_s).into(),
            integer(key.lead_s).into(),
            integer(key.keep_s).into(),
            optional(key.published_at_s),
            optional(key.signs_since_s),
            optional(key.retired_at_s),
            integer(key.needed_until_s).into(),
            optional(key.revoked_at_s),
        ],
    )?;
    Ok(())
}

/// Notes that the key is needed until then at least.
pub(crate) fn need_until(tx: &Tx<'_>, kid: &str, until_s: u64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE server_keys SET needed_until_s = ?2 WHERE kid = ?1 AND needed_until_s < ?2",
        &[kid.into(), integer(until_s).into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<ServerKey, StoreError> {
    let time = |column| {
        let value = row.optional_int(column)?;
        let value = value.map(|value| unsigned(value, column));
        value.transpose()
    };
    Ok(ServerKey {
        kid: row.text(0)?,
        key_use: row.text(1)?,
        public: row.array(2)?,
        not_before_s: unsigned(row.int(3)?, 3)?,
        lead_s: unsigned(row.int(4)?, 4)?,
        keep_s: unsigned(row.int(5)?, 5)?,
        published_at_s: time(6)?,
        signs_since_s: time(7)?,
        retired_at_s: time(8)?,
        needed_until_s: unsigned(row.int(9)?, 9)?,
        revoked_at_s: time(10)?,
    })
}

fn unsigned(value: i64, column: usize) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Shape { column })
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn optional(value: Option<u64>) -> Value<'static> {
    value.map(integer).into()
}
