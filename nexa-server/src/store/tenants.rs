//! Rows of tenants.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) created_at: UnixMillis,
}

/// A tenant as the operator sees it.
pub(crate) struct SeenTenant {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) is_active: bool,
    pub(crate) plan: Option<String>,
    pub(crate) created_at: UnixMillis,
}

/// Adds an active tenant.
pub(crate) fn insert(tx: &Tx<'_>, tenant: &Tenant) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO tenants (id, name, kind, state, created_at_ms) VALUES (?1, ?2, ?3, 'active', ?4)",
        &[
            (&tenant.id).into(),
            (&tenant.name).into(),
            (&tenant.kind).into(),
            tenant.created_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Makes a tenant active or disabled; false when there is none of that id, or one that is being erased.
pub(crate) fn set_active(tx: &Tx<'_>, id: &str, is_active: bool) -> Result<bool, StoreError> {
    let state = if is_active { "active" } else { "disabled" };
    let changed = tx.execute(
        "UPDATE tenants SET state = ?2 WHERE id = ?1 AND erasing_since_ms IS NULL AND erased_at_ms IS NULL",
        &[id.into(), state.into()],
    )?;
    Ok(changed > 0)
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Tenant>, StoreError> {
    tx.optional(
        "SELECT id, name, kind, created_at_ms FROM tenants WHERE id = ?1",
        &[id.into()],
        |row| {
            Ok(Tenant {
                id: row.text(0)?,
                name: row.text(1)?,
                kind: row.text(2)?,
                created_at: UnixMillis::from_ms(row.int(3)?),
            })
        },
    )
}

/// The tenant of that id as the operator sees it, unless it is erased or being erased.
pub(crate) fn seen(tx: &Tx<'_>, id: &str) -> Result<Option<SeenTenant>, StoreError> {
    tx.optional(
        "SELECT id, name, kind, state, plan, created_at_ms FROM tenants
         WHERE id = ?1 AND erasing_since_ms IS NULL AND erased_at_ms IS NULL",
        &[id.into()],
        read_seen,
    )
}

/// Such tenants, newest first, older than the one of that id.
pub(crate) fn list(
    tx: &Tx<'_>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<SeenTenant>, StoreError> {
    // Greater than any id: with "or NULL" in the condition every page would read all tenants before it.
    const AFTER_ALL: &str = "~";
    tx.all(
        "SELECT id, name, kind, state, plan, created_at_ms FROM tenants
         WHERE id < ?1 AND erasing_since_ms IS NULL AND erased_at_ms IS NULL
         ORDER BY id DESC LIMIT ?2",
        &[before.unwrap_or(AFTER_ALL).into(), limit.into()],
        read_seen,
    )
}

fn read_seen(row: &Row<'_>) -> Result<SeenTenant, StoreError> {
    Ok(SeenTenant {
        id: row.text(0)?,
        name: row.text(1)?,
        kind: row.text(2)?,
        is_active: row.text(3)? == "active",
        plan: row.optional_text(4)?,
        created_at: UnixMillis::from_ms(row.int(5)?),
    })
}

/// The plan that a tenant has, if it has one.
pub(crate) fn plan(tx: &Tx<'_>, id: &str) -> Result<Option<String>, StoreError> {
    tx.one(
        "SELECT plan FROM tenants WHERE id = ?1",
        &[id.into()],
        |row| row.optional_text(0),
    )
}

/// Gives a tenant a plan, or takes it; false when there is none of that id, or one that is being erased.
pub(crate) fn set_plan(tx: &Tx<'_>, id: &str, plan: Option<&str>) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE tenants SET plan = ?2 WHERE id = ?1 AND erasing_since_ms IS NULL AND erased_at_ms IS NULL",
        &[id.into(), plan.into()],
    )?;
    Ok(changed > 0)
}

/// Whether a tenant is active; `None` for an id of nobody.
pub(crate) fn is_active(tx: &Tx<'_>, id: &str) -> Result<Option<bool>, StoreError> {
    tx.optional(
        "SELECT state FROM tenants WHERE id = ?1",
        &[id.into()],
        |row| Ok(row.text(0)? == "active"),
    )
}

pub(crate) fn rename(tx: &Tx<'_>, id: &str, name: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tenants SET name = ?2 WHERE id = ?1",
        &[id.into(), name.into()],
    )?;
    Ok(())
}

/// Marks a tenant as one whose licences, as many as it has now, are being revoked: also those that were issued while the
/// call that ends it was on its way, or by a clock that has stepped back since.
pub(crate) fn begin_revoking(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tenants SET revoking_since_ms = max(?2, coalesce(revoking_since_ms, ?2),
             coalesce((SELECT max(issued_at_ms) FROM licenses WHERE tenant_id = ?1), ?2))
         WHERE id = ?1",
        &[id.into(), now.ms().into()],
    )?;
    Ok(())
}

/// Ends what began then; if it has begun again since, it goes on.
pub(crate) fn end_revoking(tx: &Tx<'_>, since: UnixMillis, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tenants SET revoking_since_ms = NULL WHERE id = ?1 AND revoking_since_ms = ?2",
        &[id.into(), since.ms().into()],
    )?;
    Ok(())
}

/// The tenants whose licences are not all revoked yet, each with the beginning.
pub(crate) fn revoking(tx: &Tx<'_>, limit: u32) -> Result<Vec<(String, UnixMillis)>, StoreError> {
    tx.all(
        "SELECT id, revoking_since_ms FROM tenants WHERE revoking_since_ms IS NOT NULL
         ORDER BY revoking_since_ms LIMIT ?1",
        &[limit.into()],
        |row| Ok((row.text(0)?, UnixMillis::from_ms(row.int(1)?))),
    )
}

/// Marks a disabled tenant as one whose data is being removed.
pub(crate) fn begin_erasing(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tenants SET erasing_since_ms = ?2 WHERE id = ?1 AND erasing_since_ms IS NULL",
        &[id.into(), now.ms().into()],
    )?;
    Ok(())
}

/// Leaves the bare id of a tenant; false when that has been done. It is being erased until [`end_erasing`].
pub(crate) fn clear(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE tenants SET name = '', plan = NULL, erased_at_ms = ?2 WHERE id = ?1 AND erased_at_ms IS NULL",
        &[id.into(), now.ms().into()],
    )?;
    Ok(changed > 0)
}

pub(crate) fn end_erasing(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tenants SET erasing_since_ms = NULL WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

/// A tenant whose erasure is not finished.
pub(crate) struct Erasing {
    pub(crate) id: String,
    pub(crate) since: UnixMillis,
    /// Whether its rows are gone.
    pub(crate) is_cleared: bool,
}

/// The tenants whose erasure is not finished, oldest first.
pub(crate) fn erasing(tx: &Tx<'_>, limit: u32) -> Result<Vec<Erasing>, StoreError> {
    tx.all(
        "SELECT id, erasing_since_ms, erased_at_ms FROM tenants WHERE erasing_since_ms IS NOT NULL
         ORDER BY erasing_since_ms LIMIT ?1",
        &[limit.into()],
        |row| {
            Ok(Erasing {
                id: row.text(0)?,
                since: UnixMillis::from_ms(row.int(1)?),
                is_cleared: row.optional_int(2)?.is_some(),
            })
        },
    )
}
