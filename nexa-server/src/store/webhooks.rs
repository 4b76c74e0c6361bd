//! Rows of deliveries of webhooks: the outbox, and the log.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// A delivery, as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) event_seq: i64,
    pub(crate) event_id: String,
    pub(crate) tenant_id: String,
    /// `waiting`, `delivered`, `failed` or `cancelled`.
    pub(crate) state: String,
    pub(crate) round: i64,
    pub(crate) attempts: i64,
    pub(crate) due_at: UnixMillis,
    pub(crate) tried_at: Option<UnixMillis>,
    pub(crate) status: Option<i64>,
    pub(crate) problem: Option<String>,
    pub(crate) delivered_at: Option<UnixMillis>,
}

/// What an attempt has come to.
pub(crate) struct Attempted<'a> {
    pub(crate) at: UnixMillis,
    pub(crate) status: Option<i64>,
    pub(crate) problem: Option<&'a str>,
}

macro_rules! columns {
    () => {
        "event_seq, event_id, tenant_id, state, round, attempts, due_at_ms, tried_at_ms, status, problem, delivered_at_ms"
    };
}

/// Puts an event into the outbox of its tenant, if that has a receiver.
pub(super) fn insert(tx: &Tx<'_>, event_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO webhook_deliveries (event_seq, event_id, tenant_id, state, round, attempts, due_at_ms)
         SELECT events.seq, events.id, events.tenant_id, 'waiting', 1, 0, events.at_ms
         FROM events JOIN agents ON agents.tenant_id = events.tenant_id
         WHERE events.id = ?1 AND agents.webhook_url IS NOT NULL AND agents.webhook_gone_at_ms IS NULL",
        &[event_id.into()],
    )?;
    Ok(())
}

/// A tenant for which something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueTenant {
    pub(crate) id: String,
    /// Whether its last attempt failed, or took long.
    pub(crate) is_degraded: bool,
}

/// In the order of its index: ordered by id, SQLite would rather read all agents.
const DUE_TENANTS: &str = "SELECT tenant_id, webhook_is_degraded FROM agents WHERE webhook_due_at_ms <= ?1 ORDER BY webhook_due_at_ms";

/// The tenants for which something is due, by id.
pub(crate) fn due_tenants(tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<DueTenant>, StoreError> {
    let mut tenants = tx.all(DUE_TENANTS, &[now.ms().into()], |row| {
        Ok(DueTenant {
            id: row.text(0)?,
            is_degraded: row.int(1)? != 0,
        })
    })?;
    tenants.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Ok(tenants)
}

const IS_AHEAD: &str = "SELECT
    EXISTS (SELECT 1 FROM webhook_deliveries WHERE state = 'waiting' AND (attempts > 0) = 0 AND due_at_ms > ?1)
    OR EXISTS (SELECT 1 FROM webhook_deliveries WHERE state = 'waiting' AND (attempts > 0) = 1 AND due_at_ms > ?2)";

/// Until when what waits may be due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latest {
    /// What was never tried.
    pub(crate) first: UnixMillis,
    /// What is tried again.
    pub(crate) again: UnixMillis,
}

/// Whether something is due later than that.
pub(crate) fn is_ahead(tx: &Tx<'_>, latest: Latest) -> Result<bool, StoreError> {
    tx.one(
        IS_AHEAD,
        &[latest.first.ms().into(), latest.again.ms().into()],
        |row| Ok(row.int(0)? != 0),
    )
}

/// Has everything that is due later than that be due now.
pub(crate) fn bring_forward(
    tx: &Tx<'_>,
    now: UnixMillis,
    latest: Latest,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE webhook_deliveries SET due_at_ms = ?1
         WHERE state = 'waiting' AND due_at_ms > CASE WHEN attempts > 0 THEN ?3 ELSE ?2 END",
        &[
            now.ms().into(),
            latest.first.ms().into(),
            latest.again.ms().into(),
        ],
    )?;
    Ok(())
}

