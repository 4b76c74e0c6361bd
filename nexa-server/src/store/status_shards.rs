//! Rows of status shards, the places of licences in them, and what changed between versions.

use nexa_core::UnixSeconds;

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// A position of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) position: u16,
}

/// A shard as it was signed last.
pub(crate) struct Shard {
    pub(crate) number: u32,
    pub(crate) taken: u32,
    pub(crate) seq: u64,
    pub(crate) changes_since: u64,
    pub(crate) this_update_s: u64,
    pub(crate) kid: String,
    pub(crate) signed: Vec<u8>,
}

impl Shard {
    /// When it was signed.
    pub(crate) fn this_update(&self) -> UnixSeconds {
        UnixSeconds::new(self.this_update_s).unwrap_or(UnixSeconds::MAX)
    }
}

/// A change of one position.
pub(crate) struct Change {
    pub(crate) position: u16,
    pub(crate) is_revoked: bool,
}

macro_rules! columns {
    () => {
        "number, taken, seq, changes_since, this_update_s, kid, signed"
    };
}

/// The shard with the lowest number that is not full: one with 61,440 of its 65,536 places taken is, so that of sixteen
/// draws one hits a free place.
pub(crate) fn with_room(tx: &Tx<'_>) -> Result<Option<u32>, StoreError> {
    tx.optional(
        "SELECT number FROM status_shards WHERE taken < 61440 ORDER BY number LIMIT 1",
        &[],
        |row| number(row, 0),
    )
}

/// The number that the next shard gets.
pub(crate) fn next_number(tx: &Tx<'_>) -> Result<u32, StoreError> {
    tx.one(
        "SELECT coalesce(max(number) + 1, 0) FROM status_shards",
        &[],
        |row| number(row, 0),
    )
}

pub(crate) fn find(tx: &Tx<'_>, number: u32) -> Result<Option<Shard>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM status_shards WHERE number = ?1"
        ),
        &[number.into()],
        read,
    )
}

/// All shards after that one, by number.
pub(crate) fn list(tx: &Tx<'_>, after: Option<u32>, limit: u32) -> Result<Vec<Shard>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM status_shards WHERE ?1 IS NULL OR number > ?1 ORDER BY number LIMIT ?2"
        ),
        &[after.into(), limit.into()],
        read,
    )
}

/// Where a shard stands, without its bytes.
pub(crate) struct ShardHead {
    pub(crate) number: u32,
    pub(crate) taken: u32,
    pub(crate) seq: u64,
    pub(crate) this_update_s: u64,
}

/// The heads of all shards after that one, by number.
pub(crate) fn heads(
    tx: &Tx<'_>,
    after: Option<u32>,
    limit: u32,
) -> Result<Vec<ShardHead>, StoreError> {
    tx.all(
        "SELECT number, taken, seq, this_update_s FROM status_shards WHERE ?1 IS NULL OR number > ?1
         ORDER BY number LIMIT ?2",
        &[after.into(), limit.into()],
        |row| {
            Ok(ShardHead {
                number: number(row, 0)?,
                taken: number(row, 1)?,
                seq: unsigned(row, 2)?,
                this_update_s: unsigned(row, 3)?,
            })
        },
    )
}

/// Numbers of shards that were signed at `until_s` or before, or by another key than this one.
pub(crate) fn to_sign(
    tx: &Tx<'_>,
    until_s: u64,
    kid: &str,
    limit: u32,
) -> Result<Vec<u32>, StoreError> {
    tx.all(
        "SELECT number FROM status_shards WHERE this_update_s <= ?1 OR kid <> ?2 LIMIT ?3",
        &[integer(until_s).into(), kid.into(), limit.into()],
        |row| number(row, 0),
    )
}

