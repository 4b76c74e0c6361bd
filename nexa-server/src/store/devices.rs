//! Rows of devices, and which of them have a seat.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) app_id: String,
    /// Of what tells it from others; the values themselves are never kept.
    pub(crate) digest: [u8; 32],
    pub(crate) platform: String,
    pub(crate) name: Option<String>,
    /// Whose it is; none once they have left.
    pub(crate) user_id: Option<String>,
    pub(crate) first_issued_at: UnixMillis,
    pub(crate) last_issued_at: UnixMillis,
}

/// A device with a seat.
pub(crate) struct SeatedDevice {
    pub(crate) device: Device,
    /// The latest end of its licences, without grace.
    pub(crate) expires_at: UnixMillis,
}

macro_rules! columns {
    () => {
        "devices.id, devices.tenant_id, devices.app_id, devices.digest, devices.platform, devices.name, devices.user_id,
    devices.first_issued_at_ms, devices.last_issued_at_ms"
    };
}

/// Adds a device, or writes over the one of that id.
pub(crate) fn put(tx: &Tx<'_>, device: &Device) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO devices (id, tenant_id, app_id, digest, platform, name, user_id, first_issued_at_ms, last_issued_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET platform = excluded.platform, name = excluded.name, user_id = excluded.user_id,
             last_issued_at_ms = excluded.last_issued_at_ms",
        &[
            (&device.id).into(),
            (&device.tenant_id).into(),
            (&device.app_id).into(),
            (&device.digest).into(),
            (&device.platform).into(),
            device.name.as_deref().into(),
            device.user_id.as_deref().into(),
            device.first_issued_at.ms().into(),
            device.last_issued_at.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str, id: &str) -> Result<Option<Device>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM devices WHERE tenant_id = ?1 AND id = ?2"
        ),
        &[tenant_id.into(), id.into()],
        read,
    )
}

pub(crate) fn find_by_digest(
    tx: &Tx<'_>,
    tenant_id: &str,
    app_id: &str,
    digest: &[u8; 32],
) -> Result<Option<Device>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM devices WHERE tenant_id = ?1 AND app_id = ?2 AND digest = ?3"
        ),
        &[tenant_id.into(), app_id.into(), digest.into()],
        read,
    )
}

/// A device, how many components it had when it got its seat, and how many of them were asked for.
pub(crate) struct Likeness {
    pub(crate) id: String,
    pub(crate) total: usize,
    pub(crate) matching: usize,
}

/// The most components that a device has.
pub(crate) const COMPONENTS_MAX: usize = 16;

/// The devices that have any of these components, the most alike first, then the oldest. A component that more than a hundred
/// devices share tells none of them, and finds none.
pub(crate) fn alike(
    tx: &Tx<'_>,
    tenant_id: &str,
    app_id: &str,
    components: &[[u8; 32]],
) -> Result<Vec<Likeness>, StoreError> {
    const SHARED_MAX: usize = 100;
    let mut ids = BTreeSet::new();
    for digest in components {
        let found: Vec<String> = tx.all(
            "SELECT device_id FROM device_components WHERE tenant_id = ?1 AND app_id = ?2 AND digest = ?3 LIMIT 101",
            &[tenant_id.into(), app_id.into(), digest.into()],
            |row| row.text(0),
        )?;
        if found.len() <= SHARED_MAX {
            ids.extend(found);
        }
    }
    let mut alike = Vec::with_capacity(ids.len());
    for id in ids {
        let has: Vec<[u8; 32]> = tx.all(
            "SELECT digest FROM device_components WHERE device_id = ?1",
            &[(&id).into()],
            |row| row.array(0),
        )?;
        alike.push(Likeness {
            id,
            total: has.len(),
            matching: has
                .iter()
                .filter(|digest| components.contains(digest))
                .count(),
        });
    }
    // They come by id, so that a stable order keeps the oldest first.
    alike.sort_by_key(|likeness| Reverse(likeness.matching));
    Ok(alike)
}

