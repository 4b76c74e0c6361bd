//! Rows of the credits ledger, appended and never changed, and of the periods that end a monthly balance.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// One row of the ledger. Amounts are millicents.
pub(crate) struct Entry<'a> {
    pub(crate) tenant_id: &'a str,
    /// Not before the newest entry of the tenant.
    pub(crate) at: UnixMillis,
    /// The changes.
    pub(crate) change: Amounts,
    /// The balances after them: those of the newest entry and the changes.
    pub(crate) after: Amounts,
    pub(crate) cause: &'a str,
    /// Which one, so that one cause has one effect.
    pub(crate) cause_id: &'a str,
}

/// Millicents in each of the two buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) monthly_mc: i64,
    pub(crate) topup_mc: i64,
}

impl Amounts {
    pub(crate) const fn total_mc(self) -> i64 {
        self.monthly_mc.saturating_add(self.topup_mc)
    }
}

/// The time in which a monthly balance may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) id: String,
    /// `trial` or `plan`.
    pub(crate) kind: String,
    /// The plan that grants, unless it is a trial.
    pub(crate) plan_id: Option<String>,
    pub(crate) started_at: UnixMillis,
    /// The first instant after it.
    pub(crate) ends_at: UnixMillis,
}

/// Appends an entry.
///
/// # Errors
/// `Constraint` when the cause has had its effect, or the entry does not go on from the newest one.
pub(crate) fn append(tx: &Tx<'_>, entry: &Entry<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO credit_entries (tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            entry.tenant_id.into(),
            entry.at.ms().into(),
            entry.change.monthly_mc.into(),
            entry.change.topup_mc.into(),
            entry.after.monthly_mc.into(),
            entry.after.topup_mc.into(),
            entry.cause.into(),
            entry.cause_id.into(),
        ],
    )?;
    Ok(())
}

/// An entry as it stands in the ledger.
pub(crate) struct StoredEntry {
    pub(crate) seq: i64,
    pub(crate) at: UnixMillis,
    pub(crate) change: Amounts,
    /// The balances after it.
    pub(crate) after: Amounts,
    pub(crate) cause: String,
    pub(crate) cause_id: String,
}

macro_rules! columns {
    () => {
        "seq, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id"
    };
}

/// The entries of a tenant after that one, oldest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<(UnixMillis, i64)>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let (at_ms, seq) = after.map_or((i64::MIN, 0), |(at, seq)| (at.ms(), seq));
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM credit_entries WHERE tenant_id = ?1 AND (at_ms, seq) > (?2, ?3) ORDER BY at_ms, seq LIMIT ?4"
        ),
        &[tenant_id.into(), at_ms.into(), seq.into(), limit.into()],
        read,
    )
}

/// The entries of a tenant that are earlier than `before`, newest first.
pub(crate) fn earlier(
    tx: &Tx<'_>,
    tenant_id: &str,
    before: Option<UnixMillis>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let before_ms = before.map_or(i64::MAX, UnixMillis::ms);
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM credit_entries WHERE tenant_id = ?1 AND at_ms < ?2 ORDER BY at_ms DESC, seq DESC LIMIT ?3"
        ),
        &[tenant_id.into(), before_ms.into(), limit.into()],
        read,
    )
}

/// The entries of a tenant of that instant, newest first.
pub(crate) fn of_instant(
    tx: &Tx<'_>,
    tenant_id: &str,
    at: UnixMillis,
) -> Result<Vec<StoredEntry>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM credit_entries WHERE tenant_id = ?1 AND at_ms = ?2 ORDER BY seq DESC"
        ),
        &[tenant_id.into(), at.ms().into()],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        seq: row.int(0)?,
        at: UnixMillis::from_ms(row.int(1)?),
        change: Amounts {
            monthly_mc: row.int(2)?,
            topup_mc: row.int(3)?,
        },
        after: Amounts {
            monthly_mc: row.int(4)?,
            topup_mc: row.int(5)?,
        },
        cause: row.text(6)?,
        cause_id: row.text(7)?,
    })
}

/// What decides about a tenant's credits, read at once.
pub(crate) struct AccountRow {
    pub(crate) is_active: bool,
    pub(crate) is_agent: bool,
    /// The plan that it was given or pays for.
    pub(crate) plan_id: Option<String>,
    pub(crate) period: Option<Period>,
    /// When the newest entry was made, and the balances after it; none before the first.
    pub(crate) newest: Option<(UnixMillis, Amounts)>,
    /// If it tops up by itself.
    pub(crate) recharge: Option<Recharge>,
}

