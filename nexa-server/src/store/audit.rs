//! Rows of the audit trail: appended in a chain, never changed; what is personal in them can be erased.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// An event and its place in the trail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// Counted from 1.
    pub(crate) seq: i64,
    pub(crate) at: UnixMillis,
    pub(crate) tenant_id: Option<&'a str>,
    pub(crate) actor_kind: &'a str,
    pub(crate) act: &'a str,
    pub(crate) personal: Personal<'a>,
}

/// What of an event can be erased.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Personal<'a> {
    pub(crate) actor_id: Option<&'a str>,
    /// The user behind the actor.
    pub(crate) user_id: Option<&'a str>,
    pub(crate) subject_id: Option<&'a str>,
    /// The client's address.
    pub(crate) address: Option<&'a str>,
}

/// What chains an event.
pub(crate) struct Seal {
    pub(crate) salt: [u8; 16],
    pub(crate) commitment: [u8; 32],
    pub(crate) hash: [u8; 32],
}

/// An event as it stands in the file. What is to be judged comes as it is, whatever its length.
pub(crate) struct StoredEvent {
    pub(crate) seq: i64,
    pub(crate) at: UnixMillis,
    pub(crate) tenant_id: Option<String>,
    pub(crate) actor_kind: String,
    pub(crate) act: String,
    pub(crate) actor_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) subject_id: Option<String>,
    pub(crate) address: Option<String>,
    /// None once it is erased.
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) commitment: Option<Vec<u8>>,
    /// None before it is chained.
    pub(crate) hash: Option<Vec<u8>>,
}

impl StoredEvent {
    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            seq: self.seq,
            at: self.at,
            tenant_id: self.tenant_id.as_deref(),
            actor_kind: &self.actor_kind,
            act: &self.act,
            personal: Personal {
                actor_id: self.actor_id.as_deref(),
                user_id: self.user_id.as_deref(),
                subject_id: self.subject_id.as_deref(),
                address: self.address.as_deref(),
            },
        }
    }
}

macro_rules! columns {
    () => {
        "seq, at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address, salt, commitment, hash"
    };
}

/// The end of the trail.
pub(crate) struct Head {
    pub(crate) seq: i64,
    /// None if it is not chained yet.
    pub(crate) hash: Option<[u8; 32]>,
}

/// The newest event.
pub(crate) fn head(tx: &Tx<'_>) -> Result<Option<Head>, StoreError> {
    tx.optional(
        "SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1",
        &[],
        |row| {
            Ok(Head {
                seq: row.int(0)?,
                hash: row.optional_array(1)?,
            })
        },
    )
}

/// # Errors
/// `Constraint` when the event does not go on from the newest one, or that one is not chained yet.
pub(crate) fn append(tx: &Tx<'_>, event: &Event<'_>, seal: &Seal) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_events
             (seq, at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address, salt, commitment, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        &[
            event.seq.into(),
            event.at.ms().into(),
            event.tenant_id.into(),
            event.actor_kind.into(),
            event.act.into(),
            event.personal.actor_id.into(),
            event.personal.user_id.into(),
            event.personal.subject_id.into(),
            event.personal.address.into(),
            (&seal.salt).into(),
            (&seal.commitment).into(),
            (&seal.hash).into(),
        ],
    )?;
    Ok(())
}

/// At most `limit` events that are not chained yet, in order, each with the user behind its actor as far as that
/// can still be told.
pub(crate) fn unchained(tx: &Tx<'_>, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
    tx.all(
        "SELECT seq, at_ms, tenant_id, actor_kind, act, actor_id,
             CASE actor_kind WHEN 'user' THEN actor_id ELSE (SELECT user_id FROM api_keys WHERE id = actor_id) END,
             subject_id, address, salt, commitment, hash
         FROM audit_events WHERE hash IS NULL ORDER BY seq LIMIT ?1",
        &[limit.into()],
        read,
    )
}

/// The hash of the last event before that one.
pub(crate) fn hash_before(tx: &Tx<'_>, seq: i64) -> Result<Option<[u8; 32]>, StoreError> {
    tx.optional(
        "SELECT hash FROM audit_events WHERE seq < ?1 ORDER BY seq DESC LIMIT 1",
        &[seq.into()],
        |row| row.array(0),
    )
}

/// Chains an event that is not chained yet.
pub(crate) fn chain(tx: &Tx<'_>, event: &Event<'_>, seal: &Seal) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE audit_events SET user_id = ?2, salt = ?3, commitment = ?4, hash = ?5 WHERE seq = ?1",
        &[
            event.seq.into(),
            event.personal.user_id.into(),
            (&seal.salt).into(),
            (&seal.commitment).into(),
            (&seal.hash).into(),
        ],
    )?;
    Ok(())
}

/// Erases what is personal in events of a tenant after that place, and their salts, at most `limit` of them in the order of
/// time; answers the last place.
pub(crate) fn erase_part(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<(i64, i64)>,
    limit: u32,
) -> Result<Option<(i64, i64)>, StoreError> {
    let (at_ms, seq) = after.unwrap_or((i64::MIN, 0));
    let part = tx.all(
        "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL
         WHERE seq IN (SELECT seq FROM audit_events WHERE tenant_id = ?1 AND (at_ms, seq) > (?2, ?3)
             ORDER BY at_ms, seq LIMIT ?4)
         RETURNING at_ms, seq",
        &[tenant_id.into(), at_ms.into(), seq.into(), limit.into()],
        |row| Ok((row.int(0)?, row.int(1)?)),
    )?;
    Ok(part.into_iter().max())
}

/// Where a page begins: only events of an earlier time, or of the same time and a smaller number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    pub(crate) at_ms: i64,
    pub(crate) seq: i64,
}

