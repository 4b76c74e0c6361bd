//! Rows of licences, and the order in which they were revoked.

use super::status_shards::{self, Place};
use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct License {
    pub(crate) jti: String,
    pub(crate) tenant_id: String,
    /// Who issued it; none once they have left.
    pub(crate) user_id: Option<String>,
    pub(crate) app_id: String,
    /// A digest; the fingerprint itself is never kept.
    pub(crate) device_fingerprint: [u8; 32],
    /// None once the device was released.
    pub(crate) device_id: Option<String>,
    pub(crate) device_platform: String,
    pub(crate) device_name: Option<String>,
    pub(crate) issued_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    /// The end of its grace; from then on its device has no seat by it.
    pub(crate) over_at: UnixMillis,
    pub(crate) revoked_at: Option<UnixMillis>,
    /// For the tenant alone.
    pub(crate) revoked_reason: Option<String>,
}

/// Whether a licence still counts, but for its time.
pub(crate) struct Standing {
    /// Who issued it; none once they have left.
    pub(crate) user_id: Option<String>,
    pub(crate) is_revoked: bool,
    pub(crate) is_tenant_active: bool,
    /// Whoever issued it is still there, and disabled.
    pub(crate) is_user_disabled: bool,
    pub(crate) device_id: Option<String>,
}

pub(crate) struct Revocation {
    pub(crate) jti: String,
    pub(crate) revoked_at: UnixMillis,
}

macro_rules! columns {
    () => {
        "jti, tenant_id, user_id, app_id, device_fingerprint, device_platform, device_name,
    issued_at_ms, expires_at_ms, revoked_at_ms, revoked_reason, device_id, over_at_ms"
    };
}

pub(crate) fn insert(tx: &Tx<'_>, license: &License) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO licenses (jti, tenant_id, user_id, app_id, device_fingerprint, device_platform, device_name, issued_at_ms, expires_at_ms, device_id,
             over_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            (&license.jti).into(),
            (&license.tenant_id).into(),
            license.user_id.as_deref().into(),
            (&license.app_id).into(),
            license.device_fingerprint.as_slice().into(),
            (&license.device_platform).into(),
            license.device_name.as_deref().into(),
            license.issued_at.ms().into(),
            license.expires_at.ms().into(),
            license.device_id.as_deref().into(),
            license.over_at.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str, jti: &str) -> Result<Option<License>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM licenses WHERE tenant_id = ?1 AND jti = ?2"
        ),
        &[tenant_id.into(), jti.into()],
        read,
    )
}

/// How a licence of a tenant stands: one row by its key, since every call with its token asks.
pub(crate) fn standing(
    tx: &Tx<'_>,
    tenant_id: &str,
    jti: &str,
) -> Result<Option<Standing>, StoreError> {
    tx.optional(
        "SELECT licenses.user_id, licenses.revoked_at_ms, tenants.state, users.state, licenses.device_id FROM licenses
         JOIN tenants ON tenants.id = licenses.tenant_id LEFT JOIN users ON users.id = licenses.user_id
         WHERE licenses.jti = ?1 AND licenses.tenant_id = ?2",
        &[jti.into(), tenant_id.into()],
        |row| {
            Ok(Standing {
                user_id: row.optional_text(0)?,
                is_revoked: row.optional_int(1)?.is_some(),
                is_tenant_active: row.text(2)? == "active",
                is_user_disabled: row.optional_text(3)?.is_some_and(|state| state != "active"),
                device_id: row.optional_text(4)?,
            })
        },
    )
}

/// The licences of a tenant after the one of that id, oldest first; of one user only when `user_id` is given.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<License>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM licenses WHERE tenant_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND (?3 IS NULL OR jti > ?3)
              ORDER BY jti LIMIT ?4"
        ),
        &[tenant_id.into(), user_id.into(), after.into(), limit.into()],
        read,
    )
}

/// As [`list`], newest first, before the one of that id.
pub(crate) fn newest(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<License>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM licenses WHERE tenant_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND (?3 IS NULL OR jti < ?3)
              ORDER BY jti DESC LIMIT ?4"
        ),
        &[
            tenant_id.into(),
            user_id.into(),
            before.into(),
            limit.into(),
        ],
        read,
    )
}

/// When the first licence of a tenant for an app was issued, revoked ones included.
pub(crate) fn first_issued(
    tx: &Tx<'_>,
    tenant_id: &str,
    app_id: &str,
) -> Result<Option<UnixMillis>, StoreError> {
    let first_ms = tx.one(
        "SELECT min(issued_at_ms) FROM licenses WHERE tenant_id = ?1 AND app_id = ?2",
        &[tenant_id.into(), app_id.into()],
        |row| row.optional_int(0),
    )?;
    Ok(first_ms.map(UnixMillis::from_ms))
}