/// When a balance is topped up by itself, and by how much.
pub(crate) struct Recharge {
    pub(crate) threshold_mc: i64,
    pub(crate) amount_cents: i64,
}

pub(crate) fn account(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<AccountRow>, StoreError> {
    tx.optional(
        "SELECT t.state, t.kind, t.plan, p.id, p.kind, p.plan_id, p.started_at_ms, p.ends_at_ms,
             e.at_ms, e.monthly_after_mc, e.topup_after_mc, r.threshold_mc, r.amount_cents
         FROM tenants t LEFT JOIN credit_periods p ON p.tenant_id = t.id
             LEFT JOIN credit_entries e ON e.seq = (SELECT seq FROM credit_entries WHERE tenant_id = t.id
                 ORDER BY at_ms DESC, seq DESC LIMIT 1)
             LEFT JOIN auto_recharges r ON r.tenant_id = t.id AND r.is_enabled = 1 AND r.is_ready = 1 AND r.paused_at_ms IS NULL
         WHERE t.id = ?1",
        &[tenant_id.into()],
        |row| {
            let period = match row.optional_text(3)? {
                Some(id) => Some(Period {
                    id,
                    kind: row.text(4)?,
                    plan_id: row.optional_text(5)?,
                    started_at: UnixMillis::from_ms(row.int(6)?),
                    ends_at: UnixMillis::from_ms(row.int(7)?),
                }),
                None => None,
            };
            let newest = match row.optional_int(8)? {
                Some(at_ms) => {
                    let after = Amounts {
                        monthly_mc: row.int(9)?,
                        topup_mc: row.int(10)?,
                    };
                    Some((UnixMillis::from_ms(at_ms), after))
                }
                None => None,
            };
            let recharge = match row.optional_int(11)? {
                Some(threshold_mc) => Some(Recharge {
                    threshold_mc,
                    amount_cents: row.int(12)?,
                }),
                None => None,
            };
            Ok(AccountRow {
                is_active: row.text(0)? == "active",
                is_agent: row.text(1)? == "agent",
                plan_id: row.optional_text(2)?,
                period,
                newest,
                recharge,
            })
        },
    )
}

/// Whether a cause has had its effect on a tenant.
pub(crate) fn has(
    tx: &Tx<'_>,
    tenant_id: &str,
    cause: &str,
    cause_id: &str,
) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT seq FROM credit_entries WHERE tenant_id = ?1 AND cause = ?2 AND cause_id = ?3",
        &[tenant_id.into(), cause.into(), cause_id.into()],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}

/// The effect that a cause has had on a tenant.
pub(crate) fn of_cause(
    tx: &Tx<'_>,
    tenant_id: &str,
    cause: &str,
    cause_id: &str,
) -> Result<Option<StoredEntry>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM credit_entries WHERE tenant_id = ?1 AND cause = ?2 AND cause_id = ?3"
        ),
        &[tenant_id.into(), cause.into(), cause_id.into()],
        read,
    )
}

