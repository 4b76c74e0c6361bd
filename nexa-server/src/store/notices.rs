//! Rows of notices: what owners are to be told.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct NoticeRow {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) kind: String,
    /// Which one of its kind: of a tenant's notices of a kind each has another.
    pub(crate) subject: String,
    pub(crate) left_mc: Option<i64>,
    pub(crate) amount_cents: Option<i64>,
    pub(crate) paid_for: Option<String>,
    pub(crate) plan: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) ends_at: Option<UnixMillis>,
    /// Who is told of a leaked key, if not the owners.
    pub(crate) user_id: Option<String>,
    pub(crate) key_name: Option<String>,
    pub(crate) key_prefix: Option<String>,
    pub(crate) found_at_url: Option<String>,
    pub(crate) is_replaced: bool,
    pub(crate) told_at: UnixMillis,
    pub(crate) due_at: UnixMillis,
    pub(crate) carried_at: Option<UnixMillis>,
}

macro_rules! columns {
    () => {
        "id, tenant_id, kind, subject, left_mc, amount_cents, paid_for, plan, app_id, ends_at_ms, told_at_ms, due_at_ms,
    carried_at_ms, user_id, key_name, key_prefix, found_at_url, is_replaced"
    };
}

/// Adds a notice that is still to be carried; false when the tenant has that one already or is being erased.
pub(crate) fn insert(tx: &Tx<'_>, notice: &NoticeRow) -> Result<bool, StoreError> {
    let added = tx.execute(
        "INSERT INTO notices (id, tenant_id, kind, subject, left_mc, amount_cents, paid_for, plan, app_id, ends_at_ms, told_at_ms, due_at_ms,
             user_id, key_name, key_prefix, found_at_url, is_replaced)
         SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 FROM tenants
         WHERE id = ?2 AND erasing_since_ms IS NULL AND erased_at_ms IS NULL
         ON CONFLICT (tenant_id, kind, subject) DO NOTHING",
        &[
            (&notice.id).into(),
            (&notice.tenant_id).into(),
            (&notice.kind).into(),
            (&notice.subject).into(),
            notice.left_mc.into(),
            notice.amount_cents.into(),
            notice.paid_for.as_deref().into(),
            notice.plan.as_deref().into(),
            notice.app_id.as_deref().into(),
            notice.ends_at.map(UnixMillis::ms).into(),
            notice.told_at.ms().into(),
            notice.due_at.ms().into(),
            notice.user_id.as_deref().into(),
            notice.key_name.as_deref().into(),
            notice.key_prefix.as_deref().into(),
            notice.found_at_url.as_deref().into(),
            notice.is_replaced.into(),
        ],
    )?;
    Ok(added > 0)
}

/// Moves the end that a notice tells of, and with it when it is due, as long as it is not carried.
pub(crate) fn set_end(
    tx: &Tx<'_>,
    notice: &NoticeRow,
    ends_at: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE notices SET ends_at_ms = ?4, due_at_ms = ?5
         WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3 AND carried_at_ms IS NULL AND ends_at_ms <> ?4",
        &[
            (&notice.tenant_id).into(),
            (&notice.kind).into(),
            (&notice.subject).into(),
            ends_at.ms().into(),
            notice.due_at.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<NoticeRow>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " FROM notices WHERE id = ?1"),
        &[id.into()],
        read,
    )
}

/// What is due and not carried, after that one: the longest due first.
pub(crate) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    after: Option<&(UnixMillis, String)>,
    limit: u32,
) -> Result<Vec<(UnixMillis, String)>, StoreError> {
    let (after_ms, after_id) = match after {
        Some((due_at, id)) => (due_at.ms(), id.as_str()),
        None => (i64::MIN, ""),
    };
    tx.all(
        "SELECT due_at_ms, id FROM notices
         WHERE carried_at_ms IS NULL AND due_at_ms <= ?1 AND (due_at_ms > ?2 OR (due_at_ms = ?2 AND id > ?3))
         ORDER BY due_at_ms, id LIMIT ?4",
        &[
            now.ms().into(),
            after_ms.into(),
            after_id.into(),
            limit.into(),
        ],
        |row| Ok((UnixMillis::from_ms(row.int(0)?), row.text(1)?)),
    )
}

/// Notes that a notice has been carried; false when it had been, or is gone.
pub(crate) fn set_carried(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE notices SET carried_at_ms = ?2 WHERE id = ?1 AND carried_at_ms IS NULL",
        &[id.into(), now.ms().into()],
    )?;
    Ok(changed > 0)
}

/// Removes a notice, and the mails that wait to carry it.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM notices WHERE id = ?1", &[id.into()])?;
    Ok(())
}

/// The notices of a tenant, newest first, older than the one of that id.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<NoticeRow>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM notices WHERE tenant_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
        ),
        &[tenant_id.into(), before.into(), limit.into()],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<NoticeRow, StoreError> {
    Ok(NoticeRow {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        kind: row.text(2)?,
        subject: row.text(3)?,
        left_mc: row.optional_int(4)?,
        amount_cents: row.optional_int(5)?,
        paid_for: row.optional_text(6)?,
        plan: row.optional_text(7)?,
        app_id: row.optional_text(8)?,
        ends_at: row.optional_int(9)?.map(UnixMillis::from_ms),
        told_at: UnixMillis::from_ms(row.int(10)?),
        due_at: UnixMillis::from_ms(row.int(11)?),
        carried_at: row.optional_int(12)?.map(UnixMillis::from_ms),
        user_id: row.optional_text(13)?,
        key_name: row.optional_text(14)?,
        key_prefix: row.optional_text(15)?,
        found_at_url: row.optional_text(16)?,
        is_replaced: row.int(17)? != 0,
    })
}