/// When the last licence of all is over, and when nobody asks for the status of any more.
pub(crate) fn last_ends(
    tx: &Tx<'_>,
) -> Result<(Option<UnixMillis>, Option<UnixMillis>), StoreError> {
    tx.one(
        "SELECT max(coalesce(over_at_ms, expires_at_ms)), max(status_until_ms) FROM licenses",
        &[],
        |row| {
            let ends = (row.optional_int(0)?, row.optional_int(1)?);
            Ok((
                ends.0.map(UnixMillis::from_ms),
                ends.1.map(UnixMillis::from_ms),
            ))
        },
    )
}

/// The licences of a device that are neither revoked nor over, oldest first.
pub(crate) fn live_of_device(
    tx: &Tx<'_>,
    now: UnixMillis,
    device_id: &str,
) -> Result<Vec<License>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM licenses WHERE device_id = ?1 AND over_at_ms > ?2 AND revoked_at_ms IS NULL ORDER BY jti"
        ),
        &[device_id.into(), now.ms().into()],
        read,
    )
}

/// Marks a licence revoked, at an instant later than every earlier revocation: the later of `now`
/// and one millisecond after the newest. Answers the place of its status, if it has one.
pub(crate) fn revoke(
    tx: &Tx<'_>,
    now: UnixMillis,
    jti: &str,
    reason: Option<&str>,
) -> Result<Option<Place>, StoreError> {
    let place = tx.optional(
        "UPDATE licenses SET revoked_at_ms = ?2, revoked_reason = ?3 WHERE jti = ?1 AND revoked_at_ms IS NULL
         RETURNING status_shard, status_position",
        &[jti.into(), next_revocation_ms(tx, now)?.into(), reason.into()],
        optional_place,
    )?;
    Ok(place.flatten())
}

/// As [`revoke`] for licences of a tenant that were issued until then, after the one of that id, one millisecond after the
/// other, at most `limit` of them; answers the last one that was looked at, and the places of those that were revoked.
pub(crate) fn revoke_part(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    issued_until: UnixMillis,
    after: Option<&str>,
    limit: u32,
) -> Result<(Option<String>, Vec<Place>), StoreError> {
    let last = tx.one(
        "SELECT max(jti) FROM
             (SELECT jti FROM licenses WHERE tenant_id = ?1 AND (?2 IS NULL OR jti > ?2) ORDER BY jti LIMIT ?3) AS part",
        &[tenant_id.into(), after.into(), limit.into()],
        |row| row.optional_text(0),
    )?;
    // The signs keep the planner off the index of revocations, where the licences of all tenants stand.
    let places = tx.all(
        "UPDATE licenses SET revoked_at_ms = ?3 + numbered.place FROM
             (SELECT jti, row_number() OVER (ORDER BY jti) - 1 AS place FROM licenses
              WHERE tenant_id = ?1 AND (?2 IS NULL OR jti > ?2) AND jti <= ?4 AND +revoked_at_ms IS NULL
                  AND issued_at_ms <= ?5) AS numbered
         WHERE licenses.jti = numbered.jti
         RETURNING licenses.status_shard, licenses.status_position",
        &[
            tenant_id.into(),
            after.into(),
            next_revocation_ms(tx, now)?.into(),
            last.as_deref().into(),
            issued_until.ms().into(),
        ],
        optional_place,
    )?;
    Ok((last, places.into_iter().flatten().collect()))
}