/// Starts the period of a tenant that has none.
///
/// # Errors
/// `UniqueViolation` when it has one.
pub(crate) fn start_period(
    tx: &Tx<'_>,
    tenant_id: &str,
    period: &Period,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO credit_periods (tenant_id, id, kind, plan_id, started_at_ms, ends_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            tenant_id.into(),
            (&period.id).into(),
            (&period.kind).into(),
            period.plan_id.as_deref().into(),
            period.started_at.ms().into(),
            period.ends_at.ms().into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn end_period(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM credit_periods WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// At most `limit` ends of periods that are over, each with its tenant, the longest ended first, and only those that
/// come after `after`.
pub(crate) fn ended(
    tx: &Tx<'_>,
    now: UnixMillis,
    after: Option<&(UnixMillis, String)>,
    limit: u32,
) -> Result<Vec<(UnixMillis, String)>, StoreError> {
    let (after_ms, after_tenant_id) = after.map_or((i64::MIN, ""), |(ends_at, tenant_id)| {
        (ends_at.ms(), tenant_id.as_str())
    });
    tx.all(
        "SELECT ends_at_ms, tenant_id FROM credit_periods WHERE ends_at_ms <= ?1 AND (ends_at_ms, tenant_id) > (?2, ?3)
         ORDER BY ends_at_ms, tenant_id LIMIT ?4",
        &[
            now.ms().into(),
            after_ms.into(),
            after_tenant_id.into(),
            limit.into(),
        ],
        |row| Ok((UnixMillis::from_ms(row.int(0)?), row.text(1)?)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tenants::{self, Tenant};
    use crate::store::{MIGRATIONS, Store};

    #[test]
    fn the_ledger_is_append_only() {
        const INTO: &str = "INTO credit_entries (seq, tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id) VALUES";
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        let filled = store.write(|tx| {
            for id in ["0", "1"] {
                let tenant = Tenant {
                    id: id.to_owned(),
                    name: "T".to_owned(),
                    kind: "agent".to_owned(),
                    created_at: UnixMillis::from_ms(0),
                };
                tenants::insert(tx, &tenant)?;
            }
            let five = Amounts {
                monthly_mc: 5,
                topup_mc: 0,
            };
            let entry = Entry {
                tenant_id: "0",
                at: UnixMillis::from_ms(1),
                change: five,
                after: five,
                cause: "trial",
                cause_id: "first",
            };
            append(tx, &entry)
        });
        filled.unwrap();
        let entries = || {
            let read = store.read(|tx| list(tx, "0", None, 100));
            let entries = read.unwrap().into_iter();
            let shown =
                entries.map(|entry| (entry.change.monthly_mc, entry.after.topup_mc, entry.cause));
            shown.collect::<Vec<_>>()
        };
        let run = |sql: String| store.write(move |tx| tx.execute(&sql, &[]));
        let expected = [(5, 0, "trial".to_owned())];
        for sql in [
            "UPDATE credit_entries SET monthly_mc = 6".to_owned(),
            "UPDATE credit_entries SET at_ms = 0 WHERE tenant_id = '0'".to_owned(),
            "DELETE FROM credit_entries".to_owned(),
            // Sums, times and causes.
            format!("INSERT {INTO} (NULL, '0', 1, 0, 0, 5, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 7, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 0, 1, 5, 2, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '1', 1, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 0, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'whim', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'grant', NULL)"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'trial', 'x')"),
            format!("INSERT {INTO} (-1, '1', 1, 1, 0, 1, 0, 'grant', 'x')"),
            // In the place of what stands there.
            format!("INSERT OR REPLACE {INTO} (1, '0', 1, 6, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT OR REPLACE {INTO} (1, '0', 1, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT OR REPLACE {INTO} (1, '1', 1, 1, 0, 1, 0, 'grant', 'x')"),
            format!("INSERT OR REPLACE {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'trial', 'first')"),
            format!("REPLACE {INTO} (1, '0', 1, 5, 0, 5, 0, 'trial', 'first')"),
        ] {
            assert!(run(sql.clone()).is_err(), "{sql}");
            assert_eq!(entries(), expected, "{sql}");
        }
        for sql in [
            format!("INSERT {INTO} (NULL, '0', 1, 0, 0, 5, 0, 'usage', 'free')"),
            format!("INSERT OR REPLACE {INTO} (NULL, '0', 2, -1, 3, 4, 3, 'usage', 'paid')"),
        ] {
            assert!(run(sql.clone()).is_ok(), "{sql}");
        }
        assert_eq!(entries().len(), 3);
    }

    #[test]
    fn a_trial_that_runs_outlasts_the_change_of_its_tables() {
        let folder = tempfile::tempdir().unwrap();
        let before = Store::open(folder.path(), &MIGRATIONS[..10]).unwrap();
        let written = before.write(|tx| {
            for sql in [
                "INSERT INTO tenants (id, name, kind, state, created_at_ms, plan) VALUES ('t', 'T', 'agent', 'active', 1, 'pro')",
                "INSERT INTO credit_periods (tenant_id, id, kind, started_at_ms, ends_at_ms) VALUES ('t', 'p', 'trial', 1, 9)",
                "INSERT INTO credit_entries (tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id)
                    VALUES ('t', 1, 5, 0, 5, 0, 'trial', 'p')",
            ] {
                tx.execute(sql, &[])?;
            }
            Ok::<(), StoreError>(())
        });
        written.unwrap();
        drop(before);
        let after = Store::open(folder.path(), MIGRATIONS).unwrap();
        let account = after.read(|tx| account(tx, "t")).unwrap().unwrap();
        let period = account.period.unwrap();
        assert_eq!((period.kind.as_str(), period.plan_id), ("trial", None));
        assert_eq!(period.ends_at, UnixMillis::from_ms(9));
        assert_eq!(
            (account.plan_id.as_deref(), account.is_agent),
            (Some("pro"), true)
        );
        let (_, left) = account.newest.unwrap();
        assert_eq!(left.total_mc(), 5);
    }
}