/// Keeps what a device is made of, in place of what was kept before.
pub(crate) fn set_components(
    tx: &Tx<'_>,
    device: &Device,
    components: &[[u8; 32]],
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM device_components WHERE device_id = ?1",
        &[(&device.id).into()],
    )?;
    for digest in components {
        tx.execute(
            "INSERT INTO device_components (tenant_id, app_id, digest, device_id) VALUES (?1, ?2, ?3, ?4)",
            &[
                (&device.tenant_id).into(),
                (&device.app_id).into(),
                digest.into(),
                (&device.id).into(),
            ],
        )?;
    }
    Ok(())
}

/// How many licences of a device are neither revoked nor over; at `limit` it stops counting.
pub(crate) fn count_live(
    tx: &Tx<'_>,
    now: UnixMillis,
    id: &str,
    limit: u32,
) -> Result<u32, StoreError> {
    tx.one(
        "SELECT count(*) FROM
             (SELECT 1 FROM licenses WHERE device_id = ?1 AND over_at_ms > ?2 AND revoked_at_ms IS NULL LIMIT ?3) AS live",
        &[id.into(), now.ms().into(), limit.into()],
        |row| u32::try_from(row.int(0)?).map_err(|_| StoreError::Shape { column: 0 }),
    )
}

/// Whether it has a licence that is neither revoked nor over.
pub(crate) fn has_seat(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 WHERE EXISTS
             (SELECT 1 FROM licenses WHERE device_id = ?1 AND over_at_ms > ?2 AND revoked_at_ms IS NULL)",
        &[id.into(), now.ms().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// How many devices of a tenant have a seat for an app, of those before the given one if there is one; at `limit` it stops
/// counting.
pub(crate) fn count_seats(
    tx: &Tx<'_>,
    now: UnixMillis,
    (tenant_id, app_id): (&str, &str),
    before: Option<&Device>,
    limit: u32,
) -> Result<i64, StoreError> {
    tx.one(
        "SELECT count(*) FROM
             (SELECT 1 FROM devices WHERE tenant_id = ?1 AND app_id = ?2
                  AND (?5 IS NULL OR (first_issued_at_ms, id) < (?6, ?5)) AND EXISTS
                 (SELECT 1 FROM licenses WHERE device_id = devices.id AND over_at_ms > ?3 AND revoked_at_ms IS NULL)
              LIMIT ?4) AS seated",
        &[
            tenant_id.into(),
            app_id.into(),
            now.ms().into(),
            limit.into(),
            before.map(|device| device.id.as_str()).into(),
            before.map(|device| device.first_issued_at.ms()).into(),
        ],
        |row| row.int(0),
    )
}

/// The devices of a tenant that have a seat, newest first, before the one of that id; of one user only when `user_id` is
/// given.
pub(crate) fn list_seated(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    user_id: Option<&str>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<SeatedDevice>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            ", max(licenses.expires_at_ms) FROM devices JOIN licenses ON licenses.device_id = devices.id
              WHERE devices.tenant_id = ?1 AND (?2 IS NULL OR devices.user_id = ?2) AND (?3 IS NULL OR devices.id < ?3)
                  AND licenses.over_at_ms > ?4 AND licenses.revoked_at_ms IS NULL
              GROUP BY devices.id ORDER BY devices.id DESC LIMIT ?5"
        ),
        &[
            tenant_id.into(),
            user_id.into(),
            before.into(),
            now.ms().into(),
            limit.into(),
        ],
        |row| {
            Ok(SeatedDevice {
                device: read(row)?,
                expires_at: UnixMillis::from_ms(row.int(9)?),
            })
        },
    )
}

/// The devices of a tenant, with a seat or without, oldest first, after the one of that id; of one user only when
/// `user_id` is given.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Device>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM devices WHERE tenant_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND (?3 IS NULL OR id > ?3)
              ORDER BY id LIMIT ?4"
        ),
        &[tenant_id.into(), user_id.into(), after.into(), limit.into()],
        read,
    )
}

/// Removes a device; its licences stay, and belong to none.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM devices WHERE id = ?1", &[id.into()])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Device, StoreError> {
    Ok(Device {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        app_id: row.text(2)?,
        digest: row.array(3)?,
        platform: row.text(4)?,
        name: row.optional_text(5)?,
        user_id: row.optional_text(6)?,
        first_issued_at: UnixMillis::from_ms(row.int(7)?),
        last_issued_at: UnixMillis::from_ms(row.int(8)?),
    })
}