/// What is due of a tenant, the longest due first.
pub(crate) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_deliveries WHERE state = 'waiting' AND tenant_id = ?1 AND due_at_ms <= ?2
             ORDER BY due_at_ms, event_seq LIMIT ?3"
        ),
        &[tenant_id.into(), now.ms().into(), limit.into()],
        read,
    )
}

/// Where a delivery goes that still waits: the URL that its tenant has now, if that is active.
pub(crate) fn url(tx: &Tx<'_>, delivery: &Delivery) -> Result<Option<String>, StoreError> {
    let found = tx.optional(
        "SELECT agents.webhook_url FROM webhook_deliveries
         JOIN agents ON agents.tenant_id = webhook_deliveries.tenant_id
         JOIN tenants ON tenants.id = webhook_deliveries.tenant_id
         WHERE event_seq = ?1 AND round = ?2 AND webhook_deliveries.state = 'waiting' AND webhook_gone_at_ms IS NULL
             AND tenants.state = 'active' AND erasing_since_ms IS NULL AND erased_at_ms IS NULL",
        &[delivery.event_seq.into(), delivery.round.into()],
        |row| row.optional_text(0),
    )?;
    Ok(found.flatten())
}

/// Notes a delivery, also of one that was cancelled while it was on its way.
pub(crate) fn set_delivered(
    tx: &Tx<'_>,
    delivery: &Delivery,
    attempted: &Attempted<'_>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1, tried_at_ms = ?3, delivered_at_ms = ?3,
             status = ?4, problem = NULL
         WHERE event_seq = ?1 AND round = ?2",
        &[
            delivery.event_seq.into(),
            delivery.round.into(),
            attempted.at.ms().into(),
            attempted.status.into(),
        ],
    )?;
    Ok(())
}

/// Notes an attempt that came to nothing, and when the next one is due; without a next one it has failed.
pub(crate) fn set_failed(
    tx: &Tx<'_>,
    delivery: &Delivery,
    attempted: &Attempted<'_>,
    next_at: Option<UnixMillis>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE webhook_deliveries SET state = CASE WHEN ?6 IS NULL THEN 'failed' ELSE 'waiting' END, attempts = attempts + 1,
             tried_at_ms = ?3, status = ?4, problem = ?5, due_at_ms = coalesce(?6, due_at_ms)
         WHERE event_seq = ?1 AND round = ?2 AND state = 'waiting'",
        &[
            delivery.event_seq.into(),
            delivery.round.into(),
            attempted.at.ms().into(),
            attempted.status.into(),
            attempted.problem.into(),
            next_at.map(UnixMillis::ms).into(),
        ],
    )?;
    Ok(())
}

/// Notes an attempt that does not count, and has the next one made now.
pub(crate) fn set_diverted(
    tx: &Tx<'_>,
    delivery: &Delivery,
    attempted: &Attempted<'_>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE webhook_deliveries SET tried_at_ms = ?3, status = ?4, problem = ?5, due_at_ms = ?3
         WHERE event_seq = ?1 AND round = ?2 AND state = 'waiting'",
        &[
            delivery.event_seq.into(),
            delivery.round.into(),
            attempted.at.ms().into(),
            attempted.status.into(),
            attempted.problem.into(),
        ],
    )?;
    Ok(())
}

/// Cancels what waits of a tenant.
pub(crate) fn cancel(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE webhook_deliveries SET state = 'cancelled' WHERE tenant_id = ?1 AND state = 'waiting'",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// Has a delivery sent again at once, whatever became of it; false when the tenant has none of that event.
pub(crate) fn resend(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    event_id: &str,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE webhook_deliveries SET state = 'waiting', round = round + 1, attempts = 0, due_at_ms = ?3
         WHERE event_id = ?1 AND tenant_id = ?2",
        &[event_id.into(), tenant_id.into(), now.ms().into()],
    )?;
    Ok(changed > 0)
}

