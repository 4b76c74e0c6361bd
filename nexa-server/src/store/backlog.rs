//! How much waits to be done, and how many licences have a place in a shard: each a count over an index of just those rows.

use super::{StoreError, Tx};

/// Rows that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Mails that are not sent yet.
    pub(crate) mails: i64,
    /// Notices that have not become mails yet.
    pub(crate) notices: i64,
    /// Webhooks that are not delivered yet.
    pub(crate) webhooks: i64,
    /// Payments that the provider is still to be asked about.
    pub(crate) payments: i64,
    /// Licences that clients may ask a shard about: neither over nor long expired.
    pub(crate) licenses: i64,
    /// Those of them that are revoked.
    pub(crate) licenses_revoked: i64,
}

pub(crate) fn backlog(tx: &Tx<'_>) -> Result<Backlog, StoreError> {
    let count = |sql| tx.one(sql, &[], |row| row.int(0));
    Ok(Backlog {
        mails: count("SELECT count(*) FROM mails")?,
        notices: count("SELECT count(*) FROM notices WHERE carried_at_ms IS NULL")?,
        webhooks: count("SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting'")?,
        payments: count("SELECT count(*) FROM payments WHERE due_at_ms IS NOT NULL")?,
        licenses: count("SELECT coalesce(sum(taken), 0) FROM status_shards")?,
        licenses_revoked: count(
            "SELECT count(*) FROM licenses WHERE status_shard IS NOT NULL AND revoked_at_ms IS NOT NULL",
        )?,
    })
}