/// Removes what tells of devices and people from licences of a tenant after that one, at most `limit` of them; answers the
/// last one. What the public feed shows stays.
pub(crate) fn clear_part(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Option<String>, StoreError> {
    let part = tx.all(
        "UPDATE licenses SET user_id = NULL, device_fingerprint = NULL, device_platform = NULL, device_name = NULL,
             revoked_reason = NULL
         WHERE jti IN (SELECT jti FROM licenses WHERE tenant_id = ?1 AND (?2 IS NULL OR jti > ?2) ORDER BY jti LIMIT ?3)
         RETURNING jti",
        &[tenant_id.into(), after.into(), limit.into()],
        |row| row.text(0),
    )?;
    Ok(part.into_iter().max())
}

fn next_revocation_ms(tx: &Tx<'_>, now: UnixMillis) -> Result<i64, StoreError> {
    Ok(newest_revocation(tx)?.map_or(now.ms(), |newest| {
        now.ms().max(newest.ms().saturating_add(1))
    }))
}

/// When the newest revocation was.
pub(crate) fn newest_revocation(tx: &Tx<'_>) -> Result<Option<UnixMillis>, StoreError> {
    tx.one("SELECT MAX(revoked_at_ms) FROM licenses", &[], |row| {
        Ok(row.optional_int(0)?.map(UnixMillis::from_ms))
    })
}

/// What was revoked later than `since`, oldest first, without those that nobody asks about any more.
pub(crate) fn revocations(
    tx: &Tx<'_>,
    now: UnixMillis,
    since: Option<UnixMillis>,
) -> Result<Vec<Revocation>, StoreError> {
    tx.all(
        "SELECT jti, revoked_at_ms FROM licenses WHERE revoked_at_ms > ?1
             AND max(coalesce(status_until_ms, 0), coalesce(over_at_ms, 0), expires_at_ms) > ?2
         ORDER BY revoked_at_ms",
        &[
            since.map_or(i64::MIN, UnixMillis::ms).into(),
            now.ms().into(),
        ],
        |row| {
            Ok(Revocation {
                jti: row.text(0)?,
                revoked_at: UnixMillis::from_ms(row.int(1)?),
            })
        },
    )
}

fn optional_place(row: &Row<'_>) -> Result<Option<Place>, StoreError> {
    match row.optional_int(0)? {
        Some(_) => status_shards::place(row, 0).map(Some),
        None => Ok(None),
    }
}

fn read(row: &Row<'_>) -> Result<License, StoreError> {
    Ok(License {
        jti: row.text(0)?,
        tenant_id: row.text(1)?,
        user_id: row.optional_text(2)?,
        app_id: row.text(3)?,
        device_fingerprint: row.array(4)?,
        device_platform: row.text(5)?,
        device_name: row.optional_text(6)?,
        issued_at: UnixMillis::from_ms(row.int(7)?),
        expires_at: UnixMillis::from_ms(row.int(8)?),
        revoked_at: row.optional_int(9)?.map(UnixMillis::from_ms),
        revoked_reason: row.optional_text(10)?,
        device_id: row.optional_text(11)?,
        over_at: UnixMillis::from_ms(row.int(12)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MIGRATIONS, Store};

    #[test]
    fn licenses_of_earlier_versions_live_on_and_their_users_may_leave() {
        let scratch = tempfile::tempdir().unwrap();
        let before = Store::open(scratch.path(), &MIGRATIONS[..3]).unwrap();
        let filled = before.write(|tx| -> Result<(), StoreError> {
            for sql in [
                "INSERT INTO tenants VALUES ('t', 'T', 'workspace', 'active', 1)",
                "INSERT INTO users VALUES ('u', 't', 'a@b.c', 'a@b.c', 'h', 'owner', 'active', 1, 1)",
                "INSERT INTO sessions VALUES ('s', 'u', x'00', 1, 2)",
                "INSERT INTO licenses VALUES ('j', 't', 'u', 'app', zeroblob(32), 'linux', NULL, 1, 9, 5, 'lost')",
                "INSERT INTO licenses VALUES ('k', 't', 'u', 'app', zeroblob(32), 'linux', 'box', 1, 9, NULL, NULL)",
            ] {
                tx.execute(sql, &[])?;
            }
            Ok(())
        });
        filled.unwrap();
        drop(before);
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let revoked = store
            .write(|tx| -> Result<_, StoreError> {
                crate::store::users::delete(tx, "u")?;
                let now = UnixMillis::from_ms(3);
                revoke_part(tx, now, "t", now, None, 10)
            })
            .unwrap();
        assert_eq!(revoked, (Some("k".to_owned()), Vec::new()));
        let (listed, feed) = store
            .read(|tx| -> Result<_, StoreError> {
                Ok((
                    list(tx, "t", None, None, 10)?,
                    revocations(tx, UnixMillis::from_ms(3), None)?,
                ))
            })
            .unwrap();
        let shown: Vec<_> = listed
            .iter()
            .map(|license| (license.jti.as_str(), license.user_id.as_deref()))
            .collect();
        assert_eq!(shown, [("j", None), ("k", None)]);
        let times: Vec<_> = feed.iter().map(|item| item.revoked_at.ms()).collect();
        assert_eq!(
            times,
            [5, 6],
            "later than every earlier one, whatever the clock says"
        );
    }

    #[test]
    fn all_of_a_tenant_are_revoked_one_millisecond_after_the_other() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let filled = store.write(|tx| -> Result<(), StoreError> {
            for sql in [
                "INSERT INTO tenants (id, name, kind, state, created_at_ms) VALUES ('t', 'T', 'workspace', 'active', 1)",
                "INSERT INTO tenants (id, name, kind, state, created_at_ms) VALUES ('o', 'O', 'workspace', 'active', 1)",
                "INSERT INTO licenses (jti, tenant_id, app_id, issued_at_ms, expires_at_ms)
                 VALUES ('a', 't', 'app', 1, 9), ('b', 'o', 'app', 1, 9), ('c', 't', 'app', 2, 9), ('d', 't', 'app', 3, 9)",
            ] {
                tx.execute(sql, &[])?;
            }
            Ok(())
        });
        filled.unwrap();
        let mut last = None;
        for expected in [Some("a"), Some("c"), Some("d"), None] {
            (last, _) = store
                .write(move |tx| {
                    let (now, until) = (UnixMillis::from_ms(7), UnixMillis::from_ms(2));
                    revoke_part(tx, now, "t", until, last.as_deref(), 1)
                })
                .unwrap_or_else(|error: StoreError| panic!("{error}"));
            assert_eq!(last.as_deref(), expected);
        }
        let feed = store
            .read(|tx| revocations(tx, UnixMillis::from_ms(5), None))
            .unwrap();
        let shown: Vec<_> = feed
            .iter()
            .map(|item| (item.jti.as_str(), item.revoked_at.ms()))
            .collect();
        assert_eq!(shown, [("a", 7), ("c", 8)]);
    }
}
