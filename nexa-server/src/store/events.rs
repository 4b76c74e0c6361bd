//! Rows of events: what happened in a tenant, in the order in which it happened.

use super::{Announcement, Row, StoreError, Tx, webhooks};
use crate::time::UnixMillis;

pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    /// Whose key or licence it is about.
    pub(crate) user_id: Option<String>,
    pub(crate) kind: String,
    pub(crate) subject_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) found_at_url: Option<String>,
    pub(crate) ends_at: Option<UnixMillis>,
    pub(crate) left_mc: Option<i64>,
    pub(crate) at: UnixMillis,
}

macro_rules! columns {
    () => {
        "seq, id, tenant_id, user_id, kind, subject_id, name, prefix, app_id, reason, found_at_url, ends_at_ms, left_mc, at_ms"
    };
}

/// Adds an event, with its place in the outbox, and announces it; false for a tenant that is told nothing: one that is disabled or being erased.
pub(crate) fn insert(tx: &Tx<'_>, event: &EventRow) -> Result<bool, StoreError> {
    let added = tx.execute(
        "INSERT INTO events (id, tenant_id, user_id, kind, subject_id, name, prefix, app_id, reason, found_at_url, ends_at_ms, left_mc, at_ms)
         SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM tenants
         WHERE id = ?2 AND state = 'active' AND erasing_since_ms IS NULL AND erased_at_ms IS NULL",
        &[
            (&event.id).into(),
            (&event.tenant_id).into(),
            event.user_id.as_deref().into(),
            (&event.kind).into(),
            event.subject_id.as_deref().into(),
            event.name.as_deref().into(),
            event.prefix.as_deref().into(),
            event.app_id.as_deref().into(),
            event.reason.as_deref().into(),
            event.found_at_url.as_deref().into(),
            event.ends_at.map(UnixMillis::ms).into(),
            event.left_mc.into(),
            event.at.ms().into(),
        ],
    )?;
    if added > 0 {
        webhooks::insert(tx, &event.id)?;
        tx.announce(Announcement::Event {
            tenant_id: event.tenant_id.clone(),
        });
    }
    Ok(added > 0)
}

/// The newest place that is taken, among the events of all tenants; 0 before the first.
pub(crate) fn newest_seq(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let newest = tx.one("SELECT max(seq) FROM events", &[], |row| {
        row.optional_int(0)
    })?;
    Ok(newest.unwrap_or(0))
}

/// Events of a tenant behind a place, oldest first, each with its own place.
pub(crate) fn list_after(
    tx: &Tx<'_>,
    tenant_id: &str,
    after_seq: i64,
    limit: u32,
) -> Result<Vec<(i64, EventRow)>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM events WHERE tenant_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
        ),
        &[tenant_id.into(), after_seq.into(), limit.into()],
        read,
    )
}

/// One event, by its id.
pub(crate) fn find(
    tx: &Tx<'_>,
    tenant_id: &str,
    id: &str,
) -> Result<Option<(i64, EventRow)>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM events WHERE id = ?1 AND tenant_id = ?2"
        ),
        &[id.into(), tenant_id.into()],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<(i64, EventRow), StoreError> {
    let event = EventRow {
        id: row.text(1)?,
        tenant_id: row.text(2)?,
        user_id: row.optional_text(3)?,
        kind: row.text(4)?,
        subject_id: row.optional_text(5)?,
        name: row.optional_text(6)?,
        prefix: row.optional_text(7)?,
        app_id: row.optional_text(8)?,
        reason: row.optional_text(9)?,
        found_at_url: row.optional_text(10)?,
        ends_at: row.optional_int(11)?.map(UnixMillis::from_ms),
        left_mc: row.optional_int(12)?,
        at: UnixMillis::from_ms(row.int(13)?),
    };
    Ok((row.int(0)?, event))
}