/// The deliveries of a tenant, newest first, older than the one of that event.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_deliveries WHERE tenant_id = ?1 AND (?2 IS NULL OR event_seq <
                 (SELECT event_seq FROM webhook_deliveries WHERE event_id = ?2 AND tenant_id = ?1))
             ORDER BY event_seq DESC LIMIT ?3"
        ),
        &[tenant_id.into(), before.into(), limit.into()],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        event_seq: row.int(0)?,
        event_id: row.text(1)?,
        tenant_id: row.text(2)?,
        state: row.text(3)?,
        round: row.int(4)?,
        attempts: row.int(5)?,
        due_at: UnixMillis::from_ms(row.int(6)?),
        tried_at: row.optional_int(7)?.map(UnixMillis::from_ms),
        status: row.optional_int(8)?,
        problem: row.optional_text(9)?,
        delivered_at: row.optional_int(10)?.map(UnixMillis::from_ms),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;

    use super::super::connection::open_reader;
    use super::super::tx::Value;
    use super::super::{DATABASE_FILE, MIGRATIONS, Store};
    use super::*;

    #[test]
    fn what_waited_before_the_index_is_found_by_it() {
        let scratch = tempfile::tempdir().unwrap();
        let without_index = &MIGRATIONS[..15];
        let store = Store::open(scratch.path(), without_index).unwrap();
        let insert = |tx: &Tx<'_>| -> Result<(), StoreError> {
            for (id, state, due_at) in [
                ("late", "waiting", 9_i64),
                ("due", "waiting", 4),
                ("over", "delivered", 1),
            ] {
                tx.execute("INSERT INTO tenants (id, name, kind, state, created_at_ms) VALUES (?1, ?1, 'agent', 'active', 0)", &[id.into()])?;
                tx.execute(
                    "INSERT INTO agents (tenant_id, referral_agent, secret_digest, secret_version) VALUES (?1, '', zeroblob(32), 1)",
                    &[id.into()],
                )?;
                tx.execute(
                    "INSERT INTO webhook_deliveries (event_seq, event_id, tenant_id, state, round, attempts, due_at_ms, delivered_at_ms)
                     VALUES (?1, ?2, ?2, ?3, 1, 0, ?1, ?1)",
                    &[due_at.into(), id.into(), state.into()],
                )?;
            }
            Ok(())
        };
        store.write(insert).unwrap();
        drop(store);
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let due = |now_ms| {
            let tenants = store.read(|tx| due_tenants(tx, UnixMillis::from_ms(now_ms)));
            let ids = tenants.unwrap().into_iter().map(|tenant| tenant.id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(due(3), [""; 0]);
        assert_eq!(due(4), ["due"]);
        assert_eq!(due(9), ["due", "late"]);
    }

    /// A pick asks both, many times a second, however much waits.
    #[test]
    fn what_is_due_is_found_by_an_index_of_when_it_is_due() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let file = open_reader(&scratch.path().join(DATABASE_FILE)).unwrap();
        for (sql, expected) in [
            (
                DUE_TENANTS,
                "SEARCH agents USING COVERING INDEX agents_by_webhook_due (webhook_due_at_ms<?)",
            ),
            (
                IS_AHEAD,
                "SCAN CONSTANT ROW\n\
                 SCALAR SUBQUERY 1\n\
                 SEARCH webhook_deliveries USING INDEX webhook_deliveries_by_due (<expr>=? AND due_at_ms>?)\n\
                 SCALAR SUBQUERY 2\n\
                 SEARCH webhook_deliveries USING INDEX webhook_deliveries_by_due (<expr>=? AND due_at_ms>?)",
            ),
        ] {
            let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let nothing = vec![Value::Null; plan.parameter_count()];
            let lines = plan.query_map(params_from_iter(nothing), |row| row.get::<_, String>(3));
            let plan: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
            assert_eq!(plan.join("\n"), expected);
        }
        drop(store);
    }
}