/// Keeps what was signed; a shard that is not there yet begins without places.
pub(crate) fn keep(tx: &Tx<'_>, shard: &Shard) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO status_shards (number, taken, seq, changes_since, this_update_s, kid, signed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (number) DO UPDATE SET seq = excluded.seq, this_update_s = excluded.this_update_s, kid = excluded.kid,
             signed = excluded.signed",
        &[
            shard.number.into(),
            shard.taken.into(),
            integer(shard.seq).into(),
            integer(shard.changes_since).into(),
            integer(shard.this_update_s).into(),
            (&shard.kid).into(),
            (&shard.signed).into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn is_taken(tx: &Tx<'_>, place: Place) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 FROM licenses WHERE status_shard = ?1 AND status_position = ?2",
        &[place.shard.into(), u32::from(place.position).into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Gives a licence its place, for so long.
pub(crate) fn take(
    tx: &Tx<'_>,
    jti: &str,
    place: Place,
    until: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE licenses SET status_shard = ?2, status_position = ?3, status_until_ms = ?4 WHERE jti = ?1",
        &[
            jti.into(),
            place.shard.into(),
            u32::from(place.position).into(),
            until.ms().into(),
        ],
    )?;
    tx.execute(
        "UPDATE status_shards SET taken = taken + 1 WHERE number = ?1",
        &[place.shard.into()],
    )?;
    Ok(())
}

/// Takes places back that nobody asks for any more, at most `limit`; answers those whose licences were revoked, and how
/// many there were in all.
pub(crate) fn take_back(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: u32,
) -> Result<(Vec<Place>, usize), StoreError> {
    let over = tx.all(
        "SELECT jti, status_shard, status_position, revoked_at_ms IS NOT NULL FROM licenses
         WHERE status_until_ms <= ?1 ORDER BY status_until_ms LIMIT ?2",
        &[now.ms().into(), limit.into()],
        |row| Ok((row.text(0)?, place(row, 1)?, row.int(3)? == 1)),
    )?;
    let mut revoked = Vec::new();
    for (jti, place, was_revoked) in &over {
        tx.execute(
            "UPDATE licenses SET status_shard = NULL, status_position = NULL, status_until_ms = NULL WHERE jti = ?1",
            &[jti.into()],
        )?;
        tx.execute(
            "UPDATE status_shards SET taken = taken - 1 WHERE number = ?1",
            &[place.shard.into()],
        )?;
        if *was_revoked {
            revoked.push(*place);
        }
    }
    Ok((revoked, over.len()))
}

/// Whether some place is to be taken back.
pub(crate) fn has_over(tx: &Tx<'_>, now: UnixMillis) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT 1 FROM licenses WHERE status_until_ms <= ?1 LIMIT 1",
        &[now.ms().into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// The positions of a shard whose licences are revoked, rising.
pub(crate) fn revoked_positions(tx: &Tx<'_>, shard: u32) -> Result<Vec<u16>, StoreError> {
    tx.all(
        "SELECT status_position FROM licenses WHERE status_shard = ?1 AND revoked_at_ms IS NOT NULL
         ORDER BY status_position",
        &[shard.into()],
        |row| position(row, 0),
    )
}

pub(crate) fn note_change(
    tx: &Tx<'_>,
    place: Place,
    seq: u64,
    is_revoked: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO status_changes (shard, seq, position, is_revoked) VALUES (?1, ?2, ?3, ?4)",
        &[
            place.shard.into(),
            integer(seq).into(),
            u32::from(place.position).into(),
            is_revoked.into(),
        ],
    )?;
    Ok(())
}

/// What changed in a shard after that version, oldest first.
pub(crate) fn changes(tx: &Tx<'_>, shard: u32, after: u64) -> Result<Vec<Change>, StoreError> {
    tx.all(
        "SELECT position, is_revoked FROM status_changes WHERE shard = ?1 AND seq > ?2 ORDER BY seq",
        &[shard.into(), integer(after).into()],
        |row| {
            Ok(Change {
                position: position(row, 0)?,
                is_revoked: row.int(1)? == 1,
            })
        },
    )
}

/// Forgets changes of a shard up to that version.
pub(crate) fn forget_changes(tx: &Tx<'_>, shard: u32, until: u64) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM status_changes WHERE shard = ?1 AND seq <= ?2",
        &[shard.into(), integer(until).into()],
    )?;
    tx.execute(
        "UPDATE status_shards SET changes_since = ?2 WHERE number = ?1 AND changes_since < ?2",
        &[shard.into(), integer(until).into()],
    )?;
    Ok(())
}

/// A place in two columns.
pub(super) fn place(row: &Row<'_>, column: usize) -> Result<Place, StoreError> {
    Ok(Place {
        shard: number(row, column)?,
        position: position(row, column + 1)?,
    })
}

fn read(row: &Row<'_>) -> Result<Shard, StoreError> {
    Ok(Shard {
        number: number(row, 0)?,
        taken: number(row, 1)?,
        seq: unsigned(row, 2)?,
        changes_since: unsigned(row, 3)?,
        this_update_s: unsigned(row, 4)?,
        kid: row.text(5)?,
        signed: row.bytes(6)?,
    })
}

fn number(row: &Row<'_>, column: usize) -> Result<u32, StoreError> {
    u32::try_from(row.int(column)?).map_err(|_| StoreError::Shape { column })
}

fn position(row: &Row<'_>, column: usize) -> Result<u16, StoreError> {
    u16::try_from(row.int(column)?).map_err(|_| StoreError::Shape { column })
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.int(column)?).map_err(|_| StoreError::Shape { column })
}

/// Times and versions are far below 2^63; what is not would be the last one.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
