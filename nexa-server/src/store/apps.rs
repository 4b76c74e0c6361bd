//! Rows of the apps that the operator keeps: one for an app, and one for each set of its terms.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct AppRow {
    pub(crate) id: String,
    pub(crate) terms: Vec<TermsRow>,
}

pub(crate) struct TermsRow {
    /// `base`, `trial` or `plan`.
    pub(crate) kind: String,
    /// Of the plan, else empty.
    pub(crate) name: String,
    pub(crate) trial_days: Option<i64>,
    pub(crate) ttl_days_min: Option<i64>,
    pub(crate) ttl_days_max: Option<i64>,
    pub(crate) ttl_days_default: Option<i64>,
    pub(crate) devices: Option<i64>,
    /// One a line.
    pub(crate) entitlements: Option<String>,
    /// One a line: number, blank, name.
    pub(crate) limits: Option<String>,
    pub(crate) grace_days: Option<i64>,
    pub(crate) fresh_hours: Option<i64>,
    pub(crate) max_age_days: Option<i64>,
    pub(crate) stale: Option<String>,
    pub(crate) renew_days_before_end: Option<i64>,
    pub(crate) device_policy: Option<String>,
}

/// Writes an app over the one of its id, if there is one; answers whether there was.
pub(crate) fn put(tx: &Tx<'_>, now: UnixMillis, app: &AppRow) -> Result<bool, StoreError> {
    let existed = tx.execute(
        "UPDATE apps SET changed_at_ms = ?2 WHERE id = ?1",
        &[(&app.id).into(), now.ms().into()],
    )? > 0;
    if !existed {
        tx.execute(
            "INSERT INTO apps (id, created_at_ms, changed_at_ms) VALUES (?1, ?2, ?2)",
            &[(&app.id).into(), now.ms().into()],
        )?;
    }
    tx.execute(
        "DELETE FROM app_terms WHERE app_id = ?1",
        &[(&app.id).into()],
    )?;
    for terms in &app.terms {
        tx.execute(
            "INSERT INTO app_terms (app_id, kind, name, trial_days, ttl_days_min, ttl_days_max, ttl_days_default, devices,
                 entitlements, limits, grace_days, fresh_hours, max_age_days, stale, renew_days_before_end, device_policy)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            &[
                (&app.id).into(),
                (&terms.kind).into(),
                (&terms.name).into(),
                terms.trial_days.into(),
                terms.ttl_days_min.into(),
                terms.ttl_days_max.into(),
                terms.ttl_days_default.into(),
                terms.devices.into(),
                terms.entitlements.as_deref().into(),
                terms.limits.as_deref().into(),
                terms.grace_days.into(),
                terms.fresh_hours.into(),
                terms.max_age_days.into(),
                terms.stale.as_deref().into(),
                terms.renew_days_before_end.into(),
                terms.device_policy.as_deref().into(),
            ],
        )?;
    }
    Ok(existed)
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<AppRow>, StoreError> {
    let found = tx.optional("SELECT id FROM apps WHERE id = ?1", &[id.into()], |row| {
        row.text(0)
    })?;
    found.map(|id| with_terms(tx, id)).transpose()
}

/// All of them, by id: as many as the operator has made.
pub(crate) fn list(tx: &Tx<'_>) -> Result<Vec<AppRow>, StoreError> {
    let ids = tx.all("SELECT id FROM apps ORDER BY id", &[], |row| row.text(0))?;
    ids.into_iter().map(|id| with_terms(tx, id)).collect()
}

/// Removes an app and its terms; false when there is none.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    tx.execute("DELETE FROM app_terms WHERE app_id = ?1", &[id.into()])?;
    Ok(tx.execute("DELETE FROM apps WHERE id = ?1", &[id.into()])? > 0)
}

fn with_terms(tx: &Tx<'_>, id: String) -> Result<AppRow, StoreError> {
    let terms = tx.all(
        "SELECT kind, name, trial_days, ttl_days_min, ttl_days_max, ttl_days_default, devices, entitlements, limits,
             grace_days, fresh_hours, max_age_days, stale, renew_days_before_end, device_policy
         FROM app_terms WHERE app_id = ?1 ORDER BY kind, name",
        &[(&id).into()],
        read,
    )?;
    Ok(AppRow { id, terms })
}

fn read(row: &Row<'_>) -> Result<TermsRow, StoreError> {
    Ok(TermsRow {
        kind: row.text(0)?,
        name: row.text(1)?,
        trial_days: row.optional_int(2)?,
        ttl_days_min: row.optional_int(3)?,
        ttl_days_max: row.optional_int(4)?,
        ttl_days_default: row.optional_int(5)?,
        devices: row.optional_int(6)?,
        entitlements: row.optional_text(7)?,
        limits: row.optional_text(8)?,
        grace_days: row.optional_int(9)?,
        fresh_hours: row.optional_int(10)?,
        max_age_days: row.optional_int(11)?,
        stale: row.optional_text(12)?,
        renew_days_before_end: row.optional_int(13)?,
        device_policy: row.optional_text(14)?,
    })
}
