//! Rows of audit events: appended, never changed.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Event<'a> {
    pub(crate) at: UnixMillis,
    pub(crate) tenant_id: Option<&'a str>,
    pub(crate) actor_kind: &'a str,
    pub(crate) actor_id: Option<&'a str>,
    pub(crate) act: &'a str,
    pub(crate) subject_id: Option<&'a str>,
    /// The client's address.
    pub(crate) address: Option<&'a str>,
}

pub(crate) fn append(tx: &Tx<'_>, event: &Event<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_events (at_ms, tenant_id, actor_kind, actor_id, act, subject_id, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            event.at.ms().into(),
            event.tenant_id.into(),
            event.actor_kind.into(),
            event.actor_id.into(),
            event.act.into(),
            event.subject_id.into(),
            event.address.into(),
        ],
    )?;
    Ok(())
}