/// At most `limit` events of a tenant, newest first; of one user, by whatever credential or as the subject, when
/// `user_id` is given.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    before: Before,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let (at_ms, seq) = (before.at_ms.into(), before.seq.into());
    let common = [tenant_id.into(), at_ms, seq, limit.into()];
    match user_id {
        None => tx.all(OF_TENANT, &common, read),
        Some(user_id) => {
            let [tenant_id, at_ms, seq, limit] = common;
            tx.all(
                OF_USER,
                &[tenant_id, at_ms, seq, limit, user_id.into()],
                read,
            )
        }
    }
}

const OF_TENANT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_events WHERE tenant_id = ?1 AND (at_ms, seq) < (?2, ?3) ORDER BY at_ms DESC, seq DESC LIMIT ?4"
);

/// Two branches, so that each walks an index of its own in order and stops at the limit.
const OF_USER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_events WHERE user_id = ?5 AND tenant_id = ?1 AND (at_ms, seq) < (?2, ?3)
      UNION ALL SELECT ",
    columns!(),
    " FROM audit_events WHERE subject_id = ?5 AND user_id IS DISTINCT FROM ?5 AND tenant_id = ?1
          AND (at_ms, seq) < (?2, ?3)
      ORDER BY at_ms DESC, seq DESC LIMIT ?4"
);

/// At most `limit` events from that number on, in order, each with the checkpoint that the store keeps of it.
pub(crate) fn page(
    tx: &Tx<'_>,
    from_seq: i64,
    limit: u32,
) -> Result<Vec<(StoredEvent, Option<Checkpoint>)>, StoreError> {
    tx.all(
        "SELECT e.seq, e.at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address, salt, commitment,
             e.hash, c.hash, c.at_ms, kid, signature
         FROM audit_events e LEFT JOIN audit_checkpoints c ON c.seq = e.seq
         WHERE e.seq >= ?1 ORDER BY e.seq LIMIT ?2",
        &[from_seq.into(), limit.into()],
        |row| {
            let event = read(row)?;
            let checkpoint = match row.optional_int(13)? {
                None => None,
                Some(at_ms) => Some(Checkpoint {
                    seq: event.seq,
                    hash: row.bytes(12)?,
                    at: UnixMillis::from_ms(at_ms),
                    kid: row.text(14)?,
                    signature: row.bytes(15)?,
                }),
            };
            Ok((event, checkpoint))
        },
    )
}

/// The first number from that one on that an event has.
pub(crate) fn next_seq(tx: &Tx<'_>, from_seq: i64) -> Result<Option<i64>, StoreError> {
    tx.optional(
        "SELECT seq FROM audit_events WHERE seq >= ?1 ORDER BY seq LIMIT 1",
        &[from_seq.into()],
        |row| row.int(0),
    )
}

/// A checkpoint as it stands in the file.
pub(crate) struct Checkpoint {
    /// Of the newest event at that time.
    pub(crate) seq: i64,
    pub(crate) hash: Vec<u8>,
    pub(crate) at: UnixMillis,
    pub(crate) kid: String,
    pub(crate) signature: Vec<u8>,
}

/// # Errors
/// `Constraint` when there is one of that event, or of a later one, or no such event.
pub(crate) fn keep_checkpoint(tx: &Tx<'_>, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_checkpoints (seq, hash, at_ms, kid, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            checkpoint.seq.into(),
            (&checkpoint.hash).into(),
            checkpoint.at.ms().into(),
            (&checkpoint.kid).into(),
            (&checkpoint.signature).into(),
        ],
    )?;
    Ok(())
}

/// Of which event the newest checkpoint is, when it was made and by which key.
pub(crate) fn newest_checkpoint(
    tx: &Tx<'_>,
) -> Result<Option<(i64, UnixMillis, String)>, StoreError> {
    tx.optional(
        "SELECT seq, at_ms, kid FROM audit_checkpoints ORDER BY seq DESC LIMIT 1",
        &[],
        |row| Ok((row.int(0)?, UnixMillis::from_ms(row.int(1)?), row.text(2)?)),
    )
}

/// The first event that has a checkpoint and is not there.
pub(crate) fn checkpoint_of_nothing(tx: &Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.optional(
        "SELECT seq FROM audit_checkpoints c WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.seq = c.seq)
         ORDER BY seq LIMIT 1",
        &[],
        |row| row.int(0),
    )
}

fn read(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq: row.int(0)?,
        at: UnixMillis::from_ms(row.int(1)?),
        tenant_id: row.optional_text(2)?,
        actor_kind: row.text(3)?,
        act: row.text(4)?,
        actor_id: row.optional_text(5)?,
        user_id: row.optional_text(6)?,
        subject_id: row.optional_text(7)?,
        address: row.optional_text(8)?,
        salt: row.optional_bytes(9)?,
        commitment: row.optional_bytes(10)?,
        hash: row.optional_bytes(11)?,
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
    fn lists_walk_an_index_in_order() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let file = open_reader(&scratch.path().join(DATABASE_FILE)).unwrap();
        for (sql, indexes) in [
            (
                OF_TENANT,
                &["audit_events_by_tenant (tenant_id=? AND at_ms"][..],
            ),
            (
                OF_USER,
                &[
                    "audit_events_by_user (user_id=? AND at_ms",
                    "audit_events_by_subject (subject_id=? AND at_ms",
                ],
            ),
        ] {
            let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let nothing = vec![Value::Null; plan.parameter_count()];
            let lines = plan.query_map(params_from_iter(nothing), |row| row.get::<_, String>(3));
            let plan: Vec<String> = lines.unwrap().map(Result::unwrap).collect();
            let plan = plan.join("\n");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            for index in indexes {
                assert!(plan.contains(index), "{plan}");
            }
        }
        drop(store);
    }
}
